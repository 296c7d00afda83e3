package dtp_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/dtp/dtptest"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func TestPassivePort(t *testing.T) {
	dtptest.TestPort(t, func(t *testing.T, wait time.Duration, _ bool) dtptest.Side {
		p, err := dtp.Listen(t.Context(), dtp.PassiveConfig{Local: loopback, Peer: loopback, Wait: wait, Backlog: 2})
		if err != nil {
			t.Fatal(err)
		}
		return dtptest.Side{Port: p, Connect: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", p.Addr().String())
		}}
	})
}

func TestActivePort(t *testing.T) {
	dtptest.TestPort(t, func(t *testing.T, wait time.Duration, absent bool) dtptest.Side {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if absent {
			deaf(t, l)
		}
		conf := dtp.ActiveConfig{Local: loopback, Peer: loopback, Wait: wait}
		a, err := dtp.NewActive(conf, l.Addr().(*net.TCPAddr).AddrPort())
		if err != nil {
			t.Fatal(err)
		}
		return dtptest.Side{Port: a, Connect: func(ctx context.Context) (net.Conn, error) {
			stop := context.AfterFunc(ctx, func() { l.Close() })
			defer stop()
			return l.Accept()
		}}
	})
}
