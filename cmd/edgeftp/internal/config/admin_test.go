package config

import (
	"strings"
	"testing"
)

func fullAdmin() AdminAPI {
	return AdminAPI{Group: "ops", Debug: true,
		Roles: []AdminRole{{User: "1000", Role: "operator"}, {Group: "990", Role: "admin"}, {Certificate: "ops.example.org", Role: "viewer"}},
		TCP: &AdminTCP{Listen: "127.0.0.1:9443", Cert: "/etc/c.pem", Key: "/etc/c.pem", ClientCA: "/etc/roots.pem",
			Tokens: []AdminToken{{Name: "ci", Token: Secret{value: bcryptHash, from: "${cred:hash}"}, Role: "viewer"},
				{Name: "other", Hash: "sha256:9f3ac2e1d4b5a6978877665544332211ffeeddccbbaa00998877665544332211", Role: "admin"}},
			Hosts: []string{"ops.example.org", "2001:db8::1"}, Origins: []string{"https://ops.example.org"}}}
}

// A token that the file has itself is in no message and in no file that is written.
func TestTokenIsSecret(t *testing.T) {
	const secret = "sesame-sesame-sesame-sesame-sesame"
	text := `version: 1
storage: [{ root: /srv }]
listeners: [{ name: a, address: ":21" }]
users: { anonymous: { enabled: true } }
admin: { tcp: { listen: "127.0.0.1:1", cert: c.pem, tokens: [{ name: ci-1, token: ` + secret + `, role: viewer%s }] } }
`
	machine := testMachine(map[string]string{"/etc/c.pem": ""}, nil)
	conf, err := parse("c.yaml", "/etc", []byte(strings.Replace(text, "%s", "", 1)), machine)
	if err != nil {
		t.Fatal(err)
	}
	out, err := conf.YAML()
	if err != nil || strings.Contains(string(out), "sesame") || !strings.Contains(string(out), "${env:EDGEFTP_ADMIN_TOKEN_CI_1}") {
		t.Errorf("%v\n%s", err, out)
	}
	if names := conf.Unwritten(); len(names) != 1 || names[0] != "EDGEFTP_ADMIN_TOKEN_CI_1" {
		t.Errorf("%v", names)
	}
	_, err = parse("c.yaml", "/etc", []byte(strings.Replace(text, "%s", ", nome: x", 1)), machine)
	if err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("%v", err)
	}
}
