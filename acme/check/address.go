package check

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// checkAddresses tells what the DNS says of a name.
func (r *run) checkAddresses(s *subject) {
	if s.out() || s.wild {
		return
	}
	if s.ip.IsValid() {
		if r.local != nil && !r.mine(s.ip) {
			r.add(areaDNS, s.name, Note, "it is no address of this machine; behind NAT, or another host?", "compare it with the address that the outside sees")
		}
		return
	}
	byPort := r.byPort()
	worst, unless := Fail, ""
	if !byPort {
		worst, unless = Note, " (by DNS challenges it can have a certificate all the same)"
	}
	const record = "add an A record (and AAAA only if this server has IPv6) with the address that clients come to"
	switch {
	case errors.Is(s.lookErr, errNoName):
		r.add(areaDNS, s.name, worst, errNoName.Error()+unless, record)
	case errors.Is(s.lookErr, errLoop):
		r.add(areaDNS, s.name, worst, errLoop.Error()+": "+quoted(trail(append([]string{s.name}, s.aliases...)))+unless,
			"let one of these names have an address in the place of the CNAME")
	case s.lookErr != nil:
		text, help := unresolved(s.lookErr)
		r.add(areaDNS, s.name, min(worst, certain(s.lookErr)), text, help)
	case len(s.addrs) == 0:
		r.add(areaDNS, s.name, worst, "it has neither an A nor an AAAA record"+r.via(s)+unless, record)
	default:
		r.located(s, byPort)
	}
}

// certain is Fail where the name's own servers are at fault, as far as a DNS server can
// tell, and Warn where that server or the way to it may be.
func certain(err error) Level {
	var code codeError
	if errors.As(err, &code) && code == dns.RcodeServerFailure || errors.Is(err, errNoZone) || errors.Is(err, errLoop) {
		return Fail
	}
	return Warn
}

// unresolved tells of a look-up that came to nothing.
func unresolved(err error) (text, help string) {
	var code codeError
	if errors.As(err, &code) && code == dns.RcodeServerFailure {
		return "it cannot be looked up: " + code.Error() + "; an authority that gets the same answer issues nothing",
			"look at the zone's name servers and its DNSSEC signatures (DS record of the parent, expired RRSIG)"
	}
	return "it could not be looked up from here: " + reason(err), "name a DNS server that answers this machine: certificates.acme.resolver"
}

func (r *run) via(s *subject) string {
	if len(s.aliases) == 0 {
		return ""
	}
	return " (by CNAME: " + quoted(trail(s.aliases)) + ")"
}

// trail is the way over aliases.
func trail(names []string) string {
	var all []string
	for _, n := range names {
		all = append(all, plain(n))
	}
	return strings.Join(all, " > ")
}

// located compares the addresses of a name with those of this machine.
func (r *run) located(s *subject, byPort bool) {
	var mine, others, closed []string
	for _, ip := range s.addrs {
		switch {
		case r.public() && private(ip) != "":
			closed = append(closed, fmt.Sprintf("%s (%s)", ip, private(ip)))
		case r.mine(ip) || r.local == nil:
			mine = append(mine, ip.String())
		default:
			others = append(others, ip.String())
		}
	}
	if len(closed) > 0 {
		level, text := Warn, "the public DNS has addresses that an authority cannot come to: "+list(closed)
		switch {
		case !byPort:
			level = Note
		case len(closed) == len(s.addrs):
			level = Fail
		}
		r.add(areaDNS, s.name, level, text, "let the public DNS have the public address alone, or use dns-01, to which no address matters")
	}
	if len(others) > 0 {
		r.add(areaDNS, s.name, Note, "it has the address "+list(others)+", which is not of this machine"+r.via(s)+"; behind NAT, or another host?",
			"if it is another host's, correct the record; behind NAT the port is to be forwarded to this machine")
	}
	if len(mine) > 0 {
		whose := ", of this machine"
		if r.local == nil {
			whose = ""
		}
		r.add(areaDNS, s.name, OK, "it has the address "+list(mine)+whose+r.via(s), "")
	}
}

// byPort reports whether an authority is to come to a port of the name.
func (r *run) byPort() bool {
	c := &r.conf.Challenges
	return len(c.HTTP)+len(c.TLSALPN) > 0 || c.TLSALPNServed
}

// reachable are the addresses of a name that an authority would come to.
func (r *run) reachable(s *subject) []netip.Addr {
	var open []netip.Addr
	for _, ip := range s.addrs {
		if !r.public() || private(ip) == "" {
			open = append(open, ip)
		}
	}
	return open
}
