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

	mu      sync.Mutex
	flights map[string]*flight   // what is being loaded or ordered
	used    map[string]time.Time // names in memory, and when a client last had one
}

// flight is the one attempt for a name that all clients wait for.
type flight struct {
	done chan struct{}
	err  error
	late sync.Once // tells of clients that have waited in vain
}

func newDemand(m *Manager) *demand {
	every := time.Hour / time.Duration(cmp.Or(m.conf.OnDemand.Rate, 60))
	return &demand{m: m, rate: rate.NewLimiter(rate.Every(every), cmp.Or(m.conf.OnDemand.Rate, 60)),
		flights: map[string]*flight{}, used: map[string]time.Time{}}
}

// may reports whether a name can be issued on demand at all.
func (d *demand) may(name string) bool {
	return slices.ContainsFunc(d.m.conf.OnDemand.Allow, func(allowed string) bool {
		return name != "" && (name == allowed || wildcard(name) == allowed)
	})
}

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

// present waits for the certificate of a name that is not in memory. Every client is
// asked about; the certificate is loaded or ordered once, also when the client that
// came first goes away.
func (d *demand) present(hello *tls.ClientHelloInfo, name string) (*tls.Certificate, error) {
	if _, err := Subject(name); err != nil {
		return nil, err
	}
	ctx := hello.Context()
	if ctx == nil { // a hello that no handshake has made
		ctx = context.Background()
	}
	if err := d.granted(ctx, name, hello); err != nil {
		return nil, err
	}
	f := d.fly(name)
	select {
	case <-f.done:
	case <-ctx.Done():
		f.late.Do(func() { // crypto/tls tells of the time alone
			d.m.log.Warn("a client's handshake has ended before its certificate was there; the order goes on, for later clients", "name", name)
		})
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, f.err
	}
	if cert := d.m.pick(hello, name); cert != nil {
		return cert, nil
	}
	return nil, errNone
}

// fly joins the flight for a name, or begins one.
func (d *demand) fly(name string) *flight {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.flights[name]; f != nil {
		return f
	}
	f := &flight{done: make(chan struct{})}
	began := d.m.run(func() {
		f.err = d.fetch(name)
		d.mu.Lock()
		delete(d.flights, name)
		d.mu.Unlock()
		close(f.done)
	})
	if !began {
		f.err = errors.New("the server is stopping")
		close(f.done)
		return f
	}
	d.flights[name] = f
	return f
}

// fetch takes a certificate from the storage, or orders it.
func (d *demand) fetch(name string) error {
	err := d.m.load(d.m.ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		if next := d.m.attempts.next(d.m.ctx, name); time.Now().Before(next) {
			return fmt.Errorf("%s: %w", name, errTooSoon) // costs none of the rate
		}
		if !d.rate.Allow() {
			return fmt.Errorf("%s: too many names were ordered on demand within the hour", name)
		}
		err = d.m.obtain(d.m.ctx, name)
	}
	if err == nil {
		d.keep(name)
	}
	return err
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
