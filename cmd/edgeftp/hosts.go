package main

import (
	"crypto/tls"
	"fmt"
	"reflect"
	"slices"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// hosts turns the configuration's virtual hosts into edge's.
func (in *generation) hosts() ([]edge.Host, error) {
	var out []edge.Host
	for i := range in.conf.Hosts {
		h := &in.conf.Hosts[i]
		fs, home, err := in.homes.lodge(in.conf.As(h))
		if err != nil {
			return nil, err
		}
		out = append(out, edge.Host{Name: h.Name, Names: h.Names, Listeners: h.Listeners, FS: fs, Home: home, NeedsTLS: in.accounts.under(in.conf.As(h)).mayNeedTLS(), Banner: h.Banner,
			Limits: h.Limits, Bandwidth: h.Bandwidth})
	}
	return out, nil
}

// warnForgetful tells of modules that remember something of users of all hosts, and may
// know them by their names alone: nothing says whether a module looks at VHOST.
func (in *generation) warnForgetful() {
	for i := range in.conf.Policies.Modules {
		m := &in.conf.Policies.Modules[i]
		if len(in.conf.Hosts) > 0 && len(m.Hosts) != 1 && m.Grants.KV {
			in.log.Warn("a policy module remembers things for several virtual hosts: users of one name are one to it, unless it looks at VHOST (ABI 1.3)",
				"policy", m.Name, "help", "name one host in policies.modules[].hosts, and give each host a slot of its own")
		}
	}
}

// lodging is a virtual host's root that lies in another one. It is opened once for all
// configurations.
type lodging struct {
	root     string
	fs       vfs.FS
	giveBack func()
}

// lodge returns what the users of a virtual host see, of whom conf is.
func (h *homes) lodge(conf *config.Config) (vfs.FS, pi.Home, error) {
	h.mu.Lock()
	i := slices.IndexFunc(h.lodgings, func(l lodging) bool { return l.root == conf.Root })
	if i >= 0 {
		defer h.mu.Unlock()
		fs := h.guarded(h.lodgings[i].fs, conf.Root)
		return fs, h.homeOf(conf, fs), nil
	}
	h.mu.Unlock()
	fs, giveBack, err := h.bare(conf.Root)
	if err != nil {
		return nil, nil, err
	}
	if giveBack != nil {
		h.mu.Lock()
		h.lodgings = append(h.lodgings, lodging{conf.Root, fs, giveBack})
		h.mu.Unlock()
	}
	fs = h.guarded(fs, conf.Root)
	return fs, h.homeOf(conf, fs), nil
}

// slotAt is the name of a slot of the server's own for one virtual host. No module can
// have it.
func slotAt(slot, host string) string { return slot + "@" + host }

// each adds a policy of the server's own for the sessions of no host, and one for those of
// each virtual host. of is what that of a configuration is made of, and make makes it, or
// nil where there is none.
func (in *generation) each(slots []edge.Slot, name string, of func(*config.Config) any, make func(conf *config.Config, slot string) (policy.Policy, error)) ([]edge.Slot, error) {
	add := func(conf *config.Config, name string, hosts []string) (err error) {
		before := len(slots)
		slots, err = in.native(slots, name, of(conf), func() (policy.Policy, error) { return make(conf, name) })
		if len(slots) > before {
			slots[before].Options.Hosts = hosts
		}
		return err
	}
	var none []string
	if len(in.conf.Hosts) > 0 {
		none = []string{""}
	}
	if err := add(in.conf, name, none); err != nil {
		return slots, err
	}
	for i := range in.conf.Hosts {
		h := &in.conf.Hosts[i]
		if err := add(in.conf.As(h), slotAt(name, h.Name), []string{h.Name}); err != nil {
			return slots, err
		}
	}
	return slots, nil
}

// askedAt are the virtual hosts of a module, as edge names them; nil is all.
func askedAt(conf *config.Module) []string {
	var hosts []string
	for _, name := range conf.Hosts {
		if name == config.NoHost {
			name = ""
		}
		hosts = append(hosts, name)
	}
	return hosts
}

// hostCerts are the certificates that virtual hosts have for themselves at one listener.
type hostCerts struct {
	names *pi.Virtual            // of all hosts at the listener; Own is the listener's own
	certs map[string]*tls.Config // by the host's name, of those that have some
}

// hostCertificates opens the certificates that virtual hosts of a listener have for
// themselves; nil where none has.
func (in *generation) hostCertificates(l *config.Listener) (*hostCerts, error) {
	all := &hostCerts{names: &pi.Virtual{Own: &pi.Config{VHost: l.Host}}, certs: map[string]*tls.Config{}}
	for i := range in.conf.Hosts {
		h := &in.conf.Hosts[i]
		at := h.At(l.Name)
		if at {
			for _, name := range h.Names {
				all.names.Name(name, &pi.Config{VHost: h.Name})
			}
		}
		if len(h.Certificates) == 0 || !at && l.Host != h.Name {
			continue
		}
		source, err := in.hostSource(h)
		if err != nil {
			return nil, err
		}
		all.certs[h.Name] = source.Config(acme.Choice{Default: l.TLS.DefaultName, Fallback: l.TLS.FallbackName})
	}
	if len(all.certs) == 0 {
		return nil, nil
	}
	return all, nil
}

// hostSource opens the certificates of a virtual host, once.
func (in *generation) hostSource(h *config.Host) (certSource, error) {
	kind := slotAt("files", h.Name)
	if s := in.certs.sources[kind]; s != nil {
		return s, nil
	}
	var s certSource
	if b := in.before; b != nil && reflect.DeepEqual(b.certs.of[kind], h.Certificates) {
		s = b.certs.sources[kind]
	} else {
		made, err := in.openFiles(h.Certificates)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", h.Name, err)
		}
		s = made
	}
	in.certs.sources[kind], in.certs.of[kind] = s, h.Certificates
	return s, nil
}

// before lets a configuration present the hosts' own certificates to those who come to
// them, and what it presents itself to all others.
func (a *hostCerts) before(c *tls.Config) {
	otherwise := c.GetCertificate
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if own := a.of(hello.ServerName); own != nil {
			return own.GetCertificate(hello)
		}
		return otherwise(hello)
	}
}

// of are the certificates of the host to which a name leads, nil if it has none of its own.
func (a *hostCerts) of(name string) *tls.Config {
	host := a.names.Own
	if clean, err := pi.CleanName(name); err == nil {
		if found := a.names.Find(clean); found != nil {
			host = found
		}
	}
	return a.certs[host.VHost]
}

// warnUncovered tells of names of virtual hosts that no certificate holds: whoever comes
// by them is shown one of another name. What is ordered was checked with the configuration.
func (in *generation) warnUncovered() {
	for i := range in.conf.Hosts {
		h := &in.conf.Hosts[i]
		for _, name := range h.Names {
			if where := in.uncovered(h, name); where != "" {
				in.log.Warn("no certificate holds a name of a virtual host: clients that ask for it by TLS will not trust the server",
					"host", h.Name, "name", name, "listener", where, "help", "add one to hosts[].certificates or certificates.files")
			}
		}
	}
}

// uncovered is the first listener at which no certificate holds a name of a host; empty if
// there is none.
func (in *generation) uncovered(h *config.Host, name string) string {
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		kind := l.TLS.Certificate
		if len(h.Certificates) > 0 {
			kind = slotAt("files", h.Name)
		}
		source := in.certs.sources[kind]
		if source == nil || kind == "auto" || !h.At(l.Name) || l.TLS.Control == "off" && !l.Implicit {
			continue
		}
		var held []string
		for _, cert := range source.Certificates() {
			held = append(held, cert.Names...)
		}
		if !config.Covered(name, held) {
			return l.Name
		}
	}
	return ""
}
