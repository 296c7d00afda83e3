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

// obstacle is what keeps a running server from taking a change that the schema permits.
type obstacle struct {
	key string // of the change, or of an entry that it brings; empty: no single one
	why string
}

// obstacles are those between two generations: what the process was not started for.
func (in *instance) obstacles(now, next *generation) (out []obstacle) {
	if next.conf.From(config.SourceStore) && in.accounts.db == nil {
		out = append(out, obstacle{"users.sources", "users.sources: the store of users is opened at the start"})
	}
	for _, root := range next.conf.Roots() {
		if lower := in.trees.below(root); root != "" && lower != "" {
			out = append(out, obstacle{"", fmt.Sprintf("the root %s: %s, which is served, lies below it", root, lower)})
		}
	}
	for i := range next.conf.Policies.Modules {
		if m := &next.conf.Policies.Modules[i]; isDir(m.Source) && !now.builds(m) {
			key := fmt.Sprintf("policies.modules[%s]", m.Name)
			out = append(out, obstacle{key, key + ".source: policies are built by a process that is started before the server"})
		}
	}
	return out
}

// judged are the changes between two generations as people are told of them, and what
// keeps a running server from taking them: keys that are fixed, what the process was not
// started for, and what lies outside of the sandbox.
func (in *instance) judged(now, next *generation, differ []config.Change) (changes []control.ConfigChange, blocked []string) {
	obstacles := in.obstacles(now, next)
	for _, c := range differ {
		change := control.ConfigChange{Key: c.Key, From: c.From, To: c.To, Effect: string(c.Effect)}
		switch {
		case c.Effect == config.EffectUpgrade:
			blocked = append(blocked, fmt.Sprintf("%s: %s -> %s", c.Key, valued(c.From), valued(c.To)))
		case slices.ContainsFunc(obstacles, func(o obstacle) bool { return o.key != "" && (c.Key == o.key || c.Key == o.key+".source") }):
			change.Effect = string(config.EffectUpgrade)
		}
		changes = append(changes, change)
	}
	for _, o := range obstacles {
		blocked = append(blocked, o.why)
	}
	if len(blocked) > 0 { // a state directory of another name is outside of the sandbox as well
		return changes, blocked
	}
	plan := sandbox.PlanFor(next.conf)
	next.ports(now, plan)
	rereads(plan, next.conf, next.text)
	return changes, in.sandbox.Beyond(plan)
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
		if !l.TCP() {
			continue // the sandbox holds for ports of TCP
		}
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
