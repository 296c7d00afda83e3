package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// transcript is what an operator types and reads while one transfer runs.
type transcript struct {
	t     *testing.T
	s     *server
	began time.Time
	text  strings.Builder
}

func (d *transcript) say(format string, args ...any) {
	fmt.Fprintf(&d.text, "%5.1fs  "+format+"\n", append([]any{time.Since(d.began).Seconds()}, args...)...)
}

// run carries a command out, which has to end with 0 and say each of the words.
func (d *transcript) run(command string, words ...string) {
	d.t.Helper()
	r := d.s.admin(d.t, strings.Fields(command)...)
	d.say("$ edgeftp %s", command)
	for line := range strings.Lines(strings.TrimRight(r.stdout, "\n")) {
		d.say("  %s", strings.TrimRight(line, "\n"))
	}
	if r.code != 0 {
		d.t.Errorf("%s: exit code %d\n%s", command, r.code, r.both())
	}
	for _, w := range words {
		if !strings.Contains(r.stdout, w) {
			d.t.Errorf("%s does not say %q:\n%s", command, w, r.both())
		}
	}
}

// One download sees a reload, a rollback, a live throttle, a kick of somebody else, a ban,
// a drain that is taken back and two upgrades, and no byte of it is missing. With
// EDGEFTP_FULL=1 it lasts for a minute; the log has what was typed and answered.
func TestOperatorsDay(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	rate, size := 1_000_000, int64(8*mib)
	if full() {
		rate, size = 250_000, 14*mib
	}
	conf := func(rate int, banner string) {
		path := p.file(t, fmt.Sprintf("listeners: [{ name: main, address: 127.0.0.1:0, banner: %s, tls: { certificate: dev } }]\nbandwidth: { session_default: { down: %dB } }\n", banner, rate))
		text := string(must(os.ReadFile(path))(t))
		ok(t, os.WriteFile(path, []byte(strings.Replace(text, "drain_timeout: 5s", "drain_timeout: 2m", 1)), 0o600))
	}
	want := noiseFile(t, p.in("big"), size)
	conf(rate, "first")
	first := startServer(t, p, "--config", p.out("edgeftp.yaml"))
	first.user, first.password = "dev", secret
	c := first.login(t)
	data := c.begin(t, "RETR big")
	d := &transcript{t: t, s: first, began: time.Now()}
	got, read := sha256.New(), int64(0)
	until := func(part int64) { // of ten
		t.Helper()
		n, err := io.CopyN(got, data, size*part/10-read)
		ok(t, err)
		read += n
	}
	var running []struct{ ID string }
	ok(t, json.Unmarshal([]byte(first.admin(t, "transfers", "-o", "json").stdout), &running))
	if len(running) != 1 {
		t.Fatalf("%d transfers run", len(running))
	}
	d.say("RETR big has begun: %d bytes at %d a second", size, rate)
	until(1)
	conf(2*rate, "second")
	d.run("reload", "generation 2")
	until(2)
	d.run("config rollback", "generation")
	until(3)
	d.run(fmt.Sprintf("transfers throttle %s %dkB/s", running[0].ID, rate/2000))
	until(4)
	d.run(fmt.Sprintf("transfers throttle %s %dkB/s", running[0].ID, 2*rate/1000))
	other := first.login(t)
	d.run("sessions kick 2 --reason maintenance", "1")
	if r, err := other.Reply(); err != nil || r.Code != 421 || !strings.Contains(r.Text(), "maintenance") {
		t.Errorf("who was kicked hears %v, %v", r, err)
	}
	d.run("ban add 192.0.2.0/24 --for 1h --why noise")
	until(5)
	d.run("drain --limit 5m")
	if r, err := must(userpi.Dial(first.addr))(t).Reply(); err != nil || r.Code != 421 {
		t.Errorf("while it drains: %v, %v", r, err)
	}
	d.run("drain --cancel")
	until(6)
	second := p.upgraded(t, p.out("edgeftp.yaml"))
	d.say("$ edgeftp serve --config edgeftp.yaml --take-over    # pid %d", second.cmd.Process.Pid)
	d.run("status", fmt.Sprintf("pid %d", second.cmd.Process.Pid), fmt.Sprintf("before     pid %d", first.cmd.Process.Pid))
	d.run("ban list", "192.0.2.0/24")
	until(7)
	third := p.upgraded(t, p.out("edgeftp.yaml"))
	d.say("$ edgeftp serve --config edgeftp.yaml --take-over    # pid %d", third.cmd.Process.Pid)
	d.run("status", fmt.Sprintf("pid %d", third.cmd.Process.Pid))
	until(10)
	if rest, err := io.Copy(got, data); err != nil || rest != 0 {
		t.Errorf("%d bytes too many, %v", rest, err)
	}
	ok(t, userpi.End(data))
	if r, err := c.Expect("RETR", 226); err != nil {
		t.Error(err)
	} else {
		d.say("226 %s", r.Text())
	}
	if digest(got.Sum(nil)) != want {
		t.Error("the download is not what the file is")
	}
	c.want(t, "QUIT", 221)
	for _, s := range []*server{first, second} {
		if code := s.wait(t, stopWithin); code != 0 {
			t.Errorf("a server that was replaced ended with %d", code)
		}
	}
	d.say("both servers before have ended by themselves; every byte is as it was")
	third.stop(t)
	t.Logf("transcript:\n%s", &d.text)
}
