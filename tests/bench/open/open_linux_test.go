package open

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// quick is a Disk whose Open and Stat are as openat2(2) would have them: one call
// of the kernel for the path, then the checks that a Disk makes.
type quick struct {
	*vfs.Disk
	dir int
}

// openQuick makes both filesystems of one directory.
func openQuick(t testing.TB, dir string) quick {
	t.Helper()
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: dir, Durability: vfs.DurabilityNone})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(unix.Close(fd), d.Close()) })
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	probe, err := unix.Openat2(fd, ".", how)
	if err != nil {
		t.Fatalf("openat2: %v", err)
	}
	_ = unix.Close(probe)
	return quick{d, fd}
}

func (q quick) open(p vfs.Path, flags uint64) (int, unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := unix.Openat2(q.dir, p.Rel(), &unix.OpenHow{Flags: flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return -1, st, err
	}
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, st, errors.Join(err, unix.Close(fd))
	}
	return fd, st, nil
}

// Open implements [vfs.FS].
func (q quick) Open(p vfs.Path) (vfs.File, error) {
	fd, st, err := q.open(p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, errors.Join(vfs.ErrSpecial, unix.Close(fd))
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), string(p)), nil
}

// Stat implements [vfs.FS].
func (q quick) Stat(p vfs.Path) (vfs.Info, error) {
	fd, st, err := q.open(p, unix.O_PATH)
	if err != nil {
		return vfs.Info{}, err
	}
	info := vfs.Info{Name: p.Base(), Size: st.Size, Mode: 0o644, ModTime: time.Unix(st.Mtim.Unix()), Links: uint64(st.Nlink),
		UID: st.Uid, GID: st.Gid, Dev: uint64(st.Dev), Inode: st.Ino}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		info.Mode |= os.ModeDir
	}
	return info, unix.Close(fd)
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

// BenchmarkOpen opens and closes a file.
func BenchmarkOpen(b *testing.B) {
	for _, depth := range []int{1, 4, 9} {
		b.Run(fmt.Sprint("depth=", depth), func(b *testing.B) {
			dir, p := deep(b, depth)
			q := openQuick(b, dir)
			pairs(b, opened(q.Disk, p), opened(q, p))
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
			q := openQuick(b, dir)
			root, openat2 := session(b, q.Disk), session(b, q)
			pairs(b, downloaded(root, p), downloaded(openat2, p))
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

// Both find the same, so that what is measured is the same.
func TestQuick(t *testing.T) {
	dir, p := deep(t, 4)
	q := openQuick(t, dir)
	for _, fsys := range []vfs.FS{q.Disk, q} {
		info, err := fsys.Stat(p)
		if err != nil || info.Size != small || !info.Mode.IsRegular() {
			t.Errorf("%T: %+v, %v", fsys, info, err)
		}
		if err := downloaded(session(t, fsys), p)(); err != nil {
			t.Errorf("%T: %v", fsys, err)
		}
	}
	if _, err := q.Open("/folder/../../x"); err == nil {
		t.Error("openat2 leads out")
	}
}
