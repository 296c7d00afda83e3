package vfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// small is the length of a small file in bytes.
const small = 1 << 10

// deep makes a file that lies depth components below a new directory.
func deep(t testing.TB, depth int) (dir string, p vfs.Path) {
	t.Helper()
	dir = t.TempDir()
	p = vfs.Path(strings.Repeat("/folder", depth-1) + "/file")
	host := filepath.Join(dir, p.Rel())
	if err := errors.Join(os.MkdirAll(filepath.Dir(host), 0o755), os.WriteFile(host, make([]byte, small), 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir, p
}

// bothWays opens a directory twice: once with the short way, once without.
func bothWays(t testing.TB, dir string) (root, openat2 *vfs.Disk) {
	t.Helper()
	var disks [2]*vfs.Disk
	for i := range disks {
		d, err := vfs.OpenDisk(vfs.DiskConfig{Root: dir, Durability: vfs.DurabilityNone})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		if !d.HasBelow() {
			t.Fatal("this kernel has no openat2")
		}
		disks[i] = d
	}
	disks[0].ByRoot()
	return disks[0], disks[1]
}

// pairs runs both in turn, so that what else the machine does hits them alike, and
// reports the median of each and the median of their ratios.
func pairs(b *testing.B, root, openat2 func() error) {
	b.Helper()
	times := [2][]float64{}
	var ratios []float64
	for range b.N {
		for i, do := range []func() error{root, openat2} {
			start := time.Now()
			if err := do(); err != nil {
				b.Fatal(err)
			}
			times[i] = append(times[i], float64(time.Since(start)))
		}
		ratios = append(ratios, times[0][len(times[0])-1]/times[1][len(times[1])-1])
	}
	for name, all := range map[string][]float64{"root-ns": times[0], "openat2-ns": times[1], "ratio": ratios} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], name)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkOpen opens and closes a file. It and the next one are what the short way
// is for: where whole downloads of small files do not gain by it any more, it can go.
//
//	TMPDIR=/dev/shm go test -run '^$' -bench 'Open|SmallFile' -benchtime 1500x ./edge/vfs
func BenchmarkOpen(b *testing.B) {
	for _, depth := range []int{1, 4, 9} {
		b.Run(fmt.Sprint("depth=", depth), func(b *testing.B) {
			dir, p := deep(b, depth)
			root, openat2 := bothWays(b, dir)
			pairs(b, opened(root, p), opened(openat2, p))
		})
	}
}

func opened(fsys vfs.FS, p vfs.Path) func() error {
	return func() error {
		f, err := fsys.Open(p)
		if err != nil {
			return err
		}
		return f.Close()
	}
}

// BenchmarkSmallFile downloads a file of 1 KiB: EPSV, RETR, the data connection, and
// the reply.
func BenchmarkSmallFile(b *testing.B) {
	for _, depth := range []int{1, 4, 9} {
		b.Run(fmt.Sprint("depth=", depth), func(b *testing.B) {
			dir, p := deep(b, depth)
			root, openat2 := bothWays(b, dir)
			pairs(b, downloaded(session(b, root), p), downloaded(session(b, openat2), p))
		})
	}
}

func downloaded(c *userpi.Client, p vfs.Path) func() error {
	return func() error {
		conn, err := c.Begin(userpi.EPSV, "RETR "+string(p))
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, conn)
		// A reset after the end, so that the server's port does not have to rest:
		// thousands of downloads would use them all up.
		if err = errors.Join(err, userpi.Reset(conn)); err == nil && n != small {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		_, err = c.Expect("RETR", 226)
		return err
	}
}

// anybody lets everybody in.
type anybody struct{}

func (anybody) Name() string          { return "anybody" }
func (p anybody) Hooks() policy.Hooks { return policy.Hooks{Authenticator: p} }
func (anybody) Authenticate(context.Context, *policy.Login) (policy.Identity, error) {
	return policy.Identity{Verdict: policy.Allow, Perms: new(policy.PermReadOnly)}, nil
}

// session serves a filesystem in the clear, and returns a session that is logged in.
func session(t testing.TB, fsys vfs.FS) *userpi.Client {
	t.Helper()
	s, err := edge.New(edge.Config{FS: fsys, Listeners: []edge.Listener{{Address: "127.0.0.1:0"}},
		Policies: []edge.Slot{{Name: "anybody", Policy: anybody{}}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	c, err := userpi.Dial(s.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Login("x", "y"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Must("TYPE I", 200); err != nil {
		t.Fatal(err)
	}
	return c
}

// What the short way says of a path that leads to nothing is what os.Root says.
func TestBelowAbsent(t *testing.T) {
	dir, file := deep(t, 3)
	root, openat2 := bothWays(t, dir)
	for link, to := range map[string]string{"dangling": "folder/none", "astray": "none/../folder", "out": "../none", "away": "/none",
		"round": "round", "self": "folder/folder/../../self"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	absent := 0
	for _, p := range []vfs.Path{"/none", "/none/none", "/folder/none", "/folder/folder/none/none", file, file + "/none", "/dangling",
		"/dangling/none", "/astray", "/astray/folder", "/out", "/out/none", "/away", "/round", "/round/none", "/self",
		vfs.Path("/folder/" + strings.Repeat("n", 300))} {
		for name, look := range map[string]func(*vfs.Disk) (vfs.Info, error){
			"Stat":  func(d *vfs.Disk) (vfs.Info, error) { return d.Stat(p) },
			"Lstat": func(d *vfs.Disk) (vfs.Info, error) { return d.Lstat(p) },
		} {
			is, err := look(openat2)
			want, wanted := look(root)
			if fmt.Sprint(err) != fmt.Sprint(wanted) || is.Mode != want.Mode || is.Size != want.Size {
				t.Errorf("%s(%q) is %v %v, by os.Root %v %v", name, p, is, err, want, wanted)
			}
			if errors.Is(err, fs.ErrNotExist) {
				absent++
			}
		}
	}
	if absent < 12 {
		t.Errorf("only %d looks found nothing", absent)
	}
}

// BenchmarkAbsent looks for a file that is not there, as policies are told of it before
// each upload of a new one.
//
//	TMPDIR=/dev/shm go test -run '^$' -bench Absent -benchtime 5000x ./edge/vfs
func BenchmarkAbsent(b *testing.B) {
	for _, depth := range []int{1, 4, 9} {
		b.Run(fmt.Sprint("depth=", depth), func(b *testing.B) {
			dir, p := deep(b, depth)
			root, openat2 := bothWays(b, dir)
			look := func(d *vfs.Disk) func() error {
				return func() error {
					if _, err := d.Stat(p + "x"); !errors.Is(err, fs.ErrNotExist) {
						return err
					}
					return nil
				}
			}
			pairs(b, look(root), look(openat2))
		})
	}
}

// Whatever is swapped while the short way is walked, it does not lead out. A directory
// that is moved up and down while ".." of a link in it is resolved is where a walk by
// names would.
func TestBelowRace(t *testing.T) {
	d := newDisk(t, nil)
	check := outside(t, d)
	made(t, d.host, "a/b/c/d/file", "other/file")
	for p, target := range map[vfs.Path]string{"/a/b/c/d/up": "../../../../../outside/secret", "/a/b/c/d/near": "../../../../other/file"} {
		if err := d.WriteLink(target, p); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	var swap sync.WaitGroup
	swap.Go(func() {
		for {
			_ = errors.Join(os.Rename(d.at("/a/b/c"), d.at("/c")), os.Rename(d.at("/c"), d.at("/a/b/c")))
			_ = errors.Join(os.Remove(d.at("/a/b/x")), os.Symlink("../../../outside", d.at("/a/b/x")), os.Remove(d.at("/a/b/x")), os.Mkdir(d.at("/a/b/x"), 0o755))
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for range 3000 {
		for _, p := range []vfs.Path{"/a/b/c/d/up", "/a/b/c/d/near", "/c/d/up", "/a/b/x/secret"} {
			if f, err := d.Open(p); err == nil {
				if data, _ := io.ReadAll(f); string(data) != "other/file" {
					t.Errorf("%s: read %q", p, data)
				}
				_ = f.Close()
			}
			if info, err := d.Stat(p); err == nil && info.Size == int64(len("secret")) {
				t.Errorf("%s: saw %+v", p, info)
			}
		}
	}
	close(done)
	swap.Wait()
	check()
}

// A link to a file in a removed view, a closed view: the short way ends with its Disk.
func TestBelowClosed(t *testing.T) {
	d := newDisk(t, nil)
	made(t, d.host, "home/deep/file")
	view, err := d.Sub("/home")
	if err != nil {
		t.Fatal(err)
	}
	if err := view.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := view.Open("/deep/file"); err == nil {
		t.Error("a closed view opens a file")
	}
	if _, err := view.Stat("/deep/file"); err == nil {
		t.Error("a closed view describes a file")
	}
}

// A view that is closed while it is used lends the number of its directory to nobody:
// what it still describes is its own.
func TestBelowCloseRace(t *testing.T) {
	d := newDisk(t, func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone })
	made(t, d.host, "a/deep/file", "b/deep/file")
	if err := os.WriteFile(d.at("/a/deep/file"), []byte("of a alone"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		a, err := d.Sub("/a")
		if err != nil {
			t.Fatal(err)
		}
		var users sync.WaitGroup
		for range 3 {
			users.Go(func() {
				for {
					info, err := a.Stat("/deep/file")
					if err != nil {
						return
					}
					if info.Size != int64(len("of a alone")) {
						t.Errorf("described the file of another view: %+v", info)
					}
				}
			})
		}
		b, err := d.Sub("/b")
		if err == nil {
			err = errors.Join(a.(io.Closer).Close(), b.(io.Closer).Close())
		}
		if b, err := d.Sub("/b"); err == nil { // with the numbers of a
			_, _ = b.Stat("/deep/file")
			_ = b.(io.Closer).Close()
		}
		users.Wait()
		if err != nil {
			t.Fatal(err)
		}
	}
}
