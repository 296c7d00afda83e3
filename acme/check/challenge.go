package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// The challenges, as authorities name them.
const (
	http01       = "http-01"
	tlsALPN01    = "tls-alpn-01"
	dns01        = "dns-01"
	dnsPersist01 = "dns-persist-01"
)

// checkChallenges tries each configured challenge for each name.
func (r *run) checkChallenges(ctx context.Context) {
	var jobs sync.WaitGroup
	jobs.Go(func() { r.checkDoors(ctx) })
	wanted, err := r.persistent(ctx)
	r.eachMethod(ctx, func(s *subject, method string) (verdict, bool) {
		switch method {
		case dns01:
			return r.checkDNS01(ctx, s), true
		case dnsPersist01:
			return r.checkPersist(ctx, s, wanted, err), true
		}
		return unknown, false
	})
	jobs.Wait()
}

// checkDoors tries the challenges that are answered on ports. These are held no longer
// than that takes: the running server may want them for an order.
func (r *run) checkDoors(ctx context.Context) {
	c := &r.conf.Challenges
	r.http = r.openDoors(ctx, http01, r.opt.Ports.HTTP, c.HTTP)
	defer r.http.close()
	r.tls = r.openDoors(ctx, tlsALPN01, r.opt.Ports.TLS, c.TLSALPN)
	defer r.tls.close()
	r.eachMethod(ctx, func(s *subject, method string) (verdict, bool) {
		switch {
		case method == http01:
			return r.checkPort(ctx, r.http, s), true
		case method == tlsALPN01 && len(c.TLSALPN) == 0:
			return r.checkServed(ctx, s), true
		case method == tlsALPN01:
			return r.checkPort(ctx, r.tls, s), true
		}
		return unknown, false
	})
}

// eachMethod lets try what it knows of every name's challenges.
func (r *run) eachMethod(ctx context.Context, try func(*subject, string) (verdict, bool)) {
	r.together(ctx, len(r.names), func(i int) {
		s := r.names[i]
		if s.out() {
			return
		}
		for _, method := range r.methods(s) {
			if v, ok := try(s, method); ok {
				r.mu.Lock()
				s.verdicts[method] = v
				r.mu.Unlock()
			}
		}
	})
}

// checkPort visits a name as an authority would, at each of its addresses.
func (r *run) checkPort(ctx context.Context, d *doors, s *subject) verdict {
	addrs := r.reachable(s)
	switch {
	case d.none():
		return fails // that no port can be had was told
	case len(addrs) == 0:
		return s.nowhere()
	}
	home := visit{}
	if len(d.open) == 0 {
		home = r.atHome(ctx, d, s)
	}
	visits := make([]visit, len(addrs))
	r.together(ctx, len(addrs), func(i int) {
		visits[i] = r.visitAny(ctx, d, s, netip.AddrPortFrom(addrs[i], uint16(d.port)))
	})
	if ctx.Err() != nil {
		return unknown
	}
	best := fails
	for i, ip := range addrs {
		got := r.judge(d, s, ip, &visits[i], home, visits)
		if got == works || best == fails {
			best = got
		}
	}
	return best
}

// nowhere is the verdict on a name without an address, which was told.
func (s *subject) nowhere() verdict {
	if s.lookErr == nil || errors.Is(s.lookErr, errNoName) || errors.Is(s.lookErr, errLoop) {
		return fails
	}
	return unknown
}

// judge tells of one visit.
func (r *run) judge(d *doors, s *subject, ip netip.Addr, v *visit, home visit, all []visit) verdict {
	at := net.JoinHostPort(ip.String(), fmt.Sprint(d.port))
	via := ""
	var away *redirectError
	if len(v.hops) > 0 {
		via = ", by redirect to " + strings.Join(v.hops, ", then ")
	}
	switch {
	case v.right:
		r.add(areaChallenge, s.name, OK, fmt.Sprintf("%s: this check was met at %s%s, as seen from this machine", d.kind, at, via), "")
		return works
	case v.err == nil && len(d.open) == 0 && home.shape != "" && home.shape == v.shape:
		r.add(areaChallenge, s.name, OK, fmt.Sprintf("%s: at %s answers what the running server answers%s, as seen from this machine", d.kind, at, via), "")
		return works
	case v.err == nil && len(d.open) == 0 && home.shape == "":
		r.add(areaChallenge, s.name, Note, fmt.Sprintf("%s: at %s something answers%s; whether it is the running server cannot be told without an order", d.kind, at, via),
			"to be sure, stop the server and check again")
		return unknown
	case errors.As(v.err, &away):
		r.add(areaChallenge, s.name, Fail, fmt.Sprintf("%s: what answers at %s leads away%s; %s", d.kind, at, via, away),
			"take "+challengePath+" out of the redirects")
		return fails
	case v.err == nil:
		return r.stranger(d, s, ip, at+via, v)
	}
	return r.silent(d, s, ip, at, v, all)
}

// stranger tells that something else answers.
func (r *run) stranger(d *doors, s *subject, ip netip.Addr, at string, v *visit) verdict {
	text := fmt.Sprintf("%s: at %s not this server answers: %s", d.kind, at, v.words)
	if ip.Is6() && len(s.addrs) > 1 {
		text += "; many authorities come to the IPv6 address first"
	}
	if r.hidden(ip) {
		r.add(areaChallenge, s.name, Warn, text+" (seen from inside; "+hairpin(ip)+")", outside(d, s))
		return unknown
	}
	help := fmt.Sprintf("let the port pass to this server's %s listener, or correct the record of %s, or use another challenge", d.kind, s.name)
	if s.ip.IsValid() {
		help = fmt.Sprintf("let the port pass to this server's %s listener", d.kind)
	}
	r.add(areaChallenge, s.name, Fail, text, help)
	return fails
}

// silent tells that nothing answers.
func (r *run) silent(d *doors, s *subject, ip netip.Addr, at string, v *visit, all []visit) verdict {
	text := fmt.Sprintf("%s: at %s nothing answers: %s", d.kind, at, reason(v.err))
	other := slices.ContainsFunc(all, func(o visit) bool { return o.right || o.err == nil })
	switch {
	case noRoute(v.err):
		help := "try it from a machine that has a route to it"
		if ip.Is6() {
			help = "if this server has no IPv6, remove the AAAA record: many authorities come to it first"
		}
		r.add(areaChallenge, s.name, Warn, fmt.Sprintf("%s: %s cannot be tried: this machine has no route to it", d.kind, at), help)
		return unknown
	case r.hidden(ip):
		r.add(areaChallenge, s.name, Warn, text+" (seen from inside; "+hairpin(ip)+")", outside(d, s))
		return unknown
	case ip.Is6() && other:
		r.add(areaChallenge, s.name, Fail, text+"; the name has this AAAA record, and many authorities come to it first",
			fmt.Sprintf("listen on IPv6 too (:%d), or remove the AAAA record", d.port))
		return fails
	}
	r.add(areaChallenge, s.name, Fail, text, fmt.Sprintf("let port %d of that address lead to %s: in the firewall, by forwarding, or by a listener on all addresses", d.port, d.listeners()))
	return fails
}

// listeners are where the challenge is answered.
func (d *doors) listeners() string {
	words := slices.Clone(d.held)
	for _, l := range d.open {
		words = append(words, l.Addr().String())
	}
	return list(words)
}

// hidden reports whether an address may look otherwise from outside: it is not this
// machine's, and this machine has no public one of its kind, so there is a translation
// of addresses in between.
func (r *run) hidden(ip netip.Addr) bool {
	return !r.mine(ip) && !slices.ContainsFunc(r.local, func(l netip.Addr) bool {
		return l.Is4() == ip.Is4() && l.IsGlobalUnicast() && private(l) == ""
	})
}

func hairpin(ip netip.Addr) string {
	return fmt.Sprintf("%s is no address of this machine, and many routers do not lead the inside to their own outside", ip)
}

// outside is how to try a port from elsewhere.
func outside(d *doors, s *subject) string {
	try := "curl -v http://" + s.base + challengePath + "x"
	if d.kind == tlsALPN01 {
		try = fmt.Sprintf("openssl s_client -connect %s -alpn %s", net.JoinHostPort(s.base, fmt.Sprint(d.port)), acmeTLS)
	}
	return fmt.Sprintf("while the server runs, try from another network: %s; the router is to forward port %d to this machine", try, d.port)
}

// checkServed visits a name whose port 443 a listener of the server's own is said to
// have.
func (r *run) checkServed(ctx context.Context, s *subject) verdict {
	addrs, best := r.reachable(s), unknown
	if len(addrs) == 0 {
		return s.nowhere()
	}
	for _, ip := range addrs {
		at := net.JoinHostPort(ip.String(), fmt.Sprint(r.tls.port))
		v := r.visitTLS(ctx, r.tls, s, at)
		switch leaf := r.leafAt(ctx, s, at); {
		case v.err == nil && strings.HasPrefix(v.shape, acmeTLS+" "), slices.ContainsFunc(r.leafs, func(own []byte) bool { return bytes.Equal(own, leaf) }):
			r.add(areaChallenge, s.name, OK, fmt.Sprintf("tls-alpn-01: at %s this server answers, as seen from this machine", at), "")
			best = works
		case v.err == nil && v.foreign:
			if got := r.stranger(r.tls, s, ip, at, &v); best != works {
				best = got
			}
		case v.err == nil:
			r.add(areaChallenge, s.name, Note, fmt.Sprintf("tls-alpn-01: at %s something answers, and without an order it is not to be told whether this server: %s", at, v.words),
				"no address of tls_alpn.listen is given: a listener of this server with implicit TLS is to have port 443")
		default:
			r.add(areaChallenge, s.name, Warn, fmt.Sprintf("tls-alpn-01: at %s nothing answers: %s", at, reason(v.err)),
				"no address of tls_alpn.listen is given: a listener of this server with implicit TLS is to have port 443; start the server and check again")
		}
	}
	return best
}
