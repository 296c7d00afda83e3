// Package events hands the events of a running server to those who follow them. It is an
// observer among the policies. Whoever reads too slowly loses events and is told how many;
// the server never waits.
package events

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/eventlog"
)

const (
	// MaxReaders is how many may follow at once.
	MaxReaders = 16
	// queue is how many events wait for one reader.
	queue = 256
)

// ErrFull says that as many follow as may.
var ErrFull = errors.New("16 follow the events already")

// Filter says which events are wanted. The zero value wants all that there are.
type Filter struct {
	Kinds   []string // names, such as file_received; none is all
	User    string   // of this user alone
	Session uint64   // of this session alone
}

func (f *Filter) wants(e *policy.Event) bool {
	return (f.Session == 0 || e.Session.ID == f.Session) && (f.User == "" || e.Session.User == f.User) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind.String()))
}

// Kinds are the names of the events that can be followed: all but command_done, of which
// there is one for each command; the event log and the access log have those.
func Kinds() []string {
	var out []string
	for _, k := range kinds() {
		out = append(out, k.String())
	}
	return out
}

func kinds() (out []policy.EventKind) {
	for k := policy.EventConnect; k.String() != "invalid"; k++ {
		if k != policy.EventCommandDone {
			out = append(out, k)
		}
	}
	return out
}

// Hub knows who follows. The zero value is one that nobody follows.
type Hub struct {
	count atomic.Int32 // of readers, for who looks without a lock

	mu      sync.Mutex
	readers []*Reader
	closed  bool
}

// Reader gets events. It is made by [Hub.Follow].
type Reader struct {
	hub    *Hub
	filter Filter
	events chan eventlog.Record
	lost   atomic.Uint64
}

// Follow adds a reader, whose Close is to be called. The error is [ErrFull].
func (h *Hub) Follow(f Filter) (*Reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.readers) >= MaxReaders {
		return nil, ErrFull
	}
	r := &Reader{hub: h, filter: f, events: make(chan eventlog.Record, queue)}
	if h.closed {
		close(r.events)
		return r, nil
	}
	h.readers = append(h.readers, r)
	h.count.Store(int32(len(h.readers)))
	return r, nil
}

// Events returns where the events come. It is closed with the hub.
func (r *Reader) Events() <-chan eventlog.Record { return r.events }

// Lost returns how many events found no room since it was called last.
func (r *Reader) Lost() uint64 { return r.lost.Swap(0) }

// Close ends the reader.
func (r *Reader) Close() {
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers = slices.DeleteFunc(h.readers, func(other *Reader) bool { return other == r })
	h.count.Store(int32(len(h.readers)))
}

// Close ends all readers, and those to come. A second call does nothing.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	for _, r := range h.readers {
		close(r.events)
	}
	h.readers = nil
	h.count.Store(0)
}

// Policy returns the hub as a policy of a server; one hub may be several, one after the
// other.
func (h *Hub) Policy() policy.Policy { return observer{h} }

type observer struct{ hub *Hub }

// Name implements policy.Policy.
func (observer) Name() string { return "events" }

// Hooks implements policy.Policy.
func (o observer) Hooks() policy.Hooks {
	return policy.Hooks{Observer: o, Interest: policy.Interest{Events: kinds()}, Dormant: o.dormant}
}

// dormant reports whether nobody follows. Once Follow has returned it does not.
func (o observer) dormant() bool { return o.hub.count.Load() == 0 }

// Observe implements policy.Observer. It never fails and never waits.
func (o observer) Observe(_ context.Context, e *policy.Event) error {
	o.hub.mu.Lock()
	defer o.hub.mu.Unlock()
	var rec *eventlog.Record
	for _, r := range o.hub.readers {
		if !r.filter.wants(e) {
			continue
		}
		if rec == nil {
			made := eventlog.RecordOf(e)
			rec = &made
		}
		select {
		case r.events <- *rec:
		default:
			r.lost.Add(1)
		}
	}
	return nil
}
