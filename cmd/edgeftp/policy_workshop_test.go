package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/record"
)

// shopped runs the program with the workshop's cache in a directory of the test.
func shopped(t *testing.T, args ...string) (text string, code int) {
	t.Helper()
	var out bytes.Buffer
	code = run(t.Context(), append([]string{"policy"}, args...), &out, &out)
	return out.String(), code
}

// reads compares got with a golden text, but for what differs from run to run;
// UPDATE_GOLDEN=1 in the environment writes it.
func reads(t *testing.T, name, got string) {
	t.Helper()
	for _, p := range [][2]string{{`[\d.]+ ms of`, "T ms of"}, {`of 50.000 ms \(.*\)`, "of 50.000 ms (...)"}, {`of [\d.]+ ms \(.*\)`, "of M ms (...)"},
		{`\([^ ]+ (bytes|KiB|MiB) compressed\)`, "(compressed)"}, {regexp.QuoteMeta(filepath.Dir(t.TempDir())) + `/\d+`, "DIR"}} {
		got = regexp.MustCompile(p[0]).ReplaceAllString(got, p[1])
	}
	file := filepath.Join("testdata", "workshop-"+name+".golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

const guardManifest = `{"name":"guard","version":"0.1.0","abi":"1.2","capabilities":["kv","fetch:idp.example.org"],"limits":{"fuel":2100000},
 "interest":{"ops":["write","rename","symlink"],"events":["login"]}}`

// guard writes the module of testdata with tests, and returns its path.
func guard(t *testing.T, tests string) string {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	module, err := os.ReadFile("testdata/guard.wasm")
	if err == nil {
		module, err = manifest.Append(module, []byte(guardManifest))
	}
	if err == nil && tests != "" {
		module, err = manifest.AppendTests(module, []byte(tests))
	}
	path := filepath.Join(t.TempDir(), "guard.wasm")
	if err = errors.Join(err, os.WriteFile(path, module, 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestGuardIsItsText rebuilds the module of these tests.
func TestGuardIsItsText(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("wat2wasm is missing: install wabt")
		}
		t.Skip("wat2wasm is missing (Debian package wabt): the module is not compared with its text")
	}
	out := filepath.Join(t.TempDir(), "out.wasm")
	if b, err := exec.Command(tool, "--debug-names", "testdata/guard.wat", "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	built, err := os.ReadFile(out)
	kept, err2 := os.ReadFile("testdata/guard.wasm")
	if err != nil || err2 != nil || !bytes.Equal(built, kept) {
		t.Errorf("the committed module is not what the text builds: %v, %v", err, err2)
	}
}

const goodTests = `{"settings":{},"kv":{"hits":7},"http":{"GET https://idp.example.org/u":{"body":"yes"}},"tests":[
 {"name":"forbidden","hook":"fs","op":"write","path":"/d","want":{"action":"deny","code":553,"text":"forbidden"}},
 {"name":"counted","hook":"fs","op":"write","path":"/k","want":{"action":"pass","kv":{"hits":8},"log":["one more"]}},
 {"name":"recursion","hook":"fs","op":"rename","path":"/r","want":{"action":"pass"}},
 {"name":"symlink","hook":"fs","op":"symlink","path":"/a","want":{"action":"pass"}},
 {"name":"trap","hook":"fs","op":"write","path":"/t","want":{"action":"fail"}},
 {"name":"directory","hook":"auth","user":"anna","want":{"action":"allow","http":["GET https://idp.example.org/u"]}},
 {"name":"event","hook":"event","op":"login","want":{"action":"pass","log":["an event"]}}
]}`

func TestPolicyTestPasses(t *testing.T) {
	path := guard(t, goodTests)
	text, code := shopped(t, "test", path, "--questions", "1000")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	reads(t, "passes", text)
	// What it costs is written down once and held afterwards.
	text, code = shopped(t, "test", path, "--questions", "0", "--update-fuel", "--fuel-percent", "10")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	reads(t, "fuel-written", text)
	pins := filepath.Join(filepath.Dir(path), "fuel.json")
	pinned, err := os.ReadFile(pins)
	if err != nil {
		t.Fatal(err)
	}
	if text, code = shopped(t, "test", path, "--questions", "0"); code != exitOK || !strings.Contains(text, "fuel         within 10% of ") {
		t.Errorf("exit code %d\n%s", code, text)
	}
	changed := regexp.MustCompile(`"recursion": \d+`).ReplaceAllString(string(pinned), `"recursion": 100`)
	changed = regexp.MustCompile(`"counted": \d+`).ReplaceAllString(changed, `"gone": 1, "directory ": 5`)
	if err := os.WriteFile(pins, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if text, code = shopped(t, "test", path, "--questions", "0"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	reads(t, "fuel-beyond", text)
	if text, code = shopped(t, "test", path, "--fuel", filepath.Join(t.TempDir(), "none.json")); code != exitFailed || !strings.Contains(text, "--update-fuel writes the file") {
		t.Errorf("exit code %d\n%s", code, text)
	}
}

const badTests = `{"tests":[
 {"name":"the new name","hook":"fs","op":"rename","path":"/a","path2":"/d","user":"anna","want":{"action":"deny","code":553}},
 {"name":"a code","hook":"fs","op":"write","path":"/c","want":{"action":"deny"}},
 {"name":"other code","hook":"fs","op":"write","path":"/d","want":{"action":"deny","text":"forbidden"}},
 {"name":"a trap","hook":"fs","op":"write","path":"/t","want":{"action":"pass"}},
 {"name":"no end","hook":"fs","op":"write","path":"/l","want":{"action":"pass"}},
 {"name":"no answer","hook":"auth","user":"anna","password":"x","want":{"action":"allow"}},
 {"name":"a value","hook":"fs","op":"write","path":"/k","want":{"action":"pass","kv":{"hits":2}}},
 {"name":"a line","hook":"event","op":"login","want":{"action":"pass","log":[]}},
 {"name":"not asked","hook":"fs","op":"read","path":"/d","want":{"action":"pass"}},
 {"name":"not there","hook":"list","path":"/","entries":[{"name":"a"}],"want":{"action":"pass"}},
 {"name":"a value","hook":"fs","op":"write","path":"/g","want":{"action":"pass"}}
]}`

func TestPolicyTestFails(t *testing.T) {
	path := guard(t, badTests)
	text, code := shopped(t, "test", path, "--questions", "20")
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	reads(t, "fails", text)
	text, code = shopped(t, "test", path, "--questions", "0", "-o", "json")
	var r struct {
		Passed, Failed int
		OK             bool
		Tests          []struct{ Name, Got string }
		Differences    []string
	}
	text, _, _ = strings.Cut(text, "\nerror: ")
	if err := json.Unmarshal([]byte(text), &r); err != nil || code != exitFailed || r.Passed != 1 || r.Failed != 10 || r.OK || len(r.Tests) != 11 || r.Tests[10].Name != "a value (test 11)" {
		t.Errorf("exit code %d, %v, %+v", code, err, r)
	}
	if text, _ = shopped(t, "test", path, "--questions", "2000"); !strings.Contains(text, "instances grew too large and were closed") {
		t.Errorf("it grows for ever\n%s", text)
	}
	none := guard(t, "")
	if text, code = shopped(t, "test", none); code != exitOK || !strings.Contains(text, "write tests.json") || !strings.Contains(text, "auth NO TEST") {
		t.Errorf("exit code %d\n%s", code, text)
	}
	file := filepath.Join(t.TempDir(), "tests.json")
	if err := os.WriteFile(file, []byte("{\n \"tests\": [{\"hook\": \"fs\"}]}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
		code int
	}{
		{[]string{"test", none, "--tests", file}, "tests.json: line 2: test 1: no want", exitFailed},
		{[]string{"test", none, "--tests", file + "x"}, "cannot be read", exitFailed},
		{[]string{"test", "testdata/nowhere"}, "name a .wasm file", exitFailed},
		{[]string{"test", "testdata/guard.wat"}, "is not WebAssembly", exitFailed},
		{[]string{"test", none, "-o", "xml"}, "human or json", exitUsage},
		{[]string{"inspect", none, "-o", "xml"}, "human or json", exitUsage},
		{[]string{"doctor", none, "-o", "xml"}, "human or json", exitUsage},
		{[]string{"replay", none, "--against", none, "-o", "xml"}, "human or json", exitUsage},
		{[]string{"test", none, none}, "edgeftp policy test takes at most 1 argument, not 2\n   = help: edgeftp policy test [DIR|FILE.wasm]\n", exitUsage},
		{[]string{"biuld", none}, "edgeftp policy has no command \"biuld\"\n   = help: did you mean  edgeftp policy build ?", exitUsage},
		{[]string{"record", "guard", file + "x", "--hook", "fss"}, "--hook: \"fss\" is no hook\n   = help: there are auth, fs,", exitUsage},
		{[]string{"record", "guard", file + "x", "--op", "wriet"}, "--op: \"wriet\" is no operation", exitUsage},
		{[]string{"run", none}, "there is no question: give --event, --bundle or --record", exitUsage},
		{[]string{"run", none, "--event", `{"hook":fs}`}, "--event: 1:10: it is no JSON", exitFailed},
		{[]string{"run", none, "--event", "{}", "--record", file}, "none of the others can be", exitUsage},
		{[]string{"run", none, "--event", `{"hook":"fs"}`}, "no op: a test of fs names its operation: stat,", exitFailed},
		{[]string{"run", none, "--event", "nowhere.json"}, "neither JSON nor a file", exitFailed},
		{[]string{"run", none, "--bundle", file}, "crashes lists the bundles", exitFailed},
		{[]string{"run", none, "--record", file + "x"}, "--record", exitFailed},
		{[]string{"run", none, "--event", `{"hook":"fs","op":"read"}`, "--settings", "testdata/guard.wat"}, "--settings: testdata/guard.wat:1:1: it is no JSON", exitFailed},
		{[]string{"run", none, "--event", `{"hook":"fs","op":"read"}`, "--kv", "testdata/guard.wat"}, "--kv", exitFailed},
		{[]string{"bench", none, "--count", "0"}, "above zero", exitUsage},
		{[]string{"bench", path, "--benchtime", "1ms"}, "says nothing", exitFailed},
		{[]string{"trace", none}, "--event is missing\n   = help: edgeftp policy trace", exitUsage},
		{[]string{"trace", none, "--event", `{"hook":"list","path":"/","entries":[{"name":"a"}]}`}, "no call to trace", exitFailed},
	} {
		if text, code := shopped(t, c.args...); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%q: exit code %d, want %d\n%s\nwant %q in it", c.args, code, c.code, text, c.says)
		}
	}
}

// TestPolicyTestRemembers finds a policy whose answers depend on what its instance has
// answered before.
func TestPolicyTestRemembers(t *testing.T) {
	text, code := shopped(t, "test", "--questions", "0", guard(t, `{"tests":[{"name":"first","hook":"fs","op":"write","path":"/m","want":{"action":"pass"}}]}`))
	if want := "determinism  first: in an instance that has answered before it is deny, was pass\n"; code != exitFailed || !strings.Contains(text, want) {
		t.Errorf("exit code %d\n%s", code, text)
	}
}

func TestPolicyRun(t *testing.T) {
	path := guard(t, goodTests)
	file := filepath.Join(t.TempDir(), "event.json")
	kv := filepath.Join(t.TempDir(), "kv.json")
	err := os.WriteFile(file, []byte(`{"hook":"auth","user":"anna"}`), 0o644)
	if err = errors.Join(err, os.WriteFile(kv, []byte(`{"hits":41}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitOK, []string{"--event", `{"hook":"fs","op":"write","path":"/d","user":"dev"}`}},
		{exitOK, []string{"--event", `{"hook":"fs","op":"write","path":"/k"}`, "--kv", kv}},
		{exitOK, []string{"--event", file}},
		{exitFailed, []string{"--event", `{"hook":"fs","op":"write","path":"/t"}`}},
		{exitFailed, []string{"--event", `{"hook":"fs","op":"write","path":"/c"}`}},
	} {
		text, code := shopped(t, append([]string{"run", path}, c.args...)...)
		if code != c.code {
			t.Errorf("%q: exit code %d", c.args, code)
		}
		all += text + "\n"
	}
	reads(t, "run", all)
	text, code := shopped(t, "run", path, "-o", "json", "--event", `{"hook":"fs","op":"write","path":"/d"}`)
	var r struct {
		Action string
		Code   int
		Reply  []struct{ Key, Value string }
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil || code != exitOK || r.Action != "deny" || r.Code != 553 || len(r.Reply) != 1 || r.Reply[0].Value != `"forbidden"` {
		t.Errorf("exit code %d, %v\n%s", code, err, text)
	}
}

// TestPolicyRunBundle asks what crashed a policy again, with what the host told it then,
// and a bare record with what the tests tell.
func TestPolicyRunBundle(t *testing.T) {
	path := guard(t, goodTests)
	x := &wasmhost.Exchange{Hook: "fs", Err: errors.New("trap"), Host: []wasmhost.HostCall{{Import: "kv_incr", Out: []byte{99, 0, 0, 0, 0, 0, 0, 0}}}}
	var err error
	x.Record, err = abi.AppendAction(nil, "guard", &policy.Action{Meta: policy.Meta{Session: &policy.Session{ID: 7, User: "anna", Root: "/"}, Time: time.Unix(5, 0)},
		Op: policy.OpWrite, Path: "/k"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	raw := filepath.Join(dir, "record.bin")
	var b bytes.Buffer
	w, err := record.NewWriter(&b, 0)
	err = errors.Join(err, w.Module(record.Module{Policy: "guard", Digest: "sha256:0011", Version: "0.0.9"}))
	_, err2 := w.Exchange(x)
	bundle := filepath.Join(dir, "crash.rec")
	if err = errors.Join(err, err2, w.Close(0), os.WriteFile(bundle, b.Bytes(), 0o600), os.WriteFile(raw, x.Record, 0o600)); err != nil {
		t.Fatal(err)
	}
	text, code := shopped(t, "run", path, "--bundle", bundle)
	again, code2 := shopped(t, "run", path, "--record", raw)
	if code != exitOK || code2 != exitOK {
		t.Errorf("exit codes %d, %d", code, code2)
	}
	reads(t, "bundle", text+"\n"+again)
}

func TestPolicyTrace(t *testing.T) {
	path := guard(t, goodTests)
	all := ""
	for _, args := range [][]string{
		{"--event", `{"hook":"fs","op":"write","path":"/k"}`},
		{"--event", `{"hook":"fs","op":"write","path":"/r"}`, "--tree", "--all"},
		{"--event", `{"hook":"fs","op":"write","path":"/k"}`, "--folded"},
		{"--event", `{"hook":"fs","op":"write","path":"/t"}`, "--times", "2"},
	} {
		text, code := shopped(t, append([]string{"trace", path}, args...)...)
		if code != exitOK {
			t.Errorf("%q: exit code %d", args, code)
		}
		all += text + "\n"
	}
	reads(t, "trace", all)
	text, code := shopped(t, "trace", path, "-o", "json", "--event", `{"hook":"fs","op":"write","path":"/r"}`)
	var r struct {
		Fuel      int64
		Functions []struct {
			Name       string
			Own, Total int64
			Calls      int
		}
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v\n%s", code, err, text)
	}
	sum := int64(0)
	for _, f := range r.Functions {
		if sum += f.Own; f.Name == "recurse" && (f.Calls != 10 || f.Total != f.Own) {
			t.Errorf("%+v", f)
		}
	}
	if sum != r.Fuel || sum == 0 {
		t.Errorf("the functions have %d, the call %d", sum, r.Fuel)
	}
}

// TestPolicyBench holds the form that benchstat reads.
func TestPolicyBench(t *testing.T) {
	text, code := shopped(t, "bench", guard(t, goodTests), "--benchtime", "1ms", "--count", "2")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	for name, line := range map[string]string{
		"fs/forbidden": `BenchmarkPolicy/fs/forbidden \t *\d+\t *[\d.]+ ns/op\t *\d+\.0 fuel/op\t *0\.0 B/op`,
		"event":        `BenchmarkPolicy/event/event \t *\d+\t *[\d.]+ ns/op\t *[\d.]+ fuel/op\t`,
		"trap":         `BenchmarkPolicy/fs/trap \t`,
		"start":        `BenchmarkInstanceStart \t *\d+\t *[\d.]+ ns/op\t *\d+ fuel/op\t *131072 memory-B`,
		"compile":      `BenchmarkCompile \t *\d+\t *[\d.]+ ns/op\t *\d+ module-B`,
		"head":         `pkg: guard`,
	} {
		if n, want := len(regexp.MustCompile(`(?m)^`+line).FindAllString(text, -1)), map[bool]int{true: 1, false: 2}[name == "head"]; n != want {
			t.Errorf("%s: %d lines, want %d, in\n%s", name, n, want, text)
		}
	}
}

// A counter that was asked about over and over is not what the next test finds.
func TestPolicyBenchOfCounters(t *testing.T) {
	path := guard(t, `{"kv":{"hits":7},"tests":[
 {"name":"once","hook":"fs","op":"write","path":"/k","want":{"action":"pass","kv":{"hits":8},"log":["one more"]}},
 {"name":"twice","hook":"fs","op":"write","path":"/k","want":{"action":"pass","kv":{"hits":9},"log":["one more"]}}]}`)
	text, code := shopped(t, "bench", path, "--benchtime", "1ms")
	if code != exitOK || !strings.Contains(text, "BenchmarkPolicy/fs/twice ") {
		t.Errorf("exit code %d\n%s", code, text)
	}
}
