// Package webhook posts events to a receiver over HTTP (RFC 9110), in the form of the
// event log, each signed and with an identity that is the same at every attempt.
//
// Events go one by one and in order. What is not taken is to be handed over again: it
// belongs into a slot whose events are kept (edge.Options.Spool), where the policy says
// itself when ([policy.Later]). An event is given up when the receiver refuses it for
// good, or when it has become too old.
//
// A request goes to one URL: no redirect is followed and no proxy is asked, and it goes
// to the Internet alone unless the operator says otherwise.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

const (
	// DefaultRetry is how old an event becomes until it is given up.
	DefaultRetry = 24 * time.Hour
	// DefaultTimeout bounds one request, from the look-up of the name to the end of the
	// answer.
	DefaultTimeout = 10 * time.Second
	// stretch is how long events go before what was taken is noted: after a crash those
	// of one stretch, at most, go once more.
	stretch = time.Second
	// tellEvery is how often it is told that events were given up.
	tellEvery = time.Minute
)

// Config of a [Hook]. The URL alone has to be there.
type Config struct {
	// Name is the slot of the policy: events about it are not posted by itself.
	Name string
	// URL is where to, https but for Private. It is never shown: it may be a secret.
	URL string
	// Secret signs each request; empty: they are not signed.
	Secret string
	// Headers are sent with each request, such as Authorization.
	Headers map[string]string
	// On are the kinds of events that are posted; nil is all of them.
	On []policy.EventKind
	// Instance is the server's name, which each body has; empty: none does.
	Instance string
	// Retry is how old an event becomes until it is given up; 0: DefaultRetry.
	Retry time.Duration
	// Timeout bounds one request; 0: DefaultTimeout.
	Timeout time.Duration
	// Private lets the URL lead into the server's own network, and to the server itself.
	// Only there it may be http.
	Private bool
	// Version is what the requests say of their sender, such as edgeftp/1.2.
	Version string
	// Transport is for tests; nil: one that goes where Private lets it.
	Transport http.RoundTripper
	// Resolve looks names up; nil stands for the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// GaveUp is told that events were given up, at most once a minute, and how many since
	// it was told last. It is called while events are posted, and must not wait for them.
	GaveUp func(n uint64, why string)
}

// Hook is the policy. It is made by [New], and safe for concurrent use.
type Hook struct {
	conf   Config
	target *target
	client http.RoundTripper
	close  func()

	mu     sync.Mutex
	st     Status
	fails  int       // attempts in a row that came to nothing
	told   time.Time // when GaveUp was called
	unsaid uint64    // given up since
}

// Status is what has become of a hook's events, since it was made.
type Status struct {
	Delivered uint64    // events that the receiver took
	GivenUp   uint64    // that it refused for good, or that became too old
	Failed    uint64    // attempts that are repeated
	Success   time.Time // of the last event that was taken; zero: none was
	Failure   time.Time // of the last attempt that came to nothing; zero: none did
	Error     string    // of that attempt, empty after a success
	Next      time.Time // when the next attempt is made; zero: nothing waits for one
}

// New returns a policy. The error says what is wrong with the configuration, without its
// secrets.
func New(conf Config) (*Hook, error) {
	to, err := parse(conf.URL, conf.Private)
	if err != nil {
		return nil, err
	}
	for name, value := range conf.Headers {
		if err := CheckHeader(name, value); err != nil {
			return nil, err
		}
	}
	if conf.Retry <= 0 {
		conf.Retry = DefaultRetry
	}
	if conf.Timeout <= 0 {
		conf.Timeout = DefaultTimeout
	}
	h := &Hook{conf: conf, target: to, client: conf.Transport, close: func() {}}
	if h.client == nil {
		t := transport(&conf)
		h.client, h.close = t, t.CloseIdleConnections
	}
	return h, nil
}

// Name implements policy.Policy.
func (h *Hook) Name() string { return "webhook" }

// Hooks implements policy.Policy: events alone.
func (h *Hook) Hooks() policy.Hooks {
	return policy.Hooks{Observer: h, Interest: policy.Interest{Events: slices.Clone(h.conf.On)}}
}

// Origin is where requests go, without what may be a secret of it.
func (h *Hook) Origin() string { return h.target.origin }

// Status returns what has become of the events.
func (h *Hook) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.st
}

// Close gives connections back. Nothing must be posted any more.
func (h *Hook) Close() error {
	h.close()
	return nil
}

// Observe posts one event. See ObserveAll.
func (h *Hook) Observe(ctx context.Context, e *policy.Event) error {
	_, err := h.ObserveAll(ctx, []*policy.Event{e})
	return err
}

// ObserveAll implements policy.Batcher: it posts events until one is not taken, or some
// time has passed. The error is a [policy.Later].
func (h *Hook) ObserveAll(ctx context.Context, events []*policy.Event) (int, error) {
	began := time.Now()
	for i, e := range events {
		if err := h.one(ctx, e); err != nil {
			return i, err
		}
		if time.Since(began) > stretch {
			return i + 1, nil
		}
	}
	return len(events), nil
}

// one posts an event, or gives it up. The error says when it is to be tried again.
func (h *Hook) one(ctx context.Context, e *policy.Event) error {
	if e.Kind == policy.EventWebhookFailed && e.Policy == h.conf.Name && e.Policy != "" {
		return nil
	}
	until := e.Time.Add(h.conf.Retry)
	if !time.Now().Before(until) {
		h.giveUp(fmt.Sprintf("events became older than %v", h.conf.Retry))
		return nil
	}
	a := h.post(ctx, e)
	switch {
	case a.err == nil:
		h.taken()
		return nil
	case a.final:
		h.giveUp(a.err.Error())
		return nil
	case ctx.Err() != nil: // the server ends, or another configuration comes
		return &policy.Later{Err: a.err}
	}
	return &policy.Later{After: h.failed(a, until), Err: a.err}
}

// failed notes an attempt that came to nothing, and returns when the next one is due: at
// the latest when the event is too old.
func (h *Hook) failed(a answer, until time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fails++
	now := time.Now()
	wait := max(pause(h.fails, rand.Float64()), a.after)
	wait = max(min(wait, until.Sub(now)), time.Millisecond)
	h.st.Failed++
	h.st.Failure, h.st.Error, h.st.Next = now, a.err.Error(), now.Add(wait)
	return wait
}

func (h *Hook) taken() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fails = 0
	h.st.Delivered++
	h.st.Success, h.st.Error, h.st.Next = time.Now(), "", time.Time{}
}

func (h *Hook) giveUp(why string) {
	if n := h.gaveUp(why, time.Now()); n > 0 && h.conf.GaveUp != nil {
		h.conf.GaveUp(n, why)
	}
}

// gaveUp notes that an event was given up, and returns of how many that is to be told now.
func (h *Hook) gaveUp(why string, now time.Time) (n uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fails = 0
	h.unsaid++
	h.st.GivenUp++
	h.st.Failure, h.st.Error, h.st.Next = now, why, time.Time{}
	if !h.told.IsZero() && now.Sub(h.told) < tellEvery {
		return 0
	}
	n, h.unsaid, h.told = h.unsaid, 0, now
	return n
}

// Trial is how a request went that was only to try the receiver.
type Trial struct {
	Status int           // of the answer; 0 without one
	Took   time.Duration // until there was one, or it was clear that there is none
	ID     string        // identity of the event
	Signed bool
	Err    error // why the receiver has not taken it; nil: it has
}

// Try posts an event at once, past those that wait, and does not repeat it.
func (h *Hook) Try(ctx context.Context, e *policy.Event) Trial {
	began := time.Now()
	a := h.post(ctx, e)
	return Trial{Status: a.status, Took: time.Since(began), ID: ID(h.conf.Instance, e), Signed: h.conf.Secret != "", Err: a.err}
}

// errInterrupted says that a request was ended by who made it.
var errInterrupted = errors.New("it was interrupted")
