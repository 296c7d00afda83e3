package quicnet

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// port is a data stream to be.
type port struct {
	conn *Conn
	slot *slot
	wait time.Duration

	mu     sync.Mutex
	used   bool
	closed bool
	stop   context.CancelFunc // of an Open that waits
}

// Open is OpenFor of a transfer to the client.
func (p *port) Open(ctx context.Context) (net.Conn, error) { return p.OpenFor(ctx, false) }

// OpenFor returns the data stream of a transfer: that which the client has opened, or will,
// where its bytes come from there (up), and else one of the server's. It is a one-way
// net.Conn with the method End(error) error, and deadlines that one may go on after.
func (p *port) OpenFor(ctx context.Context, up bool) (net.Conn, error) {
	waiting, stop := context.WithTimeout(ctx, p.wait)
	defer stop()
	if !p.begin(stop) {
		return nil, net.ErrClosed
	}
	defer p.conn.release(p)
	defer context.AfterFunc(p.conn.conn.Context(), stop)()
	if up {
		return p.accept(ctx, waiting)
	}
	return p.open(ctx, waiting)
}

// begin uses the port up, unless that or Close has happened before.
func (p *port) begin(stop context.CancelFunc) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used || p.closed {
		return false
	}
	p.used, p.stop = true, stop
	return true
}

// over says why there is to be no data stream, nil if there may be one: ctx has ended, or
// the port was given up.
func (p *port) over(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	return ctx.Err()
}

// accept waits for the client's stream.
func (p *port) accept(ctx, waiting context.Context) (net.Conn, error) {
	select {
	case <-p.slot.came:
	case <-waiting.Done():
	}
	stream, _ := p.conn.link.desk.take(p.slot).(*upload)
	err := p.over(ctx)
	switch {
	case err == nil && stream != nil:
		return stream, nil
	case err == nil:
		err = p.failed(dtp.ErrNobody)
	case stream != nil:
		stream.refuse(CodeAborted)
	}
	return nil, err
}

// open opens a stream to the client, as soon as the client permits one more.
func (p *port) open(ctx, waiting context.Context) (net.Conn, error) {
	p.conn.link.desk.drop(p.slot, CodeToken) // of a client that sends where it is to be sent to
	stream, err := p.conn.conn.OpenUniStreamSync(waiting)
	over := p.over(ctx)
	switch {
	case err != nil && over == nil:
		return nil, p.failed(dtp.ErrUnreached)
	case err != nil:
		return nil, over
	}
	d := &download{ends{p.conn.conn}, stream}
	if over == nil {
		over = d.begin(p.slot.token)
	}
	if over != nil {
		d.Reset(CodeAborted)
		return nil, over
	}
	return d, nil
}

// failed is err, and what has ended the connection if that is the cause.
func (p *port) failed(err error) error {
	if c := p.conn.conn.Context(); c.Err() != nil {
		return fmt.Errorf("%w: %w", err, fault(context.Cause(c)))
	}
	return err
}

// Close gives the port up.
func (p *port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	if p.stop != nil {
		p.stop()
		return nil
	}
	p.conn.link.desk.drop(p.slot, CodeAborted)
	p.conn.release(p)
	return nil
}
