package workshop

import (
	"path"
	"slices"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// Cover is what the tests ask of what the module takes part in.
type Cover struct {
	Hooks []HookCover `json:"hooks"`
	// Unasked are operations, events, commands of the interest, and SITE commands, that
	// no test asks.
	Unasked []string `json:"unasked"`
	// Outside are tests that a server would not ask: the interest leaves them out.
	Outside []string `json:"outside"`
	// Unclean are tests with a path that is not canonical, as those of a server are (ABI §3).
	Unclean []string `json:"unclean"`
}

// HookCover is one hook that the module exports.
type HookCover struct {
	Hook  string `json:"hook"`
	Tests int    `json:"tests"`
}

func (s *Shop) cover() Cover {
	c := Cover{Unasked: []string{}, Outside: []string{}, Unclean: []string{}, Hooks: []HookCover{}}
	asked := map[string]int{}
	for i := range s.Set.Tests {
		t := &s.Set.Tests[i]
		asked[t.Hook]++
		asked[t.Hook+" "+t.Op+t.Verb]++
		if !s.interested(t) {
			c.Outside = append(c.Outside, s.unique(i))
		}
		if unclean(t) {
			c.Unclean = append(c.Unclean, s.unique(i))
		}
	}
	m := &s.Facts.Manifest
	var site []string
	for _, v := range m.Site {
		site = append(site, v.Verb)
	}
	for hook, list := range map[string][]string{"fs": names(m.Interest.Ops), "event": names(m.Interest.Events), "cmd": m.Interest.Verbs, "site": site} {
		for _, name := range list {
			if asked[hook+" "+name] == 0 && slices.Contains(s.Facts.Hooks, hook) {
				c.Unasked = append(c.Unasked, hook+" "+name)
			}
		}
	}
	slices.Sort(c.Unasked)
	for _, hook := range s.Facts.Hooks {
		if hook != "idle" {
			c.Hooks = append(c.Hooks, HookCover{hook, asked[hook]})
		}
	}
	return c
}

// unclean reports whether a test has a path as no server has one. That of symlink is what
// the client gave.
func unclean(t *cases.Case) bool {
	for _, p := range []string{t.Path, t.Path2} {
		if p != "" && path.Clean("/"+p) != p && !(p == t.Path2 && t.Op == policy.OpSymlink.String()) {
			return true
		}
	}
	return false
}
