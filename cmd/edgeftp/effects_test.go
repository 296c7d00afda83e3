package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config/configtest"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/userdb"
)

// wholeFile reads the configuration that gives every key, with the files that it names.
func wholeFile(t *testing.T) (again func() *config.Config) {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("internal", "config", "testdata", "full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	roots := foreignCA(t)
	const signer = "untrusted comment: x\nRWQ7kdeCIsyO00ck3TPDoSA9+6oS4sTG9RqwBFQjm1UVQz2wHhcGODtE\n"
	for name, content := range map[string]string{"etc/c.pem": "", "keys/k.pem": "", "etc/clients.pem": "", "etc/roots.pem": roots,
		"etc/mac": "Z2hp\n", "etc/tsig": "aHVudGVyMiBrZXk=\n", "etc/guard.wasm": "x", "etc/guard.sig": "x", "etc/signers.pub": signer, "etc/hash": cheapHash + "\n", "cred/hash": cheapHash, "cred/hook": "https://hooks.example.org/x",
		"etc/de-AT.json": `{"language":"de-AT","name":"Deutsch","texts":{"Goodbye.":"Servus."}}`, "lib/modules.d/x": "", "lib/second/x": "", "srv/no/${x}/x": "", "srv/alice/x": "",
		"run/users.yaml": "version: 1\nusers: [{ name: bob, password_hash: \"${cred:hash}\", root: " + dir + "/srv }]\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{"STATE_DIRECTORY": filepath.Join(dir, "state"), "KEYS": filepath.Join(dir, "keys"), "MAC": "YWJj", "ALG": "hmac-sha",
		"CREDENTIALS_DIRECTORY": filepath.Join(dir, "cred")} {
		t.Setenv(name, value)
	}
	text = bytes.ReplaceAll(text, []byte("../srv"), []byte("/srv"))
	text = bytes.ReplaceAll(text, []byte("/srv"), []byte(dir+"/srv"))
	return func() *config.Config {
		conf, _, err := config.Parse(filepath.Join(dir, "etc", "full.yaml"), text)
		if err != nil {
			t.Fatal(err)
		}
		return conf
	}
}

// What the schema says of a key, that a change of it needs an upgrade, is what a reload
// decides: each value of the configuration that gives every key is changed in turn.
func TestEffects(t *testing.T) {
	whole := wholeFile(t)
	in := &instance{accounts: &accounts{db: new(userdb.DB)}, trees: &trees{}}
	now, changed := in.next(whole(), nil), in.next(whole(), nil)
	number := regexp.MustCompile(`\[[^\]]*\]`)
	seen := map[string]config.Effect{}
	tried, differ := 0, config.NewDiffer()
	configtest.Mutate(whole(), func(path string, again func(any) func()) {
		defer again(changed.conf)()
		differing := differ.Diff(now.conf, changed.conf)
		changes, blocked := in.judged(now, changed, differing)
		needs := false
		for _, c := range differing {
			needs = needs || c.Effect == config.EffectUpgrade
			seen[number.ReplaceAllString(c.Key, "[]")] = c.Effect
		}
		if tried++; needs != (len(blocked) > 0) {
			t.Errorf("Config.%s: the schema says that it needs an upgrade: %v; a reload says %q", path, needs, blocked)
		}
		if told := slices.ContainsFunc(changes, func(c control.ConfigChange) bool { return c.Effect == string(config.EffectUpgrade) }); told != needs {
			t.Errorf("Config.%s: the schema says that it needs an upgrade: %v; people are told %+v", path, needs, changes)
		}
	})
	if tried < 200 {
		t.Errorf("%d values only were changed", tried)
	}
	// What is made of these is made once, at the start: a tree keeps the way in which it was
	// opened, the log its form, and the ledger, the host and the couriers of modules what they
	// were made with.
	for _, key := range []string{"storage[].durability", "storage[].mounts", "telemetry.log.format", "policies.strict", "policies.history",
		"policies.modules[].events", "policies.modules[].watch_source"} {
		if seen[key] != config.EffectUpgrade {
			t.Errorf("%s: the schema says %q", key, seen[key])
		}
	}
}

// What a running server was not started for is told as what needs an upgrade, where the
// schema permits the change of the key as such.
func TestEffectsOfObstacles(t *testing.T) {
	whole := wholeFile(t)
	in := &instance{accounts: new(accounts), trees: &trees{}}
	less := whole()
	less.Policies.Modules, less.Sources = less.Policies.Modules[:1], []string{config.SourceList}
	changes, blocked := in.judged(in.next(less, nil), in.next(whole(), nil), config.Diff(less, whole()))
	effects := map[string]string{}
	for _, c := range changes {
		effects[c.Key] = c.Effect
	}
	if len(changes) != 2 || len(blocked) != 2 || effects["users.sources"] != "upgrade" || effects["policies.modules[second]"] != "upgrade" {
		t.Errorf("%+v, blocked: %q", changes, blocked)
	}
	// A module of a file comes, with durable events, while the server runs.
	bare := whole()
	bare.Policies.Modules = bare.Policies.Modules[1:]
	bare.Policies.Modules[0].Source = filepath.Join(t.TempDir(), "second.wasm")
	more := whole()
	more.Policies.Modules[1].Source = bare.Policies.Modules[0].Source
	in.accounts.db = new(userdb.DB)
	if changes, blocked := in.judged(in.next(bare, nil), in.next(more, nil), config.Diff(bare, more)); len(changes) != 1 || changes[0].Effect != "now" || len(blocked) > 0 {
		t.Errorf("%+v, blocked: %q", changes, blocked)
	}
}
