package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Database is a file of the state directory that only its user can copy.
type Database struct {
	Name string // in the state directory
	Copy func(ctx context.Context, w io.Writer) error
}

// Source is what an archive is made of.
type Source struct {
	Head
	State        string            // the state directory
	Certificates string            // the directory of certificates and accounts, if it is not below State; or empty
	Config       map[string][]byte // files of the configuration, by name
	Databases    []Database
	// Skip reports paths of files and directories that are not to be copied.
	Skip func(path string) bool
}

// left are the parts of a state directory that are not in an archive: what can be made
// again, what is only of this process, and what is of this machine's history alone.
func left(rel string) bool {
	top, _, _ := strings.Cut(rel, "/")
	switch {
	case slices.Contains([]string{"cache", "crashes", "spool", "uploads", "state.db"}, top), strings.HasPrefix(top, tempPrefix):
		return true
	case strings.HasPrefix(rel, "audit") && (strings.HasSuffix(rel, ".jsonl") || strings.HasPrefix(rel, "audit.head")):
		return true
	}
	return false
}

// tempPrefix begins the names of what Write and Restore make for a while.
const tempPrefix = ".backup-"

// writer writes an archive and remembers what is in it.
type writer struct {
	ctx  context.Context
	tar  *tar.Writer
	time time.Time
	list []Member
}

// Write writes an archive to w.
func Write(ctx context.Context, w io.Writer, s *Source) error {
	out := &writer{ctx: ctx, tar: tar.NewWriter(w), time: s.Time.UTC().Truncate(time.Second)}
	head := s.Head
	head.Format, head.Time = Format, out.time
	if head.Outside == nil {
		head.Outside = []string{}
	}
	text, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	if err := s.check(); err != nil { // before the first byte
		return err
	}
	if err := out.bytes(headName, text); err != nil {
		return err
	}
	for _, name := range slices.Sorted(keys(s.Config)) {
		if err := out.bytes(configDir+"/"+name, s.Config[name]); err != nil {
			return err
		}
	}
	for _, d := range s.Databases {
		if err := out.database(s.State, d); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	if err := out.tree(s.State, stateDir, s.inState); err != nil {
		return err
	}
	if s.Certificates != "" {
		if err := out.tree(s.Certificates, certDir, func(path, _ string) bool { return s.Skip == nil || !s.Skip(path) }); err != nil {
			return err
		}
	}
	return out.end()
}

func keys(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// inState reports whether a path of the state directory is to be copied.
func (s *Source) inState(path, rel string) bool {
	return !left(rel) && (s.Skip == nil || !s.Skip(path)) &&
		!slices.ContainsFunc(s.Databases, func(d Database) bool { return d.Name == rel })
}

// check finds what cannot be copied as it is: a database that nobody knows.
func (s *Source) check() error {
	names, err := filepath.Glob(filepath.Join(s.State, "*.db"))
	if err != nil {
		return err
	}
	for _, path := range names {
		if name := filepath.Base(path); !slices.ContainsFunc(s.Databases, func(d Database) bool { return d.Name == name }) {
			return fmt.Errorf("the database %s cannot be copied: nothing in this server knows it", path)
		}
	}
	return nil
}

// bytes adds a member that is in memory.
func (w *writer) bytes(name string, text []byte) error {
	return w.add(name, int64(len(text)), strings.NewReader(string(text)))
}

// add adds a member of a size.
func (w *writer) add(name string, size int64, in io.Reader) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.time, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(w.tar, sum), in, size); err != nil {
		return fmt.Errorf("%s became shorter while it was copied: %w", name, err)
	}
	if name != headName && name != manifestName {
		w.list = append(w.list, Member{name, size, hex.EncodeToString(sum.Sum(nil))})
	}
	return nil
}

// database copies a database to a file first: its user waits for as long as the copy takes.
func (w *writer) database(dir string, d Database) (err error) {
	f, err := os.CreateTemp(dir, tempPrefix)
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }()
	if err := d.Copy(w.ctx, f); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return w.add(stateDir+"/"+d.Name, size, f)
}

// tree adds the files of a directory. Only files: links and sockets are no state. What
// vanishes meanwhile was not to last.
func (w *writer) tree(dir, as string, wanted func(path, rel string) bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return fs.WalkDir(root.FS(), ".", func(rel string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), rel == ".":
			return err2nil(err, rel)
		case err != nil:
			return err
		case !wanted(filepath.Join(dir, rel), rel):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		return w.file(root, rel, as)
	})
}

// err2nil lets what has vanished be, but for the directory itself.
func err2nil(err error, rel string) error {
	if rel == "." {
		return err
	}
	return nil
}

func (w *writer) file(root *os.Root, rel, as string) error {
	f, err := root.Open(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return w.add(as+"/"+rel, info.Size(), f)
}

// end writes the manifest.
func (w *writer) end() error {
	text, err := json.MarshalIndent(manifest{w.list}, "", " ")
	if err != nil {
		return err
	}
	if err := w.bytes(manifestName, text); err != nil {
		return err
	}
	return w.tar.Close()
}
