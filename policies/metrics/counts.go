package metrics

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// counts are the numbers that events make.
type counts struct {
	opened, rejected, timeouts, logins,
	commands, transfers, bytes, handshakes,
	denials, failures, swaps, certificates,
	reloads, bans, changes, quota *prometheus.CounterVec
	lasted, took, loginTook, commandTook, handshakeTook *prometheus.HistogramVec
	reloadWell, reloadAt                                prometheus.Gauge

	listeners, policies, ops, sources values

	mu    sync.Mutex
	verbs map[string]*verb // by name; those beyond MaxValues are other
}

// verb is what is counted of one command. It is kept, as a busy server has nothing as
// often as commands.
type verb struct {
	class [10]prometheus.Counter // by the first digit of the reply; 0 is none
	took  prometheus.Observer
}

func newCounts() *counts {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + name, Help: help})
	}
	// Each has the classic buckets, and those of native histograms for a scraper that
	// asks for them.
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour}, labels)
	}
	return &counts{
		opened:       counter("sessions_opened_total", "Sessions that began.", "listener"),
		rejected:     counter("sessions_rejected_total", "Connections that were turned away, by the limit.", "listener", "reason"),
		timeouts:     counter("timeouts_total", "Idle, login and data connection limits that have passed.", "listener"),
		logins:       counter("logins_total", "Attempts to log in, by the policies that granted or refused them; none: no policy knew the user, or the password was wrong.", "listener", "source", "result"),
		commands:     counter("commands_total", "Commands that were carried out, by the first digit of the reply.", "command", "reply_class"),
		transfers:    counter("transfers_total", "Transfers that have ended.", "direction", "listener", "result"),
		bytes:        counter("transfer_bytes_total", "Bytes of files that transfers moved.", "direction", "listener"),
		handshakes:   counter("tls_handshakes_total", "TLS handshakes. A data connection that is bound to its control connection resumes its session.", "listener", "channel", "version", "resumed", "result"),
		denials:      counter("denials_total", "Operations that were refused, by the policy that did; empty is the session's own permissions.", "policy", "op"),
		failures:     counter("policy_failures_total", "Questions that a policy could not answer, and so refused.", "policy"),
		swaps:        counter("policy_swaps_total", "Policies that took another's place.", "policy", "result"),
		certificates: counter("certificates_total", "Certificates that were ordered.", "result"),
		reloads:      counter("config_reloads_total", "Configurations that were read again.", "result"),
		bans:         counter("bans_total", "Bans that began."),
		changes:      counter("file_changes_total", "Files and directories that were changed otherwise than by a transfer.", "kind"),
		quota:        counter("quota_exceeded_total", "Uploads and copies that were refused because the user has stored as much as he may."),
		reloadWell:   gauge("config_last_reload_successful", "1 if the configuration that was offered last is in force; that of the start is."),
		reloadAt:     gauge("config_last_reload_timestamp_seconds", "When the configuration in force was put in force."),
		lasted: histogram("session_duration_seconds", "How long sessions lasted.",
			[]float64{.1, 1, 10, 60, 300, 1800, 7200, 43200}, "listener"),
		took: histogram("transfer_duration_seconds", "How long transfers took.",
			[]float64{.001, .005, .02, .1, .5, 2, 10, 60, 300, 1800}, "direction"),
		loginTook: histogram("login_duration_seconds", "How long logins took until they were decided, without the delay after a failure.",
			[]float64{.001, .005, .02, .05, .1, .25, .5, 1, 5, 30}, "source"),
		commandTook: histogram("command_duration_seconds", "How long commands took, from their arrival to the reply; of transfers, to their end.",
			[]float64{.0001, .0005, .001, .005, .02, .1, .5, 2, 10, 60, 600}, "command"),
		handshakeTook: histogram("tls_handshake_duration_seconds", "How long handshakes took that went well.",
			[]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, 1, 5}, "channel"),
		verbs: map[string]*verb{},
	}
}

func (c *counts) all() []prometheus.Collector {
	return []prometheus.Collector{c.opened, c.rejected, c.timeouts, c.logins, c.commands, c.transfers, c.bytes, c.handshakes,
		c.denials, c.failures, c.swaps, c.certificates, c.reloads, c.bans, c.changes, c.quota, c.reloadWell, c.reloadAt,
		c.lasted, c.took, c.loginTook, c.commandTook, c.handshakeTook}
}

// command counts a command. One that the server does not have is whatever a client
// made up.
func (c *counts) command(e *policy.Event) {
	name, _, _ := strings.Cut(e.Text, " ")
	if e.Code == 500 || e.Code == 502 || name == "" {
		name = other
	}
	v, class := c.verb(name), 0
	if e.Code > 0 {
		class = e.Code / 100 % 10
	}
	c.mu.Lock()
	n := v.class[class]
	if n == nil {
		label := "none"
		if class > 0 {
			label = strconv.Itoa(class) + "xx"
		}
		n = c.commands.WithLabelValues(c.nameOf(name), label)
		v.class[class] = n
	}
	c.mu.Unlock()
	n.Inc()
	v.took.Observe(e.Took.Seconds())
}

// verb returns what counts a command.
func (c *counts) verb(name string) *verb {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.verbs[name]; v != nil {
		return v
	}
	name = strings.ToValidUTF8(name, "?")
	if len(c.verbs) >= MaxValues || len(name) > maxValue {
		name = other
	}
	v := c.verbs[name]
	if v == nil {
		v = &verb{took: c.commandTook.WithLabelValues(name)}
		c.verbs[name] = v
	}
	return v
}

// nameOf is the value of the label for a command. The caller holds mu.
func (c *counts) nameOf(name string) string {
	name = strings.ToValidUTF8(name, "?")
	if c.verbs[name] == nil {
		return other
	}
	return name
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

// login counts an attempt. The source of one that failed is the policy that refused it.
func (c *counts) login(e *policy.Event, listener string) {
	source, result := e.Text, "ok"
	if e.Kind == policy.EventLoginFailed {
		source, result = e.Policy, "failed"
		if e.Took == 0 {
			result = "not_looked_at" // too many were waiting, or the address is banned
		}
	}
	if source == "" {
		source = "none"
	}
	source = c.sources.value(source)
	c.logins.WithLabelValues(listener, source, result).Inc()
	if e.Took > 0 {
		c.loginTook.WithLabelValues(source).Observe(e.Took.Seconds())
	}
}

// handshake counts a handshake of either connection. What has failed has no version.
func (c *counts) handshake(e *policy.Event, listener string) {
	channel, version, resumed, result := "control", "none", "false", "failed"
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
		if channel == "data" && !strings.Contains(e.Text, "not bound") {
			resumed = "true"
		}
		c.handshakeTook.WithLabelValues(channel).Observe(e.Took.Seconds())
	}
	c.handshakes.WithLabelValues(listener, channel, version, resumed, result).Inc()
}

func (c *counts) other(e *policy.Event) {
	switch e.Kind {
	case policy.EventDenied:
		op := "none"
		if e.Op != 0 {
			op = c.ops.value(e.Op.String())
		}
		c.denials.WithLabelValues(c.policies.value(e.Policy), op).Inc()
		if e.Code == 552 { // RFC 959 §4.2: exceeded storage allocation
			c.quota.WithLabelValues().Inc()
		}
	case policy.EventPolicyFailed:
		c.failures.WithLabelValues(c.policies.value(e.Policy)).Inc()
	case policy.EventPolicySwapped:
		c.swaps.WithLabelValues(c.policies.value(e.Policy), "swapped").Inc()
	case policy.EventPolicyRolledBack:
		c.swaps.WithLabelValues(c.policies.value(e.Policy), "rolled_back").Inc()
	case policy.EventCertObtained, policy.EventCertRenewed, policy.EventCertFailed:
		c.certificates.WithLabelValues(strings.TrimPrefix(e.Kind.String(), "cert_")).Inc()
	case policy.EventConfigReloaded, policy.EventConfigRejected:
		c.reload(e)
	case policy.EventBanAdded:
		c.bans.WithLabelValues().Inc()
	case policy.EventFileDeleted, policy.EventFileRenamed, policy.EventDirCreated, policy.EventDirRemoved, policy.EventAttributesChanged:
		c.changes.WithLabelValues(e.Kind.String()).Inc()
	}
}

// reload notes whether the configuration that was offered last is in force.
func (c *counts) reload(e *policy.Event) {
	c.reloads.WithLabelValues(strings.TrimPrefix(e.Kind.String(), "config_")).Inc()
	if e.Kind == policy.EventConfigRejected {
		c.reloadWell.Set(0)
		return
	}
	c.applied(e.Time)
}

// applied notes when a configuration was put in force.
func (c *counts) applied(at time.Time) {
	c.reloadWell.Set(1)
	c.reloadAt.Set(float64(at.Unix()))
}

// other stands for every value that is not told apart.
const other = "other"

// maxValue is the longest value of a label, in bytes; a longer one is other.
const maxValue = 100

// values are those of one label that are told apart. The zero value knows none.
type values struct {
	mu    sync.Mutex
	known map[string]bool
}

// value returns what may stand as the label's value for s.
func (v *values) value(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > maxValue {
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
