package acme

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	lockBeat  = 2 * time.Second  // between a holder's signs of life
	lockGrace = 10 * time.Second // without one the holder is dead
	lockPoll  = 500 * time.Millisecond
)

// files keeps values as certmagic does, and has locks of its own. A lock is a file that
// is created exclusively, and that its holder changes as long as it lives. Who waits
// measures by its own clock how long the file stays as it is, so that clocks need not
// agree. The holder writes to the file that it has opened: a lock that another node has
// taken over is another file, which the former holder cannot touch.
//
// certmagic's own locks were found to stay for ever when their holder dies within 5
// seconds of the waiting process's own release (its sign of life for that one goes on),
// to be released by anybody, and to fail for good once a file is damaged.
type files struct {
	certmagic.FileStorage
	beat, grace, poll time.Duration

	mu    sync.Mutex
	held  map[string]*fileLock
	looks map[string]look // at locks of others
}

// look is what a lock file held, and since when.
type look struct {
	text  string
	since time.Time
}

type fileLock struct {
	path, token string
	file        *os.File
	stop        chan struct{}
	beating     sync.WaitGroup
}

func newFiles(dir string) *files {
	return &files{FileStorage: certmagic.FileStorage{Path: dir}, beat: lockBeat, grace: lockGrace, poll: lockPoll,
		held: map[string]*fileLock{}, looks: map[string]look{}}
}

// Lock implements certmagic.Locker.
func (s *files) Lock(ctx context.Context, name string) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, s.poll) {
		if ok, err := s.TryLock(ctx, name); ok || err != nil {
			return err
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}

// TryLock implements certmagic.TryLocker. The lock of a dead holder is taken over when
// it was looked at before, more than 10 seconds ago.
func (s *files) TryLock(_ context.Context, name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[name] != nil {
		return false, nil
	}
	path := s.lockPath(name)
	lock, err := s.create(path)
	if errors.Is(err, fs.ErrExist) {
		if dead, err := s.dead(path); !dead || err != nil {
			return false, err
		}
		lock, err = s.create(path)
	}
	if errors.Is(err, fs.ErrExist) {
		return false, nil // another node was faster
	}
	if err != nil {
		return false, fmt.Errorf("the lock %s cannot be made: %w", path, err)
	}
	delete(s.looks, path)
	s.held[name] = lock
	lock.beating.Go(func() { lock.live(s.beat) })
	return true, nil
}

// Unlock implements certmagic.Locker. The error says that this node does not hold the
// lock, or no longer.
func (s *files) Unlock(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	lock := s.held[name]
	if lock == nil {
		return fmt.Errorf("the lock %s: %w", name, errNotHeld)
	}
	delete(s.held, name)
	close(lock.stop)
	lock.beating.Wait()
	_ = lock.file.Close() // every write was synced
	text, err := os.ReadFile(lock.path)
	if err == nil && !strings.HasPrefix(string(text), lock.token) {
		err = fmt.Errorf("another node has taken it over: this one gave no sign of life for %s", s.grace)
	}
	if err == nil {
		err = os.Remove(lock.path)
	}
	if err != nil {
		return fmt.Errorf("the lock %s cannot be released: %w", lock.path, err)
	}
	return nil
}

// lockPath is where a lock's file is. Names may be longer than file names.
func (s *files) lockPath(name string) string {
	safe := certmagic.StorageKeys.Safe(name)
	if len(safe) > 200 {
		safe = fmt.Sprintf("%x", sha256.Sum256([]byte(safe)))
	}
	return filepath.Join(s.Path, "locks", safe+".lock")
}

// create makes the file of a lock that nobody holds.
func (s *files) create(path string) (*fileLock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // for people alone
	lock := &fileLock{path: path, token: rand.Text() + " " + host, file: f, stop: make(chan struct{})}
	if err := lock.sign(0); err != nil {
		_, _ = f.Close(), os.Remove(path) // it is ours, and of no use
		return nil, err
	}
	return lock, nil
}

// sign changes the file, in place and without a change of its length: a full disk has
// room for that.
func (l *fileLock) sign(n int) error {
	_, err := l.file.WriteAt(fmt.Appendf(nil, "%s process %d sign %010d\n", l.token, os.Getpid(), n), 0)
	return errors.Join(err, l.file.Sync())
}

// live gives signs of life until the lock is released. One that cannot be written is
// missing: others take the lock over after a while.
func (l *fileLock) live(beat time.Duration) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
			_ = l.sign(n)
		case <-l.stop:
			return
		}
	}
}

// dead looks whether a lock's holder has given no sign of life for too long; the lock
// is then gone. The caller holds mu.
func (s *files) dead(path string) (bool, error) {
	text, still, err := s.look(path)
	if err != nil || !still {
		return errors.Is(err, fs.ErrNotExist), unless(err, fs.ErrNotExist)
	}
	return s.bury(path, text)
}

// look reads a lock file, and says whether it has stayed as it is for too long.
func (s *files) look(path string) (string, bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", false, err
	}
	last, known := s.looks[path]
	if !known || last.text != string(text) {
		s.looks[path] = look{string(text), time.Now()}
		return string(text), false, nil
	}
	return string(text), time.Since(last.since) > s.grace, nil
}

func unless(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

// bury removes the lock file of a dead holder, which has that text. Only who has created
// a second file does so, after another look: of several nodes that found the lock dead
// the slower ones would else remove that of the fastest.
func (s *files) bury(path, text string) (bool, error) {
	guard, err := s.create(path + ".dead")
	if errors.Is(err, fs.ErrExist) {
		if _, still, err := s.look(path + ".dead"); err == nil && still { // its owner died just then
			err = os.Remove(path + ".dead")
			return false, unless(err, fs.ErrNotExist)
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	delete(s.looks, guard.path)
	now, err := os.ReadFile(path)
	if err == nil && string(now) == text {
		err = os.Remove(path)
	}
	gone := err == nil && string(now) == text || errors.Is(err, fs.ErrNotExist)
	return gone, errors.Join(unless(err, fs.ErrNotExist), guard.file.Close(), os.Remove(guard.path))
}
