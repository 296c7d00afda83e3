//go:build linux

package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/succession"
	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

const upgradable = "listeners: [{ name: main, address: 127.0.0.1:0, tls: { control: off } }]\ntelemetry: { metrics: { listen: 127.0.0.1:0 } }\n"

// next is another process, which is to take the server's place.
func (r *reloading) next() *reloading {
	return &reloading{t: r.t, said: new(lockedBuffer), file: r.file, end: make(chan os.Signal, 1), hup: make(chan os.Signal, 1), done: make(chan error, 1)}
}

func (r *reloading) client() control.Client { return control.Client{Path: r.in.conf.Socket} }

// verified fails unless the chain of the audit log is whole.
func (r *reloading) verified() {
	r.t.Helper()
	dir := r.in.conf.Instance.StateDir
	files, err := audit.Files(filepath.Join(dir, "audit.jsonl"))
	var head *audit.Head
	if err == nil {
		head, err = audit.ReadHead(filepath.Join(dir, "audit.head"))
	}
	var report audit.Report
	if err == nil {
		report, err = audit.Verify(files, head)
	}
	if err != nil || len(report.Faults) > 0 {
		r.t.Errorf("the audit log: %+v, %v", report.Faults, err)
	}
}

// ends waits until the server has ended by itself.
func (r *reloading) ends() {
	r.t.Helper()
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Error(err)
		}
	case <-time.After(userpi.Timeout):
		r.t.Fatal("it has not ended by itself")
	}
	r.in.close()
}

// A server takes another one's place, and a third one its: who is connected stays, and what
// is told by those that drain reaches the one that serves.
func TestUpgrade(t *testing.T) {
	first := newReloading(t, upgradable)
	session := first.dial()
	space, err := first.in.store.Space("native/test", 0)
	if err != nil {
		t.Fatal(err)
	}
	count := func() {
		if _, err := space.Incr("n", 1, 0); err != nil {
			t.Error(err)
		}
	}
	count()
	second := first.next()
	if err := second.start(true); err != nil {
		t.Fatal(err)
	}
	if second.addr(0) != first.addr(0) || second.in.figuresAt.Addr().String() != first.in.figuresAt.Addr().String() {
		t.Errorf("it serves at %s and shows figures at %s", second.addr(0), second.in.figuresAt.Addr())
	}
	count() // in the first one, which drains
	other := second.dial()
	if got := second.in.server.Sessions(); len(got) != 1 || got[0].ID != 2 {
		t.Errorf("the next one's sessions are %+v", got)
	}
	third := second.next()
	if err := third.start(true); err != nil {
		t.Fatal(err)
	}
	count() // in the first one, which tells the second, which tells the third
	first.do(session, "NOOP", 200)
	second.do(other, "NOOP", 200)
	if st, err := third.client().Status(t.Context()); err != nil || st.Sessions != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	first.do(session, "QUIT", 221)
	second.do(other, "QUIT", 221)
	first.ends()
	second.ends()
	space, err = third.in.store.Space("native/test", 0)
	if err != nil {
		t.Fatal(err)
	}
	until(t, userpi.Timeout, "the counter has all", func() bool { n, err := space.Incr("n", 0, 0); return err == nil && n == 3 })
	if said := first.said.String() + second.said.String(); strings.Contains(said, `"level":"ERROR"`) {
		t.Error(said)
	}
	last := third.dial()
	if got := third.in.server.Sessions(); len(got) != 1 || got[0].ID != 3 {
		t.Errorf("the last one's sessions are %+v", got)
	}
	third.do(last, "QUIT", 221)
	third.verified()
	third.stop()
}

// What waits for a webhook in a server that was replaced is sent by the one that serves, and
// nobody takes its files for those of a webhook that is gone.
func TestUpgradeWebhooks(t *testing.T) {
	var up atomic.Bool
	came := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		came <- r.Header.Get("Idempotency-Key")
	}))
	defer receiver.Close()
	first := newReloading(t, upgradable+"events: { sinks: [{ name: ops, webhook: \""+receiver.URL+"\", allow_private: true, on: [login] }] }\n")
	login := func(r *reloading) *userpi.Client {
		c := r.dial()
		r.do(c, "USER anonymous", 331)
		r.do(c, "PASS x", 230)
		return c
	}
	old := login(first)
	until(t, userpi.Timeout, "the event waits", func() bool {
		list, err := first.client().Webhooks(t.Context())
		return err == nil && len(list) == 1 && list[0].Waiting == 1 && list[0].Failed > 0
	})
	second := first.next()
	if err := second.start(true); err != nil {
		t.Fatal(err)
	}
	first.do(old, "QUIT", 221)
	first.ends()
	up.Store(true)
	second.do(login(second), "QUIT", 221)
	ids := map[string]bool{}
	for range 2 {
		select {
		case id := <-came:
			ids[id] = true
		case <-time.After(userpi.Timeout):
			t.Fatalf("%d of 2 events came", len(ids))
		}
	}
	if len(ids) != 2 {
		t.Errorf("one event came twice: %v", ids)
	}
	if said := second.said.String(); strings.Contains(said, "that the configuration does not have") {
		t.Error(said)
	}
	second.stop()
}

// Without a server there is no place to take, and one begins on its own.
func TestUpgradeOfNobody(t *testing.T) {
	r := newReloading(t, upgradable)
	r.stop()
	again := r.next()
	if err := again.start(true); err != nil {
		t.Fatal(err)
	}
	if said := again.said.String(); !strings.Contains(said, "there is no place to take") {
		t.Error(said)
	}
	again.stop()
}

// What could not serve takes nobody's place: the server has not noticed.
func TestUpgradeInVain(t *testing.T) {
	r := newReloading(t, upgradable)
	defer r.stop()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, c := range []struct{ conf, want string }{
		{strings.Replace(upgradable, "control: off", "control: of", 1), "is not allowed here"},
		{upgradable + "policies: { modules: [{ name: none, source: none.wasm }] }\n", "none.wasm"},
		{strings.Replace(upgradable, "}]", "}, { name: other, address: \""+taken.Addr().String()+"\", tls: { control: off } }]", 1), "address already in use"},
	} {
		r.write(c.conf)
		if err := r.next().start(true); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		r.goesOn()
	}
	if err := r.in.house.predecessor.Upgrading(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// goesOn fails unless the server serves as before, and can be changed.
func (r *reloading) goesOn() {
	r.t.Helper()
	until(r.t, userpi.Timeout, "the server can be changed", func() bool {
		_, err := r.client().SetLevel(r.t.Context(), control.LevelChange{Level: "info"})
		return err == nil
	})
	c := r.dial()
	r.do(c, "QUIT", 221)
	if err := r.in.accounts.retake(0); err != nil || r.in.accounts.away {
		r.t.Errorf("the users' store is away: %v", err)
	}
	if err := r.in.store.HandOver(r.t.Context(), func([]kv.Change) error { return nil }); err != nil {
		r.t.Errorf("what policies remember is away: %v", err)
	} else if err := r.in.store.TakeBack(r.t.Context()); err != nil {
		r.t.Error(err)
	}
	r.verified()
}

// Between the release and the successor's word nothing can be changed, and who connects
// waits. If the successor ends then, the server goes on with all that it had.
func TestUpgradeBreaksOff(t *testing.T) {
	r := newReloading(t, upgradable)
	defer r.stop()
	session := r.dial()
	for range 3 {
		conn, err := r.client().Upgrade(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.client().Upgrade(t.Context()); err == nil || !strings.Contains(err.Error(), "another process is about to") {
			t.Errorf("a second successor: %v", err)
		}
		s, offer, err := succession.Ask(t.Context(), conn, "test")
		if err != nil {
			t.Fatal(err)
		}
		if len(offer.Sockets) != 2 || offer.Sockets[0].Listener != "main" || offer.Sockets[0].Address != "127.0.0.1:0" || offer.Sockets[1].Listener != metricsSocket {
			t.Errorf("the offer is %+v", offer)
		}
		for _, o := range offer.Sockets {
			_ = o.File.Close()
		}
		if n, err := s.Release(t.Context()); err != nil || n == 0 {
			t.Fatal(n, err)
		}
		var no *control.Refusal
		if _, err := r.client().SetLevel(t.Context(), control.LevelChange{Level: "debug"}); !errors.As(err, &no) || no.Code != "EF2158" {
			t.Errorf("it can be changed: %v", err)
		}
		waits, err := net.Dial("tcp", r.addr(0))
		if err != nil {
			t.Fatal(err)
		}
		if err := waits.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := waits.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it greets: %v", err)
		}
		r.do(session, "NOOP", 200)
		s.Fail(errors.New("on purpose"))
		if err := waits.SetReadDeadline(time.Now().Add(userpi.Timeout)); err != nil {
			t.Fatal(err)
		}
		if _, err := waits.Read(make([]byte, 1)); err != nil {
			t.Errorf("who has waited is not served: %v", err)
		}
		_ = waits.Close()
		r.goesOn()
	}
	r.do(session, "QUIT", 221)
}

// A server that is told to end while another process prepares to take its place ends.
func TestUpgradeStopped(t *testing.T) {
	r := newReloading(t, upgradable)
	conn, err := r.client().Upgrade(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, offer, err := succession.Ask(t.Context(), conn, "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range offer.Sockets {
		_ = o.File.Close()
	}
	r.stop()
	if _, err := s.Release(t.Context()); err == nil {
		t.Error("it has given its place away")
	}
	s.Fail(errors.New("too late"))
}

// One that drains is not replaced: it is asked to go on, or left alone.
func TestUpgradeOfDraining(t *testing.T) {
	r := newReloading(t, upgradable)
	defer r.stop()
	session := r.dial()
	if _, err := r.client().Drain(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	var no *control.Refusal
	if _, err := r.client().Upgrade(t.Context()); !errors.As(err, &no) || no.Code != "EF2157" {
		t.Errorf("%v", err)
	}
	if _, err := r.client().CancelDrain(t.Context()); err != nil {
		t.Error(err)
	}
	r.do(session, "QUIT", 221)
	r.goesOn()
}

// A drain whose limit is over gives transfers that run no more time.
func TestDrainLimitIsOver(t *testing.T) {
	r := newReloading(t, upgradable)
	big := filepath.Join(filepath.Dir(r.file), "root", "big")
	if err := errors.Join(os.WriteFile(big, nil, 0o644), os.Truncate(big, 1<<30)); err != nil {
		t.Fatal(err)
	}
	c := r.dial()
	defer c.Close()
	r.do(c, "USER anonymous", 331)
	r.do(c, "PASS x", 230)
	data, err := c.Begin(userpi.EPSV, "RETR big") // of which nothing is read
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = data.Close() }()
	if _, err := r.client().Drain(t.Context(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	r.ends()
	if said := r.said.String(); !strings.Contains(said, `"msg":"transfers were aborted","limit_seconds":0}`) {
		t.Error(said)
	}
}
