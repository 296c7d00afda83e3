package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/metrics"
	"github.com/edgeftp/edgeftp/policies/webhook"
)

// hookSlot begins the slots of webhooks. No module can have such a name: see followSlot.
const hookSlot = "webhook@"

// hookDir is the part of the state directory in which events wait for webhooks.
const hookDir = "webhooks"

// webhooks adds the webhooks of the configuration, each in a slot whose events wait on the
// disk until the receiver has them. Another configuration of one that stays takes over
// what waits.
func (in *generation) webhooks(slots []edge.Slot) ([]edge.Slot, error) {
	for _, w := range in.conf.Webhooks() {
		slot := hookSlot + w.Name
		there := len(slots)
		var err error
		if slots, err = in.native(slots, slot, []any{w, in.conf.Instance.Name}, func() (policy.Policy, error) { return in.webhook(slot, &w) }); err != nil {
			return slots, err
		}
		slots[there].Options = edge.Options{Spool: filepath.Join(in.conf.Instance.StateDir, hookDir, w.Name), Breaker: edge.Breaker{Failures: -1}}
	}
	return slots, nil
}

func (in *generation) webhook(slot string, w *config.Webhook) (policy.Policy, error) {
	c := webhook.Config{Name: slot, URL: w.URL.Value(), Secret: w.Secret.Value(), On: config.EventKinds(w.On), Instance: in.conf.Instance.Name,
		Retry: w.Retry, Timeout: w.Timeout, Private: w.Private, Version: "edgeftp/" + version(), Headers: map[string]string{}}
	for name, value := range w.Headers {
		c.Headers[name] = value.Value()
	}
	name := w.Name
	c.GaveUp = func(n uint64, why string) { in.hookGaveUp(name, n, why) }
	return webhook.New(c)
}

// hook is a webhook that is in force.
type hook struct {
	conf   config.Webhook
	policy *webhook.Hook
	events edge.EventStatus
}

// warnOrphans tells of files in which events may wait for webhooks that the configuration does
// not have.
func (in *generation) warnOrphans() {
	dir := filepath.Join(in.conf.Instance.StateDir, hookDir)
	there, _ := os.ReadDir(dir) // there is none before the first webhook
	for _, d := range there {
		name, _, _ := strings.Cut(d.Name(), "~") // beside that of a process whose place was taken, see edge.Options.Spool
		if d.IsDir() && in.natives[hookSlot+name].policy == nil {
			in.log.Info("what may wait for a webhook that the configuration does not have is kept", "webhook", name, "dir", filepath.Join(dir, d.Name()),
				"help", "it is sent when a webhook has that name again; remove the directory if none will")
		}
	}
}

// hooks are the webhooks in force, in the order of the configuration.
func (in *generation) hooks() (list []hook) {
	all := in.conf.Webhooks()
	if len(all) == 0 {
		return nil
	}
	events := map[string]edge.EventStatus{}
	for _, p := range in.server.Status().Policies {
		events[p.Name] = p.Events
	}
	for _, w := range all {
		if h, ok := in.natives[hookSlot+w.Name].policy.(*webhook.Hook); ok {
			list = append(list, hook{conf: w, policy: h, events: events[hookSlot+w.Name]})
		}
	}
	return list
}

// tellHooks tells what waits for the webhooks, and what has become of the rest.
func (in *generation) tellHooks(tell func(metrics.Sample)) {
	for _, h := range in.hooks() {
		own, st := metrics.Label{Name: "webhook", Value: h.conf.Name}, h.policy.Status()
		tell(metrics.Sample{Name: "edgeftp_webhook_events_waiting", Help: "Events that a webhook has not taken yet.", Value: float64(h.events.Waiting) + float64(h.events.Queued), Labels: []metrics.Label{own}})
		tell(metrics.Sample{Name: "edgeftp_webhook_failures_total", Help: "Attempts to post an event that are repeated, since the webhook was configured so.", Kind: metrics.Counter,
			Value: float64(st.Failed), Labels: []metrics.Label{own}})
		for result, n := range map[string]uint64{"delivered": st.Delivered, "given_up": st.GivenUp, "dropped": h.events.Gone + h.events.Dropped} {
			tell(metrics.Sample{Name: "edgeftp_webhook_events_total", Help: "Events that a webhook took; that were given up, as it refused them or they became too old; that found no room while they waited.", Kind: metrics.Counter,
				Value: float64(n), Labels: []metrics.Label{own, {Name: "result", Value: result}}})
		}
	}
}
