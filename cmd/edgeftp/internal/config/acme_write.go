package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Variables of the environment that stand for secrets in a written file, where the
// file from which they were read had them in plain.
const (
	macVariable     = "EDGEFTP_ACME_MAC" // with _2 and so on behind it for fallbacks
	settingVariable = "EDGEFTP_DNS_"
)

// Unwritten are the variables of the environment that a file of YAML needs: those in
// the place of secrets that the configuration held itself. They are sorted.
func (c *Config) Unwritten() []string { return slices.Sorted(maps.Keys(c.unwritten())) }

func (c *Config) unwritten() map[string]string {
	list := map[string]string{}
	for _, s := range c.secrets() {
		if s.secret.from == "" && !s.secret.open {
			list[s.variable] = s.secret.value
		}
	}
	return list
}

// heldSecret is a secret with its place in the file, and the variable of the
// environment that stands for it in a written file.
type heldSecret struct {
	path     []string
	variable string
	secret   Secret
}

// secrets are all that the configuration has.
func (c *Config) secrets() []heldSecret {
	list := append(c.Admin.secrets(), c.webhookSecrets()...)
	if c.ACME == nil {
		return list
	}
	acme := []string{"certificates", "acme"}
	for i, a := range c.ACME.Authorities {
		path := acme
		if i > 0 {
			path = sub(acme, "fallback", strconv.Itoa(i-1))
		}
		if a.Binding != nil {
			list = append(list, heldSecret{sub(path, "account_binding", "mac"), numbered(i), a.Binding.MAC})
		}
	}
	if d := c.ACME.Challenges.DNS; d != nil {
		for name, s := range d.Settings {
			list = append(list, heldSecret{sub(acme, "dns", "settings", name), settingName(name), s})
		}
	}
	return list
}

func numbered(authority int) string {
	if authority == 0 {
		return macVariable
	}
	return macVariable + "_" + strconv.Itoa(authority+1)
}

func settingName(setting string) string { return settingVariable + strings.ToUpper(setting) }

func (a *ACME) file() *fileACME {
	if a == nil {
		return nil
	}
	first := a.Authorities[0].file(0)
	f := &fileACME{Domains: orEmpty(a.Names), Email: first.Email, Agree: true, CA: first.CA, Staging: first.Staging, Profile: first.Profile,
		AddressProf: first.AddressProf, Binding: first.Binding, Roots: first.Roots, Fallback: []fileAuthority{},
		Resolver: a.Resolver, Key: a.Key.String(), KeepKey: a.KeepKey, OnDemand: fileOnDemand{Allow: []string{}, Most: 1000, Rate: 60},
		Storage: a.Storage, Fleet: a.Fleet}
	for i := range a.Authorities[1:] {
		f.Fallback = append(f.Fallback, a.Authorities[1+i].file(1+i))
	}
	if o := a.OnDemand; o != nil {
		f.OnDemand = fileOnDemand{Enabled: true, Allow: o.Allow, Most: o.Most, Rate: o.Rate}
	}
	ch := &a.Challenges
	if ch.listen != nil {
		f.Challenges, f.TLSALPN = append(f.Challenges, tlsALPN01), &fileListen{ch.listen}
	}
	if ch.HTTP != nil {
		f.Challenges, f.HTTP = append(f.Challenges, http01), &fileListen{ch.HTTP}
	}
	if ch.DNS != nil {
		f.Challenges, f.DNS = append(f.Challenges, dns01), ch.DNS.file()
	}
	if ch.Persist != nil {
		f.Challenges, f.Persist = append(f.Challenges, dnsPersist01), &filePersist{ch.Persist.Resolver}
	}
	return f
}

func (a *Authority) file(i int) fileAuthority {
	f := fileAuthority{CA: authorityName(a.Directory), Staging: a.Staging, Email: a.Email, Profile: a.Profile, AddressProf: a.AddressProfile, Roots: a.Roots}
	if a.Binding != nil {
		f.Binding = &fileBinding{KeyID: a.Binding.KeyID, MAC: a.Binding.MAC.written(numbered(i))}
	}
	return f
}

func (d *DNS) file() *fileDNS {
	f := &fileDNS{Provider: d.Provider, Settings: map[string]textOrNumber{}, Delegate: d.Delegate, TTL: written(d.TTL), Wait: written(d.Wait), Resolvers: orEmpty(d.Resolvers)}
	for name, s := range d.Settings {
		f.Settings[name] = textOrNumber(s.written(settingName(name)))
	}
	return f
}
