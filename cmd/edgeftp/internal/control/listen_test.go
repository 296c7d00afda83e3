package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestSocketMode(t *testing.T) {
	s, c := serve(t, &fake{})
	info, err := os.Lstat(c.Path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode()&os.ModeSocket == 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	list, err := os.ReadDir(filepath.Dir(c.Path))
	if err != nil || len(list) > 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

func TestSecondServer(t *testing.T) {
	_, c := serve(t, &fake{})
	s, err := Listen(t.Context(), c.Path)
	if s != nil || !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "another edgeftp is using this state directory") {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first no longer answers: %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close() // as a killed server leaves it
	// What a server killed while it was starting leaves.
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // before Serve
		t.Error(err)
	}
	if err := s.Serve(&fake{}, quiet()); err != nil {
		t.Errorf("Serve after Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "admin.sock")
	if err := os.WriteFile(plain, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		plain: "in the way of the admin socket",
		filepath.Join(dir, strings.Repeat("x", 108)): "107 are the most",
		filepath.Join(dir, "absent", "admin.sock"):   "no such file",
	} {
		if _, err := Listen(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if data, err := os.ReadFile(plain); string(data) != "precious" {
		t.Errorf("the file in the way has gone: %v", err)
	}
}

func TestSuccessorsSocketIsKept(t *testing.T) {
	s, c := serve(t, &fake{})
	if err := os.Remove(c.Path); err != nil {
		t.Fatal(err)
	}
	_, next := serve(t, &fake{})
	if err := os.Rename(next.Path, c.Path); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the successor's socket was removed: %v", err)
	}
}

// Of many servers that start at once, over a dead one's socket, exactly one has
// the socket in the end.
func TestRaceForTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	var mu sync.Mutex
	var won []*Server
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			s, err := Listen(t.Context(), path)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, s)
			case !errors.Is(err, ErrInUse):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d servers have the socket", len(won))
	}
	for _, s := range won {
		_ = s.Close()
	}
}
