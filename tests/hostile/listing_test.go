package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// counted counts how many directories are opened.
type counted struct {
	*vfs.Disk
	dirs atomic.Int64
}

// ReadDir counts and opens.
func (c *counted) ReadDir(p vfs.Path) (vfs.Dir, error) {
	c.dirs.Add(1)
	return c.Disk.ReadDir(p)
}

// counting is a set for serve.
func counting(c *counted) func(*setup) {
	return func(s *setup) {
		s.onDisk = true
		s.around = func(d *vfs.Disk) vfs.FS { c.Disk = d; return c }
	}
}

// What one listing may cost, by default: pi.ListLimits.
const mostDirs, mostEntries, mostDepth = 1000, 10_000, 8

// listed runs a listing that may be refused or cut short, and returns how many bytes
// came. There is a reply, whatever the tree is like.
func (r *rig) listed(c *userpi.Client, line string) (n int, code int) {
	r.Helper()
	addr := r.dataAddr(c)
	r.must(c.Send(line))
	conn := r.dial(addr)
	defer conn.Close()
	reply := r.expect(c, line, 125, 150, 550, 501, 553)
	if reply.Code >= 500 {
		r.do(c, "ABOR", 225)
		return 0, reply.Code
	}
	_ = conn.SetDeadline(deadline())
	n = len(told(conn))
	return n, r.expect(c, line, 226, 451).Code
}

// trees lists directories that have no end.
func trees(t *testing.T) {
	fs := &counted{}
	r := serve(t, counting(fs))
	top := filepath.Join(r.root, "top")
	r.must(os.Mkdir(top, 0o755))
	for i := range 12 {
		r.must(os.Symlink(".", filepath.Join(top, fmt.Sprintf("self%d", i))))
		r.must(os.Symlink("..", filepath.Join(top, fmt.Sprintf("up%d", i))))
		r.must(os.WriteFile(filepath.Join(top, fmt.Sprintf("file%d", i)), nil, 0o644))
	}
	r.must(os.Mkdir(filepath.Join(r.root, "few"), 0o755)) // many directories with little in each
	for i := range 6 {
		r.must(os.Symlink(".", filepath.Join(r.root, "few", fmt.Sprintf("self%d", i))))
	}
	r.must(os.Symlink("/", filepath.Join(top, "away")))
	r.must(os.Symlink("around", filepath.Join(top, "around")))
	r.deep()
	c := r.login()
	for _, line := range []string{"LIST -R", "LIST -RL", "LIST -aRL top", "NLST -R", "LIST -R deep", "LIST -LR top/self0/self1/up2/top", "STAT -R /", "STAT top",
		"LIST */*/*/*", "LIST */*/*/*/*/*/*/*", "LIST -R */*/*", "LIST -RL top/*/*", "NLST top/*/*/*", "LIST */", "LIST */*/", "STAT */*/*/*", "LIST top/away/*", "LIST few/*/*/*/*/*", "NLST -R few/*/*/*/*", "LIST [a-z]*/*",
		"NLST " + strings.Repeat("*", 4000), "NLST " + strings.Repeat("*a", 120) + "b", "NLST " + strings.Repeat("?", 255), "NLST " + strings.Repeat("[!z]", 63),
		"NLST " + strings.Repeat("*/", 4000), "NLST " + strings.Repeat("top/self0/", 400) + "*", "NLST " + strings.Repeat("[", 8000), "NLST " + strings.Repeat("{a,b}", 1000), "NLST " + strings.Repeat("\\", 8000)} {
		before := fs.dirs.Load()
		var n, code int
		if strings.HasPrefix(line, "STAT") {
			reply := r.do(c, line, 211, 212, 213, 450, 451, 501, 550)
			n, code = len(reply.String()), reply.Code
		} else {
			n, code = r.listed(c, line)
		}
		opened := fs.dirs.Load() - before
		t.Logf("%.30q: %d, %d bytes, %d directories", line, code, n, opened)
		if opened > mostDirs+1 {
			t.Errorf("%.30q: %d directories were opened", line, opened)
		}
		if n > mostEntries*(2<<10) {
			t.Errorf("%.30q: %d bytes", line, n)
		}
	}
	r.do(c, "NOOP", 200)
}

// deep makes a chain of directories that no path is long enough for.
func (r *rig) deep() {
	r.Helper()
	at, err := os.OpenRoot(r.root)
	r.must(err)
	for i := range 30 {
		name := strings.Repeat("d", 255)
		if i == 0 {
			name = "deep"
		}
		r.must(at.Mkdir(name, 0o755))
		next, err := at.OpenRoot(name)
		r.must(err)
		r.must(at.Close())
		at = next
	}
	r.must(at.Close())
}

// patterns sends a hundred thousand of them. Where there is no data connection,
// nothing is looked for; where there is one, each has its limits, and ABOR its effect.
func patterns(t *testing.T) {
	fs := &counted{}
	r := serve(t, counting(fs))
	for i := range 20 {
		r.must(os.Symlink(".", filepath.Join(r.root, fmt.Sprintf("self%d", i))))
	}
	c := r.login()
	n := 100_000
	if raceDetector { // which makes it five times as long
		n = 20_000
	}
	go fill(c.Raw(), []byte(strings.Repeat("NLST */*/*/*\r\n", n)))
	for i := range n {
		r.expect(c, fmt.Sprintf("pattern %d", i), 425)
	}
	r.bounded("directories that were opened for nothing", fs.dirs.Load(), 0)
	r.dataAddr(c)
	const some = 20
	_, err := c.Write([]byte(strings.Repeat("NLST */*/*/*\r\n", some)))
	r.must(err)
	for range some {
		r.expect(c, "a pattern", 550)
	}
	r.bounded("directories that were opened for a pattern", fs.dirs.Load()/some, mostDirs+1)
	r.meanwhile()
	for range 10 {
		_, err = c.Write([]byte("NLST */*/*/*\r\nABOR\r\nNOOP\r\n"))
		r.must(err)
		if r.expect(c, "a pattern that is given up", 426, 550).Code == 426 {
			r.expect(c, "ABOR", 226)
			r.expect(c, "NOOP", 200)
			r.dataAddr(c)
			continue
		}
		r.expect(c, "ABOR", 225, 226)
		r.expect(c, "NOOP", 200)
		r.dataAddr(c)
	}
}

// listedByMany asks for the same trees in many sessions at once, which do not read.
func listedByMany(t *testing.T) {
	fs := &counted{}
	r := serve(t, counting(fs))
	for i := range 12_000 {
		r.must(os.WriteFile(filepath.Join(r.root, fmt.Sprintf("file%05d-%s", i, strings.Repeat("x", 100))), nil, 0o644))
	}
	before := live()
	const n = 18
	for i := range n {
		c := r.login()
		addr := r.dataAddr(c)
		r.must(c.Send([]string{"LIST", "MLSD", "NLST -R"}[i%3]))
		r.dial(addr)
		r.expect(c, "a listing", 125, 150)
	}
	r.meanwhile()
	r.bounded("bytes for a listing that nobody reads", (live()-before)/n, 4<<20)
}
