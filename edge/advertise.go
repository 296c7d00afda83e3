package edge

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Advertise is which address the 227 reply tells (RFC 959 §4.1.2), as behind NAT.
// Each text is four numbers between dots, which are told as they are, or a DNS
// name, whose IPv4 address is told and looked up again every minute. The first
// that applies of ByClient, ByLocal and Address is taken; the zero value tells
// the control connection's own local address. EPSV needs none of this.
type Advertise struct {
	Address  string                  // for everybody else
	ByLocal  map[netip.Addr]string   // by the server's address that the client has connected to
	ByClient map[netip.Prefix]string // by the client's network; the longest prefix wins
}

func (a Advertise) isZero() bool {
	return a.Address == "" && len(a.ByLocal) == 0 && len(a.ByClient) == 0
}

// texts returns every address and name.
func (a Advertise) texts() []string {
	var all []string
	if a.Address != "" {
		all = append(all, a.Address)
	}
	for _, t := range a.ByLocal {
		all = append(all, t)
	}
	for _, t := range a.ByClient {
		all = append(all, t)
	}
	return all
}

func (a Advertise) check() error {
	for _, t := range a.texts() {
		if err := CheckAdvertised(t); err != nil {
			return err
		}
	}
	return nil
}

// numeric reports whether text is four numbers between dots. They need not be an
// address: some masks of test beds are not.
func numeric(text string) bool {
	ok, _ := regexp.MatchString(`^\d{1,3}(\.\d{1,3}){3}$`, text)
	return ok
}

// CheckAdvertised reports whether a text may stand in Advertise: four numbers
// between dots, or a host name. The error says what it is instead.
func CheckAdvertised(text string) error {
	if numeric(text) {
		return nil
	}
	if addr, err := netip.ParseAddr(text); err == nil && !addr.Is4() {
		return fmt.Errorf("%s is an IPv6 address, which the 227 reply cannot tell", text)
	}
	if ok, _ := regexp.MatchString(`^(?i:[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)(\.(?i:[a-z0-9_]([a-z0-9_-]*[a-z0-9])?))*\.?$`, text); !ok || len(text) > 253 {
		return fmt.Errorf("%q is neither an IPv4 address nor a host name", text)
	}
	return nil
}

// lookupEvery is how old the address of an advertised name may be, lookupTime how
// long a look-up may take.
const (
	lookupEvery = time.Minute
	lookupTime  = 5 * time.Second
)

// nameCache is the last known IPv4 address of a name.
type nameCache struct {
	name string
	addr atomic.Pointer[string]
}

func (n *nameCache) lookup(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", n.name)
	if err != nil {
		return err
	}
	// The order of several changes from one look-up to the next; what clients are
	// told should not.
	text := slices.MinFunc(addrs, netip.Addr.Compare).Unmap().String()
	n.addr.Store(&text)
	return nil
}

// names are the addresses of every advertised name. The zero value has none.
type names struct {
	mu  sync.Mutex
	all []*nameCache
}

// resolve looks the names of an Advertise up for the first time and returns what
// answers from memory from then on.
func (n *names) resolve(ctx context.Context, a Advertise) (func(local, client netip.Addr) string, error) {
	known := map[string]*nameCache{}
	for _, t := range a.texts() {
		if numeric(t) || known[t] != nil {
			continue
		}
		known[t] = n.of(t)
		if known[t].addr.Load() != nil {
			continue
		}
		if err := known[t].lookup(ctx); err != nil {
			return nil, fmt.Errorf("the advertised name %s has no address: %w", t, err)
		}
	}
	return func(local, client netip.Addr) string {
		text := a.pick(local, client)
		if c := known[text]; c != nil {
			return *c.addr.Load()
		}
		return text
	}, nil
}

// of returns the one cache of a name.
func (n *names) of(name string) *nameCache {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.all, func(c *nameCache) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		n.all = append(n.all, &nameCache{name: name})
		i = len(n.all) - 1
	}
	return n.all[i]
}

// keep forgets the names that no listener tells any more. Sessions that began with them
// go on telling the last address.
func (n *names) keep(listeners []Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = slices.DeleteFunc(n.all, func(c *nameCache) bool {
		return !slices.ContainsFunc(listeners, func(l Listener) bool {
			return slices.ContainsFunc(l.Advertise.texts(), func(t string) bool { return strings.EqualFold(t, c.name) })
		})
	})
}

// pick chooses the text for one client.
func (a Advertise) pick(local, client netip.Addr) string {
	text, bits := "", -1
	for p, t := range a.ByClient {
		if p.Contains(client) && p.Bits() > bits {
			text, bits = t, p.Bits()
		}
	}
	switch {
	case bits >= 0:
		return text
	case a.ByLocal[local] != "":
		return a.ByLocal[local]
	}
	return a.Address
}

// refresh keeps the advertised names' addresses up to date until ctx ends. A
// name that cannot be looked up keeps its last address.
func (n *names) refresh(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(lookupEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n.mu.Lock()
		all := slices.Clone(n.all)
		n.mu.Unlock()
		for _, c := range all {
			if err := c.lookup(ctx); err != nil && ctx.Err() == nil {
				log.Warn("an advertised name cannot be looked up; its last address is kept", "name", c.name, "address", *c.addr.Load(), "error", err)
			}
		}
	}
}
