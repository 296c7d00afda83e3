package edge

import (
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// free returns a port of loopback that nobody has.
func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// What the sessions of a listener do is told: who is not logged in, who transfers, who is
// quiet; how many passive ports there are and are in use; and when they are out, that a
// client was answered 425 and got none outside of them.
func TestCounts(t *testing.T) {
	port := freePort(t)
	r := start(t, func(c *Config) {
		c.Listeners[0].Passive.Ports = dtp.PortRange{{First: port, Last: port}}
	})
	defer r.stop()
	r.must(r.fs.WriteFile("/a", make([]byte, 4<<20)))
	r.srv.LimitServer(Rates{Down: 64 << 10})
	stranger, first, second := r.dial(), r.login(), r.login()
	defer func() { _ = stranger.Close() }()
	conn, err := first.Begin(userpi.EPSV, "RETR a")
	r.must(err)
	counts := func() ListenerCounts {
		all := r.srv.Counts()
		if len(all) != 1 || all[0].Name != "main" {
			t.Fatalf("the listeners are %+v", all)
		}
		return all[0]
	}
	r.until("one of each is counted", func() bool {
		c := counts()
		return c.Login == 1 && c.Transfer == 1 && c.Quiet == 1 && c.Data.Running == [3]int{1, 0, 0}
	})
	r.do(first, "NOOP", 200)
	r.do(second, "XYZZY", 500)
	third := r.login()
	r.do(third, "EPSV", 229) // the port of the first is a connection by now, or kept for it
	r.do(second, "EPSV", 425)
	c := counts()
	if c.Unknown != 1 || c.Ports != 1 || c.Data.PortsHeld != 1 || c.Data.NoPort != 1 {
		t.Errorf("with the only port taken: %+v", c)
	}
	r.srv.LimitServer(Rates{})
	_, err = io.Copy(io.Discard, conn)
	r.must(err)
	r.must(conn.Close())
	r.expect(first, "RETR", 226)
	for _, client := range []*userpi.Client{first, second, third} {
		r.do(client, "QUIT", 221)
	}
	r.until("all is given back", func() bool {
		c := counts()
		return c.Data.PortsHeld == 0 && c.Transfer+c.Quiet == 0 && c.Data.Running == [3]int{} && c.Data.FirstByte[dtp.Download].Total == 1
	})
}

// faulty is a tree on a disk that fails.
type faulty struct{ vfs.FS }

func (f faulty) Stat(p vfs.Path) (vfs.Info, error) {
	switch p {
	case "/broken":
		return vfs.Info{}, syscall.EIO
	case "/private":
		return vfs.Info{}, fs.ErrPermission
	}
	return f.FS.Stat(p)
}

// What the storage cannot do is counted where clients are answered.
func TestStorageErrors(t *testing.T) {
	r := start(t, func(c *Config) { c.FS = faulty{c.FS} })
	defer r.stop()
	c := r.login()
	r.do(c, "SIZE broken", 451)
	r.do(c, "SIZE private", 550)
	r.do(c, "SIZE none", 550)
	if got := r.srv.Counts()[0].Storage; got != (StorageStatus{Permission: 1, Fault: 1}) {
		t.Errorf("%+v", got)
	}
}
