package acme

import (
	"log/slog"

	"github.com/caddyserver/certmagic"
)

// newDNSSolver adds records by a provider (RFC 8555 §8.4): it looks for the zone by its
// SOA, adds the record, waits until the zone's servers have it, and removes it.
func newDNSSolver(d *DNS, log *slog.Logger) *certmagic.DNS01Solver {
	wait := d.Wait
	if wait < 0 {
		wait = -1 // certmagic knows no other
	}
	return &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
		DNSProvider:        d.Provider,
		TTL:                d.TTL,
		PropagationTimeout: wait,
		Resolvers:          d.Resolvers,
		OverrideDomain:     d.Delegate,
		Logger:             zapLogger(log),
	}}
}
