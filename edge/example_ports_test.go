package edge_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// firewall opens and closes ports; here it only says so.
type firewall struct{ to io.Writer }

func (f firewall) open(netip.AddrPort)  { fmt.Fprintln(f.to, "firewall: open a port") }
func (f firewall) close(netip.AddrPort) { fmt.Fprintln(f.to, "firewall: close it") }

// throughWall is a passive port for which a firewall is opened (the model's
// PassiveDTP).
type throughWall struct {
	dtp.PassivePort
	shut func()
}

// Close is called when the port is used up or given up, perhaps both.
func (p throughWall) Close() error {
	p.shut()
	return p.PassivePort.Close()
}

func listenThrough(wall firewall) func(context.Context, dtp.PassiveConfig) (dtp.PassivePort, error) {
	return func(ctx context.Context, conf dtp.PassiveConfig) (dtp.PassivePort, error) {
		p, err := dtp.Listen(ctx, conf)
		if err != nil {
			return nil, err
		}
		wall.open(p.Addr())
		return throughWall{p, sync.OnceFunc(func() { wall.close(p.Addr()) })}, nil
	}
}

// dialled is an active port that connects in a way of its own: through a proxy,
// from port 20 (the model's ActiveDTP).
type dialled struct {
	dtp.Port // has checked the address
	dial     func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	to       netip.AddrPort
}

// Open is called once, when the transfer begins.
func (p dialled) Open(ctx context.Context) (net.Conn, error) {
	conn, err := p.dial(ctx, p.to)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", dtp.ErrUnreached, err)
	}
	return conn, nil
}

func prepareDialled(conf dtp.ActiveConfig, to netip.AddrPort) (dtp.Port, error) {
	checked, err := dtp.NewActive(conf, to) // refuses what must not be connected to
	if err != nil {
		return nil, err
	}
	return dialled{checked, func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		fmt.Println("dialled in our own way")
		return new(net.Dialer).DialContext(ctx, "tcp", to.String())
	}, to}, nil
}

// Both kinds of data ports can be replaced.
func Example_dataPorts() {
	conf := basic()
	conf.Listeners[0].Passive = pi.Passive{Listen: listenThrough(firewall{os.Stdout})}
	conf.Listeners[0].Active = pi.Active{Prepare: prepareDialled}
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.put("STOR a.txt", "hello")
		text := must(c.Get(userpi.PORT, "RETR a.txt"))
		fmt.Printf("%s\n", text)
		c.say("PORT 192,0,2,1,200,1")
	})
	// Output:
	// > STOR a.txt
	// firewall: open a port
	// firewall: close it
	// < 226 Transfer complete.
	// dialled in our own way
	// hello
	// > PORT 192,0,2,1,200,1
	// < 501 Data connections go to your own address only.
}
