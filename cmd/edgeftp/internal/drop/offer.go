package drop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// errMoved says that a file changed while it was read: the next look will see.
var errMoved = errors.New("the file is still changing")

// errLater is wrapped where nothing is wrong with a file but that something has
// yet to come, which will be seen as a change.
var errLater = errors.New("not complete yet")

// offer reads the files of a slot, which two looks have found alike, and offers
// them if they are complete. It reports whether to look again soon.
func (w *watcher) offer(ctx context.Context, root *os.Root, slot string, e *entry) (again bool) {
	c, err := w.read(root, slot, e.seen)
	switch {
	case errors.Is(err, errMoved):
		return true
	case errors.Is(err, fs.ErrPermission):
		// Permission may be given without a change that a look could see.
		w.complain(slot, e, err)
		return false
	case err != nil:
		e.done = true
		w.complain(slot, e, err)
		return false
	}
	err = w.take(ctx, c)
	if ctx.Err() != nil {
		return false
	}
	if e.done, e.said = true, ""; err != nil {
		w.options.Log.Error("a module in the policy directory was refused: the module in force stays", "policy", slot, "error", err)
	}
	return false
}

// complain says once why a file is not offered.
func (w *watcher) complain(slot string, e *entry, err error) {
	if err.Error() == e.said {
		return
	}
	e.said = err.Error()
	if errors.Is(err, errLater) {
		w.options.Log.Info("a module in the policy directory is waited for", "policy", slot, "reason", err)
		return
	}
	w.options.Log.Error("a file in the policy directory cannot be a module", "policy", slot, "error", err)
}

// read returns the complete files of a slot, or why there are none.
func (w *watcher) read(root *os.Root, slot string, f files) (Candidate, error) {
	c := Candidate{Slot: slot, Path: filepath.Join(w.dir, slot+moduleSuffix)}
	var digest []byte
	for i, part := range [numFiles]struct {
		suffix string
		limit  int64
		data   *[]byte
	}{{moduleSuffix, w.options.MaxModule, &c.Module}, {signatureSuffix, maxSignature, &c.Signature}, {digestSuffix, maxDigest, &digest}} {
		if f[i] == nil {
			continue
		}
		data, err := readFile(root, slot+part.suffix, f[i], part.limit)
		if err != nil {
			return Candidate{}, err
		}
		*part.data = data
	}
	switch {
	case !whole(c.Module):
		return Candidate{}, fmt.Errorf("%w: the module ends in the middle, after %d bytes", errLater, len(c.Module))
	case f[digestFile] != nil:
		if err := checkDigest(c.Module, digest); err != nil {
			return Candidate{}, err
		}
	}
	if w.options.Signed && len(c.Signature) == 0 {
		return Candidate{}, fmt.Errorf("%w: %s is to hold its signature", errLater, slot+signatureSuffix)
	}
	return c, nil
}

// readFile reads a regular file that is the one that was looked at, and stays it.
func readFile(root *os.Root, name string, want fs.FileInfo, limit int64) ([]byte, error) {
	refuse := func(format string, args ...any) ([]byte, error) {
		return nil, &fs.PathError{Op: "take", Path: name, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case want.Mode()&fs.ModeSymlink != 0:
		return refuse("it is a symbolic link: put the file itself there")
	case !want.Mode().IsRegular():
		return refuse("it is not a regular file (mode %v)", want.Mode())
	case writableByAll(want):
		return refuse("everybody may write to it (mode %v): chmod o-w", want.Mode())
	case want.Size() > limit:
		return refuse("it has %d bytes, at most %d are taken", want.Size(), limit)
	}
	// Without blocking: what is opened may have become a pipe just now.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMoved
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !sameFile(now, want) {
		return nil, errMoved
	}
	return readOpen(root, f, name, want)
}

// readOpen reads an open file to its end, which is to be where it was seen, and
// checks that it has been left alone until then, and still has its name.
func readOpen(root *os.Root, f *os.File, name string, want fs.FileInfo) ([]byte, error) {
	data := make([]byte, want.Size())
	if _, err := io.ReadFull(f, data); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errMoved
	} else if err != nil {
		return nil, err
	}
	if now, err := root.Lstat(name); err != nil || !sameFile(now, want) {
		return nil, errMoved
	}
	return data, nil
}

// checkDigest compares a module with its digest's file: 64 hex digits, perhaps
// after "sha256:", and perhaps a name after them, which is not read.
func checkDigest(module, text []byte) error {
	word, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	word = strings.TrimPrefix(word, "sha256:")
	if word == "" {
		return fmt.Errorf("%w: the file of its digest is empty", errLater)
	}
	digest, err := hex.DecodeString(word)
	if err != nil || len(digest) != sha256.Size {
		return fmt.Errorf("its %s file is not what sha256sum writes", digestSuffix)
	}
	if sum := sha256.Sum256(module); string(digest) != string(sum[:]) {
		return fmt.Errorf("%w: it has the digest %x, its %s file says %x", errLater, sum, digestSuffix, digest)
	}
	return nil
}

// whole reports whether a file is not the first part of a module (core
// specification §5.5.2): after the header, sections of a known length follow one
// another to the end. A file that is no module at all is whole: who loads it says
// so.
func whole(module []byte) bool {
	const header = "\x00asm"
	if len(module) < 8 {
		return !strings.HasPrefix(header, string(module[:min(len(module), len(header))]))
	}
	if string(module[:4]) != header {
		return true
	}
	for rest := module[8:]; len(rest) > 0; {
		size, n := length(rest[1:])
		if n < 0 {
			return true
		}
		if n == 0 || size > uint64(len(rest)-1-n) {
			return false
		}
		rest = rest[1+n+int(size):]
	}
	return true
}

// length reads a length of at most five bytes (LEB128, core specification §5.2.2)
// and how many bytes it took: 0 if there are too few, negative if it is none.
func length(b []byte) (size uint64, n int) {
	for i, c := range b[:min(len(b), 5)] {
		size |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return size, i + 1
		}
	}
	if len(b) < 5 {
		return 0, 0
	}
	return 0, -1
}
