package ftpclient

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// Names of files that are not complete yet: partPrefix, 32 digits, partSuffix. The digits
// of one that can be continued stand for what it is a part of, so that another version of
// the source is never joined to it.
const (
	partPrefix = ".edgeftp-"
	partSuffix = ".part"
)

// IsPart reports whether a name is that of an incomplete file of this client.
func IsPart(name string) bool {
	return strings.HasPrefix(name, partPrefix) && strings.HasSuffix(name, partSuffix) && len(name) == len(partPrefix)+32+len(partSuffix)
}

func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// part is a file that is being made.
type part struct {
	*os.File
	root *os.Root
	name string
	keep bool // it can be continued another time
}

// partFor opens the file into which a job is loaded.
func (w *worker) partFor(j *Job) (*part, error) {
	root := w.e.Root
	dir := path.Dir(j.Local)
	if dir != "." {
		if err := root.MkdirAll(dir, 0o777); err != nil { // less the umask
			return nil, err
		}
	}
	known := j.Size != Unknown && !j.ModTime.IsZero()
	if !w.e.Resume || !known {
		var b [16]byte
		_, _ = rand.Read(b[:]) // it does not fail
		name := path.Join(dir, partPrefix+hex.EncodeToString(b[:])+partSuffix)
		f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		return &part{File: f, root: root, name: name}, err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %d", w.session.conf.Target.Address(), w.session.conf.User, j.Remote, j.Size, j.ModTime.UnixNano()))
	name := path.Join(dir, partPrefix+hex.EncodeToString(sum[:16])+partSuffix)
	if info, err := root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is in the way and no file", escape.Text(name))
	}
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	return &part{File: f, root: root, name: name, keep: true}, err
}

// drop closes a part that did not become a file, and removes it unless it is of use.
func (p *part) drop() {
	_ = p.Close()
	if info, err := p.root.Lstat(p.name); err == nil && (!p.keep || info.Size() == 0) {
		_ = p.root.Remove(p.name)
	}
}

// publish gives the part its name. After it either the old file is there, or the whole
// new one.
func (p *part) publish(name string, when time.Time) error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	if !when.IsZero() {
		if err := p.root.Chtimes(p.name, when, when); err != nil {
			return err
		}
	}
	if err := p.root.Rename(p.name, name); err != nil {
		return err
	}
	return syncDir(p.root, path.Dir(name))
}

// syncDir makes a new name last. Not every system can.
func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // opened for reading alone
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// download is one attempt at a whole file, in as many pieces as the server's faults make
// of it.
func (w *worker) download(j *Job, r *Result) error {
	s, err := w.ready()
	if err != nil {
		return err
	}
	if err := identify(s, j, r.Attempts > 1); err != nil {
		return err
	}
	r.Size = j.Size
	p, err := w.partFor(j)
	if err != nil {
		return &Local{err}
	}
	defer p.drop()
	for {
		from, err := p.Seek(0, io.SeekEnd)
		if err != nil {
			return &Local{err}
		}
		if r.Bytes == 0 {
			r.Resumed = from
		}
		err = w.fetch(s, j, r, p, from)
		if err == nil {
			break
		}
		if !w.goesOn(err, j, r) {
			return err
		}
		if s, err = w.ready(); err != nil {
			return err
		}
		before := *j
		if err := identify(s, j, true); err != nil {
			return err
		}
		if before.Size != j.Size || !before.ModTime.Equal(j.ModTime) {
			return fmt.Errorf("%s has changed while it was read", escape.Text(j.Remote))
		}
	}
	when := j.ModTime
	if !w.e.Times {
		when = time.Time{}
	}
	if err := p.publish(j.Local, when); err != nil {
		return &Local{err}
	}
	return nil
}

// goesOn waits after an error behind which the rest of the file can be asked for.
func (w *worker) goesOn(err error, j *Job, r *Result) bool {
	if !Passing(err) || j.Size == Unknown || r.Attempts > w.e.Retries {
		return false
	}
	r.Attempts++
	return w.e.wait(w.ctx, r.Attempts) == nil
}

// identify asks for what is not known of a source, or for all again.
func identify(s *Session, j *Job, again bool) error {
	if j.Size != Unknown && !j.ModTime.IsZero() && !again {
		return nil
	}
	size, err := s.Size(j.Remote)
	if err != nil {
		return err
	}
	when, err := s.ModTime(j.Remote)
	if err != nil {
		return err
	}
	if size != Unknown {
		j.Size = size
	}
	if !when.IsZero() {
		j.ModTime = when
	}
	return nil
}

// fetch loads what is missing of a file, and compares.
func (w *worker) fetch(s *Session, j *Job, r *Result, p *part, from int64) error {
	if j.Size != Unknown && from > j.Size {
		return w.restart(p, refuse("%s is longer than its source", escape.Text(p.name)))
	}
	if from == 0 || from != j.Size {
		_, err := s.Retrieve(j.Remote, from, j.Size, paced{w, p, &r.Bytes})
		var reply *ReplyError
		if from > 0 && errors.As(err, &reply) && reply.Reply.Code >= 500 && s.Lost() == nil {
			_ = w.restart(p, err) // the server cannot begin in the middle
			_, err = s.Retrieve(j.Remote, 0, j.Size, paced{w, p, &r.Bytes})
		}
		if err != nil {
			return err
		}
	}
	if !w.e.Verify {
		return nil
	}
	kind, err := w.compare(s, j, p.File)
	var differs *Mismatch
	if errors.As(err, &differs) { // what there was may have been of another file
		if err = w.restart(p, err); from == 0 {
			return err
		}
		return w.fetch(s, j, r, p, 0)
	}
	r.Verified = kind
	return err
}

// restart empties a part, and returns the reason.
func (w *worker) restart(p *part, why error) error {
	if err := p.Truncate(0); err != nil {
		return &Local{err}
	}
	_, _ = p.Seek(0, io.SeekStart) // of a file that was just truncated
	return why
}

// compare compares a file of this side with the server's, and says by what.
func (w *worker) compare(s *Session, j *Job, f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", &Local{err}
	}
	there, err := s.Hash(j.Remote)
	if err != nil {
		return "", err
	}
	if there == "" {
		size, err := s.Size(j.Remote)
		if err != nil {
			return "", err
		}
		if size == Unknown {
			return "", &Refusal{What: "the server tells neither sums nor sizes, so that nothing can be verified", Help: "do without --verify"}
		}
		if size != info.Size() {
			return "", &Mismatch{j.Remote, "size", strconv.FormatInt(info.Size(), 10), strconv.FormatInt(size, 10)}
		}
		return "size", nil
	}
	here, err := Sum(f)
	if err != nil {
		return "", &Local{err}
	}
	if here != there {
		return "", &Mismatch{j.Remote, "sha256", here, there}
	}
	return "sha256", nil
}

// Sum is the SHA-256 of a whole file, in hexadecimal digits.
func Sum(f *os.File) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
