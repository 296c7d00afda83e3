package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/acme"
)

// subject is one name that is to have a certificate.
type subject struct {
	name  string
	base  string // of a wildcard without its star
	wild  bool
	ip    netip.Addr // of an IP address
	wrong error      // why no certificate can be for it at all
	help  string     // what to do about wrong

	unissued bool // by public authorities

	addrs   []netip.Addr // where an authority comes to
	aliases []string
	lookErr error

	// verdicts are what the challenges of this name came to, by their names.
	verdicts map[string]verdict
}

// verdict is what is known of a challenge for a name.
type verdict uint8

const (
	unknown verdict = iota
	works
	fails
)

// subjects are the names to look at, in the order of the configuration.
func (r *run) subjects() []*subject {
	names := r.conf.Names
	if len(r.opt.Names) > 0 {
		names = r.opt.Names
	}
	var all []*subject
	for _, name := range names {
		s := r.subject(name)
		if !slices.ContainsFunc(all, func(o *subject) bool { return o.name == s.name }) {
			all = append(all, s)
		}
	}
	return all
}

func (r *run) subject(name string) *subject {
	s := &subject{name: name, base: name, verdicts: map[string]verdict{}}
	form, err := acme.Subject(name)
	if err != nil {
		s.wrong, s.help = err, "write a host name, a wildcard of one label (*.example.org) or an IP address"
		return s
	}
	if text, help := r.notOurs(form); text != "" {
		s.wrong, s.help = errors.New(text), help
	}
	s.name, s.base = form, form
	s.ip, _ = netip.ParseAddr(form)
	if base, ok := strings.CutPrefix(form, "*."); ok {
		s.wild, s.base = true, base
	}
	return s
}

// out reports that nothing is to be tried for the name.
func (s *subject) out() bool { return s.wrong != nil || s.unissued }

// lookUp finds where an authority would come to. It comes to no wildcard.
func (s *subject) lookUp(ctx context.Context, dns *resolver) {
	if s.wrong == nil && !s.wild {
		s.addrs, s.aliases, s.lookErr = dns.addresses(ctx, s.base)
	}
}

// checkNames looks at the form of the names.
func (r *run) checkNames() {
	for _, s := range r.names {
		if err := s.wrong; err != nil {
			r.add(areaNames, s.name, Fail, err.Error(), s.help)
			continue
		}
		if why := special(s); why != "" && r.conf.Local == nil && r.public() {
			s.unissued = true
			r.add(areaNames, s.name, Fail, why+"; no public authority issues for it",
				"use a name below a domain of yours, or an authority of your own (ca: with trusted_roots:)")
			continue
		}
		r.add(areaNames, s.name, OK, "a certificate can be for it", "")
	}
	if r.conf.OnDemand != nil && len(r.opt.Names) == 0 {
		r.add(areaNames, list(r.conf.OnDemand.Allow), Note, "names that are issued on demand are not known beforehand and were not looked at",
			"name one: edgeftp cert check NAME")
	}
}

// notOurs says that a name is none of this server's, and what to do.
func (r *run) notOurs(name string) (text, help string) {
	if slices.Contains(r.conf.Names, name) {
		return "", ""
	}
	if r.conf.OnDemand == nil {
		return "it is no name of this server's certificates", "add it to certificates.acme.domains; there are " + list(r.conf.Names)
	}
	_, rest, _ := strings.Cut(name, ".")
	if slices.Contains(r.conf.OnDemand.Allow, name) || slices.Contains(r.conf.OnDemand.Allow, "*."+rest) {
		return "", ""
	}
	return "it is no name of this server's certificates, and may not be issued on demand",
		"add it to certificates.acme.domains, or a pattern that holds it to on_demand.allow, which has " + list(r.conf.OnDemand.Allow)
}

// special says why a name exists on no public network, or nothing.
func special(s *subject) string {
	if s.ip.IsValid() {
		if kind := private(s.ip); kind != "" {
			return "it is " + kind
		}
		return ""
	}
	last := s.base[strings.LastIndexByte(s.base, '.')+1:]
	switch {
	case s.base == "localhost" || last == "localhost":
		return "it stands for every machine itself (RFC 6761 §6.3)"
	case last == s.base:
		return "it has no domain"
	case s.wild && !strings.Contains(s.base, "."):
		return "it is a wildcard for a whole top-level domain"
	case slices.Contains([]string{"local", "internal", "test", "example", "invalid", "onion", "alt", "lan", "home", "corp", "arpa"}, last):
		return fmt.Sprintf("names that end in .%s are not in the public DNS", last)
	}
	return ""
}

// private says what an address is that cannot be reached over the internet, or nothing.
func private(ip netip.Addr) string {
	ip = ip.Unmap()
	in := func(prefix string) bool { return netip.MustParsePrefix(prefix).Contains(ip) }
	switch {
	case ip.IsLoopback():
		return "a loopback address"
	case ip.IsPrivate():
		return "a private address"
	case ip.IsLinkLocalUnicast():
		return "a link-local address"
	case ip.Is4() && in("100.64.0.0/10"):
		return "an address of a provider's own network (RFC 6598)"
	case ip.IsUnspecified(), ip.IsMulticast(), ip.Is4() && (in("0.0.0.0/8") || in("240.0.0.0/4")):
		return "an address of no host"
	}
	return ""
}

// mine reports whether an address is one of this machine's.
func (r *run) mine(ip netip.Addr) bool { return slices.Contains(r.local, ip.Unmap()) }

// public reports whether one of the authorities is on the internet, as far as is known:
// such a one comes to no private address.
func (r *run) public() bool {
	return slices.ContainsFunc(r.ends, func(e *endpoint) bool { return e.public })
}
