package check

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"
)

const dnsLabel = "_acme-challenge" // RFC 8555 §8.4

// errServers says that not all name servers of a zone have a change.
var errServers = errors.New("not all name servers show the record")

// checkDNS01 adds a record, looks for it at every name server of the zone, and removes
// it.
func (r *run) checkDNS01(ctx context.Context, s *subject) verdict {
	conf := r.conf.Challenges.DNS
	finder := newResolver(r.opt.Resolver) // those that an order asks
	if len(conf.Resolvers) > 0 {
		finder = newResolver(conf.Resolvers[0])
	}
	at := dns.CanonicalName(dnsLabel + "." + s.base)
	v := r.checkDelegate(ctx, s, at)
	if v == fails {
		return fails
	}
	if conf.Delegate != "" {
		at = dns.CanonicalName(conf.Delegate)
	}
	zone, servers, err := finder.zone(ctx, at)
	if err != nil {
		level := certain(err)
		r.add(areaDNS, s.name, level, fmt.Sprintf("dns-01: the zone of %s cannot be found: %s", plain(at), reason(err)),
			"look at the zone's name servers, or name DNS servers that answer this machine: dns.resolvers")
		if level == Fail {
			return fails
		}
		return unknown
	}
	if conf.Provider == nil {
		return fails
	}
	return r.tryRecord(ctx, s, at, place{zone: zone, servers: servers, finder: finder})
}

// checkDelegate looks whether the CNAME of the challenge leads to where records are
// added.
func (r *run) checkDelegate(ctx context.Context, s *subject, at string) verdict {
	a, err := r.dns.ask(ctx, at, dns.TypeTXT)
	want := ""
	if d := r.conf.Challenges.DNS.Delegate; d != "" {
		want = dns.CanonicalName(d)
	}
	switch {
	case err != nil && !errors.Is(err, errNoName) && !errors.Is(err, errLoop):
		text, help := unresolved(err)
		r.add(areaDNS, s.name, certain(err), fmt.Sprintf("dns-01: %s: %s", plain(at), text), help)
		return unknown
	case want == "" && len(a.aliases) > 0:
		r.add(areaDNS, s.name, Fail, fmt.Sprintf("dns-01: %s is a CNAME to %s, where an authority looks, and records are added beside it", plain(at), quoted(plain(a.name))),
			"remove the CNAME, or set dns.delegate to where it points")
		return fails
	case want == "" || slices.Contains(a.aliases, want) && !errors.Is(err, errLoop):
		return works
	}
	found := "there is none"
	if len(a.aliases) > 0 {
		found = "it leads to " + quoted(trail(a.aliases))
	}
	r.add(areaDNS, s.name, Fail, fmt.Sprintf("dns-01: records are added at %s (dns.delegate), and no CNAME at %s leads there: %s", plain(want), plain(at), found),
		fmt.Sprintf("add the record: %s CNAME %s", at, want))
	return fails
}

// place is where records are added.
type place struct {
	zone    string
	servers []string // the names of the zone's servers
	finder  *resolver
}

// tryRecord lets the provider add a record beside the challenge's, which disturbs
// nobody. A provider that may change the challenge's alone is tried with that.
func (r *run) tryRecord(ctx context.Context, s *subject, at string, p place) verdict {
	conf, zone := r.conf.Challenges.DNS, p.zone
	value := "edgeftp-check-" + rand.Text()
	beside := dns.CanonicalName(dnsLabel + "-check." + strings.TrimPrefix(at, dnsLabel+"."))
	add := func(name string) ([]libdns.Record, error) {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		record := libdns.TXT{Name: libdns.RelativeName(name, zone), Text: value, TTL: conf.TTL}
		got, err := conf.Provider.AppendRecords(ctx, zone, []libdns.Record{record})
		if err == nil && len(got) == 0 {
			got = []libdns.Record{record}
		}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) { // it may have been added
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
			defer cancel()
			_, _ = conf.Provider.DeleteRecords(undo, zone, []libdns.Record{record})
		}
		return got, err
	}
	name := beside
	got, err := add(name)
	if err != nil {
		name = at
		if again, err2 := add(name); err2 == nil {
			got, err = again, nil
		}
	}
	if err != nil {
		text, help := declined(err, "look at dns.settings: the key, its rights, and whether this provider has the zone "+plain(zone))
		r.add(areaDNS, s.name, Fail, fmt.Sprintf("dns-01: the provider adds no record to the zone %s: %s", plain(zone), text), help)
		return fails
	}
	level, text, help := r.shown(ctx, name, value, p, true)
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	defer cancel()
	if _, err := conf.Provider.DeleteRecords(wait, zone, got); err != nil {
		r.add(areaDNS, s.name, Warn, fmt.Sprintf("dns-01: the provider does not remove %s %q from the zone %s: %s", plain(name), value, plain(zone), quoted(err.Error())),
			"remove it by hand, and give the key the right to remove records: others would pile up")
	} else if still, _, _ := r.shown(wait, name, value, p, false); level == OK && still != OK && ctx.Err() == nil {
		r.add(areaDNS, s.name, Note, fmt.Sprintf("dns-01: the provider says that %s is removed, and name servers still have it", plain(name)),
			"look into the zone later, and remove what is left")
	}
	if ctx.Err() != nil {
		return unknown
	}
	r.add(areaDNS, s.name, level, text, help)
	if level == Fail {
		return fails
	}
	return works
}

// shown looks until every name server has the record, or has it no more.
func (r *run) shown(ctx context.Context, name, value string, p place, want bool) (level Level, text, help string) {
	whole := r.conf.Challenges.DNS.Wait
	if whole == 0 {
		whole = 2 * time.Minute
	}
	if whole < 0 {
		return OK, "dns-01: the provider added and removed a record; by dns.wait it was not looked for", ""
	}
	limit := min(cmp.Or(r.opt.Wait, time.Minute), whole)
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	all, err := r.serversOf(wait, p)
	if err != nil {
		return Fail, "dns-01: the name servers of the zone cannot be found: " + err.Error(),
			"look at the NS records of the zone, and at the addresses of the servers; where this machine cannot reach them, name DNS servers that it can: dns.resolvers"
	}
	missing := map[string]string{}
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		for _, server := range all {
			if why, asked := missing[server]; asked && why == "" {
				continue
			}
			why := r.has(wait, server, name, value, want)
			if _, known := missing[server]; !known || wait.Err() == nil { // a question that is broken off says nothing
				missing[server] = why
			}
		}
		lacking := lacks(missing)
		if len(lacking) == 0 {
			return OK, fmt.Sprintf("dns-01: the provider added a record, every name server showed it (addresses: %d), and it was removed", len(all)), ""
		}
		if !stay(wait, pause) {
			level = Warn
			if whole <= limit {
				level = Fail
			}
			return level, fmt.Sprintf("dns-01: the provider added a record, and %s later %s: %s (an order waits %s for them)", limit, errServers, strings.Join(lacking, "; "), whole),
				"give them more time (dns.wait), or look why these servers do not get the zone"
		}
	}
}

func lacks(missing map[string]string) []string {
	var all []string
	for server, why := range missing {
		if why != "" {
			all = append(all, server+" "+why)
		}
	}
	slices.Sort(all)
	return all
}

// serversOf are the addresses of the servers that an order asks for the record: those of
// dns.resolvers if there are any, else those of the zone.
func (r *run) serversOf(ctx context.Context, p place) ([]string, error) {
	if own := r.conf.Challenges.DNS.Resolvers; len(own) > 0 {
		var all []string
		for _, server := range own {
			all = append(all, newResolver(server).servers...)
		}
		slices.Sort(all)
		return slices.Compact(all), nil
	}
	var all []string
	for _, host := range p.servers {
		addrs, _, err := p.finder.addresses(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("%s: %s", quoted(host), reason(err))
		}
		for _, ip := range addrs {
			if ip.Is6() && !r.hasIPv6() {
				continue // its other address is asked
			}
			all = append(all, net.JoinHostPort(ip.String(), fmt.Sprint(r.opt.Ports.DNS)))
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there are none with an address that this machine can reach")
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// declined is why a provider has not added a record, and what can be done: in its own words
// where it has some.
func declined(err error, otherwise string) (text, help string) {
	const most = 400
	var own interface {
		error
		Advice() string
	}
	text = err.Error()
	if errors.As(err, &own) {
		text = own.Error()
		if help := own.Advice(); !strings.Contains(help, "cert check") { // which this is
			otherwise = help
		}
		if _, why, ok := strings.Cut(text, " in the zone "); ok { // what it was asked for is known
			if _, why, ok = strings.Cut(why, ": "); ok {
				text = why
			}
		}
	}
	return quotedUpTo(text, most), otherwise
}

// hasIPv6 reports whether this machine has an address that leads anywhere.
func (r *run) hasIPv6() bool {
	return slices.ContainsFunc(r.local, func(ip netip.Addr) bool { return ip.Is6() && ip.IsGlobalUnicast() })
}

// has asks one name server. Empty: it is as wanted.
func (r *run) has(ctx context.Context, server, name, value string, want bool) string {
	msg, err := exchange(ctx, server, name, dns.TypeTXT, len(r.conf.Challenges.DNS.Resolvers) > 0)
	switch {
	case err != nil:
		return "does not answer"
	case msg.Rcode != dns.RcodeSuccess && msg.Rcode != dns.RcodeNameError:
		return "answers " + dns.RcodeToString[msg.Rcode]
	case slices.Contains(texts(msg.Answer), value) != want:
		return "does not have it"
	}
	return ""
}
