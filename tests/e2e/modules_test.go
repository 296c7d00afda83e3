package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"
)

// Every module of these tests is what its text builds.
func TestModulesAreTheirText(t *testing.T) {
	t.Parallel()
	need(t, "wat2wasm")
	texts := must(filepath.Glob("testdata/modules/*.wat"))(t)
	if len(texts) == 0 {
		t.Fatal("no texts")
	}
	for _, text := range texts {
		out := filepath.Join(t.TempDir(), "out.wasm")
		if b, err := exec.Command("wat2wasm", text, "-o", out).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", text, err, b)
			continue
		}
		if !bytes.Equal(must(os.ReadFile(out))(t), must(os.ReadFile(strings.TrimSuffix(text, ".wat")+".wasm"))(t)) {
			t.Errorf("%s: the committed module is not what the text builds", text)
		}
	}
}

// ownModule is a module of these tests.
func ownModule(t *testing.T, name string) string {
	t.Helper()
	return must(filepath.Abs(filepath.Join("testdata", "modules", name+".wasm")))(t)
}

// declaring writes a module with a manifest, and returns its path.
func (p place) declaring(t *testing.T, name, module, manifest string) string {
	t.Helper()
	const section = "edgeftp.manifest"
	body := append([]byte{byte(len(section))}, section+manifest...)
	code := must(os.ReadFile(module))(t)
	code = append(binary.AppendUvarint(append(code, 0), uint64(len(body))), body...)
	path := p.out(name + ".wasm")
	ok(t, os.WriteFile(path, code, 0o644))
	return path
}

// version is a manifest that says nothing but a version.
func version(v string) string { return fmt.Sprintf(`{"name":"guard","version":%q}`, v) }

// keys are a pair of minisign.
type keys struct {
	public  minisign.PublicKey
	private minisign.PrivateKey
}

func newKeys(t *testing.T) keys {
	t.Helper()
	public, private, err := minisign.GenerateKey(rand.Reader)
	ok(t, err)
	return keys{public, private}
}

// sign writes the signature beside a module.
func (k keys) sign(t *testing.T, path string) string {
	t.Helper()
	ok(t, os.WriteFile(path+".minisig", minisign.Sign(k.private, must(os.ReadFile(path))(t)), 0o644))
	return path
}

// plain is a listener without TLS on a free port.
func plain() string { return listener() }

// swap runs policy swap, which is to succeed or to be refused with a code.
func (s *server) swap(t *testing.T, refused string, args ...string) {
	t.Helper()
	r := s.admin(t, append([]string{"policy", "swap"}, args...)...)
	switch {
	case refused == "" && r.code != 0:
		t.Fatalf("swap %q: exit code %d\n%s", args, r.code, r.both())
	case refused != "" && (r.code != 1 || !strings.Contains(r.stderr, refused) || !strings.Contains(r.stderr, "keeps running")):
		t.Errorf("swap %q: exit code %d, want 1 and %s\n%s", args, r.code, refused, r.both())
	}
}

// Signatures are asked for at the start and at every swap, and older versions are
// refused.
func TestSignedModules(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	mine, theirs := newKeys(t), newKeys(t)
	v1 := mine.sign(t, p.declaring(t, "v1", testModule(t, "pass"), version("1.0.0")))
	v2 := mine.sign(t, p.declaring(t, "v2", testModule(t, "pass"), version("2.0.0")))
	unsigned := p.declaring(t, "unsigned", testModule(t, "pass"), version("3.0.0"))
	wrong := theirs.sign(t, p.declaring(t, "wrong", testModule(t, "pass"), version("3.0.1")))
	changed := p.declaring(t, "changed", testModule(t, "deny"), version("3.0.2"))
	ok(t, os.WriteFile(changed+".minisig", must(os.ReadFile(v2+".minisig"))(t), 0o644))
	public := p.out("signers.pub")
	ok(t, os.WriteFile(public, []byte("untrusted comment: the test's\n"+mine.public.String()+"\n"), 0o644))
	conf := func(source string) string {
		return plain() + fmt.Sprintf("policies: { trust: [\"${file:signers.pub}\"], require_signature: true, modules: [{ name: guard, source: %q }] }\n", source)
	}
	for source, code := range map[string]string{unsigned: "no signature", wrong: "EF2119", changed: "EF2119"} {
		if r := edgeftp(t, "serve", "--config", p.file(t, conf(source))); r.code != 3 || !strings.Contains(r.stderr, code) {
			t.Errorf("%s: exit code %d, want 3 and %s\n%s", filepath.Base(source), r.code, code, r.both())
		}
	}
	s := p.serve(t, conf(v1))
	s.swap(t, "EF2118", "guard", unsigned)
	s.swap(t, "EF2119", "guard", wrong)
	s.swap(t, "EF2119", "guard", changed)
	s.swap(t, "", "guard", v2)
	if m := s.module(t, "guard"); m.Generation != 2 || m.Version != "2.0.0" || m.Signer != fmt.Sprintf("%016X", mine.public.ID()) {
		t.Errorf("%+v", m)
	}
	s.swap(t, "EF2121", "guard", v1)
	s.swap(t, "", "guard", v1, "--allow-downgrade")
	// All or none: one bad module keeps the good one out.
	if r := s.admin(t, "policy", "swap", "guard", v2, "nobody", v2); r.code != 1 || !strings.Contains(r.stderr, "nobody") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	s.swap(t, "EF2118", "guard", unsigned)
	if m := s.module(t, "guard"); m.Generation != 3 || m.Version != "1.0.0" {
		t.Errorf("%+v", m)
	}
	s.stop(t)
}

// What was swapped in is remembered, and what was before it is brought back, also
// by the next server.
func TestRollbackAfterRestart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	v1 := p.declaring(t, "v1", testModule(t, "pass"), version("1.0.0"))
	v2 := p.declaring(t, "v2", testModule(t, "deny"), version("2.0.0"))
	conf := func(source string) string {
		return plain() + fmt.Sprintf("policies: { modules: [{ name: guard, source: %q }] }\n", source)
	}
	s := p.serve(t, conf(v1))
	s.swap(t, "", "guard", v2)
	s.stop(t)
	// An older source than what ran is no silent way back.
	if r := edgeftp(t, "serve", "--config", p.file(t, conf(v1))); r.code != 3 || !strings.Contains(r.stderr, "EF2121") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	s = p.serve(t, conf(v2))
	c := s.login(t)
	c.refused(t, "MKD a", 550)
	if r := s.admin(t, "policy", "history", "guard"); r.code != 0 || !strings.Contains(r.stdout, "1.0.0") || !strings.Contains(r.stdout, v1) {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	if r := s.admin(t, "policy", "rollback", "guard"); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
	if m := s.module(t, "guard"); m.Version != "1.0.0" || !m.CanRoll {
		t.Errorf("%+v", m)
	}
	c.want(t, "MKD a", 257)
	s.stop(t)
	s = p.serve(t, conf(v1)) // it is the newest again
	if m := s.module(t, "guard"); m.Version != "1.0.0" {
		t.Errorf("%+v", m)
	}
	s.stop(t)
}

// A file that is renamed into the directory comes into force; one that is refused is
// told once and changes nothing.
func TestWatchedDirectory(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := p.out("modules.d")
	ok(t, os.Mkdir(dir, 0o755))
	put := func(from, name string) {
		t.Helper()
		ok(t, os.WriteFile(filepath.Join(dir, ".new"), must(os.ReadFile(from))(t), 0o644))
		ok(t, os.Rename(filepath.Join(dir, ".new"), filepath.Join(dir, name)))
	}
	s := p.serve(t, plain()+fmt.Sprintf("policies: { watch: modules.d, modules: [{ name: guard, source: %q }] }\n", testModule(t, "pass")))
	c := s.login(t)
	c.want(t, "MKD a", 257)
	put(testModule(t, "deny"), "guard.wasm")
	until(t, "the module is in force", func() bool { return s.module(t, "guard").Generation == 2 })
	c.refused(t, "MKD b", 550)
	put(testModule(t, "no-abi"), "guard.wasm")
	s.expect(t, "was refused", "EF2101")
	put(testModule(t, "pass"), "nobody.wasm")
	s.expect(t, "was refused", "nobody", "no policy module is called")
	if m := s.module(t, "guard"); m.Generation != 2 {
		t.Errorf("%+v", m)
	}
	s.stop(t)
}

// count asks the module tally.
func (s *server) count(t *testing.T) string {
	t.Helper()
	text := s.login(t).refused(t, "MKD tally", 550).String()
	_, after, found := strings.Cut(text, "count ")
	if !found {
		t.Fatalf("%q has no count", text)
	}
	return after[:2]
}

// What a module remembers is there after a swap, a restart and a kill.
func TestModulesRemember(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	manifest := func(v string) string { return `{"name":"tally","version":"` + v + `","capabilities":["kv"]}` }
	v1 := p.declaring(t, "v1", ownModule(t, "tally"), manifest("1.0.0"))
	v2 := p.declaring(t, "v2", ownModule(t, "tally"), manifest("1.0.1"))
	next := 1
	check := func(s *server, when string) {
		t.Helper()
		if got, want := s.count(t), fmt.Sprintf("%02d", next); got != want {
			t.Errorf("%s: count %s, want %s", when, got, want)
		}
		next++
	}
	s := p.start(t, "--policy", "tally="+v1)
	check(s, "at first")
	s.swap(t, "", "tally", v2)
	check(s, "after a swap")
	// A candidate that is only compared writes nowhere.
	s.swap(t, "", "tally", v1, "--shadow")
	check(s, "beside a shadow")
	until(t, "the shadow was asked", func() bool {
		sh := s.module(t, "tally").Shadow
		return sh != nil && sh.Compared > 0
	})
	if r := s.admin(t, "policy", "rollback", "tally"); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	check(s, "after the shadow")
	s.stop(t)
	s = p.start(t, "--policy", "tally="+v2)
	check(s, "after a restart")
	last := time.Now()
	until(t, "what is written behind is on disk", func() bool { return time.Since(last) > time.Second })
	s.kill()
	check(p.start(t, "--policy", "tally="+v2), "after a kill")
}

// A candidate that traps is rolled back by itself, and nobody's session ends.
func TestCanaryRollsBack(t *testing.T) {
	t.Parallel()
	s := start(t, "--policy", "guard="+testModule(t, "pass"))
	s.swap(t, "", "guard", testModule(t, "moody"), "--for", "10m")
	m := s.module(t, "guard")
	if m.Trial == nil || m.Trial.Percent != 100 || m.Trial.Candidate.Generation != 2 || m.Generation != 1 {
		t.Fatalf("%+v", m)
	}
	if r := s.admin(t, "policy", "swap", "guard", testModule(t, "deny")); r.code != 1 || !strings.Contains(r.stderr, "on trial") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	c := s.login(t)
	for range 6 {
		c.refused(t, "MKD a.trap", 451)
	}
	began := time.Now()
	until(t, "the candidate is rolled back", func() bool { return s.module(t, "guard").Trial == nil }) // by itself the trial has ten minutes
	t.Logf("rolled back %v after the last failure", time.Since(began).Round(time.Millisecond))
	s.expect(t, `"policy_rolled_back"`, "calls failed", `"candidate_gen":2`)
	c.want(t, "MKD a.trap", 257)
	if m := s.module(t, "guard"); m.Generation != 1 || m.Failed != 0 {
		t.Errorf("%+v", m)
	}
	// One that is good comes into force.
	s.swap(t, "", "guard", testModule(t, "deny"), "--canary", "50%")
	if r := s.admin(t, "policy", "promote", "guard"); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	c.refused(t, "MKD b", 550)
	s.stop(t)
}

// What a manifest declares is granted or refused, by the flags and by the file.
func TestGrantsAndSettings(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	fetching := p.declaring(t, "fetching", testModule(t, "pass"), `{"capabilities":["fetch:idp.example.org"]}`)
	if r := edgeftp(t, append([]string{"serve"}, p.flags("--policy", fetching)...)...); r.code != 3 || !strings.Contains(r.stderr, "EF2106") || !strings.Contains(r.stderr, "grants: { fetch:") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	conf := plain() + fmt.Sprintf("policies: { modules: [{ name: guard, source: %q, grants: { fetch: [https://idp.example.org] } }] }\n", fetching)
	p.serve(t, conf).stop(t)

	picky := p.declaring(t, "picky", testModule(t, "config"),
		`{"settings":{"type":"object","additionalProperties":false,"properties":{"deny":{"type":"array","items":{"type":"string"}}}}}`)
	for settings, says := range map[string]string{"{ denny: [exe] }": `"denny"`, "{ deny: [exe, 5] }": "settings.deny[1] must be text"} {
		conf := plain() + fmt.Sprintf("policies: { modules: [{ name: guard, source: %q, settings: %s }] }\n", picky, settings)
		if r := edgeftp(t, "serve", "--config", p.file(t, conf)); r.code != 3 || !strings.Contains(r.stderr, "EF2114") || !strings.Contains(r.stderr, says) {
			t.Errorf("%s: exit code %d\n%s", settings, r.code, r.both())
		}
	}
	if r := edgeftp(t, "policy", "inspect", fetching, "-o", "json"); r.code != 0 || !strings.Contains(r.stdout, `"fetch:idp.example.org"`) {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	if r := edgeftp(t, "policy", "inspect", testModule(t, "init-trap")); r.code != 1 || !strings.Contains(r.stdout, "digest") || !strings.Contains(r.stderr, "EF2113") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
}

// What remembers nothing any more says so instead of beginning anew.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.start(t).stop(t)
	ok(t, os.WriteFile(filepath.Join(p.state, "state.db"), bytes.Repeat([]byte("no"), 8192), 0o600))
	if r := edgeftp(t, append([]string{"serve"}, p.flags()...)...); r.code != 3 || !strings.Contains(r.stderr, "damaged") || !strings.Contains(r.stderr, "help: ") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
}

// A client's reference leads to the line of the log that says who refused, and why;
// a guest's own words come first there, and neither tells of the server's paths.
func TestReferenceLeadsToTheLog(t *testing.T) {
	t.Parallel()
	s := start(t, "--policy", "guard="+ownModule(t, "loud"))
	text := s.login(t).refused(t, "MKD very.loud", 451).String()
	_, ref, found := strings.Cut(text, "(ref ")
	ref, _, closed := strings.Cut(ref, ")")
	if !found || !closed {
		t.Fatalf("%q has no reference", text)
	}
	line := s.expect(t, `"msg":"refused"`, `"ref":"`+ref+`"`)
	var rec struct {
		Policy, Reason string
		Gen            uint64 `json:"policy_gen"`
	}
	ok(t, json.Unmarshal([]byte(line), &rec))
	if rec.Policy != "guard" || rec.Gen != 1 || !strings.HasPrefix(rec.Reason, "guard failed: fault: no map (main.go:41:7) (trap in fs") {
		t.Errorf("%+v", rec)
	}
	for _, path := range []string{s.root, s.state, filepath.Dir(ownModule(t, "loud"))} {
		if strings.Contains(text, path) || strings.Contains(rec.Reason, path) {
			t.Errorf("%s is told in %q or %q", path, text, rec.Reason)
		}
	}
	r := s.admin(t, "policy", "list", "-o", "json")
	for _, field := range []string{`"trap": 1`, `"fuel"`, `"p99_seconds"`, `"verdicts"`, `"memory_bytes"`, `"waits"`, `"breaker"`, `"cache_hits"`, `"state": "active"`} {
		if !strings.Contains(r.stdout, field) {
			t.Errorf("policy list -o json has no %s:\n%s", field, r.stdout)
		}
	}
	s.stop(t)
}

// The configuration says how a swap comes into force; several modules come together.
func TestRolloutOfTheFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, plain()+fmt.Sprintf("policies:\n  rollout: { canary: 50%%, for: 1h }\n  modules:\n"+
		"    - { name: one, source: %q, events: durable }\n    - { name: two, source: %q }\n", testModule(t, "event"), testModule(t, "pass")))
	s.swap(t, "", "two", testModule(t, "deny"))
	if m := s.module(t, "two"); m.Trial == nil || m.Trial.Percent != 50 {
		t.Errorf("%+v", m)
	}
	if r := s.admin(t, "policy", "rollback", "two"); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	both := []string{"policy", "swap", "one", testModule(t, "pass"), "two", testModule(t, "deny")}
	if r := s.admin(t, both...); r.code != 1 || !strings.Contains(r.stderr, "--now") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	c := s.login(t)
	c.want(t, "MKD a", 257)
	until(t, "events are in files", func() bool {
		r := s.admin(t, "policy", "list", "-o", "json")
		return r.code == 0 && strings.Contains(r.stdout, `"stored": `) && len(must(os.ReadDir(filepath.Join(s.state, "spool", "one")))(t)) > 0
	})
	if r := s.admin(t, append(both, "--now")...); r.code != 0 {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	c.refused(t, "MKD b", 550)
	if one, two := s.module(t, "one"), s.module(t, "two"); one.Generation != 2 || two.Trial != nil || two.Generation < 2 {
		t.Errorf("%+v, %+v", one, two)
	}
	s.stop(t)
}
