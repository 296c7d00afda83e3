package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// place is what survives a server: the served folder, the state directory, and a
// folder that is neither.
type place struct {
	root    string
	state   string
	outside string
	env     []string   // of servers, beside the test's own
	files   []*os.File // that servers are started with, beside the three of everybody
}

// newPlace makes an empty one. Its path is short, because the name of a socket
// below it must have room in about 100 bytes.
func newPlace(t *testing.T) place {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	p := place{root: filepath.Join(dir, "root"), state: filepath.Join(dir, "state"), outside: filepath.Join(dir, "outside")}
	for _, d := range []string{p.root, p.outside, p.far()} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// in returns a path below the root.
func (p place) in(elem ...string) string { return filepath.Join(append([]string{p.root}, elem...)...) }

// out returns a path beside the root.
func (p place) out(elem ...string) string {
	return filepath.Join(append([]string{p.outside}, elem...)...)
}

// far returns a path that is neither below the root nor beside the configuration file,
// whose directory a server may read.
func (p place) far(elem ...string) string {
	return filepath.Join(append([]string{filepath.Dir(p.root), "far"}, elem...)...)
}

// flags are those of a server on this place, on a free port.
func (p place) flags(more ...string) []string {
	return append([]string{"--root", p.root, "--state-dir", p.state, "--listen", "127.0.0.1:0"}, more...)
}

// start runs "edgeftp serve" on this place and waits until it is ready.
func (p place) start(t *testing.T, flags ...string) *server {
	t.Helper()
	return startServer(t, p, p.flags(flags...)...)
}

// start is newPlace and its start.
func start(t *testing.T, flags ...string) *server {
	t.Helper()
	return newPlace(t).start(t, flags...)
}
