package builder

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// words is a log that is read while it is written.
type words struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// newChild starts a child that is closed with the test, unless that has closed it.
func newChild(t *testing.T, what string, limit time.Duration, dirs ...string) (c *Child, log *words) {
	t.Helper()
	program, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	log = &words{}
	c, err = Start(Options{Program: []string{program[0], program[1], what}, Cache: filepath.Join(t.TempDir(), "cache"), Limit: limit, Dirs: dirs}, nil,
		slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-c.closing:
		default:
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return c, log
}

// empty fails the test if a build has left the folder that it worked in.
func (c *Child) empty(t *testing.T) {
	t.Helper()
	(&Builder{options: c.options}).empty(t)
}

// One process does build after build, and what is at fault changes nothing for the next.
func TestChild(t *testing.T) {
	good, bad := policyFolder(t, "package main\n\nfunc main() {}\n"), policyFolder(t, "package main\n\nfunc main() { nonsense }\n")
	c, log := newChild(t, "builder", 0, good, bad)
	_, want := build.Build(t.Context(), bad, "")
	for _, how := range []string{"built with go1.", "from the cache"} {
		r, err := c.Build(t.Context(), good)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(r.Module), "\x00asm") || !strings.Contains(r.How, how) {
			t.Errorf("%+v", r.How)
		}
		var e *build.Error
		if _, err = c.Build(t.Context(), bad); !errors.As(err, &e) || err.Error() != want.Error() {
			t.Errorf("got  %v\nwant %v", err, want)
		}
	}
	c.empty(t)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Build(t.Context(), good); err == nil || !strings.Contains(err.Error(), "restart the server") {
		t.Error(err)
	}
	if log.String() != "" {
		t.Errorf("logged: %s", log)
	}
}

// A build that is ended leaves the child there for the next one.
func TestChildEndsBuilds(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs /proc, as Linux has it")
	}
	dir := policyFolder(t, "package main\n\nfunc main() {}\n")
	pids := slowTool(t)
	late, _ := newChild(t, "builder", 4*time.Second, dir)
	if _, err := late.Build(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "took longer than 4s") {
		t.Error(err)
	}
	allGone(t, pids)
	for what, end := range map[string]func(c *Child, cancel func()){
		"the caller": func(_ *Child, cancel func()) { cancel() },
		"closed":     func(c *Child, _ func()) { _ = c.Close() },
		"killed":     func(c *Child, _ func()) { c.end() },
	} {
		t.Run(what, func(t *testing.T) {
			if err := os.Remove(pids); err != nil {
				t.Fatal(err)
			}
			c, log := newChild(t, "builder", 0, dir)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := c.Build(ctx, dir)
				done <- err
			}()
			until(t, "the compiler runs", func() bool { _, err := os.Stat(pids); return err == nil })
			end(c, cancel)
			err := <-done
			allGone(t, pids)
			if what != "the caller" {
				if err == nil || !strings.Contains(err.Error(), "there is no builder any more") || !strings.Contains(err.Error(), "= help:   restart the server") {
					t.Error(err)
				}
				if told := strings.Contains(log.String(), "the builder of policies has ended"); told != (what == "killed") {
					t.Errorf("logged: %s", log)
				}
				return
			}
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			c.empty(t)
			script, away := filepath.Join(filepath.Dir(pids), "go"), filepath.Join(filepath.Dir(pids), "away")
			if err := os.Rename(script, away); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Build(t.Context(), dir); err != nil {
				t.Errorf("the next build: %v", err)
			}
			if err := os.Rename(away, script); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What is no builder is ended at its first word.
func TestNoChild(t *testing.T) {
	dir := t.TempDir()
	for what, says := range map[string]string{"silent": "exit status 3", "chatty": "it has ended (signal: killed)"} {
		c, log := newChild(t, what, 0, dir)
		for range 2 {
			_, err := c.Build(t.Context(), dir)
			var e *build.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), says) || e.Help == "" {
				t.Errorf("%s: %v, want %q", what, err, says)
			}
		}
		until(t, "it is told", func() bool { return strings.Contains(log.String(), "restart the server") })
	}
	if _, err := Start(Options{Program: []string{filepath.Join(dir, "nothing")}, Cache: dir}, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Error(err)
	}
}

// Who has got into the server cannot have the child, which is in no sandbox, run compilers
// in a folder that he has made himself, by whatever name.
func TestChildBuildsOnlyWhatWasNamed(t *testing.T) {
	named, other := policyFolder(t, "package main\n\nfunc main() {}\n"), policyFolder(t, "package main\n\nfunc main() {}\n")
	c, _ := newChild(t, "builder", 0, named)
	for _, dir := range []string{other, named + "/../" + filepath.Base(filepath.Dir(other)) + "/" + filepath.Base(other), "", ".", filepath.Dir(named), named + "/"} {
		var e *build.Error
		if _, err := c.Build(t.Context(), dir); !errors.As(err, &e) || !strings.Contains(e.Summary, "not started for this folder") || e.Help == "" {
			t.Errorf("%q: %v", dir, err)
		}
	}
	c.empty(t)
	if _, err := c.Build(t.Context(), named); err != nil {
		t.Errorf("the next build: %v", err)
	}
	c, _ = newChild(t, "builder", 0)
	if _, err := c.Build(t.Context(), named); err == nil {
		t.Error("a child without folders built one")
	}
	once := c.options
	once.Once = []string{named, other, other}
	c, err := Start(once, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false, false} {
		if _, err := c.Build(t.Context(), other); (err == nil) != want {
			t.Errorf("build %d: %v", i+1, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// The child has the three files that it needs, and none that the server was given.
func TestChildInheritsNothing(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs /proc, as Linux has it")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	inheritable(t, r)
	inheritable(t, w)
	t.Setenv("EDGEFTP_SECRET", "s")
	empty := t.TempDir()
	c, _ := newChild(t, "builder", 0, empty)
	where := "/proc/" + strconv.Itoa(c.cmd.Process.Pid)
	mine, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(r.Fd())))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Build(t.Context(), empty); err == nil { // it is up
		t.Error("an empty folder was built")
	}
	fds, err := os.ReadDir(where + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, _ := os.Readlink(where + "/fd/" + fd.Name()); to == mine || strings.HasPrefix(to, "socket:") {
			t.Errorf("file %s is %s", fd.Name(), to)
		}
	}
	env, err := os.ReadFile(where + "/environ")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(env), "EDGEFTP") {
		t.Errorf("%q", env)
	}
}

// What is no request ends the child with a reason.
func TestAttendRefuses(t *testing.T) {
	for _, text := range []string{"hello\n", "{\"form\":1,\"build\":1,\"dir\":\"/\"}\n", strings.Repeat("x", maxRequest+1)} {
		if err := Attend(t.Context(), Options{Program: []string{"x"}, Cache: t.TempDir()}, strings.NewReader(text), io.Discard); err == nil || !strings.Contains(err.Error(), "the server said") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if err := Attend(t.Context(), Options{Program: []string{"x"}, Cache: t.TempDir()}, strings.NewReader("{\"form\":2,\"cancel\":9}\n"), io.Discard); err != nil {
		t.Error(err)
	}
}

func FuzzRequests(f *testing.F) {
	f.Add([]byte("{\"form\":2,\"cancel\":9}\n"))
	f.Add([]byte("{\"form\":2,\"build\":1,\"dir\":\"/nowhere\"}\n{\"form\":2,\"cancel\":1}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		jobs := make(chan job)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			last := uint64(0)
			for j := range jobs {
				if j.Build == 0 || j.Build == last && j.ctx == nil {
					t.Errorf("%+v", j.request)
				}
				last = j.Build
			}
		}()
		_ = listen(ctx, bytes.NewReader(b), jobs)
		close(jobs)
		<-done
	})
}
