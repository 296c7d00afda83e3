package quicnet

import (
	"context"
	"crypto/tls"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Two sockets of one port do not help a successor: the kernel gives it the datagrams of
// connections that it knows nothing of. This is why a QUIC listener is not handed over as
// those of TCP are.
func TestSharedPort(t *testing.T) {
	server, client := authority(t)
	bind := func(address string) net.PacketConn {
		shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var serr error
			err := c.Control(func(fd uintptr) { serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
			if err != nil {
				return err
			}
			return serr
		}}
		pc, err := shared.ListenPacket(t.Context(), "udp", address)
		if err != nil {
			t.Fatal(err)
		}
		return pc
	}
	pc := bind("127.0.0.1:0")
	s := listenOn(t, pc, Config{TLS: server, FTP: true, Limits: Limits{ConnectionsPerAddress: -1}}, client)
	var ends []net.Conn
	for range 16 {
		far, near := s.session(t, s.dial(t))
		writes(t, near, "first")
		reads(t, far, "first")
		ends = append(ends, near, far)
	}
	listenOn(t, bind(pc.LocalAddr().String()), Config{TLS: server, FTP: true}, client)
	lost := 0
	for i := 0; i < len(ends); i += 2 {
		writes(t, ends[i], "second")
		_ = ends[i+1].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := ends[i+1].Read(make([]byte, 6)); err != nil {
			lost++
		}
	}
	t.Logf("%d of %d connections do not hear their clients any more", lost, len(ends)/2)
	if lost == 0 {
		t.Error("a second socket takes nothing from the first: handing over could be had more simply")
	}
}

// listenOn begins a listener on a socket of the test's.
func listenOn(t *testing.T, pc net.PacketConn, conf Config, client *tls.Config) *site {
	t.Helper()
	l, err := Listen(pc, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = l.Shutdown(ctx)
	})
	return &site{l, client}
}
