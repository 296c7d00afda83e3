package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/authority"
)

// A name is pursued by one job, whoever asks for it.
func TestPursuedOnce(t *testing.T) {
	ca := newFakeCA(t, 90*24*time.Hour)
	ca.hold = make(chan struct{})
	m := managed(t, ca, Config{Names: []string{"once.example"}, Log: slog.New(slog.DiscardHandler)})
	for range 10 {
		m.pursue("once.example")
	}
	close(ca.hold)
	soon(t, m.Ready)
	m.Close() // all jobs are done
	if n := ca.count("once.example"); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// Of two certificates for a name the one that is valid longer is presented, whichever
// came first.
func TestPickTheLonger(t *testing.T) {
	for _, order := range [][]time.Duration{{time.Hour, 3 * time.Hour}, {3 * time.Hour, time.Hour}} {
		ca := newFakeCA(t, 90*24*time.Hour)
		ca.hold = make(chan struct{})
		m := managed(t, ca, Config{Names: []string{"two.example"}, Log: slog.New(slog.DiscardHandler)})
		var longest *x509.Certificate
		for _, life := range order {
			ca.is.change = func(c *x509.Certificate) { c.NotAfter = time.Now().Add(life) }
			cert := ca.is.issue(newKey(t), "two.example")
			_, err := m.long.CacheUnmanagedTLSCertificate(t.Context(), *cert, nil)
			must(t, err)
			if life > time.Hour {
				longest = cert.Leaf
			}
		}
		got, err := m.present(&tls.ClientHelloInfo{ServerName: "two.example"}, Choice{})
		must(t, err)
		if !got.Leaf.Equal(longest) {
			t.Errorf("%v: the one until %v is presented", order, got.Leaf.NotAfter)
		}
	}
}

// Orders that fail leave their seats to others.
func TestSeatsAreGivenBack(t *testing.T) {
	ca := authority.Start(t, authority.Options{})
	n := start(t, ca, onlyHTTP(t, ca, "seat.example.org"))
	soon(t, n.Ready)
	ca.Break(authority.Fault{At: []authority.Endpoint{authority.NewOrder}, Status: 403, Type: "rejectedIdentifier", Detail: "no"})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for range mostOrders + 2 {
		if err := n.Renew(ctx, "seat.example.org"); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
	}
	ca.Resume()
	must(t, n.Renew(ctx, "seat.example.org"))
}
