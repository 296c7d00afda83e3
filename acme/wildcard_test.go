package acme_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/acme/providers"
	"github.com/edgeftp/edgeftp/tests/authority"
)

// A wildcard is proven by signed updates of the zone (RFC 2136), and nothing is left in
// it.
func TestWildcardByUpdates(t *testing.T) {
	t.Parallel()
	const key, secret = "edgeftp", "c2VjcmV0IG9mIHRoZSBlZGdlZnRwIHRlc3RzISEhISE="
	ca := authority.Start(t, authority.Options{DNS: authority.NameOptions{Zones: []string{"example.org"}, Key: key, Secret: secret}})
	provider, err := providers.Open("rfc2136", map[string]string{"server": ca.DNS.Addr, "key_name": key, "key": secret})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan acme.CertEvent, 4)
	m, err := acme.NewManager(acme.Config{
		Names:       []string{"*.files.example.org"},
		Authorities: []acme.Authority{{Directory: ca.Directory, Roots: ca.Roots}},
		Challenges:  acme.Challenges{DNS: &acme.DNS{Provider: provider, TTL: time.Minute, Resolvers: []string{ca.DNS.Addr}}},
		Storage:     acme.MemoryStorage(),
		Event:       func(e acme.CertEvent) { events <- e },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-events:
		if e.Err != nil || e.Leaf.DNSNames[0] != "*.files.example.org" {
			t.Fatalf("%v", e.Err)
		}
		t.Logf("dns-01 by rfc2136: %v", time.Since(began).Round(time.Millisecond))
	case <-ctx.Done():
		t.Fatal("there is no certificate")
	}
	if left := ca.DNS.Records("_acme-challenge.files.example.org"); len(left) > 0 {
		t.Errorf("records are left: %q", left)
	}
	updates := ca.DNS.Updates()
	if len(updates) < 2 || updates[0].Rcode != "NOERROR" || !strings.Contains(strings.Join(updates[0].Changes, ""), "_acme-challenge.files.example.org.") {
		t.Errorf("the updates: %v", updates)
	}
}
