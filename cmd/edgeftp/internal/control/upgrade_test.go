package control

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
)

// upgrades is an Upgrader.
type upgrades struct {
	busy error
	came chan *net.UnixConn
}

func (u *upgrades) Upgrading() error           { return u.busy }
func (u *upgrades) Upgrade(conn *net.UnixConn) { u.came <- conn }

// A process that asks for the server's place gets a connection to it, which carries bytes
// in both directions, once the request was recorded.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := Listen(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	a, u := newAccess(t), &upgrades{came: make(chan *net.UnixConn, 1)}
	a.Upgrade = u
	away := error(nil)
	a.Away = func() error { return away }
	s.Guard(*a)
	done := make(chan error, 1)
	go func() { done <- s.Serve(&everything{}, quiet()) }()
	c := Client{Path: path, Reason: "a new version"}

	ours, err := c.Upgrade(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	theirs := <-u.came
	for _, pair := range [][2]net.Conn{{ours, theirs}, {theirs, ours}} {
		b := make([]byte, 5)
		if _, err := io.WriteString(pair[0], "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(pair[1], b); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}
	}
	if err := errors.Join(ours.Close(), theirs.Close()); err != nil {
		t.Error(err)
	}
	list := recorded(t, a)
	if len(list) != 1 || list[0].Action != "POST /v1/upgrade" || list[0].Result != audit.OK || list[0].Reason != "a new version" {
		t.Errorf("the audit log has %+v", list)
	}

	var r *Refusal
	u.busy = &Refusal{Code: "EF2157", Message: "not now"}
	if _, err := c.Upgrade(t.Context()); !errors.As(err, &r) || r.Message != "not now" {
		t.Errorf("%v", err)
	}
	u.busy, away = nil, &Refusal{Code: "EF2158", Message: "another one serves"}
	if _, err := c.Upgrade(t.Context()); !errors.As(err, &r) || r.Code != "EF2158" {
		t.Errorf("%v", err)
	}
	if _, err := c.Drain(t.Context(), 0); !errors.As(err, &r) || r.Code != "EF2158" {
		t.Errorf("a server that has gone was changed: %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("it cannot be looked at: %v", err)
	}
	if err := errors.Join(s.Close(), <-done); err != nil {
		t.Error(err)
	}
	if _, err := c.Upgrade(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

// A successor's socket takes the place of its predecessor's at one moment, and what each
// removes at its end is its own.
func TestListenBeside(t *testing.T) {
	dir := t.TempDir()
	old, c := serve(t, &fake{})
	next, err := ListenBeside(t.Context(), c.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if next.Replaced() || old.Replaced() {
		t.Error("a socket was replaced before that")
	}
	done := make(chan error, 1)
	go func() { done <- next.Serve(named{&fake{}}, quiet()) }()
	if st, err := c.Status(t.Context()); err != nil || st.Name == "next" {
		t.Errorf("before: %+v, %v", st, err)
	}
	for range 2 {
		if err := next.Publish(); err != nil {
			t.Fatal(err)
		}
	}
	if !old.Replaced() || next.Replaced() {
		t.Error("the old socket is not replaced")
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	if st, err := c.Status(t.Context()); err != nil || st.Name != "next" {
		t.Errorf("after: %+v, %v", st, err)
	}
	if err := errors.Join(next.Close(), <-done); err != nil {
		t.Error(err)
	}
	given, err := ListenBeside(t.Context(), filepath.Join(dir, "s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(given.Close(), given.Publish()); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, " "))
	}
}

// named is a server that is told from others.
type named struct{ *fake }

func (named) Status() Status { return Status{Name: "next"} }
