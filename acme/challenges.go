package acme

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
)

func (c *Challenges) none() bool {
	return len(c.HTTP)+len(c.TLSALPN) == 0 && !c.TLSALPNServed && c.DNS == nil && c.Persist == nil
}

// prove says why a name cannot be proven by any of the challenges, or nil.
func (c *Challenges) prove(name string) error {
	byPort, byDNS := len(c.HTTP)+len(c.TLSALPN) > 0 || c.TLSALPNServed, c.DNS != nil || c.Persist != nil
	if _, err := netip.ParseAddr(name); err == nil && !byPort {
		return fmt.Errorf("the address %s can be proven by http-01 or tls-alpn-01 alone (RFC 8738 §5)", name)
	}
	if strings.HasPrefix(name, "*.") && !byDNS {
		return fmt.Errorf("the wildcard %s can be proven by dns-01 or dns-persist-01 alone (RFC 8555 §8.4)", name)
	}
	return nil
}

// challenges answers authorities that want a name proven.
type challenges struct {
	conf *Config
	log  *slog.Logger
}

func newChallenges(conf *Config, log *slog.Logger) *challenges { return &challenges{conf, log} }

// begin opens the listeners of a fleet's node. Goroutines are counted in jobs and end
// with ctx.
func (c *challenges) begin(ctx context.Context, jobs *sync.WaitGroup) {}

// handshake is the GetConfigForClient of configurations: it answers TLS-ALPN-01, and
// has nothing to say of other handshakes.
func (c *challenges) handshake(hello *tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
