package e2e

import (
	"os"
	"strings"
	"testing"
)

// What an author is told whose module a running server does not take: the code, what was
// found, what is needed, what helps, and that nothing has changed.
func TestMistakesAtTheServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start(t, "--policy", "guard="+testModule(t, "pass"))
	file := func(name, text string) string {
		path := p.out(name)
		ok(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	var all strings.Builder
	for _, m := range []struct{ what, path string }{
		{"another version of the ABI", testModule(t, "abi-v2")},
		{"a command", testModule(t, "command")},
		{"a component", file("component.wasm", "\x00asm\x0d\x00\x01\x00")},
		{"a hook of another shape", testModule(t, "hook-shape")},
		{"an import that policies never get", testModule(t, "import-sock")},
		{"a capability that is not granted", p.declaring(t, "wants", testModule(t, "pass"), `{"capabilities":["fetch:idp.example.org"]}`)},
		{"an import that is not declared", testModule(t, "import-kv")},
		{"a page in the place of a module", file("page.wasm", "<html><body>404</body></html>")},
		{"a file that was cut off", file("cut.wasm", "\x00asm\x01\x00\x00\x00\x01\x7f")},
		{"an empty file", file("empty.wasm", "")},
		{"no hook at all", testModule(t, "no-hook")},
		{"a start function", testModule(t, "start-section")},
		{"a module that refuses to start", testModule(t, "refuses")},
		{"a module that traps when it starts", testModule(t, "init-trap")},
		{"a manifest with a key that there is not", p.declaring(t, "key", testModule(t, "pass"), `{"nmae":"guard"}`)},
		{"a manifest that names other hooks", p.declaring(t, "hooks", testModule(t, "pass"), `{"hooks":["auth"]}`)},
		{"no such file", p.out("nothing.wasm")},
	} {
		r := s.admin(t, "policy", "swap", "guard", m.path)
		if r.code != 1 || r.stdout != "" {
			t.Errorf("%s: exit code %d\n%s", m.what, r.code, r.both())
		}
		if reached := !strings.Contains(r.stderr, "cannot be read"); reached && !strings.Contains(r.stderr, "generation 1 keeps running") && !strings.Contains(m.what, "empty") {
			t.Errorf("%s: it does not say what keeps running\n%s", m.what, r.stderr)
		}
		all.WriteString("# " + m.what + "\n" + strings.ReplaceAll(r.stderr, p.outside+"/", "") + "\n")
	}
	if m := s.module(t, "guard"); m.Generation != 1 {
		t.Errorf("generation %d", m.Generation)
	}
	golden(t, "mistakes.txt", all.String())
}
