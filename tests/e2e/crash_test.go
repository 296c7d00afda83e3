package e2e

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// inView lists the names below the root that are not edgeftp's own hidden ones.
func (p place) inView(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, name := range p.names(t) {
		if !strings.HasPrefix(filepath.Base(name), ".edgeftp.") {
			out = append(out, name)
		}
	}
	return out
}

// kill -9 in the middle of uploads: a new name, a file that is replaced, a file
// that grows, and one that is overwritten from the middle. After it as after a
// restart the names hold what they held, and nothing else lies below the root.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"required", "off"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s := p.start(t, "--tls", mode)
			old := must(io.ReadAll(noise("old", 3*mib)))(t)
			for _, name := range []string{"replaced", "grown", "middle"} {
				ok(t, os.WriteFile(p.in(name), old, 0o640))
			}
			for _, line := range []string{"STOR new", "STOR replaced", "APPE grown", "STOR middle"} {
				c := s.login(t)
				if line == "STOR middle" {
					c.want(t, "REST 100", 350)
				}
				c.half(t, c.begin(t, line), noise(line, bulk()/4), bulk()/4)
			}
			if got := strings.Join(p.inView(t), " "); got != "grown middle replaced" {
				t.Errorf("in view before the crash: %s", got)
			}
			p.content(t, "replaced", old)
			p.content(t, "middle", old)
			s.kill()

			p.content(t, "replaced", old)
			p.content(t, "middle", old)
			s = p.start(t, "--tls", mode)
			p.holds(t, "replaced", "grown", "middle")
			for _, name := range []string{"replaced", "grown", "middle"} {
				p.content(t, name, old)
			}
			c := s.login(t)
			c.want(t, "SIZE new", 550)
			if got := c.get(t, "RETR grown"); !bytes.Equal(got, old) {
				t.Errorf("grown has %d bytes over the wire, want the old %d", len(got), len(old))
			}
			c.put(t, "STOR new", strings.NewReader("at last"))
			p.holds(t, "replaced", "grown", "middle", "new")
			s.stop(t)
		})
	}
}

// What was interrupted, and kept for its owner, outlives a crash.
func TestKillKeepsPartial(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start(t)
	n := bulk() / 4
	c := s.login(t)
	conn := c.begin(t, "STOR later")
	data := noise("later", n)
	c.half(t, conn, data, n)
	ok(t, userpi.Reset(conn))
	_, err := c.Expect("the cut", 426, 451)
	ok(t, err)
	s.kill()

	s = p.start(t)
	if got := p.inView(t); got != nil {
		t.Errorf("in view: %q", got)
	}
	c = s.login(t)
	size := number(t, c.want(t, "SIZE later", 213).Text())
	if size != n/2 {
		t.Fatalf("%d bytes are kept, want %d", size, n/2)
	}
	c.put(t, "APPE later", data)
	sameSum(t, "the resumed upload", p.in("later"), sum(t, noise("later", n)))
	p.holds(t, "later")
	s.stop(t)
}

// Another server on the same state directory must not take this one's uploads
// for a dead one's.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start(t)
	c := s.login(t)
	data := noise("up", bulk()/4)
	conn := c.begin(t, "STOR up")
	c.half(t, conn, data, bulk()/4)
	second := launch(t, p, p.flags()...)
	if code := second.wait(t, stopWithin); code != 1 && code != 3 {
		t.Errorf("a second server on the same state directory ended with %d\n%s", code, second.log)
	}
	_, err := io.Copy(conn, data)
	ok(t, err)
	ok(t, userpi.End(conn))
	_, err = c.Expect("the upload", 226)
	ok(t, err)
	sameSum(t, "upload", p.in("up"), sum(t, noise("up", bulk()/4)))
	s.status(t) // its socket is still its own
	s.stop(t)
}
