package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/executable"
)

// fakeGo puts a shell script in the Go tool's place and returns the environment
// in which it is found.
func fakeGo(t *testing.T, script string) []string {
	t.Helper()
	dir := t.TempDir()
	ok(t, executable.Write(filepath.Join(dir, "go"), []byte("#!"+need(t, "sh")+"\n"+script)))
	return []string{"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")}
}

// A server that still builds its policies can be stopped like any other; the
// first build takes minutes on a small machine.
func TestSignalWhileBuilding(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	pid := p.out("pid")
	p.env = fakeGo(t, "echo $$ > '"+pid+".new' && mv '"+pid+".new' '"+pid+"'\nexec sleep 60\n")
	s := launch(t, p, p.flags("--policy", example(t, "upload-guard", "go"))...)
	until(t, "the build begins", func() bool { _, err := os.Stat(pid); return err == nil })
	child := must(os.FindProcess(must(strconv.Atoi(strings.TrimSpace(string(must(os.ReadFile(pid))(t)))))(t)))(t)
	t.Cleanup(func() { _ = child.Kill() })
	s.signal(t)
	if code := s.wait(t, stopWithin); code < 0 {
		t.Error("the server was killed by the signal instead of ending")
	}
}

// A Go tool that does not behave is a message, not a panic.
func TestStrangeGo(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"silent": "exit 0\n", "one line": "echo strange\n", "words": "echo; echo a b c; echo; echo d\n",
		"failing": "echo it cannot >&2; exit 1\n", "failing silently": "exit 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.env = fakeGo(t, script)
			s := launch(t, p, p.flags("--policy", example(t, "upload-guard", "go"))...)
			code := s.wait(t, stopWithin)
			if text := oneMessage(s.log.String()); code != 3 || !strings.Contains(text, "upload-guard") {
				t.Errorf("exit code %d, want 3 and one message\n%s", code, s.log)
			}
		})
	}
}
