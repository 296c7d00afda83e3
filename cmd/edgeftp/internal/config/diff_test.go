package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config/configtest"
)

// Every key says when a change of it comes into force.
func TestEveryKeyHasAnEffect(t *testing.T) {
	r, err := newReference()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Effect]bool{}
	for _, k := range r.keys(r.root, "", false, "")[1:] {
		if k.reserved() {
			continue
		}
		if !slices.Contains(effects(), k.effect) {
			t.Errorf("%s: x-effect is %q", k.path, k.effect)
		}
		seen[k.effect] = true
	}
	if len(seen) != len(effects()) {
		t.Errorf("not every effect is used: %v", seen)
	}
}

// read reads lines as a file beside /etc.
func read(t *testing.T, text string) *Config {
	t.Helper()
	c, err := parse("c.yaml", "/etc", []byte(text), fullMachine())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const plainFile = "version: 1\nlisteners: [{ name: a, address: \":21\" }]\nstorage: [{ root: /srv }]\nusers: { anonymous: { enabled: true } }\n"

func TestDiff(t *testing.T) {
	const from = `
version: 1
instance: { state_dir: /var/a }
listeners:
  - { name: public, address: ":21" }
  - { name: old, address: ":2121", tls: { control: optional } }
storage: [{ root: /srv }]
bandwidth: { user_default: { down: 50MB }, listener: { public: { up: 1MB } } }
users:
  list:
    - { name: alice, password_hash: "` + bcryptHash + `", rules: [{ dir: /in, perm: e }] }
    - { name: "b.[b]", password_hash: "` + bcryptHash + `", msg_quit: "a\nb" }
certificates: { acme: { agree_to_terms: true, email: a@example.org, account_binding: { key_id: k, mac: hunter2 } } }
policies: { modules: [{ name: guard, source: guard.wasm, settings: { a: null, on: true } }, { name: second, source: ../lib/second }] }
`
	const to = `
version: 1
instance: { state_dir: /var/b }
listeners:
  - { name: public, address: [":21", ":210"], tls: { min_version: "1.3" } }
  - { name: new, address: ":2122", tls: { control: optional }, passive: { timeout: 30s } }
storage: [{ root: /srv }]
bandwidth: { user_default: { down: 80MB }, listener: { public: { up: 1MB } } }
users:
  list:
    - { name: "b.[b]", password_hash: "` + bcryptHash + `", msg_quit: "a", quota: {} }
    - { name: alice, password_hash: "${file:hash}x", rules: [{ dir: /in, perm: "" }] }
    - { name: carol, password_hash: "` + bcryptHash + `" }
certificates: { acme: { agree_to_terms: true, account_binding: { key_id: k, mac: hunter3 } } }
policies: { modules: [{ name: second, source: ../lib/second }, { name: guard, source: guard.wasm, settings: { on: yes } }] }
`
	// Only what is read is compared here: neither file has what an authority needs.
	machine := fullMachine()
	read := func(text string) *Config {
		s, err := newSchema()
		if err != nil {
			t.Fatal(err)
		}
		doc, problems := parseYAML([]byte(strings.Replace(text, "${file:hash}x", strings.Replace(bcryptHash, "N9", "M9", 1), 1)))
		if problems != nil {
			t.Fatal(problems)
		}
		r := newReport(doc.locate)
		value := (&reader{report: r, doc: doc, expand: machine.expander("/etc")}).mapping(doc.root, nil)
		c, err := finish(&validator{report: r, schema: s, value: value, raw: doc.shown, empty: doc.empty}, &checker{report: r, outside: machine, dir: "/etc", source: doc.raw})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var got []string
	for _, c := range Diff(read(from), read(to)) {
		got = append(got, c.Key+": "+c.From+" -> "+c.To+" ("+string(c.Effect)+")")
	}
	want := []string{
		`admin.socket: /var/a/admin.sock -> /var/b/admin.sock (upgrade)`,
		`bandwidth.user_default.down: 50MB -> 80MB (now)`,
		`certificates.acme.account_binding.mac: (secret) -> (secret) (new sessions)`,
		`certificates.acme.email: a@example.org ->  (new sessions)`,
		`certificates.acme.storage: /var/a/certificates -> /var/b/certificates (new sessions)`,
		`instance.state_dir: /var/a -> /var/b (upgrade)`,
		`listeners[new]:  -> {"address":[":2122"],"name":"new","tls":{"control":"optional","data":"optional"}} (listener)`,
		`listeners[old]: {"address":[":2121"],"name":"old","tls":{"control":"optional","data":"optional"}} ->  (listener)`,
		`listeners[public].address: [":21"] -> [":21",":210"] (listener)`,
		`listeners[public].tls.min_version: 1.2 -> 1.3 (new sessions)`,
		`policies.modules: guard, second -> second, guard (now)`,
		`policies.modules[guard].settings.a: null ->  (now)`,
		`policies.modules[guard].settings.on: true -> yes (now)`,
		`telemetry.audit.file: /var/a/audit.jsonl -> /var/b/audit.jsonl (upgrade)`,
		`users.list: alice, "b.[b]" -> "b.[b]", alice, carol (new sessions)`,
		`users.list["b.[b]"].msg_quit: "a\nb" -> a (new sessions)`,
		`users.list["b.[b]"].quota:  -> {} (now)`,
		`users.list[alice].password_hash: (secret) -> (secret) (new sessions)`,
		`users.list[alice].rules[/in].perm: e -> "" (new sessions)`,
		`users.list[carol]:  -> {"name":"carol","password_hash":"(secret)","perm":"elr"} (new sessions)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if same := Diff(full(), full()); len(same) > 0 {
		t.Errorf("a configuration differs from itself: %v", same)
	}
}

// Whatever differs between the full file and the least one is told, every key of the
// schema with it, and no secret is.
func TestDiffIsComplete(t *testing.T) {
	c, least := full(), read(t, strings.Replace(plainFile, "/srv", "\"/srv/no/$${x}\"", 1))
	for _, change := range append(Diff(c, least), Diff(least, c)...) {
		if strings.Contains(change.From+change.To, bcryptHash) || change.Effect == "" {
			t.Errorf("%+v", change)
		}
	}
	// One field after the other of Config is taken from the other configuration.
	for i := range reflect.TypeFor[Config]().NumField() {
		name := reflect.TypeFor[Config]().Field(i).Name
		mixed := *c
		reflect.ValueOf(&mixed).Elem().Field(i).Set(reflect.ValueOf(least).Elem().Field(i))
		if name != "Shadowed" && name != "Password" && name != "PasswordFile" && len(Diff(c, &mixed)) == 0 {
			t.Errorf("Config.%s is not compared", name)
		}
	}
}

// A secret whose text in the file is the same has changed where what stands behind
// it has.
func TestDiffOfSecretsBehindReferences(t *testing.T) {
	a, b := full(), full()
	binding := *b.ACME.Authorities[0].Binding
	binding.MAC.value = "other"
	b.ACME.Authorities[0].Binding = &binding
	want := []Change{{Key: "certificates.acme.account_binding.mac", From: "(secret)", To: "(secret)", Effect: EffectNewSessions}}
	if diff := cmp.Diff(want, Diff(a, b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever changes in a configuration is told: each value in it is changed in turn.
func TestDiffMissesNothing(t *testing.T) {
	// What a file does not say, and what is another way to say something that is also there.
	unsaid := map[string]bool{"Password": true, "PasswordFile": true, "Policies.Modules.Unwatched": true,
		"ACME.Challenges.TLSALPN": true, "ACME.Challenges.TLSALPNServed": true, // of tls_alpn.listen and the listeners
		"Users.Source": true, "Hosts.Users.Source": true, "Shadowed": true, "Shadowed.Name": true, "Shadowed.Source": true, "Shadowed.By": true, // where users are from
		"Users.Limits.DataTLS": true, "Anonymous.Limits.DataTLS": true, "Hosts.Users.Limits.DataTLS": true, "Hosts.Anonymous.Limits.DataTLS": true, // of policies alone
		"Hosts.Limits.SessionsPerUser": true, "Policies.Rollout.Limits.Failures": true, "Policies.Rollout.Limits.Drift": true, // one of several values below zero
		"Policies.Modules.Grants.KV": true} // it goes with Spaces
	r, err := newReference()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	configtest.Mutate(full(), func(path string, again func(any) func()) {
		if unsaid[path] {
			return
		}
		changed := full()
		again(changed)
		if tried++; len(r.diff(full(), changed)) == 0 {
			t.Errorf("a change of Config.%s is not told", path)
		}
	})
	if tried < 200 {
		t.Errorf("%d values only were changed", tried)
	}
}

// What is in the file of users is told as if it stood in the list.
func TestDiffOfUsersFile(t *testing.T) {
	a, b := full(), full()
	b.Users[2].Perms = 0
	want := []Change{{Key: "users.list[bob].perm", From: "elrw", Effect: EffectNewSessions}}
	if diff := cmp.Diff(want, Diff(a, b)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
