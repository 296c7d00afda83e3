package acme

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// pauseAfter follows the failure of that number in a row, from 0. The pauses make 9 attempts
// on the first day without an authority, and 4 on every other.
func pauseAfter(failure int) time.Duration {
	pauses := [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}
	return pauses[min(failure, len(pauses)-1)]
}

// errTooSoon is why an order is not made: the last one has failed just now.
var errTooSoon = errors.New("it is not yet time to try again")

// attempts remembers by name what the last orders came to.
type attempts struct {
	mu    sync.Mutex
	names map[string]*attempt // those whose last order failed
}

type attempt struct {
	failed   string
	at, next time.Time
	inRow    int
}

// get is what is known of a name; the zero value is a name without failures.
func (a *attempts) get(name string) attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	if got := a.names[name]; got != nil {
		return *got
	}
	return attempt{}
}

func (a *attempts) inRow(name string) int      { return a.get(name).inRow }
func (a *attempts) next(name string) time.Time { return a.get(name).next }

func (a *attempts) succeed(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.names, name)
}

// fail notes a failure. The authority may say when to come again; the pause is longer
// by up to a tenth, so that many names and nodes do not come at once.
func (a *attempts) fail(name string, err error, now time.Time) attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.names, func(_ string, old *attempt) bool { return now.Sub(old.next) > 24*time.Hour }) // names on demand that nobody asks for
	got := a.names[name]
	if got == nil {
		got = &attempt{}
		if a.names == nil {
			a.names = map[string]*attempt{}
		}
		a.names[name] = got
	}
	wait := pauseAfter(got.inRow)
	got.failed, got.at, got.next = brief(err), now, now.Add(wait+rand.N(wait/10))
	got.inRow++
	var limited *limitedError
	if errors.As(err, &limited) && limited.until.After(got.next) {
		got.next = limited.until
	}
	return *got
}

// limitedError is an authority's refusal that says when it may be asked again (RFC 8555
// §6.6).
type limitedError struct {
	error
	until time.Time
}

func (e *limitedError) Unwrap() error { return e.error }

// onEvent is told by certmagic before an order is made, which an error prevents, and
// what has come of it.
func (m *Manager) onEvent(ctx context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	renewal, _ := data["renewal"].(bool)
	switch event {
	case "cert_obtaining":
		return m.mayOrder(ctx, name, renewal)
	case "cert_failed":
		err, _ := data["error"].(error)
		if err != nil && m.ctx.Err() == nil && ctx.Err() == nil {
			m.failed(name, err)
		}
	case "cert_obtained":
		path, _ := data["certificate_path"].(string)
		m.obtained(ctx, name, path, !renewal)
	}
	return nil
}

// mayOrder refuses an order that comes too soon after a failure, whose certificate could
// not be stored, and the renewal of a name that is no longer granted.
func (m *Manager) mayOrder(ctx context.Context, name string, renewal bool) error {
	if ctx.Value(nowKey{}) == nil {
		if next := m.attempts.next(name); time.Now().Before(next) {
			return fmt.Errorf("%w: the next attempt is at %s", errTooSoon, next.UTC().Format(time.RFC3339))
		}
	}
	if renewal && m.demand != nil && !slices.Contains(m.conf.Names, name) {
		if err := m.demand.granted(ctx, name, nil); err != nil {
			return &refusedError{err}
		}
	}
	err := CheckStorage(ctx, m.storage)
	if err != nil && ctx.Err() == nil {
		m.failed(name, err)
	}
	return err
}

// refusedError says that a name is not to be ordered any more.
type refusedError struct{ error }

func (e *refusedError) Unwrap() error { return e.error }

// failed tells of an order, or of a storage, that has failed.
func (m *Manager) failed(name string, err error) {
	got := m.attempts.fail(name, err, time.Now())
	leaf := m.leaf(name)
	args := []any{"name", name, "error", brief(err), "failures", got.inRow, "next_attempt", got.next.UTC().Format(time.RFC3339),
		"help", advice(err)}
	if leaf != nil {
		args = append(args, "valid_until", leaf.NotAfter.UTC().Format(time.RFC3339))
		m.log.Error("a certificate could not be renewed; the one in use stays", args...)
	} else {
		m.log.Error("a certificate could not be obtained; clients of that name cannot use TLS yet", args...)
	}
	m.tell(CertEvent{Name: name, First: leaf == nil, Leaf: leaf, Err: err})
	if leaf != nil {
		m.pursue(name) // certmagic counts what mayOrder refuses, and would come later and later
	}
}

// obtained tells of a new certificate, which certmagic has just stored at path.
func (m *Manager) obtained(ctx context.Context, name, path string, first bool) {
	m.attempts.succeed(name)
	chain, err := m.storage.Load(ctx, path)
	var leaf *x509.Certificate
	if block, _ := pem.Decode(chain); err == nil && block != nil {
		leaf, _ = x509.ParseCertificate(block.Bytes) // what cannot be parsed is not told
	}
	if leaf == nil {
		return
	}
	words := "a certificate was renewed"
	if first {
		words = "a certificate was obtained"
	}
	level := m.log.Info
	if m.conf.Local != nil {
		level = m.log.Debug
	}
	level(words, "name", name, "issuer", leaf.Issuer.CommonName, "serial", fmt.Sprintf("%x", leaf.SerialNumber),
		"valid_until", leaf.NotAfter.UTC().Format(time.RFC3339), "sha256", Fingerprint(leaf))
	m.tell(CertEvent{Name: name, First: first, Leaf: leaf})
}

func (m *Manager) tell(e CertEvent) {
	if m.conf.Event != nil {
		m.conf.Event(e)
	}
}
