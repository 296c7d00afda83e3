package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/webhook"
)

// Webhook is a receiver of events.
type Webhook struct {
	Name    string
	URL     Secret
	Secret  Secret // that signs; its value is empty: nothing is signed
	Headers map[string]Secret
	On      []string // names of events, in the order of the file; nil: those that are usual where it stands
	Retry   time.Duration
	Timeout time.Duration
	Private bool // it may be in the own network
}

// Notify is what is warned of, and who is told of it beside those who follow all events.
type Notify struct {
	CertExpiry     time.Duration // that a certificate has left when it is warned of
	DiskFreeBelow  float64       // percent; 0: of no disk
	PolicyRollback bool          // whether To is told of policies that were rolled back
	PassivePorts   bool          // and of passive ports that ran out
	To             []Webhook
}

type fileWebhook struct {
	Name    string            `json:"name,omitempty"`
	URL     string            `json:"webhook"`
	Secret  string            `json:"secret,omitempty"`
	Headers map[string]string `json:"headers"`
	On      []string          `json:"on,omitempty"`
	Retry   textOrNumber      `json:"retry"`
	Timeout textOrNumber      `json:"timeout"`
	Private bool              `json:"allow_private"`
}

type fileNotify struct {
	CertExpiry     textOrNumber  `json:"cert_expiry"`
	DiskFreeBelow  string        `json:"disk_free_below"`
	PolicyRollback bool          `json:"policy_rollback"`
	PassivePorts   bool          `json:"passive_ports"`
	To             []fileWebhook `json:"to"`
}

// maxWebhooks is how many there may be: each has a file of its own to wait in, of up to
// 64 MiB.
const maxWebhooks = 16

// sinksPath and notifyPath are where webhooks stand.
func sinksPath() []string  { return []string{"events", "sinks"} }
func notifyPath() []string { return []string{"notify", "to"} }

// Webhooks are all that the configuration has, each with the events that it is sent.
func (c *Config) Webhooks() []Webhook {
	out := slices.Clone(c.Sinks)
	for i := range out {
		if out[i].On == nil {
			out[i].On = usualEvents()
		}
	}
	for _, w := range c.Notify.To {
		if w.On == nil {
			w.On = c.Notify.warnings()
		}
		out = append(out, w)
	}
	return out
}

// warnings are the events that tell an operator to do something.
func (n *Notify) warnings() []string {
	kinds := []policy.EventKind{policy.EventCertExpiring, policy.EventDiskLow, policy.EventDiskOK, policy.EventWebhookFailed}
	if n.PolicyRollback {
		kinds = append(kinds, policy.EventPolicyRolledBack)
	}
	if n.PassivePorts {
		kinds = append(kinds, policy.EventNoPassivePort)
	}
	return kindNames(kinds)
}

func kindNames(kinds []policy.EventKind) (names []string) {
	for _, k := range kinds {
		names = append(names, k.String())
	}
	return names
}

// EventNames are the names of all events.
func EventNames() (names []string) {
	for k := policy.EventConnect; k.String() != "invalid"; k++ {
		names = append(names, k.String())
	}
	return names
}

// usualEvents are all but that of each command, and the one that only tries a receiver.
func usualEvents() []string {
	return slices.DeleteFunc(EventNames(), func(name string) bool {
		return name == policy.EventCommandDone.String() || name == policy.EventNotifyTest.String()
	})
}

// EventKinds are the numbers of names of events; a name that is none is left out.
func EventKinds(names []string) (kinds []policy.EventKind) {
	for k := policy.EventConnect; k.String() != "invalid"; k++ {
		if slices.Contains(names, k.String()) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// webhooks reads the sinks, and whom warnings are sent to.
func (c *checker) webhooks(f *file, conf *Config) {
	n := &f.Notify
	below, _ := parsePercent(n.DiskFreeBelow)
	conf.Notify = Notify{CertExpiry: n.CertExpiry.duration(), DiskFreeBelow: below, PolicyRollback: n.PolicyRollback, PassivePorts: n.PassivePorts}
	seen := map[string]bool{}
	for i := range f.Events.Sinks {
		conf.Sinks = append(conf.Sinks, c.webhook(sub(sinksPath(), strconv.Itoa(i)), &f.Events.Sinks[i], seen))
	}
	for i := range n.To {
		conf.Notify.To = append(conf.Notify.To, c.webhook(sub(notifyPath(), strconv.Itoa(i)), &n.To[i], seen))
	}
	if all := len(f.Events.Sinks) + len(n.To); all > maxWebhooks {
		c.at(sinksPath(), fmt.Sprintf("there are %d webhooks, with those of notify.to", all), fmt.Sprintf("%d are possible; let one receiver hand events on", maxWebhooks))
	}
}

func (c *checker) webhook(at []string, f *fileWebhook, seen map[string]bool) Webhook {
	w := Webhook{Name: f.Name, URL: c.secret(f.URL, sub(at, "webhook")), On: f.On, Retry: f.Retry.duration(), Timeout: f.Timeout.duration(), Private: f.Private}
	if f.Secret != "" {
		w.Secret = c.secret(f.Secret, sub(at, "secret"))
	}
	if len(f.Headers) > 0 {
		w.Headers = map[string]Secret{}
	}
	for name, value := range f.Headers {
		w.Headers[name] = c.secret(value, sub(at, "headers", name))
		if webhook.CheckHeader(name, "") == nil && webhook.CheckHeader(name, value) != nil {
			c.at(sub(at, "headers", name), webhook.CheckHeader(name, value).Error(), "write one line")
		}
	}
	if !c.isFaulty(sub(at, "webhook")) && f.URL != "" {
		if err := webhook.Check(f.URL, f.Private); err != nil {
			c.at(sub(at, "webhook"), err.Error(), "name an https URL of the Internet; for one in your own network set allow_private: true")
		}
	}
	if w.Name == "" {
		w.Name = hookName(f.URL)
	}
	if w.Name != "" && !c.isFaulty(sub(at, "name")) {
		place := sub(at, "name")
		if f.Name == "" {
			place = at
		}
		c.unique(seen, place, w.Name, "webhook")
	}
	return w
}

// hookName is the name of a webhook that was given none: its host.
func hookName(url string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, webhook.Host(url))
	name = strings.TrimLeft(name, ".-_")
	return name[:min(len(name), 64)]
}

func (c *Config) sinksFile() (list []fileWebhook) {
	for i := range c.Sinks {
		list = append(list, c.Sinks[i].file())
	}
	return list
}

func (n *Notify) file() fileNotify {
	f := fileNotify{CertExpiry: written(n.CertExpiry), DiskFreeBelow: formatPercent(n.DiskFreeBelow), PolicyRollback: n.PolicyRollback, PassivePorts: n.PassivePorts, To: []fileWebhook{}}
	for i := range n.To {
		f.To = append(f.To, n.To[i].file())
	}
	return f
}

func (w *Webhook) file() fileWebhook {
	f := fileWebhook{Name: w.Name, URL: w.URL.written(w.variable("URL")), Headers: map[string]string{}, On: w.On, Retry: written(w.Retry), Timeout: written(w.Timeout), Private: w.Private}
	if w.Secret.value != "" {
		f.Secret = w.Secret.written(w.variable("SECRET"))
	}
	for name, value := range w.Headers {
		f.Headers[name] = value.written(w.variable(name))
	}
	return f
}

// variable is the variable of the environment that is to hold a secret of a webhook in a
// file that was written.
func (w *Webhook) variable(what string) string {
	return "EDGEFTP_WEBHOOK_" + variablePart(w.Name) + "_" + variablePart(what)
}

// webhookSecrets are those of webhooks, with their places.
func (c *Config) webhookSecrets() (list []heldSecret) {
	add := func(at []string, all []Webhook) {
		for i := range all {
			w, at := &all[i], sub(at, strconv.Itoa(i))
			list = append(list, heldSecret{sub(at, "webhook"), w.variable("URL"), w.URL})
			if w.Secret.value != "" {
				list = append(list, heldSecret{sub(at, "secret"), w.variable("SECRET"), w.Secret})
			}
			for name, value := range w.Headers {
				list = append(list, heldSecret{sub(at, "headers", name), w.variable(name), value})
			}
		}
	}
	add(sinksPath(), c.Sinks)
	add(notifyPath(), c.Notify.To)
	return list
}

// isWebhookSecret reports whether the value at path is a secret of a webhook, or may be
// one: its URL is, as many receivers know their senders by it.
func isWebhookSecret(path []string) bool {
	if len(path) < 4 || !slices.Equal(path[:2], sinksPath()) && !slices.Equal(path[:2], notifyPath()) {
		return false
	}
	return !slices.Contains([]string{"name", "on", "retry", "timeout", "allow_private"}, path[3]) // a key with a slip in it may be one
}

// checkWebhook is the URL of a receiver, wherever it may be.
func checkWebhook(s string) error {
	if err := webhook.Check(s, true); err != nil {
		return fault{"is no webhook: " + err.Error(), "write it like https://hooks.example.org/ftp, best as ${cred:NAME}"}
	}
	return nil
}

// leastSecret is how many characters a secret that signs has at least.
const leastSecret = 16

func checkSigning(s string) error {
	if len(s) < leastSecret {
		return fault{fmt.Sprintf("is too short to sign with: %d characters are the least", leastSecret), "openssl rand -hex 32 makes one"}
	}
	return nil
}

// checkField is the name of a field of requests.
func checkField(s string) error {
	if err := webhook.CheckHeader(s, ""); err != nil {
		return fault{"cannot be sent: " + err.Error(), "name a field that the receiver asks for, such as Authorization"}
	}
	return nil
}

// checkEvent is the name of an event.
func checkEvent(s string) error {
	names := EventNames()
	if slices.Contains(names, s) {
		return nil
	}
	return fault{"is no event", suggest(s, names, "one of: "+strings.Join(names, ", "))}
}

// checkFree is a share of a disk that is to be free.
func checkFree(s string) error {
	n, err := parsePercent(s)
	var f fault
	switch {
	case errors.As(err, &f):
		return err
	case n > 90:
		return fault{"is more than a disk in use has free", "write it like 5%; 0% is never"}
	}
	return nil
}
