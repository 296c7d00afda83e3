package succession

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
)

// prepareTime is how long a successor may take before it wants the state: it may compile
// policies. releaseTime is how long it may then take until it serves, while nobody is
// accepted. changesTime is how long it may take to note changes.
const (
	prepareTime = 10 * time.Minute
	releaseTime = 30 * time.Second
	changesTime = 10 * time.Second
)

// Predecessor is a server that gives its place away. Its methods are called one after the
// other.
type Predecessor interface {
	// Offer says what it has, with descriptors that are closed when they were sent. An
	// error refuses the successor.
	Offer() (Offer, error)
	// Yield stops accepting, gives up the state that only one process may have, and from
	// then on tells heir what becomes of it. It returns the number of the last session: the
	// successor's count on from there, so that no number is used twice in the logs. After an
	// error everything is as before.
	Yield(ctx context.Context, heir kv.Heir) (sessions uint64, err error)
	// Resume takes back what Yield has given up, as the successor does not serve.
	Resume(why error)
	// Leave lets what runs end: the successor serves. It hears of it when Leave returns.
	Leave()
}

// times are how long the successor may take.
type times struct{ prepare, release, changes time.Duration }

// Give gives the place of p to who is at the other end of conn, and returns nil when that
// one serves. conn is then the way of p's changes, and is open until the process ends, or
// until ctx does. After an error it is closed, and p serves as before.
func Give(ctx context.Context, conn *net.UnixConn, p Predecessor) error {
	return give(ctx, conn, p, times{prepareTime, releaseTime, changesTime})
}

func give(ctx context.Context, conn *net.UnixConn, p Predecessor, within times) (err error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		if err != nil {
			stop()
			_ = conn.Close()
		}
	}()
	if err := offer(conn, p, within.prepare); err != nil {
		return err
	}
	h := &heir{conn: conn, within: within.changes, serves: make(chan struct{}), failed: make(chan struct{})}
	sessions, err := p.Yield(ctx, h.take)
	if err != nil {
		h.end(err)
		_ = send(conn, &message{Word: wordRefused, Text: "the server cannot give up its state: " + err.Error()}) // it ends in any case
		return err
	}
	if err := yielded(conn, sessions, within.release); err != nil {
		h.end(err)
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		_ = send(conn, &message{Word: wordAborted, Text: "the server that was to be replaced goes on: " + err.Error()}) // who is not there needs no word
		p.Resume(err)
		return err
	}
	p.Leave()
	_ = send(conn, &message{Word: wordLeaving}) // it serves, whether it hears that or not
	_ = conn.SetDeadline(time.Time{})
	close(h.serves)
	return nil
}

// offer makes the offer, and waits until the successor is prepared.
func offer(conn *net.UnixConn, p Predecessor, within time.Duration) error {
	_ = conn.SetDeadline(time.Now().Add(within))
	m, err := expect(conn, wordHello)
	if err != nil {
		return err
	}
	if m.Hello == nil || m.Hello.Protocol != Protocol {
		err := errors.New("the two programs do not speak the same protocol of succession; stop the server and start the other one")
		return errors.Join(err, send(conn, &message{Word: wordRefused, Text: err.Error()}))
	}
	o, err := p.Offer()
	if err != nil {
		return errors.Join(err, send(conn, &message{Word: wordRefused, Text: err.Error()}))
	}
	o.Protocol = Protocol
	files := make([]*os.File, len(o.Sockets))
	for i := range o.Sockets {
		files[i] = o.Sockets[i].File
	}
	err = send(conn, &message{Word: wordOffer, Offer: &o, files: files})
	closeFiles(files)
	if err != nil {
		return err
	}
	_, err = expect(conn, wordRelease)
	return err
}

// yielded tells the successor that the state is free, and waits until it serves.
func yielded(conn *net.UnixConn, sessions uint64, within time.Duration) error {
	_ = conn.SetDeadline(time.Now().Add(within))
	if err := send(conn, &message{Word: wordReleased, Sessions: sessions}); err != nil {
		return err
	}
	if _, err := expect(conn, wordServing); err != nil {
		return fmt.Errorf("the successor does not serve: %w", err)
	}
	return nil
}

// heir is the successor as kv.Heir.
type heir struct {
	conn   *net.UnixConn
	within time.Duration
	serves chan struct{} // closed when it does
	failed chan struct{} // closed when it never will
	why    error         // of failed
	once   sync.Once
}

// end says that there will be no successor.
func (h *heir) end(why error) {
	h.once.Do(func() {
		h.why = why
		close(h.failed)
	})
}

// take tells the successor of changes, once it serves.
func (h *heir) take(changes []kv.Change) error {
	select {
	case <-h.serves:
	case <-h.failed:
		return h.why
	}
	_ = h.conn.SetDeadline(time.Now().Add(h.within))
	if err := send(h.conn, &message{Word: wordChanges, Changes: changes}); err != nil {
		return err
	}
	_, err := expect(h.conn, wordDone)
	return err
}
