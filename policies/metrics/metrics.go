// Package metrics counts what happens and shows it in the text form of Prometheus:
// sessions, logins, commands, transfers and their bytes, TLS handshakes, refusals,
// failures of policies. It is an observer; what others know, such as the host of
// policy modules, comes in as a [Source].
//
// Names begin with edgeftp_, are in seconds and bytes, and counters end in _total.
// No label is a user, a path, an address or anything else that clients choose: the
// values of listener, policy, source and op are the configuration's and the server's, the
// commands are those that the server knows, and of each label at most [MaxValues]
// values are told apart; what comes after is "other".
//
// The numbers are those of the events that reached this policy: the server counts
// the events that it had to drop. A policy in a sandbox cannot be asked for numbers
// by a scraper, so this one is linked natively only.
package metrics

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// MaxValues is the greatest number of values of one label that are told apart.
const MaxValues = 100

// Config is what a [Policy] is made of. The zero value works.
type Config struct {
	// Name of the policy in events; empty is "metrics".
	Name string
	// Process also shows the numbers of the process and of the Go runtime (process_
	// and go_).
	Process bool
}

// Policy counts events. It is a [policy.Policy] that takes part in the stage event
// alone, and is safe for concurrent use.
type Policy struct {
	name     string
	registry *prometheus.Registry
	count    *counts

	mu      sync.Mutex
	living  map[uint64]session   // by ID
	sources prometheus.Gatherers // in the order in which they were added
}

// session is what is remembered of one until it ends.
type session struct {
	listener string
	began    time.Time
}

// New returns a policy that has counted nothing yet. It never fails.
func New(config Config) (*Policy, error) {
	p := &Policy{name: config.Name, registry: prometheus.NewRegistry(), count: newCounts(), living: map[uint64]session{}}
	if p.name == "" {
		p.name = "metrics"
	}
	for _, c := range p.count.all() {
		if err := p.registry.Register(c); err != nil {
			return nil, err
		}
	}
	p.count.applied(time.Now())
	if !config.Process {
		return p, nil
	}
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := p.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Handler shows all numbers, those of the sources that were added before. What one
// Source tells wrong is left out, and so does not hide the rest. They are asked one
// after the other, so that of two who give a name to different things the first one
// has it.
func (p *Policy) Handler() http.Handler {
	p.mu.Lock()
	all := append(prometheus.Gatherers{p.registry}, p.sources...)
	p.mu.Unlock()
	return promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

// Name implements [policy.Policy].
func (p *Policy) Name() string { return p.name }

// Hooks implements [policy.Policy].
func (p *Policy) Hooks() policy.Hooks { return policy.Hooks{Observer: p} }

// Observe implements [policy.Observer]. It never fails.
func (p *Policy) Observe(_ context.Context, e *policy.Event) error {
	if e.Shadow {
		return nil
	}
	c := p.count
	listener := c.listeners.value(e.Session.Listener)
	switch e.Kind {
	case policy.EventConnect:
		p.connect(e, listener)
	case policy.EventDisconnect:
		p.disconnect(e)
	case policy.EventMaxCons, policy.EventMaxConsPerIP:
		c.rejected.WithLabelValues(listener, rejection(e)).Inc()
	case policy.EventTimeout:
		c.timeouts.WithLabelValues(listener).Inc()
	case policy.EventLogin, policy.EventLoginFailed:
		c.login(e, listener)
	case policy.EventCommandDone:
		c.command(e)
	case policy.EventFileSent, policy.EventFileReceived, policy.EventIncompleteFileSent, policy.EventIncompleteFileReceived:
		c.transfer(e, listener)
	case policy.EventTLSEstablished, policy.EventTLSFailed:
		c.handshake(e, listener)
	default:
		c.other(e)
	}
	return nil
}

// rejection is why a connection was turned away: the limit, or the budget.
func rejection(e *policy.Event) string {
	if e.Text == "memory" || e.Text == "descriptors" {
		return e.Text
	}
	return e.Kind.String()
}

func (p *Policy) connect(e *policy.Event, listener string) {
	p.count.opened.WithLabelValues(listener).Inc()
	if e.Session.ID == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.living[e.Session.ID]; !twice {
		p.living[e.Session.ID] = session{listener, e.Time}
	}
}

// disconnect ends a session. One that was turned away has never begun.
func (p *Policy) disconnect(e *policy.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, began := p.living[e.Session.ID]
	if !began {
		return
	}
	delete(p.living, e.Session.ID)
	p.count.lasted.WithLabelValues(s.listener).Observe(max(e.Time.Sub(s.began), 0).Seconds())
}
