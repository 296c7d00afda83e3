package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// resolver asks recursive DNS servers, and not the files of this machine: an authority
// does not see those.
type resolver struct {
	servers []string
	err     error // why there are none
}

// newResolver asks the given server, else those of the operating system.
func newResolver(server string) *resolver {
	if server != "" {
		if _, _, err := net.SplitHostPort(server); err != nil {
			server = net.JoinHostPort(server, "53")
		}
		return &resolver{servers: []string{server}}
	}
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return &resolver{err: fmt.Errorf("the DNS servers of this machine are not known: %w", err)}
	}
	r := &resolver{}
	for _, s := range conf.Servers {
		r.servers = append(r.servers, net.JoinHostPort(s, conf.Port))
	}
	if len(r.servers) == 0 {
		r.err = errors.New("/etc/resolv.conf names no DNS server")
	}
	return r
}

// errLoop says that aliases lead in a circle, or on and on.
var errLoop = errors.New("its CNAME records lead in a circle")

// errNoName is NXDOMAIN.
var errNoName = errors.New("there is no such name in the DNS")

// errNoZone says that no name above has an SOA record.
var errNoZone = errors.New("no zone holds it")

// codeError is another code than success and NXDOMAIN.
type codeError int

func (e codeError) Error() string { return "the DNS server answers " + dns.RcodeToString[int(e)] }

// answer is what was found at the end of all aliases.
type answer struct {
	name    string   // where the records are
	aliases []string // the names that the CNAME records on the way pointed to
	records []dns.RR // of the kind that was asked for; none: there are none
}

// ask looks a name up, and follows its aliases.
func (r *resolver) ask(ctx context.Context, name string, kind uint16) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	const mostAliases = 10
	a := answer{name: dns.CanonicalName(name)}
	for {
		msg, err := r.query(ctx, a.name, kind)
		if err != nil {
			return a, err
		}
		before := a.name
		for moved := true; moved; {
			moved = false
			for _, rr := range msg.Answer {
				c, ok := rr.(*dns.CNAME)
				if !ok || kind == dns.TypeCNAME || dns.CanonicalName(c.Hdr.Name) != a.name {
					continue
				}
				a.name, moved = dns.CanonicalName(c.Target), true
				again := slices.Contains(a.aliases, a.name) || a.name == dns.CanonicalName(name)
				a.aliases = append(a.aliases, a.name)
				if again || len(a.aliases) > mostAliases {
					return a, errLoop
				}
			}
		}
		for _, rr := range msg.Answer {
			if rr.Header().Rrtype == kind && dns.CanonicalName(rr.Header().Name) == a.name {
				a.records = append(a.records, rr)
			}
		}
		switch {
		case len(a.records) > 0:
			return a, nil
		case msg.Rcode == dns.RcodeNameError:
			return a, errNoName
		case a.name == before:
			return a, nil
		}
	}
}

// query asks each server until one knows.
func (r *resolver) query(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	err := r.err
	for _, server := range r.servers {
		var msg *dns.Msg
		if msg, err = exchange(ctx, server, name, kind, true); err == nil {
			if msg.Rcode == dns.RcodeSuccess || msg.Rcode == dns.RcodeNameError {
				return msg, nil
			}
			err = codeError(msg.Rcode)
		}
	}
	return nil, err
}

// exchange asks one server, over TCP where UDP will not do.
func exchange(ctx context.Context, server, name string, kind uint16, recurse bool) (*dns.Msg, error) {
	const size = 1232 // fits everywhere without fragments
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), kind)
	q.RecursionDesired = recurse
	q.SetEdns0(size, false)
	udp := dns.Client{Net: "udp", Timeout: 3 * time.Second, UDPSize: size}
	msg, _, err := udp.ExchangeContext(ctx, q, server)
	if err == nil && !msg.Truncated {
		return msg, nil
	}
	tcp := dns.Client{Net: "tcp", Timeout: 3 * time.Second}
	msg, _, err = tcp.ExchangeContext(ctx, q, server)
	if err != nil {
		return nil, fmt.Errorf("the DNS server %s: %w", server, err)
	}
	return msg, nil
}

// addresses are those of a host's A and AAAA records.
func (r *resolver) addresses(ctx context.Context, host string) ([]netip.Addr, []string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil, nil
	}
	var addrs []netip.Addr
	var aliases []string
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		a, err := r.ask(ctx, host, kind)
		if err != nil {
			return nil, a.aliases, err
		}
		aliases = a.aliases
		for _, rr := range a.records {
			switch rr := rr.(type) {
			case *dns.A:
				if ip, ok := netip.AddrFromSlice(rr.A); ok {
					addrs = append(addrs, ip.Unmap())
				}
			case *dns.AAAA:
				if ip, ok := netip.AddrFromSlice(rr.AAAA); ok {
					addrs = append(addrs, ip)
				}
			}
		}
	}
	return addrs, aliases, nil
}

// texts are the values of a name's TXT records, each with its strings joined.
func texts(records []dns.RR) []string {
	var all []string
	for _, rr := range records {
		if t, ok := rr.(*dns.TXT); ok {
			all = append(all, strings.Join(t.Txt, ""))
		}
	}
	return all
}

// plain is a name without the dot of the root.
func plain(name string) string { return strings.TrimSuffix(name, ".") }

// zone returns the zone that a name is in, and its name servers.
func (r *resolver) zone(ctx context.Context, name string) (string, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	for at := dns.CanonicalName(name); at != "."; at = parent(at) {
		a, err := r.ask(ctx, at, dns.TypeSOA)
		if err != nil && !errors.Is(err, errNoName) {
			return "", nil, err
		}
		if len(a.records) == 0 || a.name != at { // an alias's zone is another's
			continue
		}
		ns, err := r.ask(ctx, at, dns.TypeNS)
		if err != nil {
			return "", nil, err
		}
		var servers []string
		for _, rr := range ns.records {
			if n, ok := rr.(*dns.NS); ok {
				servers = append(servers, plain(n.Ns))
			}
		}
		return at, servers, nil
	}
	return "", nil, errNoZone
}

// parent is a name without its first label; "." at the end.
func parent(name string) string {
	next, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[next:]
}
