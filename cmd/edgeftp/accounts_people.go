package main

import (
	"slices"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/policies/quota"
	"github.com/edgeftp/edgeftp/policies/users"
)

// people are the users of one configuration: those of its list and file, and those that
// the store has at that moment. It is what logins ask, a [users.Source].
type people struct {
	accounts *accounts
	conf     *config.Config
	fixed    map[string]*config.User // of the list and the file
	order    map[string]int          // of the sources
}

// under makes the people of a configuration.
func (a *accounts) under(conf *config.Config) *people {
	p := &people{accounts: a, conf: conf, fixed: map[string]*config.User{}, order: map[string]int{}}
	for i := range conf.Users {
		p.fixed[conf.Users[i].Name] = &conf.Users[i]
	}
	for i, source := range conf.Sources {
		p.order[source] = i
	}
	return p
}

// peopleOf are the people of a configuration: the server's own, or a virtual host's.
func (in *generation) peopleOf(conf *config.Config) *people {
	if conf == in.conf {
		return in.people
	}
	return in.accounts.under(conf)
}

// find returns the user of a name: of two sources the first one holds. One of the store
// who cannot log in is disabled.
func (p *people) find(name string) (config.User, bool) {
	u, known := p.fixed[name]
	store, used := p.order[config.SourceStore]
	if !used || known && p.order[u.Source] < store {
		if !known {
			return config.User{}, false
		}
		return *u, true
	}
	acc, here := p.accounts.kept(name)
	if !here {
		if !known {
			return config.User{}, false
		}
		return *u, true
	}
	kept, err := acc.user(p.conf)
	kept.Disabled = kept.Disabled || err != nil
	return kept, true
}

// Find implements users.Source.
func (p *people) Find(name string) (users.User, bool) {
	u, known := p.find(name)
	if !known {
		return users.User{}, false
	}
	allow, deny := p.conf.NetworksOf(&u)
	demands := p.conf.DemandsOf(&u)
	u.Limits.DataTLS = demands.DataTLS()
	return users.User{Name: u.Name, PasswordHash: u.PasswordHash, Certificates: u.Certificates, Lenient: u.Lenient,
		Perms: u.Perms, Rules: u.PathRules(), Networks: allow, DenyNetworks: deny, TLS: users.Protection(demands.Protection()), Home: u.Home, Group: u.Group, Limits: u.Limits, MaxSessions: u.MaxSessions,
		Expires: u.Expires, MsgLogin: u.MsgLogin, MsgQuit: u.MsgQuit, Disabled: u.Disabled}, true
}

// made is what the people are made of: with the same, those of another configuration are no
// others.
func (p *people) made() any {
	return []any{p.conf.Users, p.conf.Sources, p.conf.Defaults, p.conf.Groups, p.conf.Anonymous.Enabled}
}

// policy makes the policy that knows the people.
func (p *people) policy() (policy.Policy, error) {
	c := users.Config{Sources: []users.Source{p}, Alone: !p.conf.From(config.SourcePolicies)}
	if p.conf.Anonymous.Enabled {
		c.Beside = []string{anonymous.User}
	}
	if p.mayChange() {
		c.Seen = p.accounts.seen
	}
	return users.New(c)
}

// mayChange reports whether there may be users tomorrow whom nobody knows today.
func (p *people) mayChange() bool { return p.conf.From(config.SourceStore) }

// mayHaveRoots reports whether anybody has, or may get, a directory of his own.
func (p *people) mayHaveRoots() bool {
	return p.mayChange() || slices.ContainsFunc(p.conf.Users, func(u config.User) bool { return u.Root != "" })
}

// needsTLS reports whether a name may log in over TLS alone. Where anybody has to, names of
// which nothing is known are answered like his: else the answer would tell which exist. An
// anonymous user needs none.
func (p *people) needsTLS(name string) bool {
	u, known := p.find(name)
	switch {
	case known:
		return p.conf.DemandsOf(&u).Protection().Required
	case p.conf.Anonymous.Enabled && name == anonymous.User:
		return false
	}
	return p.conf.MayNeedTLS() || p.mayChange() && p.accounts.sealed.Load() > 0
}

// mayNeedTLS is the hook of edge.Config for which of the names need TLS; nil: none can.
func (p *people) mayNeedTLS() func(string) bool {
	if p.mayChange() || p.conf.MayNeedTLS() {
		return p.needsTLS
	}
	return nil
}

// quota is what a user may store who has a quota of his own.
func (p *people) quota(name string) (quota.Limits, bool) {
	u, known := p.find(name)
	if !known || u.Quota == nil {
		return quota.Limits{}, false
	}
	return quotaLimits(u.Quota), true
}

// unlimited returns what reports whether no user has a quota of his own: those of the
// configuration are as they are, those of the store come and go.
func (p *people) unlimited() func() bool {
	for _, u := range p.fixed {
		if u.Quota != nil {
			return func() bool { return false }
		}
	}
	return func() bool { return p.accounts.metered.Load() == 0 }
}

func quotaLimits(q *config.Quota) quota.Limits {
	return quota.Limits{Bytes: q.Bytes, Files: q.Files, DayBytes: q.DayBytes, DayFiles: q.DayFiles, MonthBytes: q.MonthBytes, MonthFiles: q.MonthFiles}
}

// ownRoots are the directories that users have, of every source, each once and those of
// the configuration first.
func (p *people) ownRoots() (configured, kept []string) {
	configured = p.conf.Roots()
	for _, root := range append(p.accounts.roots(), p.accounts.folderRoots()...) {
		if !slices.Contains(configured, root) {
			kept = append(kept, root)
		}
	}
	return configured, kept
}

// showUsers has what is told of users be that of this generation, which is in force.
func (in *generation) showUsers() {
	meter, _ := in.natives["quota"].policy.(*quota.Policy) // nil where there is none
	in.accounts.show(in.conf, meter)
}

// mayServe reports what keeps a directory from being a user's tree.
func (in *instance) mayServe(root string) error {
	now := in.now.Load()
	if now == nil {
		return isThere(root)
	}
	_, release, err := now.homes.tree(root)
	if release != nil {
		release()
	}
	return err
}

// dismiss ends the sessions of users whom another configuration no longer has, or has
// disabled.
func (in *generation) dismiss(before *generation) {
	end := func(gone []config.User, now *people, at string) {
		for i := range gone {
			if u, known := now.find(gone[i].Name); !known || u.Disabled {
				in.accounts.end(gone[i].Name+at, "Your account is not in use any more.")
			}
		}
	}
	end(before.conf.Users, in.people, "")
	for i := range in.conf.Hosts {
		h := &in.conf.Hosts[i]
		for j := range before.conf.Hosts {
			if was := &before.conf.Hosts[j]; was.Name == h.Name {
				end(was.Users, in.accounts.under(in.conf.As(h)), "@"+h.Name)
			}
		}
	}
}

// rate has the sessions of a user move bytes as fast as he may now.
func (a *accounts) rate(was, is config.User) {
	if r := (edge.Rates{Down: is.Limits.RateDown, Up: is.Limits.RateUp}); a.limit != nil && r != (edge.Rates{Down: was.Limits.RateDown, Up: was.Limits.RateUp}) {
		a.limit(is.Name, r)
	}
}
