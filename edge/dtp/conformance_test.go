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

// TestSpareConforms holds a port whose socket has served before against what holds for
// every other.
func TestSpareConforms(t *testing.T) {
	here := netip.MustParseAddr("127.0.0.1")
	dtptest.TestPort(t, func(t *testing.T, wait time.Duration, _ bool) dtptest.Side {
		spare := new(dtp.Spare)
		t.Cleanup(spare.Close)
		open := func() *dtp.Passive {
			p, err := dtp.Listen(t.Context(), dtp.PassiveConfig{Local: here, Peer: here, Wait: wait, Spare: spare, Ephemeral: dtp.ReadEphemeral()})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		connect := func(ctx context.Context, p *dtp.Passive) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", p.Addr().String())
		}
		first := open()
		client, err := connect(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := first.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		p := open()
		return dtptest.Side{Port: p, Connect: func(ctx context.Context) (net.Conn, error) { return connect(ctx, p) }}
	})
}
