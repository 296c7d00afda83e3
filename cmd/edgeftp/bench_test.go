package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/tests/authority"
)

// TestMain is also the program, for those who start it anew.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && (os.Args[1] == "policy" && os.Args[2] == "builder" || os.Args[1] == "doctor" || os.Args[1] == "serve") {
		main()
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(authority.Residue))
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// until waits for something that happens soon.
func until(t *testing.T, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(limit)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// A server that builds what is saved leaves nothing running, and people see the
// compiler's words as they are.
func TestBenchLeavesNothing(t *testing.T) {
	elsewhere(t)
	state, err := os.MkdirTemp("", "bench") // the socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(state) })
	if text, code := command(t, "policy", "init", "--lang", "go", "guard"); code != exitOK {
		t.Fatal(text)
	}
	if err := os.Mkdir("root", 0o755); err != nil {
		t.Fatal(err)
	}
	conf, err := config.FromFlags(config.Flags{Root: "root", Listen: []string{"127.0.0.1:0"}, Policies: []string{"guard"}, StateDir: state})
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	var said lockedBuffer
	log := slog.New(newConsole(&said, slog.LevelInfo))
	in, err := assemble(t.Context(), loaded{conf: conf}, log, newLevels("info"))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.listen(t.Context()); err != nil {
		in.close()
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	done := make(chan error, 1)
	go func() { done <- in.run(t.Context(), signals, nil) }()
	replaceText(t, "guard/main.go", "func main() {}", "func main() { nonsense() }")
	until(t, time.Minute, "the failure is told", func() bool { return strings.Contains(said.String(), "keeps running") })
	signals <- syscall.SIGTERM
	if err := <-done; err != nil {
		t.Error(err)
	}
	in.close()
	_, after, _ := strings.Cut(regexp.MustCompile(`main\.go:\d+:`).ReplaceAllString(said.String(), "main.go:N:"), "ERROR ")
	dir, err := filepath.Abs("guard")
	if err != nil {
		t.Fatal(err)
	}
	want := "policy not swapped policy=guard changed=main.go\n    building the policy in " + dir + ": go reports faults\n    # guard\n" +
		"    ./main.go:N:15: undefined: nonsense\n       = generation 1 keeps running\n"
	if !strings.HasPrefix(after, want) {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
	until(t, 20*time.Second, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

// A compiler's words do not steer the terminal.
func TestConsoleLines(t *testing.T) {
	var b bytes.Buffer
	slog.New(newConsole(&b, slog.LevelInfo)).Error("failed", "a", "x", "error", lines("one\n\ttwo\x1b[2J\r\n\nfour"), "b", "y z")
	_, got, _ := strings.Cut(b.String(), " ")
	if want := "ERROR failed         a=x b=\"y z\"\n    one\n    \ttwo?[2J\n    \n    four\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	b.Reset()
	slog.New(slog.NewJSONHandler(&b, nil)).Error("failed", "error", lines("one\ntwo"))
	if !strings.Contains(b.String(), `"error":"one\ntwo"`) {
		t.Error(b.String())
	}
}

// The builder is for servers, and says so to nobody.
func TestBuilderIsHidden(t *testing.T) {
	if text, code := command(t, "policy", "--help"); code != exitOK || strings.Contains(text, "builder") || !strings.Contains(text, "  build ") {
		t.Error(text)
	}
	if _, code := command(t, "policy", "builder"); code != exitUsage {
		t.Error(code)
	}
}
