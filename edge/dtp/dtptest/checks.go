package dtptest

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

func (b *bench) opens() { b.carries(b.open()) }

func (b *bench) opensOnce() {
	server, client := b.open()
	b.usedUp()
	b.usedUp()
	b.carries(server, client)
}

// opensForOne has two call Open at the same time: one client is enough for one.
func (b *bench) opensForOne() {
	first, second := begin(b.ctx, b.Port.Open), begin(b.ctx, b.Port.Open)
	client := b.end("Connect", begin(b.ctx, b.Connect))
	if client.err != nil {
		b.Fatal(client.err)
	}
	one, two := b.end("Open", first), b.end("Open", second)
	if one.err != nil {
		one, two = two, one
	}
	if one.err != nil || !errors.Is(two.err, net.ErrClosed) {
		b.Fatalf("the two calls: %v and %v", one.err, two.err)
	}
	b.carries(one.conn, client.conn)
}

// secondClient comes when the first has been let in. Nobody is to serve it: what
// it connects to must be refused, or end without a byte.
func (b *bench) secondClient() {
	if _, ok := b.Port.(dtp.PassivePort); !ok {
		b.Log("not looked at: nobody can come to a port that is no dtp.PassivePort")
		return
	}
	server, client := b.open()
	late := b.end("Connect", begin(b.ctx, b.Connect))
	if late.err == nil {
		_ = late.conn.SetReadDeadline(time.Now().Add(patience))
		n, err := late.conn.Read(make([]byte, 1))
		var timeout net.Error
		if n > 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			b.Errorf("a second client was let in: it reads %d bytes, %v", n, err)
		}
	}
	b.carries(server, client)
}

func (b *bench) closeLeaves() {
	server, client := b.open()
	b.closes()
	b.closes()
	b.carries(server, client)
	b.usedUp()
}

func (b *bench) closes() {
	b.Helper()
	if err := b.Port.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
}

func (b *bench) closeFirst() {
	b.closes()
	b.closes()
	b.usedUp()
	b.closes()
}

func (b *bench) closeWaiting() {
	done := b.waiting(b.ctx)
	b.closes()
	if o := b.end("Open", done); !errors.Is(o.err, net.ErrClosed) {
		b.Errorf("a closed port: %v, want net.ErrClosed", o.err)
	}
	b.closes()
	b.usedUp()
}

// waiting calls Open and sees it wait.
func (b *bench) waiting(ctx context.Context) <-chan opening {
	b.Helper()
	done := begin(ctx, b.Port.Open)
	select {
	case o := <-done:
		b.Fatalf("Open did not wait: %v", o.err)
	case <-time.After(pause):
	}
	return done
}

func (b *bench) endedFirst() {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if o := b.end("Open", begin(ctx, b.Port.Open)); !errors.Is(o.err, context.Canceled) {
		b.Errorf("Open: %v, want the context's error", o.err)
	}
	b.usedUp()
}

func (b *bench) endsWaiting() {
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	done := b.waiting(ctx)
	cancel()
	if o := b.end("Open", done); !errors.Is(o.err, context.Canceled) {
		b.Errorf("Open: %v, want the context's error", o.err)
	}
	b.usedUp()
}

func (b *bench) nobody() {
	o := b.end("Open", begin(b.ctx, b.Port.Open))
	if !errors.Is(o.err, dtp.ErrNobody) && !errors.Is(o.err, dtp.ErrUnreached) {
		b.Errorf("Open: %v, want dtp.ErrNobody or dtp.ErrUnreached", o.err)
	}
	if took := time.Since(b.made); took < b.wait || took > patience/2 {
		b.Errorf("it gave up after %v of %v", took, b.wait)
	}
	b.usedUp()
}

func (b *bench) address() {
	p, ok := b.Port.(dtp.PassivePort)
	if !ok {
		b.Log("not looked at: the port is no dtp.PassivePort")
		return
	}
	if a := p.Addr(); !a.IsValid() || a.Port() == 0 {
		b.Errorf("address is %v", a)
	}
	first, last := b.made.Add(b.wait), time.Now().Add(b.wait)
	if at := p.Until(); !at.IsZero() && (at.Before(first) || at.After(last)) {
		b.Errorf("it waits until %v, want %v to %v", at, first, last)
	}
}

// ready looks whether the port says that its client is there when it is not. It
// may be silent about one who is.
func (b *bench) ready() {
	r, ok := b.Port.(dtp.Readier)
	if !ok {
		b.Log("not looked at: the port is no dtp.Readier")
		return
	}
	if r.Ready() {
		b.Error("ready before anybody came")
	}
	b.open()
	if r.Ready() {
		b.Error("ready when it is used up")
	}
	b.closes()
	if r.Ready() {
		b.Error("ready when it is closed")
	}
}
