package bridge

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// roving is a Link of a machine that moves.
type roving struct {
	Link
	done chan struct{}
	at   atomic.Pointer[netip.Addr]
}

func (r *roving) Done() <-chan struct{} { return r.done }
func (r *roving) Err() error            { return nil }
func (r *roving) Close() error          { return nil }

func (r *roving) Here() (netip.Addr, error) {
	if a := r.at.Load(); a != nil {
		return *a, nil
	}
	return netip.Addr{}, errors.New("network is unreachable")
}

// A connection that goes on over another network is told of once, and not while there is no
// network at all.
func TestMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		log, link := new(journal), &roving{done: make(chan struct{})}
		one, two := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
		link.at.Store(&one)
		tr := &trunk{ctx: ctx, log: slog.New(slog.NewTextHandler(log, nil)), dial: func(context.Context) (Link, error) { return link, nil }, keep: time.Hour}
		if st := tr.status(); st.Wanted || !st.Connected.IsZero() {
			t.Errorf("to begin with: %+v", st)
		}
		if _, err := tr.get(ctx); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for _, at := range []*netip.Addr{&one, nil, &two, &two} {
			link.at.Store(at)
			<-time.After(2 * looking)
		}
		st := tr.status()
		if st.Here != two || !st.Moved.After(began) || !st.Connected.Equal(began) {
			t.Errorf("%+v", st)
		}
		if text := log.String(); strings.Count(text, "connection moved") != 1 || !strings.Contains(text, "address=198.51.100.2") {
			t.Error(text)
		}
		cancel()
		tr.end()
	})
}

// While no connection can be made it is told when it is tried again.
func TestTryingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		tr := &trunk{ctx: ctx, log: slog.New(slog.DiscardHandler), dial: func(context.Context) (Link, error) { return nil, errors.New("no") }, keep: time.Hour}
		for range 3 {
			if _, err := tr.get(ctx); err == nil {
				t.Fatal("there is a connection")
			}
		}
		go func() { _, _ = tr.get(ctx) }()
		synctest.Wait()
		if st := tr.status(); !st.Wanted || st.Failures != 3 || !st.Next.After(time.Now()) || !st.Connected.IsZero() {
			t.Errorf("%+v", st)
		}
		cancel()
		tr.end()
	})
}
