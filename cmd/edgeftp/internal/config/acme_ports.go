package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// challenges checks the ways to prove names, and what each of them needs.
func (c *checker) challenges(f *file, a *fileACME, path []string, conf *Config) Challenges {
	has := map[string]bool{}
	for i, name := range a.Challenges {
		if has[name] && name != "" {
			c.at(sub(path, "challenges", strconv.Itoa(i)), name+" is there already", "remove one of them")
		}
		has[name] = true
	}
	unknown := c.isFaulty(sub(path, "challenges")) || has[""]
	for _, k := range []struct {
		key, challenge string
		given          bool
	}{{"http", http01, a.HTTP != nil}, {"tls_alpn", tlsALPN01, a.TLSALPN != nil}, {"dns", dns01, a.DNS != nil}, {"dns_persist", dnsPersist01, a.Persist != nil}} {
		if k.given && !has[k.challenge] && !unknown {
			c.key(sub(path, k.key), fmt.Sprintf("%s is for %s, which is not among challenges", k.key, k.challenge), "add "+k.challenge+" to challenges, or remove this section")
		}
	}
	var made Challenges
	if has[http01] {
		made.HTTP = []string{":80"}
		if a.HTTP != nil {
			made.HTTP = plainStrings(a.HTTP.Listen)
		}
	}
	if has[tlsALPN01] {
		made.listen = []string{":443"}
		if a.TLSALPN != nil {
			made.listen = plainStrings(a.TLSALPN.Listen)
		}
	}
	c.challengePorts(f, &made, path, conf)
	if a.DNS != nil {
		made.DNS = c.dns(a.DNS, sub(path, "dns"))
	} else if has[dns01] && !c.isFaulty(sub(path, "dns")) {
		c.key(sub(path, "dns"), "dns-01 needs to know how records are added", "write dns with a provider and its settings, or remove dns-01 from challenges")
	}
	if has[dnsPersist01] {
		made.Persist = &Persist{}
		if a.Persist != nil {
			made.Persist.Resolver = resolver(a.Persist.Resolver)
		}
	}
	return made
}

// plainStrings are those that the schema has not refused.
func plainStrings(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
}

func (c *checker) dns(d *fileDNS, path []string) *DNS {
	made := &DNS{Provider: d.Provider, Settings: map[string]Secret{}, TTL: d.TTL.duration(), Wait: d.Wait.duration()}
	if d.Delegate != "" {
		made.Delegate = strings.ToLower(strings.TrimSuffix(d.Delegate, "."))
	}
	for name, value := range d.Settings {
		made.Settings[name] = c.secret(string(value), sub(path, "settings", name))
	}
	for _, r := range d.Resolvers {
		if r != "" {
			made.Resolvers = append(made.Resolvers, resolver(r))
		}
	}
	if accounts, given := made.Settings["accounts"]; given && accounts.value != "" { // a file, for acmedns
		made.Settings["accounts"] = Secret{value: beside(c.dir, accounts.value)}
	}
	c.provider(made, path)
	return made
}

// owner is an address that something of this server has.
type owner struct {
	address, what string
	answers       bool     // tls-alpn-01
	ports         PortSpan // of every address, in the place of address
}

// owners are all of them.
func owners(f *file) []owner {
	var list []owner
	for _, l := range f.Listeners {
		if l.Protocol == ProtocolQUIC {
			continue // its ports are those of UDP
		}
		tls := l.Protocol == "ftps" || l.Protocol == ProtocolHTTP && l.TLS.Control == "required"
		for _, a := range l.Address {
			list = append(list, owner{address: a, what: fmt.Sprintf("the listener %q", l.Name), answers: tls && l.TLS.Certificate == auto})
		}
		spans, _ := parsePorts(string(l.Passive.Ports)) // none, or what the schema has read
		for _, span := range spans {
			list = append(list, owner{ports: span, what: fmt.Sprintf("the passive ports of the listener %q", l.Name)})
		}
	}
	if f.Telemetry.Metrics.Listen != "" {
		list = append(list, owner{address: f.Telemetry.Metrics.Listen, what: "telemetry.metrics"})
	}
	return list
}

// challengePorts finds out which challenge listeners there are to be. Those of
// tls-alpn-01 whose address an implicit listener has are left to it.
func (c *checker) challengePorts(f *file, made *Challenges, path []string, conf *Config) {
	all := owners(f)
	answering := slices.ContainsFunc(all, func(o owner) bool { return o.answers })
	http, alpn := sub(path, "http", "listen"), sub(path, "tls_alpn", "listen")
	for i, a := range made.HTTP {
		at := sub(http, strconv.Itoa(i))
		if o, taken := ownerOf(all, a); taken {
			c.at(at, fmt.Sprintf("%q is an address of %s", a, o.what), "http-01 needs an address of its own: change one of the two, or remove http-01 from challenges")
			continue
		}
		all = append(all, owner{address: a, what: "http.listen"})
		c.foreign(at, a, "tls-alpn-01 has port 443", conf)
	}
	for i, a := range made.listen {
		at := sub(alpn, strconv.Itoa(i))
		o, taken := ownerOf(all, a)
		switch {
		case taken && o.answers:
			made.TLSALPNServed = true
			continue
		case taken && strings.HasPrefix(o.what, "the listener"):
			c.at(at, fmt.Sprintf("%q is an address of %s, which does not answer tls-alpn-01", a, o.what),
				"let it have protocol: ftps or http and tls.certificate: auto, change one of the two addresses, or remove tls-alpn-01 from challenges")
			continue
		case taken:
			c.at(at, fmt.Sprintf("%q is an address of %s", a, o.what), "give each an address of its own")
			continue
		}
		all = append(all, owner{address: a, what: "tls_alpn.listen"})
		made.TLSALPN = append(made.TLSALPN, a)
		c.foreign(at, a, "http-01 has port 80", conf)
	}
	if made.listen != nil && len(made.listen) == 0 && !c.isFaulty(alpn) {
		made.TLSALPNServed = answering
		if !answering {
			c.key(alpn, "with an empty list an implicit listener or one of HTTP is to answer tls-alpn-01, and there is none with tls.certificate: auto",
				"add a listener with protocol: ftps or http to which port 443 is forwarded, name an address here, or remove tls-alpn-01 from challenges")
		}
	}
}

// ownerOf finds what has an address that cannot be listened on beside another one.
func ownerOf(all []owner, address string) (owner, bool) {
	_, port, _ := net.SplitHostPort(address)
	number, _ := strconv.ParseUint(port, 10, 16) // the schema has read it
	i := slices.IndexFunc(all, func(o owner) bool {
		return overlap(o.address, address) || o.ports.First <= uint16(number) && uint16(number) <= o.ports.Last && number > 0
	})
	if i < 0 {
		return owner{}, false
	}
	return all[i], true
}

// overlap reports whether two listeners' addresses exclude each other.
func overlap(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	return everyAddress(hostA) || everyAddress(hostB) || sameHost(hostA, hostB)
}

func everyAddress(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

func sameHost(a, b string) bool {
	ipA, errA := netip.ParseAddr(a)
	ipB, errB := netip.ParseAddr(b)
	if errA == nil && errB == nil {
		return ipA.Unmap() == ipB.Unmap()
	}
	return strings.EqualFold(a, b) || strings.EqualFold(a, "localhost") && errB == nil && ipB.Unmap().IsLoopback() ||
		strings.EqualFold(b, "localhost") && errA == nil && ipA.Unmap().IsLoopback()
}

// foreign reports a challenge address that another program has. A server that runs
// with this state directory may be who has it, and is no reason to refuse.
func (c *checker) foreign(path []string, address, other string, conf *Config) {
	if c.isFaulty(path) || !errors.Is(c.bind(address), syscall.EADDRINUSE) || c.running(conf.Socket) {
		return
	}
	c.at(path, fmt.Sprintf("another program listens on %s, so the authority would talk to that", address),
		"stop it, let it forward to another port that you name here, or use other challenges: "+other+", dns-01 and dns-persist-01 need none")
}

// bind listens on an address and lets it go.
func bind(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// running reports whether a server has this admin socket.
func running(socket string) bool {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was said
	return true
}
