package sdk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// ascVersion is the compiler with which the committed modules were built.
const ascVersion = "asc 0.28.20"

// asFolder makes a policy's folder as `edgeftp policy init` does: its files, and the SDK
// in sdk/.
func asFolder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sdk := filepath.Join(sdkDir, "assemblyscript")
	for _, part := range []string{"module.ts", "edgeftp"} {
		if err := asCopy(filepath.Join(sdk, part), filepath.Join(dir, "sdk", part)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// asCopy copies a file, or a folder with all that is in it.
func asCopy(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
}

// asTemplate reads a template with its name filled in.
func asTemplate(t testing.TB, lang, name string) map[string]string {
	t.Helper()
	dir := filepath.Join(sdkDir, lang, "template")
	list, err := os.ReadDir(dir)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d files, %v", len(list), err)
	}
	files := map[string]string{}
	for _, f := range list {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name()] = strings.ReplaceAll(string(text), "{{name}}", name)
	}
	return files
}

// asLines counts the lines of a text.
func asLines(text string) int { return strings.Count(text, "\n") }

// asLoad loads a module, with what o grants.
func asLoad(t testing.TB, module []byte, o wasmhost.LoadOptions) *wasmhost.Policy {
	t.Helper()
	p, err := load(t, module, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func asWrite(path string) *policy.Action {
	return &policy.Action{
		Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1, Time: time.Unix(1_700_000_000, 0)},
		Op:   policy.OpWrite, Path: path,
	}
}

// TestAssemblyScriptTemplate holds the template to its tests, which the host asks at load,
// and to its settings.
func TestAssemblyScriptTemplate(t *testing.T) {
	files := asTemplate(t, "assemblyscript", "guard")
	if n := asLines(files["policy.ts"]); n > 20 {
		t.Errorf("the template has %d lines, at most 20", n)
	}
	module := compile(t, asFolder(t, files))
	t.Logf("%d bytes", len(module))
	if bytes.Contains(module, []byte("\x07edgeftp")) || bytes.Contains(module, []byte("\x03env")) {
		t.Error("the module imports what it does not use")
	}
	p := asLoad(t, module, wasmhost.LoadOptions{Settings: []byte(`{"deny_extensions": ["bin"]}`)})
	for path, want := range map[string]policy.Verdict{"/a.bin": policy.Deny, "/a.exe": policy.Pass, "/bin": policy.Pass} {
		if got, err := p.Hooks().Authorizer.Authorize(t.Context(), asWrite(path)); err != nil || got.Verdict != want {
			t.Errorf("%s: got %v, %v", path, got, err)
		}
	}
	for settings, says := range map[string]string{
		`{"deny": []}`:               `unknown setting "deny"`,
		`{"deny_extensions": "exe"}`: `setting "deny_extensions" is not a list of strings`,
		`{"deny_extensions": [1]}`:   `settings, byte 22: want '"'`,
	} {
		if _, err := load(t, module, wasmhost.LoadOptions{Settings: []byte(settings)}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", settings, err, says)
		}
	}
}

// TestAssemblyScriptMemory asks a million questions, each of which leaves strings behind,
// and holds the memory to what it was at the beginning.
func TestAssemblyScriptMemory(t *testing.T) {
	p := asLoad(t, compile(t, asFolder(t, map[string]string{"policy.ts": `import { fs } from "edgeftp";
export function edgeftp_fs(length: i32): i64 {
  return fs(length, (q) => q.path.base.is("x" + q.user.toString()) ? q.deny("" + q.path.toString()) : q.pass());
}
`})), wasmhost.LoadOptions{Limits: wasmhost.Limits{Instances: 1}})
	ask := func() {
		if got, err := p.Hooks().Authorizer.Authorize(t.Context(), asWrite("/in/xanna")); err != nil || got.Text != "/in/xanna" {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	for range 100 {
		ask()
	}
	before := p.Stats()
	// On a busy machine, and with the race detector, it is as many as some seconds allow.
	questions := 0
	for start := time.Now(); questions < 1_000_000 && (questions < 20_000 || time.Since(start) < 20*time.Second); questions++ {
		ask()
	}
	after := p.Stats()
	if after.Memory != before.Memory || after.Made != before.Made {
		t.Errorf("memory %d then %d, instances %d then %d", before.Memory, after.Memory, before.Made, after.Made)
	}
	t.Logf("%d questions, %d bytes; %d units of fuel for each", questions, after.Memory, (after.Fuel-before.Fuel)/uint64(questions))
}

// asFaulty goes wrong when it is asked, in a way for each path.
const asFaulty = asHead + `export function edgeftp_fs(length: i32): i64 {
  return fs(length, (q): FsAnswer => {
    if (q.path.is("/assert")) assert(q.op == Op.Read, "only reading is thought of");
    if (q.path.is("/throw")) throw new Error("no such user: " + q.user.toString());
    if (q.path.is("/index")) log.info(["one", "two"][q.path.length]);
    if (q.path.is("/two-lines")) return q.deny("one\ntwo");
    if (q.path.is("/twice")) return q.allow().label("a").label("b");
    if (q.path.is("/no-path")) return q.rewrite();
    const no = q.deny("no");
    return q.path.is("/old-answer") && q.pass() ? no : q.fail("not today");
  });
}
`

// TestAssemblyScriptFaults compares what the host says of calls that fail: the author's
// words come first, with the file and the line where there is one.
func TestAssemblyScriptFaults(t *testing.T) {
	p := asLoad(t, compile(t, asFolder(t, map[string]string{"policy.ts": asFaulty})), wasmhost.LoadOptions{})
	for _, name := range []string{"assert", "throw", "index", "two-lines", "twice", "no-path", "old-answer", "fail"} {
		if _, err := p.Hooks().Authorizer.Authorize(t.Context(), asWrite("/"+name)); err == nil {
			t.Errorf("%s: the call did not fail", name)
		} else {
			asGolden(t, "assemblyscript", "call-"+name, err.Error())
		}
	}
}

const asHead = "import { fs, FsAnswer, kv, log, Op } from \"edgeftp\";\n\n"

// asMistakes are what authors get wrong: the source, and what they see of it, which is
// in testdata/mistakes/assemblyscript.
func asMistakes() []asMistake {
	return []asMistake{
		{name: "type", source: asHead + "export function edgeftp_fs(length: i32): i64 {\n  return fs(length, (q) => {\n    const path: string = q.path;\n    return q.pass();\n  });\n}\n"},
		{name: "answer-of-another-hook", source: asHead + "export function edgeftp_fs(length: i32): i64 {\n  return fs(length, (q) => {\n    return q.pass().text(\"no\");\n  });\n}\n"},
		{name: "value", source: asHead + "export function edgeftp_fs(length: i32): i64 {\n  return fs(length, (q) => q.deny(7));\n}\n"},
		{name: "closure", source: asHead + "export function edgeftp_fs(length: i32): i64 {\n  const limit = length - 300;\n  return fs(length, (q) => q.path.length > limit ? q.deny(\"too long\") : q.pass());\n}\n"},
		{name: "not-exported", source: asHead + "function edgeftp_fs(length: i32): i64 {\n  return fs(length, (q) => q.pass());\n}\n"},
		{name: "no-hook", source: asHead + "log.info(\"hello\");\n"},
		{name: "misspelt", source: asHead + "export function edgeftp_file(length: i32): i64 {\n  return fs(length, (q) => q.pass());\n}\n"},
		{name: "shape", source: asHead + "export function edgeftp_fs(): i64 {\n  return fs(0, (q) => q.pass());\n}\n"},
		{name: "console", source: asHead + "export function edgeftp_fs(length: i32): i64 {\n  return fs(length, (q) => {\n    console.log(\"asked\");\n    return q.pass();\n  });\n}\n"},
		{name: "date", source: asHead + "export function edgeftp_fs(length: i32): i64 {\n  return fs(length, (q) => Date.now() > 0 ? q.pass() : q.hide());\n}\n"},
		{name: "math-random", source: asHead + "export function edgeftp_fs(length: i32): i64 {\n  return fs(length, (q) => Math.random() > 0.5 ? q.pass() : q.hide());\n}\n"},
		{name: "capability", source: asHead + "export function edgeftp_fs(length: i32): i64 {\n  kv.add(\"asked\");\n  return fs(length, (q) => q.pass());\n}\n"},
	}
}

// asMistake is one row of a table of author mistakes.
type asMistake struct {
	name, source string
}

// TestAssemblyScriptMistakes compares what authors see.
func TestAssemblyScriptMistakes(t *testing.T) {
	for _, m := range asMistakes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			asGolden(t, "assemblyscript", m.name, asRefusal(t, asFolder(t, map[string]string{"policy.ts": m.source})))
		})
	}
}

// asRefusal is why a folder is not built, or its module not loaded.
func asRefusal(t *testing.T, dir string) string {
	t.Helper()
	lang, err := build.Detect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Toolchain(t.Context(), lang); err != nil {
		compile(t, dir) // skips, or fails in CI
	}
	r, err := build.Build(t.Context(), dir, "")
	if err == nil {
		_, err = load(t, r.Module, wasmhost.LoadOptions{})
	}
	if err == nil {
		t.Fatal("nobody saw the mistake")
	}
	return strings.ReplaceAll(err.Error(), dir, "DIR")
}

// asGolden compares a text with the file of that name; UPDATE_GOLDEN=1 writes it.
func asGolden(t *testing.T, lang, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "mistakes", lang, name+".txt")
	got += "\n"
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestAssemblyScriptExamples builds the committed modules again.
func TestAssemblyScriptExamples(t *testing.T) {
	for _, name := range []string{"readonly", "site-usage"} {
		t.Run(name, func(t *testing.T) {
			asSame(t, filepath.Join("../../examples/wasm", name, "assemblyscript"), name, ascVersion)
		})
	}
}

// asSame builds the folder and compares with the module that is committed there. With
// another compiler than that one the module's own tests, which the host asks at load,
// are the judges.
func asSame(t *testing.T, dir, name, pinned string) {
	t.Helper()
	module := compile(t, dir)
	asLoad(t, module, wasmhost.LoadOptions{Grant: wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return &policy.MemKV{}, nil }}})
	file := filepath.Join(dir, name+".wasm")
	version, err := build.Toolchain(t.Context(), filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	if version != pinned {
		t.Logf("built with %s, not %s: the bytes are not compared", version, pinned)
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(file, module, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(module, committed) {
		t.Errorf("%s is not what the source builds: %d bytes, want %d (UPDATE_GOLDEN=1 writes it)", file, len(committed), len(module))
	}
}

// TestAssemblyScriptAll loads a policy that takes part in every hook and asks the host for
// everything; the host asks its tests.
func TestAssemblyScriptAll(t *testing.T) {
	p := asLoad(t, compile(t, filepath.Join(sdkDir, "assemblyscript", "testdata", "all")), wasmhost.LoadOptions{
		Grant: wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return &policy.MemKV{}, nil }, Metric: new(mirror), Random: true,
			Verify: true, Stat: true, Digest: true, Fetch: wasmhost.FetchGrant{Allow: []string{"https://idp.example.org"}}}})
	if got := strings.Join(p.HookNames(), " "); got != "auth fs list cmd site throttle data event cert idle" {
		t.Errorf("hooks %s", got)
	}
}
