package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
)

// bound are keys that the schema lets change, and that are fixed with what is opened at a
// start: a tree keeps the way in which it was opened, the log its form, and the ledger and
// the host of modules what they were made with.
func boundKeys() []string {
	return []string{"storage[0].durability", "storage[0].mounts", "storage[/].durability", "storage[/].mounts", "telemetry.log.format",
		"policies.strict", "policies.history"}
}

// shownChanges are changes as people are told of them.
func shownChanges(was, is *config.Config, changes []config.Change) []control.ConfigChange {
	out := make([]control.ConfigChange, len(changes))
	for i, c := range changes {
		out[i] = control.ConfigChange{Key: c.Key, From: c.From, To: c.To, Effect: string(c.Effect)}
		if slices.Contains(boundKeys(), c.Key) || strings.HasSuffix(c.Key, ".events") && strings.HasPrefix(c.Key, "policies.modules[") && c.From != "" && c.To != "" {
			out[i].Effect = string(config.EffectUpgrade)
		}
	}
	return out
}

// blocked names what keeps a running server from taking a configuration: keys that are
// fixed, what lies outside of the sandbox, sources that no builder was started for.
func (in *instance) blocked(now, next *generation, changes []control.ConfigChange) []string {
	var out []string
	for _, c := range changes {
		if c.Effect == string(config.EffectUpgrade) {
			out = append(out, fmt.Sprintf("%s: %s -> %s", c.Key, valued(c.From), valued(c.To)))
		}
	}
	if next.conf.From(config.SourceStore) && in.accounts.db == nil {
		out = append(out, "users.sources: the store of users is opened at the start")
	}
	for _, root := range next.conf.Roots() {
		if lower := in.trees.below(root); root != "" && lower != "" {
			out = append(out, fmt.Sprintf("the root %s: %s, which is served, lies below it", root, lower))
		}
	}
	for i := range next.conf.Policies.Modules {
		if m := &next.conf.Policies.Modules[i]; isDir(m.Source) && !now.builds(m) {
			out = append(out, fmt.Sprintf("policies.modules[%s].source: policies are built by a process that is started before the server", m.Name))
		}
	}
	if len(out) > 0 { // a state directory of another name is outside of the sandbox as well
		return out
	}
	plan := sandbox.PlanFor(next.conf)
	next.ports(now, plan)
	rereads(plan, next.conf, next.text)
	return append(out, in.sandbox.Beyond(plan)...)
}

// builds reports whether a module's source is one that the generation has built under that
// name, in the same way.
func (in *generation) builds(m *config.Module) bool {
	return slices.ContainsFunc(in.conf.Policies.Modules, func(h config.Module) bool {
		return h.Name == m.Name && h.Source == m.Source && h.WatchSource == m.WatchSource
	})
}

// ports adds the ports to a plan that are to be bound for a generation and are not.
func (in *generation) ports(now *generation, plan *sandbox.Plan) {
	var bound []string
	for _, l := range now.conf.Listeners {
		bound = append(bound, l.Addresses...)
	}
	add := func(address, why string) {
		_, text, err := net.SplitHostPort(address)
		port, notNumber := strconv.ParseUint(text, 10, 16)
		if err == nil && notNumber == nil && !slices.Contains(bound, address) {
			plan.Listen(uint16(port), why)
		}
	}
	for _, l := range in.conf.Listeners {
		for _, a := range l.Addresses {
			add(a, "listener "+l.Name)
		}
	}
	if a := in.conf.Metrics.Listen; a != "" && a != now.conf.Metrics.Listen {
		add(a, "telemetry.metrics.listen")
	}
}

// needsUpgrade says that a running server cannot take a configuration.
func needsUpgrade(why []string) *control.Refusal {
	return &control.Refusal{Code: control.CodeConfigUpgrade, Message: "the configuration needs an upgrade: a running server cannot take\n     " + strings.Join(why, "\n     "),
		Help: "restart the server with the file, which ends sessions as instance.drain_timeout says; or leave that as it is"}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
