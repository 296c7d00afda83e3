package vfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"time"
)

// memPartial is one kept upload.
type memPartial struct {
	data []byte
	at   time.Time
	busy bool // somebody goes on with it
}

// memPartialFor is how long a partial upload is kept.
const memPartialFor = 24 * time.Hour

// Partial implements [Partials].
func (m *Mem) Partial(owner string, p Path) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, _, err := m.partial(owner, p)
	if err != nil {
		return Info{}, memFail("stat", p, err)
	}
	return m.partialInfo(k, p.Base()), nil
}

// partial finds what is kept of an upload of p. A published file ends it.
func (m *Mem) partial(owner string, p Path) (*memPartial, Path, error) {
	_, q, err := m.lookup(p)
	at := m.place(q)
	if err == nil {
		m.forget(owner, at)
		return nil, q, fs.ErrNotExist
	}
	k := m.partials[owner][at]
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return nil, q, err
	case k == nil || owner == "":
		return nil, q, fs.ErrNotExist
	case time.Since(k.at) >= memPartialFor && !k.busy:
		m.forget(owner, at)
		return nil, q, fs.ErrNotExist
	}
	return k, q, nil
}

// forget drops what is kept, unless somebody goes on with it.
func (m *memTree) forget(owner string, at memPlace) {
	if k := m.partials[owner][at]; k != nil && !k.busy {
		delete(m.partials[owner], at)
	}
}

// partialInfo describes a partial upload under the name that it will have.
func (m *Mem) partialInfo(k *memPartial, name string) Info {
	return Info{Name: name, Size: int64(len(k.data)), Mode: 0o666 &^ m.umask, ModTime: k.at, Links: 1, Dev: 1}
}

// Partials implements [Partials].
func (m *Mem) Partials(owner string, p Path) ([]Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.at(p)
	if err != nil {
		return nil, nil
	}
	var infos []Info
	for at := range m.partials[owner] {
		if at.dir != dir {
			continue
		}
		if k, _, err := m.partial(owner, p.Join(at.name)); err == nil {
			infos = append(infos, m.partialInfo(k, at.name))
		}
	}
	return infos, nil
}

// OpenPartial implements [Partials].
func (m *Mem) OpenPartial(owner string, p Path) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, _, err := m.partial(owner, p)
	if err == nil && k.busy {
		err = ErrBusy
	}
	if err != nil {
		return nil, memFail("open", p, err)
	}
	return &memFile{Reader: bytes.NewReader(k.data), info: m.partialInfo(k, p.Base())}, nil
}

// DropPartial implements [Partials].
func (m *Mem) DropPartial(owner string, p Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, q, err := m.partial(owner, p)
	if err == nil && k.busy {
		err = ErrBusy
	}
	if err == nil {
		m.forget(owner, m.place(q))
	}
	return memFail("delete", p, err)
}

// memStage is an upload to a Mem. All its bytes are beside the tree until its
// commit.
type memStage struct {
	m     *Mem
	opt   StageOptions
	path  Path
	dir   *memNode // the directory that held the name when the upload began
	data  []byte
	at    int
	grows *memNode    // the published file that is appended to
	kept  *memPartial // the partial upload that goes on
	fresh bool        // the name did not exist when the upload began
	ended bool
}

// Stage implements [Writer].
func (m *Mem) Stage(p Path, opt StageOptions) (Stage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.stage(p, opt)
	if err != nil {
		return nil, memFail("store", p, err)
	}
	return s, nil
}

func (m *Mem) stage(p Path, opt StageOptions) (*memStage, error) {
	positioned := opt.Append || opt.Offset > 0
	if opt.Offset < 0 || opt.Append && opt.Offset > 0 || opt.Unique && positioned {
		return nil, fs.ErrInvalid
	}
	if opt.Unique && p == Root {
		return nil, ErrRoot
	}
	if opt.Unique {
		p += Path(uniqueSuffix())
	}
	old, q, err := m.lookup(p)
	s := &memStage{m: m, opt: opt, path: q, fresh: errors.Is(err, fs.ErrNotExist) && q != ""}
	switch {
	case opt.Unique && err == nil:
		return nil, fs.ErrExist
	case err != nil && !s.fresh:
		return nil, err
	case err == nil && old.mode.IsDir():
		return nil, ErrIsDirectory
	}
	if s.dir, err = m.parent(q); err != nil {
		return nil, err
	}
	switch {
	case !positioned:
		return s, nil
	case s.fresh:
		return s, s.resume()
	}
	return s, s.continues(old)
}

// continues begins with the bytes of a published file.
func (s *memStage) continues(old *memNode) error {
	if s.at = int(s.opt.Offset); s.opt.Append {
		s.at = len(old.data)
	}
	if s.at > len(old.data) || s.opt.Offset > int64(len(old.data)) {
		return ErrOffset
	}
	if s.at == len(old.data) {
		if s.m.writers[old] {
			return ErrBusy
		}
		s.m.writers[old], s.grows = true, old
	}
	s.data = bytes.Clone(old.data)
	return nil
}

// resume goes on with the owner's partial upload, or begins one where APPE finds
// nothing.
func (s *memStage) resume() error {
	k, _, err := s.m.partial(s.opt.Owner, s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.opt.Append:
		return nil
	case err != nil:
		return err
	case k.busy:
		return ErrBusy
	}
	if s.at = len(k.data); !s.opt.Append {
		if s.opt.Offset > int64(s.at) {
			return ErrOffset
		}
		s.at = int(s.opt.Offset)
	}
	k.data = k.data[:s.at:s.at]
	s.data, s.kept, k.busy = k.data, k, true
	return nil
}

// Path implements [Stage].
func (s *memStage) Path() Path { return s.path }

// Size implements [Stage].
func (s *memStage) Size() int64 { return int64(len(s.data)) }

// Write implements [Stage].
func (s *memStage) Write(b []byte) (int, error) {
	if s.ended {
		return 0, memFail("write", s.path, fs.ErrClosed)
	}
	n := copy(s.data[s.at:], b)
	s.data = append(s.data, b[n:]...)
	s.at += len(b)
	return len(b), nil
}

// ReadFrom implements [Stage].
func (s *memStage) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{s}, r)
}

// ReadAt implements io.ReaderAt.
func (s *memStage) ReadAt(b []byte, off int64) (int, error) {
	if s.ended {
		return 0, memFail("read", s.path, fs.ErrClosed)
	}
	return bytes.NewReader(s.data).ReadAt(b, off)
}

// end ends the stage once, and reports false if it had ended. The caller holds
// the lock.
func (s *memStage) end() bool {
	if s.ended {
		return false
	}
	s.ended = true
	delete(s.m.writers, s.grows)
	if s.kept != nil {
		s.kept.busy = false
	}
	return true
}

// still reports whether the directory is where it was, and what is published.
func (s *memStage) still() (*memNode, error) {
	dir, err := s.m.parent(s.path)
	if err != nil {
		return nil, err
	}
	if dir != s.dir {
		return nil, fs.ErrNotExist
	}
	return dir.entries[s.path.Base()], nil
}

// Commit implements [Stage].
func (s *memStage) Commit(ctx context.Context) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if !s.end() {
		return memFail("store", s.path, fs.ErrClosed)
	}
	err := ctx.Err()
	if err == nil {
		err = s.publish()
	}
	if err != nil {
		s.drop()
	}
	return memFail("store", s.path, err)
}

// publish puts the file under its name.
func (s *memStage) publish() error {
	old, err := s.still()
	switch {
	case err != nil:
		return err
	case s.grows != nil && old == nil:
		return fs.ErrNotExist
	case s.grows != nil && old != s.grows:
		return ErrBusy
	case old != nil && s.opt.Unique:
		return fs.ErrExist
	case old != nil && s.opt.Append && s.grows == nil && s.kept == nil:
		return ErrBusy // it did not exist when the upload began
	case old != nil && old.mode.IsDir():
		return ErrIsDirectory
	case old != nil && !old.mode.IsRegular():
		return ErrSpecial
	}
	if s.grows != nil {
		old.data, old.modTime = s.data, time.Now()
		return nil
	}
	n := s.m.node(0o666 &^ s.m.umask)
	if n.data = s.data; old != nil {
		n.mode = old.mode
	}
	s.dir.entries[s.path.Base()] = n
	for owner := range s.m.partials {
		s.m.forget(owner, s.place())
	}
	return nil
}

// drop forgets the upload.
func (s *memStage) drop() {
	if s.kept != nil && s.m.partials[s.opt.Owner][s.place()] == s.kept {
		delete(s.m.partials[s.opt.Owner], s.place())
	}
}

// place is where the file is published.
func (s *memStage) place() memPlace { return memPlace{s.dir, s.path.Base()} }

// Discard implements [Stage].
func (s *memStage) Discard(keep bool) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if !s.end() {
		return memFail("store", s.path, fs.ErrClosed)
	}
	old, err := s.still()
	if !keep || !s.fresh || s.opt.Owner == "" || len(s.data) == 0 || old != nil || err != nil {
		s.drop()
		return nil
	}
	if k := s.m.partials[s.opt.Owner][s.place()]; k != nil && k.busy {
		return nil // somebody else's of the same user goes on
	}
	if s.m.partials[s.opt.Owner] == nil {
		s.m.partials[s.opt.Owner] = make(map[memPlace]*memPartial)
	}
	s.m.partials[s.opt.Owner][s.place()] = &memPartial{data: s.data, at: time.Now()}
	return nil
}
