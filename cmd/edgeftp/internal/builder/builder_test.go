package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/tests/executable"
)

// TestMain is also the builder, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "policy" {
		os.Exit(child(os.Args[2], os.Args[3:]))
	}
	goleak.VerifyTestMain(m)
}

// child is a builder, or something that fails to be one.
func child(what string, args []string) int {
	switch what {
	case "builder":
		if slices.Contains(args, "--serve") {
			limit, err := time.ParseDuration(args[4])
			if err != nil {
				return 2
			}
			o := Options{Cache: args[2], Limit: limit}
			for i := 5; i+1 < len(args); i += 2 {
				to := map[string]*[]string{"--dir": &o.Dirs, "--once": &o.Once}[args[i]]
				*to = append(*to, args[i+1])
			}
			if o.Program, err = Self(); err == nil {
				err = Attend(context.Background(), o, os.Stdin, os.Stdout)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			return 0
		}
		if err := Serve(context.Background(), args[3], args[1], os.Stdin, os.Stdout); err != nil {
			return 1
		}
	case "silent":
		fmt.Fprintln(os.Stderr, "something broke\nhere")
		return 3
	case "chatty":
		fmt.Println("hello")
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	return 0
}

func newBuilder(t *testing.T, what string, limit time.Duration) *Builder {
	t.Helper()
	program, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Program: []string{program[0], program[1], what}, Cache: filepath.Join(t.TempDir(), "cache"), Limit: limit})
}

func policyFolder(t *testing.T, main string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.org/p\n\ngo 1.24\n", "main.go": main} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// empty fails the test if a build has left the folder that it worked in.
func (b *Builder) empty(t *testing.T) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(b.options.Cache, scratch+"*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestBuild(t *testing.T) {
	b := newBuilder(t, "builder", 0)
	dir := policyFolder(t, "package main\n\nfunc main() {}\n")
	for _, how := range []string{"built with go1.", "from the cache"} {
		r, err := b.Build(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(r.Module), "\x00asm") || r.Language != "go" || !strings.Contains(r.How, how) || !strings.HasPrefix(r.Tool, "go1.") ||
			len(r.Dirs) != 1 || (r.Took > 0) != strings.HasPrefix(how, "built") {
			t.Errorf("%+v", r.How)
		}
	}
	b.empty(t)
}

// A fault of the source comes over as it was.
func TestFault(t *testing.T) {
	b := newBuilder(t, "builder", 0)
	dir := policyFolder(t, "package main\n\nfunc main() { nonsense }\n")
	_, want := build.Build(t.Context(), dir, "")
	_, got := b.Build(t.Context(), dir)
	var e *build.Error
	if !errors.As(got, &e) || got.Error() != want.Error() || !strings.Contains(e.Output, "main.go:3:15: undefined: nonsense") {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	b.empty(t)
}

// A manifest that no server takes is told of by its own lines, which it has not in the
// module.
func TestManifestByItsLines(t *testing.T) {
	b := newBuilder(t, "builder", 0)
	dir := policyFolder(t, "package main\n\nfunc main() {}\n")
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("{\n  \"name\": \"guard\",\n  \"capabilties\": [\"kv\"]\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := b.Build(t.Context(), dir)
	want := "building the policy in " + dir + ": manifest.json:3:18: the key \"capabilties\"\n" +
		"   = needs:  only the keys abi, capabilities, data, description, hooks, interest, isolation, kv, license, limits, name, settings, site, source, version\n" +
		"   = help:   correct its name, or leave it out: what a server does not know is never ignored"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	b.empty(t)
}

// What is no builder is told of, with what it says.
func TestNoBuilder(t *testing.T) {
	dir := t.TempDir()
	for what, says := range map[string]string{
		"silent": "did not answer: it said nothing (exit status 3)\nsomething broke\nhere",
		"chatty": `did not answer: its answer begins with "hello"`,
	} {
		b := newBuilder(t, what, 0)
		_, err := b.Build(t.Context(), dir)
		var e *build.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", what, err, says)
		}
		b.empty(t)
	}
	b := New(Options{Program: []string{filepath.Join(dir, "nothing")}, Cache: dir})
	if _, err := b.Build(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Error(err)
	}
}

// slowTool puts a script in the Go tool's place, which writes down its own id and that
// of a child, and then takes its time.
func slowTool(t *testing.T) (pids string) {
	t.Helper()
	if _, err := exec.LookPath("sleep"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no sleep to take the time with")
	}
	dir := t.TempDir()
	pids = filepath.Join(dir, "pids")
	script := "#!/bin/sh\nsleep 60 &\necho $$ $! > " + pids + ".new && mv " + pids + ".new " + pids + "\nwait\n"
	if err := executable.Write(filepath.Join(dir, "go"), []byte(script)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return pids
}

// until waits for something that happens soon.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("not in time: " + what)
		}
	}
}

// running reports whether a process is there and no zombie.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func allGone(t *testing.T, pids string) {
	t.Helper()
	text, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		until(t, "process "+word+" is gone", func() bool { return !running(pid) })
	}
}

// The compilers go with the builder, whoever ends it.
func TestTheGroupEnds(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs /proc, as Linux has it")
	}
	dir := policyFolder(t, "package main\n\nfunc main() {}\n")
	t.Run("the limit", func(t *testing.T) {
		pids := slowTool(t)
		b := newBuilder(t, "builder", 4*time.Second)
		_, err := b.Build(t.Context(), dir)
		if err == nil || !strings.Contains(err.Error(), "took longer than 4s") {
			t.Error(err)
		}
		allGone(t, pids)
		b.empty(t)
	})
	t.Run("the caller", func(t *testing.T) {
		pids := slowTool(t)
		b := newBuilder(t, "builder", 0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := b.Build(ctx, dir)
			done <- err
		}()
		until(t, "the compiler runs", func() bool { _, err := os.Stat(pids); return err == nil })
		waiting, give := context.WithCancel(t.Context())
		give()
		if _, err := b.Build(waiting, dir); !errors.Is(err, context.Canceled) {
			t.Errorf("a second build does not wait for its turn: %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		allGone(t, pids)
		b.empty(t)
	})
}

func TestEnvironment(t *testing.T) {
	got := Environment([]string{"PATH=/bin", "HOME=/h", "EDGEFTP_X=1", "edgeftp_y=1", "NOTIFY_SOCKET=/n", "LISTEN_FDS=3", "DB_PASSWORD=p", "NPM_TOKEN=t",
		"AWS_SECRET_ACCESS_KEY=s", "CREDENTIALS_DIRECTORY=/c", "GOFLAGS=-p=1", "LC_ALL=C", "no sign", "Path=C:", "RUSTUP_HOME=/r",
		"DEV_HASH=$2a$04$x", "DATABASE_URL=postgres://u:p@h", "MYSQL_PWD=p", "GOOGLE_X=g", "GOAUTH=a", "CARGO_REGISTRY_TOKEN=t", "INVOCATION_ID=i"})
	if want := []string{"PATH=/bin", "HOME=/h", "GOFLAGS=-p=1", "LC_ALL=C", "Path=C:", "RUSTUP_HOME=/r"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// What killed servers have left is removed.
func TestCacheIsTidy(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, scratch+"x"), 0o700); err != nil {
		t.Fatal(err)
	}
	New(Options{Program: []string{"x"}, Cache: dir}).empty(t)
}
