package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/redact"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// reloading is a server of this process with a configuration file.
type reloading struct {
	t    *testing.T
	in   *generation
	said *lockedBuffer
	file string
	end  chan os.Signal
	hup  chan os.Signal
	done chan error
}

// write writes the file: what every one has, and more.
func (r *reloading) write(more string) []byte {
	r.t.Helper()
	text := "version: 1\ninstance: { state_dir: " + filepath.Dir(r.file) + "/state, drain_timeout: 5s }\nsandbox: { landlock: off, seccomp: \"off\" }\n" +
		"storage: [{ root: root }]\nusers: { anonymous: { enabled: true } }\n" + more
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return []byte(text)
}

func newReloading(t *testing.T, more string) *reloading {
	t.Helper()
	dir, err := os.MkdirTemp("", "reload") // the socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := &reloading{t: t, said: new(lockedBuffer), file: filepath.Join(dir, "edgeftp.yaml"), end: make(chan os.Signal, 1), hup: make(chan os.Signal, 1), done: make(chan error, 1)}
	r.write(more)
	if err := r.start(false); err != nil {
		t.Fatal(err)
	}
	return r
}

// start starts the server of the file, as serve does.
func (r *reloading) start(takeOver bool) error {
	r.t.Helper()
	from := loaded{origin: origin{file: r.file}, takeOver: takeOver}
	text, err := from.origin.read()
	if err == nil {
		from.conf, from.source, err = from.origin.parse(text)
	}
	if err != nil {
		return err
	}
	from.hide = redact.New(from.conf.Log.Redact)
	if r.in, err = assemble(r.t.Context(), from, slog.New(from.hide.Handler(slog.NewJSONHandler(r.said, nil))), newLevels("info")); err != nil {
		return err
	}
	r.in.attendEnd(r.end)
	if err = r.in.listen(r.t.Context()); err == nil {
		err = r.in.take(r.t.Context())
	}
	if err != nil {
		r.in.close()
		return err
	}
	go func() { r.done <- r.in.run(r.t.Context(), r.end, r.hup) }()
	until(r.t, 10*time.Second, "the server runs", func() bool {
		st, err := (control.Client{Path: from.conf.Socket}).Status(r.t.Context())
		return err == nil && st.Since.Equal(r.in.modules.base.Since)
	})
	return nil
}

func (r *reloading) stop() {
	r.t.Helper()
	r.end <- syscall.SIGTERM
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
	r.in.close()
}

func (r *reloading) addr(n int) string { return r.in.server.Addresses()[n].String() }

// dial begins a session.
func (r *reloading) dial() *userpi.Client {
	r.t.Helper()
	c, err := userpi.Dial(r.addr(0))
	if err == nil {
		_, err = c.Expect("greeting", 220)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// do carries a command out.
func (r *reloading) do(c *userpi.Client, line string, code int) {
	r.t.Helper()
	if reply, err := c.Do(line); err != nil || reply.Code != code {
		r.t.Errorf("%s: %v, %v", line, reply, err)
	}
}

// greeting is what a new session is greeted with.
func (r *reloading) greeting() string {
	r.t.Helper()
	c, err := userpi.Dial(r.addr(0))
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	reply, err := c.Expect("greeting", 220)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply.Text()
}

func descriptors() int {
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

// everyPart is a configuration in which each part of a generation is another one.
func everyPart(n int) string {
	text := fmt.Sprintf("listeners:\n  - { name: main, address: 127.0.0.1:0, banner: b%d, tls: { control: optional, data: optional, certificate: dev, min_version: \"1.%d\" } }\n", n, 2+n%2)
	if n%2 == 1 {
		text += "  - { name: other, address: \"[::1]:0\", tls: { control: optional, data: optional, certificate: dev } }\n"
	}
	text += fmt.Sprintf("limits: { sessions: { total: %d }, commands_per_second: %d, memory: %dGiB }\n", 100+n, 10+n, 20+n)
	text += fmt.Sprintf("events: { file: events%d.log }\ntelemetry: { access_log: { file: access%d.log }", n%3, n%3)
	if n%3 > 0 {
		text += fmt.Sprintf(", metrics: { listen: 127.0.0.1:0, path: /m%d }", n%2)
	}
	return text + fmt.Sprintf(" }\npolicies: { watch: drop%d }\ndefender: { score: %d }\n", n%2, 100+n)
}

// Fifty reloads in which everything changes leave nothing over, and a session of the first
// configuration goes on.
func TestReloadLeaks(t *testing.T) {
	r := newReloading(t, "listeners: [{ name: main, address: 127.0.0.1:0, tls: { control: off } }]\n")
	defer r.stop()
	for _, dir := range []string{"drop0", "drop1"} {
		if err := os.Mkdir(filepath.Join(filepath.Dir(r.file), dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c, err := userpi.Dial(r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("anonymous", "me"); err != nil {
		t.Fatal(err)
	}
	address := r.addr(0)
	reload := func(n int) {
		t.Helper()
		result, err := r.in.reload(t.Context(), order{text: r.write(everyPart(n)), by: "command"})
		if err != nil || !result.Applied {
			t.Fatalf("%d: %+v, %v", n, result, err)
		}
		if got := r.greeting(); !strings.Contains(got, fmt.Sprintf("b%d", n)) || r.addr(0) != address {
			t.Errorf("%d: greeted with %q at %s", n, got, r.addr(0))
		}
	}
	for n := range 6 {
		reload(n)
	}
	goroutines, files := runtime.NumGoroutine(), descriptors()
	for n := range 48 {
		reload(n + 6)
	}
	if _, err := c.Must("NOOP", 200); err != nil {
		t.Error(err)
	}
	until(t, 20*time.Second, "nothing is left over", func() bool {
		return runtime.NumGoroutine() <= goroutines+2 && descriptors() <= files+2
	})
	if n := len(r.in.history.entries(0)); n != historyKept {
		t.Errorf("%d configurations are kept", n)
	}
}

// Whatever part of a configuration cannot be had, what is in force stays, with its ports
// and its figures; and what is read is told.
func TestReloadFails(t *testing.T) {
	good := "listeners: [{ name: main, address: 127.0.0.1:0, banner: good, tls: { control: off } }]\n"
	r := newReloading(t, good+"telemetry: { metrics: { listen: 127.0.0.1:0 } }\n")
	defer r.stop()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := filepath.Dir(r.file)
	if err := os.WriteFile(filepath.Join(dir, "bad.wasm"), []byte("no module"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.pem"), []byte("no certificate"), 0o644); err != nil {
		t.Fatal(err)
	}
	was, figures := r.in.now.Load(), r.in.now.Load().figuresAt
	goroutines, files := runtime.NumGoroutine(), descriptors()
	other := strings.ReplaceAll(good, "good", "other")
	for what, more := range map[string]string{
		"a port that is taken":   "listeners: [{ name: main, address: 127.0.0.1:0, banner: other, tls: { control: off } }, { name: b, address: " + taken.Addr().String() + ", tls: { control: off } }]\n",
		"figures' port taken":    other + "telemetry: { metrics: { listen: " + taken.Addr().String() + " } }\n",
		"no module":              other + "policies: { modules: [{ name: bad, source: bad.wasm }] }\n",
		"no certificate":         strings.ReplaceAll(other, "control: off", "control: optional, data: optional, certificate: files") + "certificates: { files: [{ cert: bad.pem }] }\n",
		"a log that is a folder": other + "events: { file: root2 }\n",
		"an unknown name":        strings.ReplaceAll(other, "banner", "passive: { advertise: name.invalid }, banner"),
		"a key that is fixed":    other + "policies: { strict: true }\n",
		"a broken file":          other + "nothing: 1\n",
		"no listeners":           strings.ReplaceAll(other, "listeners", "x") + "\n",
	} {
		if what == "a log that is a folder" {
			_ = os.Mkdir(filepath.Join(dir, "root2"), 0o755)
		}
		before := len(r.in.history.entries(0))
		result, err := r.in.reload(t.Context(), order{text: r.write(more), by: "command"})
		if err == nil || result.Applied || r.in.now.Load() != was || len(r.in.history.entries(0)) != before {
			t.Errorf("%s: %+v, %v", what, result, err)
		}
		if got := r.greeting(); !strings.Contains(got, "good") {
			t.Errorf("%s: greeted with %q", what, got)
		}
		conn, err := net.Dial("tcp", figures.Addr().String())
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		conn.Close()
	}
	until(t, 20*time.Second, "nothing is left over", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors() <= files
	})
	if n := strings.Count(r.said.String(), `"event":"config_rejected"`); n != 9 {
		t.Errorf("%d were told of", n)
	}
	// The file is still broken, which a signal finds out; then it is whole again.
	r.hup <- syscall.SIGHUP
	until(t, 10*time.Second, "the signal is told of", func() bool { return strings.Contains(r.said.String(), `"by":"SIGHUP"`) })
	r.write(other + "telemetry: { metrics: { listen: 127.0.0.1:0 } }\n")
	r.hup <- syscall.SIGHUP
	until(t, 10*time.Second, "it is reloaded", func() bool { return r.in.now.Load() != was })
	if r.in.now.Load().figuresAt != figures {
		t.Error("the figures have moved")
	}
}

// Who has seen another configuration changes nothing.
func TestReloadMatch(t *testing.T) {
	good := "listeners: [{ name: main, address: 127.0.0.1:0, banner: good, tls: { control: off } }]\n"
	r := newReloading(t, good)
	defer r.stop()
	c := controller{r.in.modules, r.in.warden(), usher{r.in.server}, r.in.instance}
	seen := c.RunningConfig()
	text := r.write(strings.ReplaceAll(good, "good", "second"))
	for _, want := range []bool{true, false} {
		_, err := c.ApplyConfig(context.Background(), control.ConfigAsk{Text: text, Match: seen.ETag})
		if (err == nil) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if now := c.RunningConfig(); now.Generation != seen.Generation+1 || !strings.Contains(now.Text, "second") || now.File != r.file {
		t.Errorf("%+v", now)
	}
	// What cannot be kept, as on a full disk, is in force nevertheless, and has a number.
	if err := os.RemoveAll(r.in.history.dir); err != nil {
		t.Fatal(err)
	}
	text = r.write(strings.ReplaceAll(good, "good", "third"))
	if result, err := c.ApplyConfig(context.Background(), control.ConfigAsk{Text: text}); err != nil || result.Generation != seen.Generation+2 ||
		!strings.Contains(r.greeting(), "third") || !strings.Contains(r.said.String(), "could not be kept") {
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := c.RollbackConfig(context.Background(), 0); err == nil || !strings.Contains(r.greeting(), "third") {
		t.Errorf("a rollback to what was lost: %v", err)
	}
	seen.Generation++
	if st := r.in.modules.Status(); st.Generation != seen.Generation+1 || st.ConfigSince.IsZero() {
		t.Errorf("%+v", st)
	}
}

// A line of changes is not longer than a line may be, and steers no terminal.
func TestBriefly(t *testing.T) {
	var all []control.ConfigChange
	for range 100 {
		all = append(all, control.ConfigChange{Key: "key\x1b[2J", From: "a\nb", To: strings.Repeat("x", 50)})
	}
	if got := briefly(all); len(got) > 1100 || strings.ContainsAny(got, "\x1b\n") || !strings.Contains(got, "more") {
		t.Errorf("%q", got)
	}
	printReload(io.Discard, &control.ConfigResult{Changes: all})
	if got := holdsFor(string(config.EffectListener)); got == "" {
		t.Error("no word")
	}
}
