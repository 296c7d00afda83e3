package dtp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestActiveTargets(t *testing.T) {
	mine := ActiveConfig{Local: loopback, Peer: loopback}
	fxp, low, all := mine, mine, mine
	fxp.Foreign, all.Foreign = true, true
	low.Privileged, all.Privileged = true, true
	mapped := mine
	mapped.Peer = netip.MustParseAddr("::ffff:127.0.0.1")
	for _, test := range []struct {
		name   string
		conf   ActiveConfig
		target string
		want   error
	}{
		{"own", mine, "127.0.0.1:40000", nil},
		{"lowest", mine, "127.0.0.1:1024", nil},
		{"highest", mine, "127.0.0.1:65535", nil},
		{"own in IPv6 dress", mine, "[::ffff:127.0.0.1]:40000", nil},
		{"peer in IPv6 dress", mapped, "127.0.0.1:40000", nil},
		{"foreign", mine, "127.0.0.2:40000", ErrForeign},
		{"foreign IPv6", mine, "[::1]:40000", ErrForeign},
		{"foreign with privileged permitted", low, "127.0.0.2:40000", ErrForeign},
		{"foreign permitted", fxp, "127.0.0.2:40000", nil},
		{"no peer known", ActiveConfig{}, "127.0.0.1:40000", ErrForeign},
		{"privileged", mine, "127.0.0.1:1023", ErrLowPort},
		{"mail", mine, "127.0.0.1:25", ErrLowPort},
		{"privileged and foreign permitted", fxp, "127.0.0.2:25", ErrLowPort},
		{"privileged permitted", low, "127.0.0.1:25", nil},
		{"port zero", mine, "127.0.0.1:0", ErrForeign},
		{"port zero, all permitted", all, "127.0.0.1:0", ErrForeign},
		{"unspecified", mine, "0.0.0.0:40000", ErrForeign},
		{"unspecified, all permitted", all, "0.0.0.0:40000", ErrForeign},
		{"unspecified IPv6, all permitted", all, "[::]:40000", ErrForeign},
		{"unspecified in IPv6 dress, all permitted", all, "[::ffff:0.0.0.0]:40000", ErrForeign},
		{"multicast, all permitted", all, "224.0.0.1:40000", ErrForeign},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := NewActive(test.conf, netip.MustParseAddrPort(test.target))
			wantErr(t, err, test.want)
			if (a == nil) != (test.want != nil) {
				t.Errorf("port is %v", a)
			}
		})
	}
	t.Run("no address", func(t *testing.T) {
		_, err := NewActive(mine, netip.AddrPort{})
		wantErr(t, err, ErrForeign)
	})
}

// listener is a client's data port.
func listener(t *testing.T) (*net.TCPListener, netip.AddrPort) {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).AddrPort()
}

func newActive(t *testing.T, local netip.Addr, target netip.AddrPort) *Active {
	t.Helper()
	a, err := NewActive(ActiveConfig{Local: local, Peer: loopback, Wait: patience}, target)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestActiveConnects expects the connection to come from the address that the
// client knows the server by.
func TestActiveConnects(t *testing.T) {
	needElsewhere(t)
	l, target := listener(t)
	a := newActive(t, elsewhere, target)
	done := open(within(t), a)
	c, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := await(t, done)
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer got.conn.Close()
	if remote(c) != elsewhere {
		t.Errorf("the server connects from %v, want %v", remote(c), elsewhere)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestActiveUnreached(t *testing.T) {
	l, target := listener(t)
	a := newActive(t, loopback, target)
	l.Close()
	c, err := a.Open(within(t))
	if err == nil {
		c.Close()
	}
	wantErr(t, err, ErrUnreached)
}

func TestActiveCancelled(t *testing.T) {
	_, target := listener(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := newActive(t, loopback, target).Open(ctx)
	if err == nil {
		c.Close()
	}
	wantErr(t, err, context.Canceled)
}

// The dialer minds the deadline of its context by a timer of its own: whichever is
// first, it is the context that has ended.
func TestActiveDeadline(t *testing.T) {
	for range 20 {
		ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(time.Millisecond))
		a, err := NewActive(ActiveConfig{Foreign: true, Wait: -1}, netip.MustParseAddrPort("127.0.0.1:1024"))
		if err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		if _, err := a.Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open: %v", err)
		}
		cancel()
		if !ended(ctx) || ended(context.Background()) {
			t.Error("what has ended is not known")
		}
	}
}
