package config

import (
	"slices"
	"strings"
	"testing"
)

// Sinks are sent all events but that of each command, and receivers of warnings what the
// configuration warns of, unless they say otherwise.
func TestWebhookEvents(t *testing.T) {
	const text = "version: 1\nlisteners: [{ name: a, address: \":21\" }]\nstorage: [{ root: /srv }]\nusers: { anonymous: { enabled: true } }\n" +
		"events: { sinks: [{ webhook: \"https://Hooks.example.org/x\" }, { name: some, webhook: \"https://hooks.example.org/y\", on: [login] }] }\n" +
		"notify: { policy_rollback: false, to: [{ webhook: \"https://ops.example.org:8443/\" }, { name: own, webhook: \"https://[2606:2800:220:1::1]/\", on: [disk_low, ban_added] }, { webhook: \"https://[2606:2800:220:1::2]/\" }] }\n"
	conf := read(t, text)
	var names []string
	on := map[string][]string{}
	for _, w := range conf.Webhooks() {
		names = append(names, w.Name)
		on[w.Name] = w.On
	}
	if want := []string{"hooks.example.org", "some", "ops.example.org", "own", "2606-2800-220-1--2"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	if all := on["hooks.example.org"]; len(all) != len(EventNames())-2 || slices.Contains(all, "command_done") || slices.Contains(all, "notify_test") || !slices.Contains(all, "disk_low") {
		t.Errorf("%v", all)
	}
	if got := on["some"]; !slices.Equal(got, []string{"login"}) || len(EventKinds(got)) != 1 {
		t.Errorf("%v", got)
	}
	if got := on["ops.example.org"]; !slices.Equal(got, []string{"cert_expiring", "disk_low", "disk_ok", "webhook_failed", "no_passive_port"}) {
		t.Errorf("%v", got)
	}
	if got := on["own"]; !slices.Equal(got, []string{"disk_low", "ban_added"}) {
		t.Errorf("%v", got)
	}
}

// There are no more webhooks than the disk has room for.
func TestTooManyWebhooks(t *testing.T) {
	var list []string
	for _, c := range "abcdefghijklmnopq" {
		list = append(list, "{ name: "+string(c)+", webhook: \"https://hooks.example.org/\" }")
	}
	text := "version: 1\nlisteners: [{ name: a, address: \":21\" }]\nstorage: [{ root: /srv }]\nusers: { anonymous: { enabled: true } }\nevents: { sinks: [" + strings.Join(list, ", ") + "] }\n"
	_, err := parse("c", "/etc", []byte(text), testMachine(nil, nil))
	if err == nil || !strings.Contains(err.Error(), "there are 17 webhooks") {
		t.Error(err)
	}
}
