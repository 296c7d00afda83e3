package acme

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math"
	"slices"
	"time"
)

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
		if next := m.attempts.next(ctx, name); time.Now().Before(next) {
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
	args := []any{"name", name, "error", brief(err), "failures", got.InRow, "next_attempt", m.certificate(name, false).Next.UTC().Format(time.RFC3339),
		"help", Advice(err)}
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
	chain, err := m.storage.Load(ctx, path)
	var leaf *x509.Certificate
	if block, _ := pem.Decode(chain); err == nil && block != nil {
		leaf, _ = x509.ParseCertificate(block.Bytes) // what cannot be parsed is not told
	}
	life := time.Duration(math.MaxInt64)
	if leaf != nil {
		life = leaf.NotAfter.Sub(leaf.NotBefore)
	}
	if ctx.Value(nowKey{}) != nil {
		life = 0 // somebody wanted it: no pause
	}
	if got := m.attempts.succeed(name, life, time.Now()); got.inRow > 1 && life > 0 {
		m.log.Warn("certificates of a name are ordered too often, the next has to wait", "name", name, "in_a_row", got.inRow+1,
			"next_attempt", got.next.UTC().Format(time.RFC3339),
			"help", "look at the last one with edgeftp cert show: does the authority say to renew it at once, is the clock right, does the storage keep it?")
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
