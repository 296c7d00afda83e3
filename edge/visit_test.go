package edge

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// sink is a data connection that keeps what is written to it.
type sink struct {
	net.Conn // nil: nothing else is called
	text     strings.Builder
	ended    []error
	wait     chan struct{} // a write waits for it; nil: none does
}

func (s *sink) Open(context.Context) (net.Conn, error) { return s, nil }
func (s *sink) Close() error                           { return nil }
func (s *sink) RemoteAddr() net.Addr                   { return nil }
func (s *sink) SetWriteDeadline(time.Time) error       { return nil }
func (s *sink) SetDeadline(time.Time) error            { return nil }
func (s *sink) SetReadDeadline(time.Time) error        { return nil }
func (s *sink) End(err error) error                    { s.ended = append(s.ended, err); return nil }
func (s *sink) Write(b []byte) (int, error) {
	if s.wait != nil {
		<-s.wait
	}
	return s.text.Write(b)
}

func visitor(protocol string) Visitor {
	return Visitor{Peer: netip.MustParseAddrPort("192.0.2.7:4000"), Local: netip.MustParseAddrPort("192.0.2.1:443"), Protocol: protocol}
}

// visit begins one that is logged in.
func (r *rig) visit() *Visit {
	r.t.Helper()
	v, err := r.srv.Visit(r.t.Context(), r.srv.now.Load().conf.Listeners[0].Name, visitor("h2"))
	r.must(err)
	for _, e := range []pi.Errand{{Verb: "USER", Argument: "dev"}, {Verb: "PASS", Argument: "secret"}, {Verb: "TYPE", Argument: "I"}} {
		if got := v.Do(r.t.Context(), e); got.Code >= 400 {
			r.t.Fatalf("%s: %v", e.Verb, got)
		}
	}
	return v
}

// A session of another protocol than FTP is one like any other: it is asked about, told
// of, listed and ended.
func TestVisit(t *testing.T) {
	k := newKeeper()
	r := start(t, func(c *Config) { *c = basic(k); c.FS = visited(t) })
	defer r.stop()
	v := r.visit()
	var out sink
	got := v.Do(t.Context(), pi.Errand{Verb: "RETR", Argument: "/a", Port: &out})
	if got.Code != wire.CodeClosingData || out.text.String() != "0123456789" || len(out.ended) != 1 || out.ended[0] != nil {
		t.Errorf("%v, %q, %v", got, out.text.String(), out.ended)
	}
	if k.was(policy.OpRead) != 1 {
		t.Errorf("%d questions", k.was(policy.OpRead))
	}
	r.until("the event", func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, e := range k.events {
			if e.Kind == policy.EventFileSent {
				return e.Path == "/a" && e.Session.Protocol == "h2" && e.Session.User == "dev" && e.Size == 10
			}
		}
		return false
	})
	if all := r.srv.Sessions(); len(all) != 1 || all[0].Protocol != "h2" || all[0].User != "dev" || all[0].Peer != visitor("").Peer {
		t.Errorf("%+v", all)
	}
	for path, want := range map[string]error{"/none": fs.ErrNotExist, "/d": vfs.ErrIsDirectory} {
		if got := v.Do(t.Context(), pi.Errand{Verb: "RETR", Argument: path, Port: new(sink)}); got.Code != wire.CodeUnavailable || !errors.Is(got.Cause, want) {
			t.Errorf("%s: %v, %v", path, got, got.Cause)
		}
	}
	r.must(r.srv.Kick(v.ID(), "enough"))
	r.until("the end", func() bool { return v.Closed() && len(r.srv.Sessions()) == 0 })
	if got := v.Do(t.Context(), pi.Errand{Verb: "NOOP"}); !got.IsZero() {
		t.Errorf("after the end: %v", got)
	}
	v.Close()
}

func visited(t *testing.T) vfs.FS {
	m := vfs.NewMem()
	put(t, m, "/a", "0123456789")
	if err := m.Mkdir("/d"); err != nil {
		t.Fatal(err)
	}
	return m
}

func put(t *testing.T, m vfs.Writer, p vfs.Path, text string) {
	t.Helper()
	st, err := m.Stage(p, vfs.StageOptions{})
	if err == nil {
		_, err = io.WriteString(st, text)
	}
	if err == nil {
		err = st.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Who carries a request out is told of the open file, and says what is sent of it.
func TestVisitOffer(t *testing.T) {
	k := newKeeper()
	r := start(t, func(c *Config) { *c = basic(k); c.FS = visited(t) })
	defer r.stop()
	v := r.visit()
	defer v.Close()
	for _, tt := range []struct {
		what  string
		parts []pi.Part
		ok    bool
		want  string
	}{
		{"one part", []pi.Part{{From: 2, Size: 3}}, true, "234"},
		{"all of it", []pi.Part{{Size: 10}}, true, "0123456789"},
		{"two", []pi.Part{{Before: "<", From: 8, Size: 2}, {Before: "><", From: 0, Size: 1}, {Before: ">"}}, true, "<89><0>"},
		{"nothing", nil, false, ""},
	} {
		var out sink
		offered := int64(-1)
		got := v.Do(t.Context(), pi.Errand{Verb: "RETR", Argument: "/a", Port: &out, Offer: func(o pi.Offered) ([]pi.Part, bool) {
			offered = o.Size()
			return tt.parts, tt.ok
		}})
		if got.Code >= 400 || offered != 10 || out.text.String() != tt.want || (len(out.ended) > 0) != tt.ok {
			t.Errorf("%s: %v, offered %d, %q, ended %v", tt.what, got, offered, out.text.String(), out.ended)
		}
	}
}

// A policy's refusal is known as one, with the reference of the question.
func TestVisitRefused(t *testing.T) {
	k := newKeeper()
	k.refuses = policy.OpRead
	r := start(t, func(c *Config) { *c = basic(k); c.FS = visited(t) })
	defer r.stop()
	v := r.visit()
	defer v.Close()
	got := v.Do(t.Context(), pi.Errand{Verb: "RETR", Argument: "/a", Port: new(sink)})
	if !errors.Is(got.Cause, pi.ErrRefused) || errors.Is(got.Cause, fs.ErrNotExist) || !strings.Contains(strings.Join(got.Lines, " "), "(ref 1-") {
		t.Errorf("%v, %v", got, got.Cause)
	}
}

// A client that has gone ends what is done for it, and a server that shuts down ends
// visits that do nothing.
func TestVisitEnds(t *testing.T) {
	k := newKeeper()
	r := start(t, func(c *Config) { *c = basic(k); c.FS = visited(t) })
	v, idle := r.visit(), r.visit()
	ctx, cancel := context.WithCancel(t.Context())
	out := &sink{wait: make(chan struct{})}
	done := make(chan wire.Reply)
	go func() { done <- v.Do(ctx, pi.Errand{Verb: "RETR", Argument: "/a", Port: out}) }()
	r.until("the transfer", func() bool { return len(r.srv.Transfers()) == 1 })
	cancel()
	time.AfterFunc(100*time.Millisecond, func() { close(out.wait) })
	if got := <-done; got.Code != wire.CodeAborted && got.Code != wire.CodeClosingData || !v.Closed() {
		t.Errorf("%v, closed %v", got, v.Closed())
	}
	r.stop()
	if !idle.Closed() {
		t.Error("a visit is left")
	}
	if _, err := r.srv.Visit(t.Context(), r.srv.now.Load().conf.Listeners[0].Name, visitor("h3")); !errors.Is(err, ErrTurnedAway) {
		t.Errorf("behind the end: %v", err)
	}
	if _, err := r.srv.Visit(t.Context(), "none", visitor("h3")); err == nil || errors.Is(err, ErrTurnedAway) {
		t.Errorf("no listener: %v", err)
	}
}

// Who is turned away learns by which limit, and so does whose login is not looked at.
func TestVisitLimits(t *testing.T) {
	for _, tt := range []struct {
		want pi.Limit
		set  func(*Config)
		do   func(r *rig)
	}{
		{pi.LimitAddress, func(c *Config) { c.Limits.SessionsPerIP = 1 }, func(r *rig) { r.visit() }},
		{pi.LimitSessions, func(c *Config) { c.Limits.Sessions = 1 }, func(r *rig) { r.visit() }},
		{pi.LimitBudget, func(c *Config) { c.Limits.Descriptors = 1 }, func(r *rig) { r.visit() }},
		{pi.LimitBudget, func(c *Config) { c.Limits.Memory = 1 }, nil},
		{pi.LimitHold, nil, func(r *rig) { r.srv.Hold(true) }},
		{pi.LimitBan, nil, func(r *rig) {
			_, err := r.srv.Ban(netip.PrefixFrom(visitor("").Peer.Addr(), 32), time.Hour, "")
			r.must(err)
		}},
		{pi.LimitShutdown, nil, func(r *rig) { r.must(r.srv.Shutdown(r.t.Context())) }},
	} {
		t.Run(tt.want.Error(), func(t *testing.T) {
			r := start(t, func(c *Config) {
				*c = basic(newKeeper())
				if tt.set != nil {
					tt.set(c)
				}
			})
			defer r.stop()
			if tt.do != nil {
				tt.do(r)
			}
			_, err := r.srv.Visit(t.Context(), r.srv.now.Load().conf.Listeners[0].Name, visitor("h2"))
			if got, _ := errors.AsType[pi.Limit](err); !errors.Is(err, ErrTurnedAway) || got != tt.want {
				t.Errorf("%v", err)
			}
		})
	}
}

// The limits of logins are known as such, too.
func TestVisitLoginLimits(t *testing.T) {
	r := start(t, func(c *Config) { *c = basic(newKeeper()); c.Limits.SessionsPerUser = 1 })
	defer r.stop()
	r.visit()
	login := func(password string) wire.Reply {
		v, err := r.srv.Visit(t.Context(), r.srv.now.Load().conf.Listeners[0].Name, visitor("h2"))
		r.must(err)
		defer v.Close()
		v.Do(t.Context(), pi.Errand{Verb: "USER", Argument: "dev"})
		return v.Do(t.Context(), pi.Errand{Verb: "PASS", Argument: password})
	}
	if got := login("secret"); !errors.Is(got.Cause, pi.LimitUser) {
		t.Errorf("a second session: %v, %v", got, got.Cause)
	}
	if got := login("wrong"); got.Code != wire.CodeNotLoggedIn || got.Cause != nil {
		t.Errorf("a wrong password: %v, %v", got, got.Cause)
	}
	v, err := r.srv.Visit(t.Context(), r.srv.now.Load().conf.Listeners[0].Name, visitor("h2"))
	r.must(err)
	defer v.Close()
	_, err = r.srv.Ban(netip.PrefixFrom(visitor("").Peer.Addr(), 32), time.Hour, "")
	r.must(err)
	v.Do(t.Context(), pi.Errand{Verb: "USER", Argument: "dev"})
	if got := v.Do(t.Context(), pi.Errand{Verb: "PASS", Argument: "secret"}); !errors.Is(got.Cause, pi.LimitBan) {
		t.Errorf("who was banned meanwhile: %v, %v", got, got.Cause)
	}
}
