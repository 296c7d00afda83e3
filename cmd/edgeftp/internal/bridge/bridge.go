package bridge

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Config says how a Bridge works. Dial and Log are required.
type Config struct {
	// Dial connects to the server. It is called whenever there is no connection and one is
	// wanted, never twice at a time for each of Connections.
	Dial func(context.Context) (Link, error)
	// Sessions is how many clients there may be; 0 is 32.
	Sessions int
	// Connections is over how many connections a large binary download is fetched, in
	// segments; 0 is 1: as a whole, over the one that all sessions are on.
	Connections int
	// Keep is how long the connection is kept that nobody uses; 0 is 5 minutes.
	Keep time.Duration
	// Connect is how long a new client waits for a session; 0 is 15 seconds.
	Connect time.Duration
	// Patience is how long a lost connection is waited for; 0 is 2 minutes.
	Patience time.Duration
	// Settle is how long a server may take, after the connection was lost, to keep what it
	// has got of an upload; 0 is 10 seconds.
	Settle time.Duration
	// Log is told of connections and transfers.
	Log *slog.Logger
	// Trace, if set, is told every command, without passwords, and every reply. Several
	// sessions may call it at the same time.
	Trace func(session uint64, sent bool, text string)
}

// Bridge serves local clients.
type Bridge struct {
	Config
	trunk   *trunk
	stop    context.CancelFunc
	board   board
	crew    *crew
	noFacts atomic.Bool // the server has no MLST

	noRanges atomic.Bool // the server has no RANG
}

// New returns a Bridge, which lives as long as ctx. Serve has to be called, also where Probe
// has failed and ctx is about to end.
func New(ctx context.Context, conf Config) *Bridge {
	conf.Sessions = or(conf.Sessions, 32)
	conf.Connections = or(conf.Connections, 1)
	conf.Keep = or(conf.Keep, 5*time.Minute)
	conf.Connect = or(conf.Connect, 15*time.Second)
	conf.Patience = or(conf.Patience, 2*time.Minute)
	conf.Settle = or(conf.Settle, 10*time.Second)
	ctx, stop := context.WithCancel(ctx)
	main := &trunk{ctx: ctx, dial: conf.Dial, keep: conf.Keep, log: conf.Log}
	return &Bridge{Config: conf, stop: stop, trunk: main, crew: newCrew(conf.Connections-1, main)}
}

func or[T int | time.Duration](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}

// Probe makes the connection, or says why there is none.
func (b *Bridge) Probe(ctx context.Context) error {
	_, err := b.trunk.get(ctx)
	return err
}

// Serve serves the clients of a listener until the Bridge's context ends, and waits for them
// to end. It closes the listener. Where that fails all sessions are ended, and the error is
// its.
func (b *Bridge) Serve(l net.Listener) error {
	ctx := b.trunk.ctx
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	places := make(chan struct{}, b.Sessions)
	defer func() {
		b.stop()
		for range b.Sessions { // until all have left
			places <- struct{}{}
		}
		b.trunk.end()
		b.crew.end()
	}()
	for id := uint64(1); ; id++ {
		conn, err := l.Accept()
		if err != nil {
			_ = l.Close()
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case places <- struct{}{}:
			b.trunk.enter()
			b.trunk.work.Go(func() {
				b.serve(id, conn)
				b.trunk.leave()
				<-places
			})
		default:
			turnAway(conn)
		}
	}
}

// turnAway tells a client that there are too many. It does not wait for it.
func turnAway(conn net.Conn) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(wire.Say(wire.CodeNotAvailable, "The bridge has no room for another session; --sessions is how many it has.").Append(nil))
	_ = conn.Close()
}

// serve serves one client.
func (b *Bridge) serve(id uint64, conn net.Conn) {
	s := &session{bridge: b, log: b.Log, id: id, local: conn, lines: make(chan heard), memory: newMemory()}
	s.here, s.peer = dtp.AddrPort(conn.LocalAddr()), dtp.AddrPort(conn.RemoteAddr())
	s.ctx, s.stop = context.WithCancelCause(b.trunk.ctx)
	s.run()
}
