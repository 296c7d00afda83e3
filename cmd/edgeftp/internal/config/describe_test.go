package config

import (
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// docs/config.md is what the schema says; UPDATE_GOLDEN=1 in the environment
// writes it.
func TestReference(t *testing.T) {
	text, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../../../docs/config.md", text)
	for kind := policy.EventConnect; kind.String() != "invalid"; kind++ {
		if !strings.Contains(text, "`"+kind.String()+"`") {
			t.Errorf("the event %s is not described", kind)
		}
	}
	for form := range formats() {
		if formNames()[form] == "" {
			t.Errorf("the form %s has no name", form)
		}
	}
}

// The names of the model's attributes that are settings (seed.md §1.1, §1.4,
// §1.5, §2.1, §2.3) all lead to a key.
func TestSeedNames(t *testing.T) {
	text, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	_, names, _ := strings.Cut(text, "## What pyftpdlib calls it")
	for _, name := range []string{
		"timeout", "banner", "max_login_attempts", "permit_foreign_addresses", "permit_privileged_ports", "masquerade_address",
		"masquerade_address_map", "passive_ports", "use_gmt_times", "use_sendfile", "tcp_no_delay", "encoding", "unicode_errors",
		"log_prefix", "auth_failed_timeout", "tls_control_required", "tls_data_required", "certfile", "keyfile", "ssl_protocol",
		"ssl_options", "DTPHandler.timeout", "PassiveDTP.timeout", "PassiveDTP.backlog", "ActiveDTP.timeout", "max_cons",
		"max_cons_per_ip", "proto_cmds", "ac_in_buffer_size", "ac_out_buffer_size", "auto_sized_buffers",
		"ThrottledDTPHandler.read_limit", "ThrottledDTPHandler.write_limit", "add_user", "add_anonymous", "override_perm", "msg_login", "msg_quit",
	} {
		if !strings.Contains(names, "| `"+name+"` | `") {
			t.Errorf("%s is no key's name", name)
		}
	}
}

func TestDescribe(t *testing.T) {
	for name, want := range map[string]string{
		"limits.timeouts.idle":                              "| `limits.timeouts.idle` | duration or 0 | `5m` |",
		"listeners[].tls.control":                           "| `listeners[].tls.control` | `required`, `optional`, `off` | `required` |",
		"listeners.tls":                                     "#### `listeners[].tls`\n",
		"users.list[0].rules":                               "| `users.list[].rules[].perm` | permissions, or none | *required* |",
		"bandwidth.listener.NAME":                           "| `bandwidth.listener.NAME.up` | rate or 0 | `0` | From clients to the server. |",
		"listeners[public].tls.control":                     "| `listeners[].tls.control` |",
		"bandwidth.listener.public.up":                      "| `bandwidth.listener.NAME.up` |",
		"users.list[\"a.b[c]\"].perm":                       "| `users.list[].perm` |",
		"listeners[0].passive.advertise_for.\"10.0.0.0/8\"": "| `listeners[].passive.advertise_for` |",
		"instance.state_dir":                                "| upgrade |",
		"limits":                                            "| `limits.timeouts.idle` |",
		"bandwith":                                          "",
		"":                                                  "",
		"limits.timeouts.idle.more":                         "",
		"idle":                                              "",
	} {
		text, err := Describe(name)
		switch {
		case want != "" && (err != nil || !strings.Contains(text, want)):
			t.Errorf("%s: %v\n%s", name, err, text)
		case want == "" && (err == nil || !strings.Contains(err.Error(), "= help: ")):
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
