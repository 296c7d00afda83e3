package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/events"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/eventlog"
)

// withParts is a server that has all parts.
func withParts(t *testing.T) (*Access, Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	a := newAccess(t)
	s.Guard(*a)
	done := make(chan error, 1)
	go func() { done <- s.Serve(&everything{}, quiet()) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return a, Client{Path: path}
}

func TestFollow(t *testing.T) {
	a, c := withParts(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	got := make(chan eventlog.Record)
	done := make(chan error, 1)
	go func() {
		done <- c.Follow(ctx, events.Filter{Kinds: []string{"login"}, User: "a"}, func(e eventlog.Record) error { got <- e; return nil }, func(uint64) {})
	}()
	o := a.Events.Policy().(policy.Observer)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for received := false; !received; { // until the reader is there
		_ = o.Observe(ctx, &policy.Event{Kind: policy.EventLogout, Meta: policy.Meta{Session: &policy.Session{User: "a"}}})
		_ = o.Observe(ctx, &policy.Event{Kind: policy.EventLogin, Text: "x\n\ndata: y", Meta: policy.Meta{Session: &policy.Session{User: "a", ID: 7}}})
		select {
		case e := <-got:
			if e.Event != "login" || e.Session != 7 || e.Text != "x\n\ndata: y" {
				t.Errorf("%+v", e)
			}
			received = true
		case <-tick.C:
		case err := <-done:
			t.Fatal(err)
		}
	}
	go func() {
		for range got { // what else was sent
		}
	}()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(got)
	var r *Refusal
	if err := c.Follow(t.Context(), events.Filter{Kinds: []string{"command_done"}}, nil, nil); !errors.As(err, &r) || r.Code != CodeEvents {
		t.Errorf("a kind that is not there: %v", err)
	}
	if list := recorded(t, a); len(list) > 0 {
		t.Errorf("looking is recorded: %+v", list)
	}
}

// The ends of a stream: the hub is closed, or it is full.
func TestFollowEnds(t *testing.T) {
	a, c := withParts(t)
	for range events.MaxReaders {
		r, err := a.Events.Follow(events.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
	}
	var r *Refusal
	if err := c.Follow(t.Context(), events.Filter{}, nil, nil); !errors.As(err, &r) || r.Code != CodeListeners {
		t.Errorf("%v", err)
	}
	a.Events.Close()
	if err := c.Follow(t.Context(), events.Filter{}, nil, nil); err != nil {
		t.Errorf("%v", err)
	}
}

// The client's side of the small parts.
func TestParts(t *testing.T) {
	_, c := withParts(t)
	ctx := t.Context()
	if l, err := c.SetLevel(ctx, LevelChange{Level: "debug", For: time.Minute}); err != nil || l.Level != "debug" || l.Components == nil {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := c.Levels(ctx); err != nil || l.Level != "info" {
		t.Errorf("%+v, %v", l, err)
	}
	if d, err := c.Drain(ctx, time.Minute); err != nil || !d.Draining || !d.Until.Equal(noon().Add(time.Minute)) {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := c.CancelDrain(ctx); err != nil || d.Draining {
		t.Errorf("%+v, %v", d, err)
	}
	if all, err := c.Readiness(ctx); err != nil || !all.Ready || len(all.Components) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if n, err := c.Backup(ctx, &strings.Builder{}); err != nil || n != 7 {
		t.Errorf("%d, %v", n, err)
	}
	if list, err := c.Audit(ctx, time.Now().Add(-time.Hour), 10); err != nil || len(list) != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	for _, body := range []string{"", "{", `{"level":"debug","x":1}`, `{"limit":"1h"}`} {
		var d DrainState
		err := c.do(ctx, "PUT", "/v1/logs/levels", []byte(body), &d)
		var r *Refusal
		if !errors.As(err, &r) || r.Code != CodeLevel {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// Profiles are there for who asked for them, and no others.
func TestDebug(t *testing.T) {
	a := newAccess(t)
	for debug, want := range map[bool][]int{true: {200, 404, 404, 400}, false: {404, 404, 404, 404}} {
		a.Debug = debug
		h, _ := guarded(&everything{}, a, os.Geteuid(), nil)
		var got []int
		for _, path := range []string{"heap?debug=1", "cmdline", "x", "profile?seconds=1000"} {
			got = append(got, as(h, 0, "GET", "/v1/debug/pprof/"+path, "").Code)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: %v", debug, got)
		}
	}
}

// Whatever a stream holds, it is read without harm.
func FuzzReadEvents(f *testing.F) {
	f.Add(":\n\nevent: login\ndata: {\"event\":\"login\"}\n\nevent: lost\ndata: {\"lost\":3}\n\n")
	f.Add("data: 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		events, lost := 0, 0
		_ = readEvents(strings.NewReader(text), func(eventlog.Record) error { events++; return nil }, func(uint64) { lost++ })
		if events+lost > strings.Count(text, "data: ") {
			t.Errorf("%d events and %d losses", events, lost)
		}
	})
}
