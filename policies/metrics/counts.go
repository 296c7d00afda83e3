package metrics

import (
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// counts are the numbers that events make.
type counts struct {
	sessions *prometheus.GaugeVec
	opened, rejected, timeouts, logins,
	commands, transfers, bytes, handshakes,
	denials, failures, swaps, certificates,
	reloads, bans, changes *prometheus.CounterVec
	lasted, took *prometheus.HistogramVec

	listeners, policies, verbs, ops values
}

func newCounts() *counts {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, labels)
	}
	return &counts{
		sessions:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "sessions", Help: "Sessions that are open."}, []string{"listener"}),
		opened:       counter("sessions_opened_total", "Sessions that began.", "listener"),
		rejected:     counter("sessions_rejected_total", "Connections that were turned away, by the limit.", "listener", "reason"),
		timeouts:     counter("timeouts_total", "Idle, login and data connection limits that have passed.", "listener"),
		logins:       counter("logins_total", "Attempts to log in.", "listener", "result"),
		commands:     counter("commands_total", "Commands that were carried out, by the first digit of the reply.", "command", "reply_class"),
		transfers:    counter("transfers_total", "Transfers that have ended.", "direction", "listener", "result"),
		bytes:        counter("transfer_bytes_total", "Bytes of files that transfers moved.", "direction", "listener"),
		handshakes:   counter("tls_handshakes_total", "TLS handshakes.", "listener", "channel", "version", "result"),
		denials:      counter("denials_total", "Operations that were refused, by the policy that did; empty is the session's own permissions.", "policy", "op"),
		failures:     counter("policy_failures_total", "Questions that a policy could not answer, and so refused.", "policy"),
		swaps:        counter("policy_swaps_total", "Policies that took another's place.", "policy", "result"),
		certificates: counter("certificates_total", "Certificates that were ordered.", "result"),
		reloads:      counter("config_reloads_total", "Configurations that were read again.", "result"),
		bans:         counter("bans_total", "Bans that began."),
		changes:      counter("file_changes_total", "Files and directories that were changed otherwise than by a transfer.", "kind"),
		lasted: histogram("session_duration_seconds", "How long sessions lasted.",
			[]float64{.1, 1, 10, 60, 300, 1800, 7200, 43200}, "listener"),
		took: histogram("transfer_duration_seconds", "How long transfers took.",
			[]float64{.001, .005, .02, .1, .5, 2, 10, 60, 300, 1800}, "direction"),
	}
}

func (c *counts) all() []prometheus.Collector {
	return []prometheus.Collector{c.sessions, c.opened, c.rejected, c.timeouts, c.logins, c.commands, c.transfers, c.bytes, c.handshakes,
		c.denials, c.failures, c.swaps, c.certificates, c.reloads, c.bans, c.changes, c.lasted, c.took}
}

// command counts a command. One that the server does not have is whatever a client
// made up.
func (c *counts) command(e *policy.Event) {
	verb, _, _ := strings.Cut(e.Text, " ")
	if e.Code == 500 || e.Code == 502 || verb == "" {
		verb = other
	}
	class := "none"
	if e.Code > 0 {
		class = strconv.Itoa(e.Code/100) + "xx"
	}
	c.commands.WithLabelValues(c.verbs.value(verb), class).Inc()
}

func (c *counts) transfer(e *policy.Event, listener string) {
	direction, result := "download", "complete"
	if e.Kind == policy.EventFileReceived || e.Kind == policy.EventIncompleteFileReceived {
		direction = "upload"
	}
	if e.Kind == policy.EventIncompleteFileSent || e.Kind == policy.EventIncompleteFileReceived {
		result = "incomplete"
	}
	c.transfers.WithLabelValues(direction, listener, result).Inc()
	c.bytes.WithLabelValues(direction, listener).Add(float64(max(e.Size, 0)))
	c.took.WithLabelValues(direction).Observe(max(e.Took, 0).Seconds())
}

// handshake counts a handshake of either connection. What has failed has no version.
func (c *counts) handshake(e *policy.Event, listener string) {
	channel, version, result := "control", "none", "failed"
	if strings.Contains(e.Text, "data connection") {
		channel = "data"
	}
	if e.Kind == policy.EventTLSEstablished {
		result, version = "ok", other
		for _, v := range []string{"1.2", "1.3"} {
			if strings.Contains(e.Text, v) {
				version = v
			}
		}
	}
	c.handshakes.WithLabelValues(listener, channel, version, result).Inc()
}

func (c *counts) other(e *policy.Event) {
	switch e.Kind {
	case policy.EventDenied:
		op := "none"
		if e.Op != 0 {
			op = c.ops.value(e.Op.String())
		}
		c.denials.WithLabelValues(c.policies.value(e.Policy), op).Inc()
	case policy.EventPolicyFailed:
		c.failures.WithLabelValues(c.policies.value(e.Policy)).Inc()
	case policy.EventPolicySwapped:
		c.swaps.WithLabelValues(c.policies.value(e.Policy), "swapped").Inc()
	case policy.EventPolicyRolledBack:
		c.swaps.WithLabelValues(c.policies.value(e.Policy), "rolled_back").Inc()
	case policy.EventCertObtained, policy.EventCertRenewed, policy.EventCertFailed:
		c.certificates.WithLabelValues(strings.TrimPrefix(e.Kind.String(), "cert_")).Inc()
	case policy.EventConfigReloaded, policy.EventConfigRejected:
		c.reloads.WithLabelValues(strings.TrimPrefix(e.Kind.String(), "config_")).Inc()
	case policy.EventBanAdded:
		c.bans.WithLabelValues().Inc()
	case policy.EventFileDeleted, policy.EventFileRenamed, policy.EventDirCreated, policy.EventDirRemoved, policy.EventAttributesChanged:
		c.changes.WithLabelValues(e.Kind.String()).Inc()
	}
}

// other stands for every value that is not told apart.
const other = "other"

// values are those of one label that are told apart. The zero value knows none.
type values struct {
	mu    sync.Mutex
	known map[string]bool
}

// value returns what may stand as the label's value for s.
func (v *values) value(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > 100 {
		return other
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.known[s]:
		return s
	case len(v.known) >= MaxValues:
		return other
	case v.known == nil:
		v.known = map[string]bool{}
	}
	v.known[s] = true
	return s
}
