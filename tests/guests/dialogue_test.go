package guests

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/accesslog"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/policies/antiflood"
	"github.com/edgeftp/edgeftp/policies/quota"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// judge is what a server judges by: the five policies, and what they remember.
type judge struct {
	slots  []edge.Slot
	spaces map[string]policy.KV
}

func nativeJudge(t *testing.T, stored string) judge {
	j := judge{spaces: map[string]policy.KV{"antiflood": space(t, time.Now), "quota": space(t, time.Now)}}
	for _, p := range []policy.Policy{
		must[*antiflood.Policy](t)(antiflood.New(antiflood.Config{KV: j.spaces["antiflood"], Failures: 3})),
		must[*users.Policy](t)(users.New(users.Config{Users: []users.User{{Name: "anna", PasswordHash: stored, Perms: policy.PermAll, MsgLogin: "Good day, Anna.", MsgQuit: "Bye."}}})),
		must[*anonymous.Policy](t)(anonymous.New(anonymous.Config{})),
		must[*quota.Policy](t)(quota.New(quota.Config{KV: j.spaces["quota"], Each: quota.Limits{Bytes: 100, Files: 2}})),
		must[*accesslog.Log](t)(accesslog.New(accesslog.Config{Sink: func([]byte) error { return nil }})),
	} {
		j.slots = append(j.slots, edge.Slot{Name: p.Name(), Policy: p})
	}
	return j
}

func guestJudge(t *testing.T, stored string) judge {
	t.Helper()
	host := newHost(t, nil)
	j := judge{spaces: map[string]policy.KV{}}
	for _, f := range []form{
		{name: "antiflood", settings: `{"failures": 3}`},
		{name: "users", settings: `{"users": [{"name": "anna", "password_hash": "` + stored + `", "perm": "elradfmwMT", "msg_login": "Good day, Anna.", "msg_quit": "Bye."}]}`},
		{name: "anonymous"},
		{name: "quota", settings: `{"each": {"bytes": 100, "files": 2}}`},
		{name: "accesslog"},
	} {
		p, s := load(t, host, f, build(t, f.name), time.Now)
		j.spaces[f.name] = s
		j.slots = append(j.slots, edge.Slot{Name: f.name, Policy: p})
	}
	return j
}

// dialogue is what is said between a server and its clients, with what is another
// each time left out.
type dialogue struct {
	*testing.T
	judge judge
	addr  string
	said  []string
}

// serve runs a server that judges so and holds the dialogue with it.
func serve(t *testing.T, j judge) []string {
	t.Helper()
	srv, err := edge.New(edge.Config{FS: vfs.NewMem(), Listeners: []edge.Listener{{Name: "main", Address: "127.0.0.1:0"}}, Policies: j.slots,
		Logins: edge.Logins{FailDelay: -1}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), userpi.Timeout)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	d := &dialogue{T: t, judge: j, addr: srv.Addresses()[0].String()}
	d.stores()
	d.guesses()
	return d.said
}

// dial connects; every line goes down in the dialogue.
func (d *dialogue) dial() *userpi.Client {
	d.Helper()
	c, err := userpi.Dial(d.addr)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _ = c.Close() })
	varies := regexp.MustCompile(`\|\|\|\d+\||in [0-9.]+ seconds|ref [0-9a-f-]+`)
	c.Trace = func(sent bool, text string) {
		who := "S: "
		if sent {
			who = "C: "
		}
		d.said = append(d.said, who+varies.ReplaceAllString(text, "..."))
	}
	if _, err := c.Expect("the greeting", 220); err != nil {
		d.Fatal(err)
	}
	return c
}

func (d *dialogue) say(c *userpi.Client, commands ...string) {
	d.Helper()
	for _, line := range commands {
		if _, err := c.Do(line); err != nil {
			d.Fatalf("%s: %v, after\n%s", line, err, strings.Join(d.said, "\n"))
		}
	}
}

// put uploads n bytes and takes whatever the reply is.
func (d *dialogue) put(c *userpi.Client, name string, n int) {
	d.Helper()
	conn, err := c.Begin(userpi.EPSV, "STOR "+name)
	if err != nil { // the mark was a refusal, which the dialogue holds
		return
	}
	defer conn.Close()
	_, _ = conn.Write(bytes.Repeat([]byte{'x'}, n)) // the server may have had enough
	_ = userpi.End(conn)
	if _, err := c.Reply(); err != nil {
		d.Fatal(err)
	}
}

// until waits for what events do, which is done beside the session.
func (d *dialogue) until(what string, holds func() bool) {
	d.Helper()
	for limit := time.Now().Add(userpi.Timeout); !holds(); runtime.Gosched() {
		if time.Now().After(limit) {
			d.Fatalf("it never came to be that %s", what)
		}
	}
}

// stores is about what may be stored.
func (d *dialogue) stores() {
	c := d.dial()
	d.say(c, "USER anna", "PASS right", "PWD", "TYPE I", "SITE QUOTA", "SITE HELP")
	d.put(c, "a", 60)
	d.put(c, "b", 41)
	d.say(c, "SIZE a", "SIZE b", "ALLO 41")
	d.put(c, "b", 41)
	d.put(c, "b", 40)
	d.say(c, "SITE QUOTA")
	d.put(c, "c", 1)
	before, _ := d.judge.spaces["quota"].Get("u/anna")
	d.say(c, "DELE nothing", "DELE a")
	d.until("the deletion is counted", func() bool {
		after, _ := d.judge.spaces["quota"].Get("u/anna")
		return !bytes.Equal(before, after)
	})
	d.say(c, "SITE QUOTA", "NOOP", "QUIT")
	c = d.dial()
	d.say(c, "USER anonymous", "PASS me@example.org", "TYPE I", "MKD x", "SIZE a", "SITE QUOTA")
	d.put(c, "d", 1)
	d.say(c, "QUIT")
}

// guesses ends with a ban.
func (d *dialogue) guesses() {
	c := d.dial()
	for i := range uint64(3) {
		d.say(c, "USER anna", "PASS wrong")
		d.until("the failure is counted", func() bool {
			b, _ := d.judge.spaces["antiflood"].Get("a/127.0.0.1/32")
			return len(b) == 8 && binary.LittleEndian.Uint64(b) == i+1
		})
		if i == 1 { // one connection has three attempts
			c = d.dial()
		}
	}
	d.until("the ban is there", func() bool {
		_, banned := d.judge.spaces["antiflood"].Get("b/127.0.0.1/32")
		return banned
	})
	c = d.dial()
	d.say(c, "USER anna", "PASS right")
}

// TestDialogue: a client cannot tell whether the policies are linked natively or run
// in the sandbox.
func TestDialogue(t *testing.T) {
	stored, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	native, guest := serve(t, nativeJudge(t, string(stored))), serve(t, guestJudge(t, string(stored)))
	if !slices.Equal(native, guest) {
		for i := range max(len(native), len(guest)) {
			if i >= len(native) || i >= len(guest) || native[i] != guest[i] {
				t.Errorf("they part at line %d", i+1)
				break
			}
		}
		t.Errorf("native:\n%s\n\nguest:\n%s", strings.Join(native, "\n"), strings.Join(guest, "\n"))
	}
	text := strings.Join(native, "\n")
	for _, want := range landmarks() {
		if !strings.Contains(text, "S: "+want) {
			t.Errorf("nobody says %q in\n%s", want, text)
		}
	}
}

// landmarks are what each policy has had said.
func landmarks() []string {
	return []string{
		"230 Good day, Anna.", "221 Bye.",
		"200 You have stored 0 of 100 bytes (100 left) and 0 of 2 files (2 left).",
		"200 You have stored 100 of 100 bytes (0 left) and 2 of 2 files (0 left).",
		"200 You have stored 40 of 100 bytes (60 left) and 1 of 2 files (1 left).",
		"552 The file is too large: the quota leaves 40 bytes.",
		"552 The quota leaves no room for another file.",
		"530 That name and password do not go together.",
		"421 Too many failed logins from your address; try again later.",
	}
}
