package guest

import (
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Link says that the module exports the hook. Each stage's package does so before
// anything is registered.
func (g *Guest) Link(h abi.Hook) { g.linked[h] = true }

// Export registers all stages of p. They must be those that are linked: it panics
// with the names of those that are not on both sides, so that the module is refused
// at load.
func (g *Guest) Export(p policy.Policy) {
	if p == nil {
		refuse("edgeftp.Export needs a policy")
	}
	h := p.Hooks()
	stages := [abi.NumHooks]struct {
		on  bool
		set func()
	}{
		abi.HookAuth:     {h.Authenticator != nil, func() { g.SetAuth(h.Authenticator) }},
		abi.HookFS:       {h.Authorizer != nil, func() { g.SetFS(h.Authorizer) }},
		abi.HookList:     {h.Lister != nil, func() { g.SetList(h.Lister) }},
		abi.HookCmd:      {h.Commander != nil, func() { g.SetCmd(h.Commander) }},
		abi.HookSite:     {h.Site != nil, func() { g.SetSite(h.Site) }},
		abi.HookThrottle: {h.Throttler != nil, func() { g.SetThrottle(h.Throttler) }},
		abi.HookData:     {h.Filter != nil, func() { g.SetData(h.Filter) }},
		abi.HookEvent:    {h.Observer != nil, func() { g.SetEvent(h.Observer) }},
		abi.HookCert:     {h.Certifier != nil, func() { g.SetCert(h.Certifier) }},
	}
	wrong := ""
	for i, s := range stages {
		name := abi.Hook(i).String()
		switch {
		case s.on && !g.linked[i]:
			wrong += "; the policy takes part in " + name + ": import guest-sdk/go/" + name
		case !s.on && g.linked[i]:
			wrong += "; guest-sdk/go/" + name + " is imported, but the policy does not take part in " + name
		case s.on:
			s.set()
		}
	}
	if wrong != "" {
		refuse("edgeftp.Export" + strings.Replace(wrong, ";", ":", 1))
	}
	g.decoder.Slot = p.Name()
}

// Hooks are the stages that were registered.
func (g *Guest) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: g.auth, Authorizer: g.fs, Lister: g.more.list, Commander: g.more.cmd,
		Site: g.more.site, Throttler: g.more.throttle, Filter: g.more.data, Observer: g.event, Certifier: g.more.cert}
}
