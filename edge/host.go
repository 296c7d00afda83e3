package edge

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Host is a virtual host: a server of its own behind the listeners of this one, with
// files, users and limits that are no other's. A session belongs to the host that
// Listener.Host names, until the name in its TLS handshake (RFC 6066 §3), or HOST before
// its login (RFC 7151), leads to another. Where neither host nor name leads anywhere, it
// belongs to none, and to Config alone.
//
// The same user name at two hosts is that of two people. What is limited by user is
// limited for each; what is limited by address (Limits.SessionsPerIP, Defence) is for the
// server as a whole, as an address is the same client's at every host.
//
// Certificates are those of the listener: its TLS configuration chooses one by the name.
type Host struct {
	Name string // required, and unique: of Options.Hosts, Listener.Host, logs and events
	// Names are what clients call it: as in a URL, of any case, in Unicode or ASCII (RFC
	// 5891). "*.example.org" stands for all names below that; of several that fit the
	// longest counts, and one without a star before all of them. They may be empty where
	// a listener has this host as its own.
	Names     []string
	Listeners []string               // by name, where Names lead to it; empty: all
	FS        vfs.FS                 // what is served; required
	Home      pi.Home                // gives a login a filesystem of its own; nil serves FS to everybody
	NeedsTLS  func(user string) bool // as Config.NeedsTLS, of the host's users; nil: none
	Perms     policy.Perms           // of a login for which no policy named any; 0: Config.Perms
	Banner    string                 // of greetings, and the answer to HOST; empty: the listener's
	Limits    HostLimits             // how many sessions its users may have; none but the server's
	Bandwidth Rates                  // of all transfers of the host together, beside Config.Bandwidth
}

// HostLimits bound what the clients of a host may take. Zero is the default that each
// field names; a negative number is no limit.
type HostLimits struct {
	Sessions        int // logged in at once; no limit but the server's
	SessionsPerUser int // at once, of one user; Limits.SessionsPerUser
}

// checkHosts refuses hosts that cannot be told apart, or that no client can get.
func (c *Config) checkHosts() error {
	for i := range c.Hosts {
		h := &c.Hosts[i]
		switch {
		case h.Name == "" || strings.ContainsAny(h.Name, "\x00"):
			return fmt.Errorf("edge: Config.Hosts[%d] has no name that can be used: %q", i, h.Name)
		case slices.ContainsFunc(c.Hosts[:i], func(o Host) bool { return o.Name == h.Name }):
			return fmt.Errorf("edge: two hosts are named %q", h.Name)
		case h.FS == nil:
			return fmt.Errorf("edge: host %s: FS is missing: say what is to be served", h.Name)
		}
		for _, name := range h.Listeners {
			if !slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Name == name }) {
				return fmt.Errorf("edge: host %s: there is no listener %q", h.Name, name)
			}
		}
	}
	got := map[string]bool{}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		own := c.host(l.Host)
		if l.Host != "" && own == nil {
			return fmt.Errorf("edge: listener %s: there is no host %q", l.Name, l.Host)
		}
		v, err := c.virtual(l, func(h *Host) *pi.Config {
			if h != nil {
				got[h.Name] = got[h.Name] || h == own || len(h.Names) > 0
			}
			return &pi.Config{}
		})
		if err != nil {
			return err
		}
		if l.StrictHosts && v == nil {
			return fmt.Errorf("edge: listener %s: StrictHosts, where no host has a name", l.Name)
		}
	}
	for i := range c.Hosts {
		if name := c.Hosts[i].Name; !got[name] {
			return fmt.Errorf("edge: host %s: no client can get it: it has no name at any listener, and is no listener's own", name)
		}
	}
	return nil
}

func (c *Config) host(name string) *Host {
	i := slices.IndexFunc(c.Hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Hosts[i]
}

// virtual makes the hosts of a listener, of which make returns the configurations: of nil
// that of the sessions of none. It is nil where there are no hosts.
func (c *Config) virtual(l *Listener, make func(*Host) *pi.Config) (*pi.Virtual, error) {
	if len(c.Hosts) == 0 {
		return nil, nil
	}
	own := c.host(l.Host)
	v := &pi.Virtual{Strict: l.StrictHosts, Own: make(own)}
	for i := range c.Hosts {
		h := &c.Hosts[i]
		if len(h.Listeners) > 0 && !slices.Contains(h.Listeners, l.Name) {
			continue
		}
		conf := v.Own
		if h != own {
			conf = make(h)
		}
		for _, name := range h.Names {
			clean, err := CleanHost(name)
			if err != nil {
				return nil, fmt.Errorf("edge: host %s: %q: %w", h.Name, name, err)
			}
			if !v.Name(clean, conf) {
				return nil, fmt.Errorf("edge: host %s: another name of this listener's (%s) is %q too", h.Name, l.Name, clean)
			}
		}
	}
	return v, nil
}

// hostOf returns the name of the host that a name leads to at a listener, empty for none.
func (c *Config) hostOf(listener, name string) string {
	i := slices.IndexFunc(c.Listeners, func(l Listener) bool { return l.Name == listener })
	if len(c.Hosts) == 0 || i < 0 {
		return ""
	}
	v, err := c.virtual(&c.Listeners[i], func(h *Host) *pi.Config {
		if h == nil {
			return &pi.Config{}
		}
		return &pi.Config{VHost: h.Name}
	})
	if err != nil {
		return "" // check has seen that there is none
	}
	if clean, err := pi.CleanName(name); err == nil && v.Find(clean) != nil {
		return v.Find(clean).VHost
	}
	return v.Own.VHost
}

// CleanHost is the one form of a name of Host.Names: in ASCII, in lower case, without a
// dot at the end. Two names are one if their forms are equal.
func CleanHost(name string) (string, error) {
	rest, wild := strings.CutPrefix(name, "*.")
	clean, err := pi.CleanName(rest)
	switch {
	case err != nil || strings.HasPrefix(clean, "["):
		return "", errors.New("that is no host name")
	case wild:
		return "*." + clean, nil
	}
	return clean, nil
}

// hosted returns the configuration of a listener's sessions when they begin. conf is that
// of its sessions that belong to no host.
func (c *Config) hosted(conf *pi.Config, l *Listener) (*pi.Config, error) {
	var all []*pi.Config
	v, err := c.virtual(l, func(h *Host) *pi.Config {
		own := *conf
		if h != nil {
			h.adapt(&own)
		}
		all = append(all, &own)
		return &own
	})
	if v == nil || err != nil {
		return conf, err
	}
	for _, of := range all {
		of.Virtual = v
	}
	return v.Own, nil
}

// adapt makes a listener's configuration one of the host.
func (h *Host) adapt(conf *pi.Config) {
	conf.VHost, conf.FS, conf.Home, conf.NeedsTLS = h.Name, h.FS, h.Home, h.NeedsTLS
	if h.Perms != 0 {
		conf.Perms = h.Perms
	}
	if h.Banner != "" {
		conf.Banner = h.Banner
	}
	conf.PerHost = max(0, h.Limits.Sessions)
	if n := h.Limits.SessionsPerUser; n != 0 {
		conf.PerUser = max(0, n)
	}
}

// limitHosts puts the hosts' rates in force.
func (c *Config) limitHosts(tree *throttle.Tree) {
	for i := range c.Hosts {
		tree.SetListener(pi.AllOf(c.Hosts[i].Name), throttle.Rates(c.Hosts[i].Bandwidth))
	}
}

// setHosts changes the rates of hosts in which two configurations differ.
func (s *Server) setHosts(before, conf *Config) {
	for i := range conf.Hosts {
		h := &conf.Hosts[i]
		if was := before.host(h.Name); was == nil || was.Bandwidth != h.Bandwidth {
			s.LimitHost(h.Name, h.Bandwidth)
		}
	}
}

// dropHosts forgets the rates of hosts that were a generation's and are none of the living
// ones'.
func (s *Server) dropHosts(g *generation, living []*generation) {
	for i := range g.conf.Hosts {
		name := g.conf.Hosts[i].Name
		if !slices.ContainsFunc(living, func(o *generation) bool { return o.conf.host(name) != nil }) {
			s.tree.DropListener(pi.AllOf(name))
		}
	}
}

// Hosts returns the names of the virtual hosts.
func (s *Server) Hosts() []string {
	var names []string
	conf := &s.now.Load().conf
	for i := range conf.Hosts {
		names = append(names, conf.Hosts[i].Name)
	}
	return names
}

// LimitHost changes the rates of a virtual host's transfers together.
func (s *Server) LimitHost(name string, r Rates) {
	s.tree.SetListener(pi.AllOf(name), throttle.Rates(r))
}

// person is a user as LimitUser names him, "user@host" where he is one of a host's, the
// way Bandwidth and Defence show him.
func (s *Server) person(name string) string {
	user, host, ok := cutLast(name, "@")
	if ok && s.now.Load().conf.host(host) != nil {
		return pi.PersonOf(host, user)
	}
	return name
}

// named undoes person.
func named(person string) string {
	if host, user, ok := strings.Cut(person, "\x00"); ok && host != "" {
		return user + "@" + host
	}
	return person
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// splitHosts takes the limits of hosts out of those of listeners.
func splitHosts(in []BandwidthLimit) (listeners, hosts []BandwidthLimit) {
	for _, l := range in {
		if host, is := strings.CutPrefix(l.Name, "\x00"); is {
			l.Name = host
			hosts = append(hosts, l)
			continue
		}
		listeners = append(listeners, l)
	}
	return listeners, hosts
}
