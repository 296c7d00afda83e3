package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/acme"
)

// auto is the kind of certificate that an authority issues.
const auto = "auto"

// The challenges, as the file has them.
const (
	tlsALPN01    = "tls-alpn-01"
	http01       = "http-01"
	dns01        = "dns-01"
	dnsPersist01 = "dns-persist-01"
)

// acme checks where the certificates of certificate auto come from.
func (c *checker) acme(f *file, conf *Config) {
	path, a := []string{"certificates", "acme"}, f.Certificates.ACME
	used := false
	for i := range f.Listeners {
		l, at := &f.Listeners[i], []string{"listeners", strconv.Itoa(i), "tls"}
		switch {
		case l.TLS.Certificate != auto:
		case l.TLS.Control == "off":
			c.at(sub(at, "certificate"), "TLS is off here, so a certificate is of no use", "remove it, or let control be required or optional")
		case a == nil && !c.isFaulty(path):
			c.at(sub(at, "certificate"), "nothing says where the certificate comes from", "write certificates.acme with domains and agree_to_terms, or use dev")
		default:
			used = true
		}
	}
	if a != nil {
		conf.ACME = c.automatic(f, a, path, conf)
		if !used {
			c.key(path, "no listener uses these certificates", "set tls.certificate: auto at a listener, or remove this section")
		}
	}
	for i := range f.Listeners {
		c.choice(&f.Listeners[i], []string{"listeners", strconv.Itoa(i), "tls"}, conf)
	}
}

func (c *checker) automatic(f *file, a *fileACME, path []string, conf *Config) *ACME {
	kinds := map[string]acme.KeyKind{"p384": acme.P384, "rsa2048": acme.RSA2048, "rsa4096": acme.RSA4096}
	made := &ACME{Key: kinds[a.Key], KeepKey: a.KeepKey, Resolver: resolver(a.Resolver), Fleet: a.Fleet}
	if !a.Agree {
		c.at(sub(path, "agree_to_terms"), "an authority issues certificates to those alone who agree to its terms of service",
			"read them at the authority, and write agree_to_terms: true")
	}
	made.Authorities = c.authorities(a, path)
	made.Challenges = c.challenges(f, a, path, conf)
	names := &namer{checker: c, challenges: a.Challenges, directory: made.Authorities[0].Directory}
	if slices.Contains(a.Challenges, "") || c.isFaulty(sub(path, "challenges")) {
		names.challenges = nil // unknown
	}
	made.Names = names.all(a.Domains, sub(path, "domains"), false)
	made.OnDemand = c.onDemand(&a.OnDemand, sub(path, "on_demand"), names)
	if len(a.Domains) == 0 && !a.OnDemand.Enabled {
		c.key(sub(path, "domains"), "there is no name to have a certificate for", "list the names by which clients know this server, or enable on_demand")
	}
	c.certificateStorage(a, path, conf)
	made.Storage = filepath.Join(conf.Instance.StateDir, "certificates")
	if a.Storage != "" {
		made.Storage = beside(c.dir, a.Storage)
	}
	return made
}

// authorities are ca and those that follow it.
func (c *checker) authorities(a *fileACME, path []string) []Authority {
	first := fileAuthority{CA: a.CA, Staging: a.Staging, Email: a.Email, Profile: a.Profile, AddressProf: a.AddressProf, Roots: a.Roots, Binding: a.Binding}
	list := []Authority{c.authority(&first, path)}
	for i := range a.Fallback {
		at := sub(path, "fallback", strconv.Itoa(i))
		next := c.authority(&a.Fallback[i], at)
		next.Email = orElse(next.Email, a.Email)
		same := func(b Authority) bool { return b.Directory == next.Directory }
		switch ca, name := sub(at, "ca"), authorityName(next.Directory); {
		case next.Directory == "" || list[0].Directory == "":
		case slices.ContainsFunc(list, same):
			c.at(ca, fmt.Sprintf("%s is asked already", name), "name another authority, or remove this one")
		case next.Directory == list[0].Staging, authorityOf(next.Directory).test && !authorityOf(list[0].Directory).test:
			c.at(ca, fmt.Sprintf("%s is for tests: no client trusts what it issues", name), "name an authority whose certificates can be served")
		}
		list = append(list, next)
	}
	return list
}

func (c *checker) authority(a *fileAuthority, path []string) Authority {
	made := Authority{Email: a.Email, Profile: a.Profile, AddressProfile: a.AddressProf}
	if !c.isFaulty(sub(path, "ca")) { // what was refused is the default by now
		made.Directory, _ = parseCA(a.CA)
	}
	what := authorityOf(made.Directory)
	made.Staging = what.staging
	if a.Staging != "" {
		made.Staging, _ = parseCA(a.Staging)
	}
	if made.Staging == made.Directory && made.Staging != "" {
		c.at(sub(path, "staging"), "the test directory is the authority's own", "name its test directory, or remove the key")
	}
	if what.binding && a.Binding == nil {
		c.key(sub(path, "account_binding"), fmt.Sprintf("%s wants an account of yours", what.name),
			"make one there, and write the key_id and mac that it shows into account_binding of a configuration file")
	}
	if a.Binding != nil {
		mac, _ := parseMAC(a.Binding.MAC)
		made.Binding = &Binding{KeyID: a.Binding.KeyID, MAC: c.secret(mac, sub(path, "account_binding", "mac"))}
	}
	if a.Roots != "" {
		made.Roots = beside(c.dir, a.Roots)
		c.roots(made.Roots, sub(path, "trusted_roots"))
	}
	return made
}

// roots looks into a file of authorities' own roots.
func (c *checker) roots(file string, path []string) {
	data, err := c.read(file, maxFile)
	switch {
	case err != nil:
		c.at(path, fmt.Sprintf("the file of roots %s cannot be read: %s", file, reason(err)), "check the path, and that the server's user may read it")
	case !x509.NewCertPool().AppendCertsFromPEM(data):
		c.at(path, fmt.Sprintf("the file of roots %s holds no certificate", file), "name a PEM file with the roots that verify the authority's own certificate")
	}
}

// namer checks names against what authority and challenges can do for them.
type namer struct {
	*checker
	directory  string   // of the first authority; empty: unknown
	challenges []string // nil: unknown
}

// all returns the one form of each name. On demand, a wildcard stands for names, and
// is not asked for itself.
func (n *namer) all(list []string, path []string, onDemand bool) []string {
	var made []string
	for i, s := range list {
		name, at := subject(s), sub(path, strconv.Itoa(i))
		if name == "" { // the schema has refused it
			continue
		}
		if slices.Contains(made, name) {
			spelled := ""
			if name != s {
				spelled = fmt.Sprintf(", as %q", name)
			}
			n.at(at, fmt.Sprintf("%q is there already%s", s, spelled), "remove one of them")
			continue
		}
		made = append(made, name)
		var f fault
		if errors.As(n.name(name, onDemand), &f) {
			n.at(at, fmt.Sprintf("%q %s", s, f.what), f.help)
		}
	}
	return made
}

// name says why a name cannot be had, in words that follow it, or nil.
func (n *namer) name(name string, onDemand bool) error {
	rest, wildcard := strings.CutPrefix(name, "*.")
	public := isPublic(n.directory)
	if wildcard && onDemand && tooWide(rest, public) {
		return fault{"is anybody's: strangers could make this server order certificates without end", "allow names below a domain of your own, such as *.customers.example.org"}
	}
	if public {
		if err := notPublic(name); err != nil {
			return err
		}
	}
	what := authorityOf(n.directory)
	if isAddress(name) && what.name != "" && !what.addresses {
		return fault{"is an address, and " + what.name + " issues no certificates for addresses by ACME", "use letsencrypt or google for it, or name hosts alone"}
	}
	if n.challenges == nil {
		return nil
	}
	can := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(n.challenges, name) })
	}
	switch {
	case isAddress(name) && !can(tlsALPN01, http01):
		return fault{"is an address, which dns-01 and dns-persist-01 cannot prove (RFC 8738 §7)", "add tls-alpn-01 or http-01 to challenges"}
	case wildcard && !onDemand && !can(dns01, dnsPersist01):
		return fault{"is a wildcard, which tls-alpn-01 and http-01 cannot prove", "add dns-01 with dns, or dns-persist-01, to challenges, or name the hosts one by one"}
	}
	return nil
}

func (c *checker) onDemand(o *fileOnDemand, path []string, names *namer) *OnDemand {
	allow := sub(path, "allow")
	if !o.Enabled {
		if len(o.Allow) > 0 {
			c.key(allow, "nothing is issued on demand here", "set enabled: true, or remove the names")
		}
		return nil
	}
	if len(o.Allow) == 0 {
		c.key(allow, "nothing says which names may be issued on demand", "list them, such as *.customers.example.org")
	}
	return &OnDemand{Allow: names.all(o.Allow, allow, true), Most: o.Most, Rate: o.Rate}
}

// certificateStorage checks the directory of certificates.
func (c *checker) certificateStorage(a *fileACME, path []string, conf *Config) {
	at := sub(path, "storage")
	if a.Storage == "" {
		if a.Fleet {
			c.at(sub(path, "fleet"), "the state directory is this node's own, so no other node uses the certificates in it", "name a directory that all nodes share in storage")
		}
		return
	}
	dir := beside(c.dir, a.Storage)
	for _, root := range conf.Roots() {
		if root != "" && within(c.real(root), c.real(dir)) {
			c.at(at, fmt.Sprintf("the storage %s lies inside the root %s: clients could reach the server's keys", dir, root), "put it beside the root")
		}
	}
	info, err := c.stat(dir)
	if err != nil { // it is made, or serve says why not
		return
	}
	if !info.IsDir() {
		c.at(at, fmt.Sprintf("the storage %s is not a directory", dir), "name a directory for certificates and keys")
	} else if err := c.list(dir); err != nil {
		c.at(at, fmt.Sprintf("the storage %s cannot be read: %s", dir, reason(err)), "let the server's user own it")
	}
}

// choice checks the names whose certificates are for clients that name none, or an
// unknown one.
func (c *checker) choice(l *fileListener, path []string, conf *Config) {
	for _, k := range []struct{ key, name string }{{"default_name", l.TLS.DefaultName}, {"fallback_name", l.TLS.FallbackName}} {
		name, at := subject(k.name), sub(path, k.key)
		switch {
		case k.name == "":
		case l.TLS.Control == "off":
			c.at(at, "TLS is off here, so no certificate is presented", "remove it, or let control be required or optional")
		case l.TLS.Certificate == "dev":
			c.at(at, "the development authority has one certificate for all names", "use certificate: auto or files, or remove it")
		case k.key == "fallback_name" && l.TLS.StrictSNI:
			c.at(at, "strict_sni refuses the clients that this is for", "remove one of the two")
		case l.TLS.Certificate == auto && conf.ACME != nil && !conf.ACME.covers(name):
			c.at(at, fmt.Sprintf("%q is not among certificates.acme.domains", k.name), "add it there, or name one of them")
		}
	}
}

// covers reports whether a name has a certificate of its own or by a wildcard.
func (a *ACME) covers(name string) bool {
	_, rest, _ := strings.Cut(name, ".")
	return slices.Contains(a.Names, name) || slices.Contains(a.Names, "*."+rest) && !isAddress(name)
}
