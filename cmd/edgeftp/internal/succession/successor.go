package succession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/edgeftp/edgeftp/edge/kv"
)

// ErrAborted says that the predecessor goes on, and that the successor has to end.
var ErrAborted = errors.New("the running server has taken its place back")

// Successor is a process that takes the place of a server: Ask, Release, Serving, Follow,
// in this order; Fail gives up before Serving.
type Successor struct{ conn *net.UnixConn }

// Ask asks the server at the other end of conn for what it has. The sockets of the offer
// are the caller's. Nothing has changed yet for the server; after an error conn is closed.
func Ask(ctx context.Context, conn *net.UnixConn, version string) (*Successor, Offer, error) {
	s := &Successor{conn}
	var m *message
	err := s.during(ctx, func() (err error) {
		if err = send(conn, &message{Word: wordHello, Hello: &Hello{Protocol: Protocol, Version: version, PID: os.Getpid()}}); err == nil {
			m, err = expect(conn, wordOffer)
		}
		return err
	})
	if err == nil && (m.Offer == nil || m.Offer.Protocol != Protocol || len(m.Offer.Sockets) != len(m.files)) {
		closeFiles(m.files)
		err = errors.New("the running server makes an offer that cannot be understood")
	}
	if err != nil {
		_ = conn.Close()
		return nil, Offer{}, err
	}
	for i, f := range m.files {
		m.Offer.Sockets[i].File = f
	}
	return s, *m.Offer, nil
}

// during does something that the end of ctx cuts short.
func (s *Successor) during(ctx context.Context, do func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	err := do()
	if !stop() {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

// Release has the server accept no more and give up its state. From then on there are
// seconds to serve. It returns the number of the server's last session.
func (s *Successor) Release(ctx context.Context) (sessions uint64, err error) {
	err = s.during(ctx, func() error {
		if err := send(s.conn, &message{Word: wordRelease}); err != nil {
			return err
		}
		m, err := expect(s.conn, wordReleased)
		if err == nil {
			sessions = m.Sessions
		}
		return err
	})
	return sessions, err
}

// Serving tells the server that its place is taken. The caller has the state by then and
// accepts when it returns nil. [ErrAborted] says that it was too late.
func (s *Successor) Serving(ctx context.Context) error {
	err := s.during(ctx, func() error {
		err := send(s.conn, &message{Word: wordServing})
		if err == nil || gone(err) { // what was said before is there to be read
			_, err = expect(s.conn, wordLeaving)
		}
		return err
	})
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case told(err, wordAborted):
		return fmt.Errorf("%w: %w", ErrAborted, err)
	case gone(err):
		return nil // it died, and nobody else serves
	}
	return err
}

// gone reports whether the other side is no more.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Fail gives up: the server goes on as before. It may be called at any time, once.
func (s *Successor) Fail(why error) {
	_ = send(s.conn, &message{Word: wordFailed, Text: why.Error()}) // the end of the connection says the same
	_ = s.conn.Close()
}

// Follow takes the changes that the server tells while it drains, and returns when that
// has ended: nil if it said so by ending, or the context's error. Errors of take are the
// caller's to tell; the server is not told of them, as it could do nothing.
func (s *Successor) Follow(ctx context.Context, take func([]kv.Change) error) error {
	defer func() { _ = s.conn.Close() }()
	return s.during(ctx, func() error {
		for {
			m, err := expect(s.conn, wordChanges)
			switch {
			case err != nil && gone(err):
				return nil
			case err != nil:
				return err
			}
			_ = take(m.Changes) // see above
			if err := send(s.conn, &message{Word: wordDone}); err != nil && !gone(err) {
				return err
			}
		}
	})
}
