package acme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// reissue replaces every certificate, because the authority in this process is another
// one and its clients trust no other.
func (m *Manager) reissue() {
	m.run(func() {
		for _, name := range m.conf.Names {
			if err := m.Renew(m.ctx, name); err != nil && m.ctx.Err() == nil {
				m.failed(name, err)
			}
		}
	})
}

// obtain makes one attempt to get the first certificate of a name.
func (m *Manager) obtain(ctx context.Context, name string) error {
	return m.attempt(ctx, name, func() error {
		if err := m.long.ObtainCertSync(ctx, name); err != nil {
			return err
		}
		return m.load(ctx, name)
	})
}

// pursue tries until a name has a certificate that is not due, beside and once at a
// time. The first attempt is at once, unless the last one has failed just now.
func (m *Manager) pursue(name string) {
	m.mu.Lock()
	began := m.pursued[name]
	m.pursued[name] = true
	m.mu.Unlock()
	if began {
		return
	}
	m.run(func() {
		for {
			wait := time.NewTimer(time.Until(m.attempts.next(m.ctx, name)))
			select {
			case <-wait.C:
			case <-m.ctx.Done():
				wait.Stop()
				return
			}
			if m.try(name) {
				break
			}
		}
		m.mu.Lock()
		delete(m.pursued, name)
		m.mu.Unlock()
	})
}

// try makes one attempt to obtain or renew a certificate, and reports whether no other
// is needed.
func (m *Manager) try(name string) bool {
	held := m.held(name)
	switch {
	case len(held) > 0:
	case !slices.Contains(m.conf.Names, name):
		return true // it has left the memory; the next client that asks for it is asked about
	default:
		return m.obtain(m.ctx, name) == nil
	}
	config, _ := m.configFor(held[0])
	err := m.attempt(m.ctx, name, func() error { return config.RenewCertSync(m.ctx, name, false) })
	if err == nil {
		err = m.serve(m.ctx, name)
	}
	if err == nil && !m.due(name) {
		m.attempts.settle(name) // a renewal that somebody wanted early failed, and is not needed
	}
	return err == nil || errors.As(err, new(*refusedError))
}

// attempt makes one and notes a failure that is not the authority's, of which onEvent
// is not told: a storage that cannot be locked, for example.
func (m *Manager) attempt(ctx context.Context, name string, do func() error) error {
	began := time.Now()
	err := do()
	if err != nil && ctx.Err() == nil && !errors.Is(err, errTooSoon) && !errors.As(err, new(*refusedError)) && m.attempts.get(name).At.Before(began) {
		m.failed(name, err)
	}
	return err
}

type nowKey struct{}

// Renew orders a new certificate for a name now, however long the present one is valid
// and whatever failed before, and serves it from then on. Sessions are not disturbed.
// It is one attempt; its error is the authority's.
func (m *Manager) Renew(ctx context.Context, name string) error {
	if !slices.Contains(m.conf.Names, name) && (m.demand == nil || !m.demand.has(name)) {
		return fmt.Errorf("%q: %w", name, ErrUnknownName)
	}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, nowKey{}, true))
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	if len(m.held(name)) == 0 {
		return plainly(m.obtain(ctx, name), name)
	}
	if err := m.long.RenewCertSync(ctx, name, true); err != nil {
		return plainly(err, name)
	}
	return m.serve(ctx, name)
}

// ErrUnknownName says that a manager has nothing to do with a name.
var ErrUnknownName = errors.New("that is no name of this server's certificates")

// serve puts the stored certificate of a name in the place of those in memory. There is
// one at any time.
func (m *Manager) serve(ctx context.Context, name string) error {
	old := m.held(name)
	fresh, err := m.long.CacheManagedCertificate(ctx, name)
	if err != nil {
		return err
	}
	if m.demand != nil && !slices.Contains(m.conf.Names, name) && !m.demand.has(name) { // dropped during the order
		m.cache.Remove([]string{fresh.Hash()})
	}
	var gone []string
	for _, c := range old {
		if c.Hash() != fresh.Hash() {
			gone = append(gone, c.Hash())
		}
	}
	m.cache.Remove(gone)
	return nil
}
