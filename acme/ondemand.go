package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// demand issues certificates for names that clients ask for.
type demand struct {
	m    *Manager
	rate *rate.Limiter
	much rate.Sometimes // tells that rate is used up

	mu      sync.Mutex
	flights map[trip]*flight     // what is being loaded or ordered
	used    map[string]time.Time // names in memory, and when a client last had one
}

// trip is to the storage for a certificate, or to the authority as well.
type trip struct {
	name  string
	order bool
}

// flight is the one attempt at a trip that all clients wait for.
type flight struct {
	name string
	done chan struct{}
	err  error
	late sync.Once // tells of clients that have waited in vain
}

func newDemand(m *Manager) *demand {
	every := time.Hour / time.Duration(cmp.Or(m.conf.OnDemand.Rate, 60))
	return &demand{m: m, rate: rate.NewLimiter(rate.Every(every), cmp.Or(m.conf.OnDemand.Rate, 60)),
		much: rate.Sometimes{Interval: 10 * time.Minute}, flights: map[trip]*flight{}, used: map[string]time.Time{}}
}

// may reports whether a name can be issued on demand at all.
func (d *demand) may(name string) bool { return d.m.conf.OnDemand.allows(name) }

// granted asks whether a name may be issued.
func (d *demand) granted(ctx context.Context, name string, hello *tls.ClientHelloInfo) error {
	if !d.may(name) {
		return fmt.Errorf("%s is not among the names that may be issued on demand", name)
	}
	if ask := d.m.conf.OnDemand.Ask; ask != nil {
		return ask(ctx, name, hello)
	}
	return nil
}

// present waits for the certificate of a name that is not in memory: it is loaded, or if
// there is none ordered, which every client is asked about. Either is done once for all
// clients, also when the one that came first goes away.
func (d *demand) present(hello *tls.ClientHelloInfo, name string) (*tls.Certificate, error) {
	switch plain, err := Subject(name); {
	case err != nil:
		return nil, err
	case plain != name: // a name has one form here, and no other is ordered
		return nil, fmt.Errorf("%q is not in the form of a server name (RFC 6066 §3)", name)
	}
	ctx := hello.Context()
	if ctx == nil { // a hello that no handshake has made
		ctx = context.Background()
	}
	err := d.wait(ctx, d.fly(trip{name, false}))
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.granted(ctx, name, hello); err != nil {
			return nil, err
		}
		err = d.wait(ctx, d.fly(trip{name, true}))
	}
	if err != nil {
		return nil, err
	}
	if cert := d.m.pick(hello, name); cert != nil {
		return cert, nil
	}
	return nil, errNone
}

// wait waits for a flight as long as the client does.
func (d *demand) wait(ctx context.Context, f *flight) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		f.late.Do(func() { // crypto/tls tells of the time alone
			d.m.log.Warn("a client's handshake has ended before its certificate was there; the order goes on, for later clients", "name", f.name)
		})
		return ctx.Err()
	}
}

// fly joins the flight of a trip, or begins one.
func (d *demand) fly(t trip) *flight {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.flights[t]; f != nil {
		return f
	}
	f := &flight{name: t.name, done: make(chan struct{})}
	began := d.m.run(func() {
		f.err = d.fetch(t)
		d.mu.Lock()
		delete(d.flights, t)
		d.mu.Unlock()
		close(f.done)
	})
	if !began {
		f.err = errors.New("the server is stopping")
		close(f.done)
		return f
	}
	d.flights[t] = f
	return f
}

// fetch takes a certificate from the storage, or orders it. The error is fs.ErrNotExist
// if it is to be ordered first. A certificate that has expired there, because nobody has
// asked for it for long, is renewed before if that can be.
func (d *demand) fetch(t trip) error {
	err := d.m.load(d.m.ctx, t.name)
	if errors.Is(err, fs.ErrNotExist) && t.order {
		if next := d.m.attempts.next(d.m.ctx, t.name); time.Now().Before(next) {
			return fmt.Errorf("%s: %w", t.name, errTooSoon) // costs none of the rate
		}
		if !d.rate.Allow() {
			d.much.Do(func() {
				d.m.log.Warn("more names are asked for than may be ordered on demand within the hour", "name", t.name,
					"help", "are these your customers? see on_demand.rate, and let a policy (hook cert) refuse names that nobody has")
			})
			return fmt.Errorf("%s: too many names were ordered on demand within the hour", t.name)
		}
		err = d.m.obtain(d.m.ctx, t.name)
	}
	if err != nil {
		return err
	}
	d.keep(t.name)
	if leaf := d.m.leaf(t.name); leaf != nil && time.Now().After(leaf.NotAfter) {
		d.m.try(t.name) // what comes of it is told
	}
	return nil
}

// keep notes that name is in memory, and drops what was not used for the longest time
// if there are too many.
func (d *demand) keep(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used[name] = time.Now()
	for len(d.used) > cmp.Or(d.m.conf.OnDemand.Most, 1000) {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(d.used)), func(a, b string) int { return d.used[a].Compare(d.used[b]) })
		delete(d.used, oldest)
		var gone []string
		for _, c := range d.m.held(oldest) {
			gone = append(gone, c.Hash())
		}
		d.m.cache.Remove(gone)
	}
}

// touch notes that a client has had the certificate of a name.
func (d *demand) touch(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.used[name]; ok {
		d.used[name] = time.Now()
	}
}

func (d *demand) has(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.used[name]
	return ok
}

func (d *demand) names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.used))
}
