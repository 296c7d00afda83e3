package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// TestStorm has many clients do what they like on sessions that are parked between any two
// bytes, some of them in the clear and some protected: transfers on ports that are used
// again, lines that come together with others, in pieces, during a transfer and at its end,
// while the policies are swapped. Each line has its replies, in order, and each file its bytes.
func TestStorm(t *testing.T) {
	set, conf := tlsConfigs(t)
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: t.TempDir(), State: t.TempDir(), Durability: vfs.DurabilityNone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	for i := range 300 { // enough for two to look at them
		if err := disk.Mkdir(vfs.Path(fmt.Sprintf("/d%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, func(c *Config) { set(c); c.FS = disk; c.Home = ownView(disk) })
	defer r.stop()
	stop, swapped := context.WithCancel(t.Context())
	swaps := make(chan int)
	go func() { swaps <- r.swapping(stop) }()
	var clients sync.WaitGroup
	for i := range 16 {
		conn, err := net.Dial("tcp", r.addr)
		r.must(err)
		s := &sailor{t: t, rnd: rand.New(rand.NewPCG(uint64(i), 11)), name: fmt.Sprintf("f%d", i)}
		s.c = userpi.New(&ragged{conn, rand.New(rand.NewPCG(uint64(i), 12))})
		s.c.Timeout = userpi.Timeout
		t.Cleanup(func() { _ = s.c.Close() })
		r.expect(s.c, "the connection", 220)
		if i%2 == 1 {
			r.must(s.c.Protect(conf))
		}
		r.must(s.c.Identify("dev", "secret"))
		r.do(s.c, "TYPE I", 200)
		clients.Go(s.sail)
	}
	clients.Wait()
	swapped()
	if n := <-swaps; n == 0 {
		t.Error("nothing was swapped")
	}
	r.park(16)
}

// swapping replaces the policy by its like, time and again.
func (r *rig) swapping(ctx context.Context) (n int) {
	for ctx.Err() == nil {
		k := newKeeper()
		if _, err := r.srv.Swap("keeper", k); err != nil {
			r.t.Error(err)
			return n
		}
		n++
		<-time.After(time.Millisecond)
	}
	return n
}

// ownView gives each login a view of its own, which ends with it.
func ownView(disk *vfs.Disk) pi.Home {
	return func(context.Context, policy.Session, policy.Identity) (vfs.FS, func(), error) {
		view, err := disk.Sub(vfs.Root)
		if err != nil {
			return nil, nil, err
		}
		return view, func() { _ = view.(io.Closer).Close() }, nil
	}
}

// sailor is one client.
type sailor struct {
	t    *testing.T
	c    *userpi.Client
	rnd  *rand.Rand
	name string
	want []byte // what the file holds
}

func (s *sailor) sail() {
	steps := []func() error{s.put, s.get, s.abort, s.together, s.late, s.list, s.pause, s.unused, s.again, s.rename}
	for i := range 30 {
		k := s.rnd.IntN(len(steps))
		if i == 0 {
			k = 0
		}
		if err := steps[k](); err != nil {
			s.t.Errorf("%s, step %d (%d): %v", s.name, i, k, err)
			return
		}
	}
}

func (s *sailor) mode() userpi.Mode {
	return []userpi.Mode{userpi.EPSV, userpi.PASV}[s.rnd.IntN(2)]
}

func (s *sailor) put() error {
	s.want = make([]byte, []int{0, 1, 4096, 16384, 16385, 49152, 49153, 300_000}[s.rnd.IntN(8)])
	for i := range s.want {
		s.want[i] = byte(s.rnd.Uint32())
	}
	_, err := s.c.Put(s.mode(), "STOR "+s.name, bytes.NewReader(s.want))
	return err
}

func (s *sailor) same(got []byte, err error) error {
	if err == nil && !bytes.Equal(got, s.want) {
		return fmt.Errorf("%d bytes have come, of %d", len(got), len(s.want))
	}
	return err
}

func (s *sailor) get() error { return s.same(s.c.Get(s.mode(), "RETR "+s.name)) }

func (s *sailor) list() error {
	got, err := s.c.Get(s.mode(), []string{"NLST", "LIST", "MLSD"}[s.rnd.IntN(3)])
	if dirs := bytes.Count(got, []byte("d2")); err == nil && (!bytes.Contains(got, []byte(s.name+"\r\n")) || dirs < 100) {
		return fmt.Errorf("%s is not in the list, or not all: %d", s.name, dirs)
	}
	return err
}

// again logs in anew.
func (s *sailor) again() error {
	for _, line := range []string{"REIN", "USER dev", "PASS secret", "TYPE I"} {
		if _, err := s.c.Must(line, 220, 331, 230, 200); err != nil {
			return err
		}
	}
	if s.c.Protected {
		return s.c.Private()
	}
	return nil
}

// rename has the file have another name for a while in which the session may be parked.
func (s *sailor) rename() error {
	for _, line := range []string{"RNFR " + s.name, "RNTO " + s.name + "x", "RNFR " + s.name + "x", "RNTO " + s.name} {
		if _, err := s.c.Must(line, 350, 250); err != nil {
			return err
		}
		_ = s.pause()
	}
	return nil
}

// abort gives a transfer up: the replies are its own, which may be that it is complete, and
// ABOR's.
func (s *sailor) abort() error {
	conn, err := s.c.Begin(s.mode(), "RETR "+s.name)
	if err != nil {
		return err
	}
	defer conn.Close()
	<-time.After(time.Duration(s.rnd.IntN(3000)) * time.Microsecond)
	if err := s.c.Send("ABOR\r\nPWD"); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "EOF") {
		return err
	}
	if _, err := s.c.Expect("RETR", 226, 426); err != nil {
		return err
	}
	if _, err := s.c.Expect("ABOR", 225, 226); err != nil {
		return err
	}
	_, err = s.c.Expect("PWD", 257)
	return err
}

// together sends lines with the command of a transfer.
func (s *sailor) together() error {
	conn, err := s.c.Begin(s.mode(), fmt.Sprintf("RETR %s\r\nSIZE %s\r\nREST 7\r\nREST 0", s.name, s.name))
	if err != nil {
		return err
	}
	got, err := io.ReadAll(conn)
	conn.Close()
	if err := s.same(got, err); err != nil {
		return err
	}
	return s.hear(226, 213, 350, 350)
}

// hear expects replies.
func (s *sailor) hear(codes ...int) error {
	for _, code := range codes {
		if _, err := s.c.Expect("lines together", code); err != nil {
			return err
		}
	}
	return nil
}

// late sends a line during a transfer, in two parts.
func (s *sailor) late() error {
	conn, err := s.c.Begin(s.mode(), "RETR "+s.name)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := s.c.Write([]byte("SIZE ")); err != nil {
		return err
	}
	<-time.After(time.Duration(s.rnd.IntN(4000)) * time.Microsecond)
	got, err := io.ReadAll(conn)
	if err := s.same(got, err); err != nil {
		return err
	}
	if err := s.hear(226); err != nil {
		return err
	}
	if err := s.c.Send(s.name); err != nil {
		return err
	}
	return s.hear(213)
}

func (s *sailor) pause() error {
	<-time.After(time.Duration(s.rnd.IntN(20)) * time.Millisecond)
	return nil
}

// unused prepares ports that nobody comes to.
func (s *sailor) unused() error {
	for range 1 + s.rnd.IntN(3) {
		if _, err := s.c.Must("EPSV", 229); err != nil {
			return err
		}
	}
	if _, err := s.c.Must("ABOR", 225); err != nil {
		return err
	}
	_, err := s.c.Must("NOOP", 200)
	return err
}
