package config

import (
	"net/netip"
	"slices"
)

// Access is where users may log in from, and what of TLS they need: of the defaults or of a group.
type Access struct {
	Networks     []netip.Prefix // empty leaves it to what is farther
	DenyNetworks []netip.Prefix // beside those that are farther
	TLS          Demands
}

type fileAccess struct {
	Networks     []string    `json:"networks"`
	DenyNetworks []string    `json:"deny_networks"`
	TLS          fileDemands `json:"tls"`
}

// access makes what stands at a path, and reports what no listener has.
func (c *checker) access(a *fileAccess, path []string, o offers) Access {
	c.demanded(&a.TLS, sub(path, "tls"), o)
	return Access{networks(a.Networks), networks(a.DenyNetworks), Demands(a.TLS)}
}

func (a *Access) file() fileAccess {
	return fileAccess{networkWords(a.Networks), networkWords(a.DenyNetworks), fileDemands(a.TLS)}
}

// groupOf is the group of a word, a zero one of a word that policies alone know.
func (c *Config) groupOf(name string) *Group {
	if i := slices.IndexFunc(c.Groups, func(g Group) bool { return g.Name == name }); i >= 0 && name != "" {
		return &c.Groups[i]
	}
	return &Group{}
}

// NetworksOf returns where a user may log in from: as he has it, else his group, else the defaults; empty is
// anywhere. And where he may not, all the same: what any of the three denies.
func (c *Config) NetworksOf(u *User) (allow, deny []netip.Prefix) {
	g := c.groupOf(u.Group)
	for _, list := range [][]netip.Prefix{u.Networks, g.Networks, c.Defaults.Networks} {
		if allow = list; len(allow) > 0 {
			break
		}
	}
	return allow, slices.Concat(u.DenyNetworks, g.DenyNetworks, c.Defaults.DenyNetworks)
}

// DemandsOf returns what a user's clients must do: each as he has it, else his group, else the
// defaults.
func (c *Config) DemandsOf(u *User) Demands {
	return u.TLS.or(c.groupOf(u.Group).TLS).or(c.Defaults.TLS)
}

// MayNeedTLS reports whether a user of the configuration needs TLS, or may: one of a group or with the
// defaults that say so, there today or not.
func (c *Config) MayNeedTLS() bool {
	return c.Defaults.TLS.Protection().Required ||
		slices.ContainsFunc(c.Groups, func(g Group) bool { return g.TLS.Protection().Required }) ||
		slices.ContainsFunc(c.Users, func(u User) bool { return u.TLS.Protection().Required })
}
