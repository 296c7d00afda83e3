package control

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"testing"
)

// usher is a fake that has sessions.
type usher struct {
	fake
	all   []Session
	kicks []Kick
	limit LiveLimit
	of    string
}

func newUsher() *usher {
	u := new(usher)
	for i, user := range []string{"ann", "bob", "ann"} {
		s := Session{ID: uint64(i + 1), State: StateIdle, User: user, LoggedIn: true, Listener: []string{"ftp", "ftps"}[i%2],
			Peer: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:1", i+1))}
		if i == 1 {
			s.State = StateTransfer
			s.Transfer = &Transfer{ID: "2-9", Session: 2, User: user, Path: "/a\x1b[2J", Bytes: 5, Size: -1}
		}
		u.all = append(u.all, s)
	}
	return u
}

func (u *usher) Sessions() []Session { return u.all }

func (u *usher) Kick(k Kick) (int, error) {
	if k.ID > 3 {
		return 0, NoSession(k.ID)
	}
	u.kicks = append(u.kicks, k)
	return 1, nil
}

func (u *usher) gone(transfer string) error {
	if transfer != "2-9" {
		return &Refusal{Code: CodeGone, Message: "there is no transfer " + transfer}
	}
	u.of = transfer
	return nil
}

func (u *usher) Abort(transfer string) error { return u.gone(transfer) }

func (u *usher) LimitSession(id uint64, l LiveLimit) error {
	if id > 3 {
		return NoSession(id)
	}
	u.limit, u.all[id-1].Limit = l, &Rates{Down: 7}
	return nil
}

func (u *usher) LimitTransfer(transfer string, l LiveLimit) error {
	u.limit = l
	return u.gone(transfer)
}

func TestSessionsAreListed(t *testing.T) {
	_, c := serve(t, newUsher())
	for query, want := range map[string][]uint64{"": {1, 2, 3}, "user=ann": {1, 3}, "listener=ftps": {2}, "address=192.0.2.2": {2}, "address=192.0.2.0/31": {1},
		"user=ann&address=192.0.2.3": {3}, "user=nobody": {}} {
		q, _ := url.ParseQuery(query)
		all, err := c.Sessions(t.Context(), q)
		got := []uint64{}
		for _, s := range all {
			got = append(got, s.ID)
		}
		if err != nil || all == nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", query, got, err)
		}
	}
	if all, err := c.Transfers(t.Context(), nil); err != nil || len(all) != 1 || all[0].ID != "2-9" || all[0].Path != "/a\x1b[2J" {
		t.Errorf("transfers: %+v, %v", all, err)
	}
	if all, err := c.Transfers(t.Context(), url.Values{"user": {"ann"}}); err != nil || all == nil || len(all) != 0 {
		t.Errorf("transfers of ann: %+v, %v", all, err)
	}
	if s, err := c.Session(t.Context(), 2); err != nil || s.User != "bob" {
		t.Errorf("session 2: %+v, %v", s, err)
	}
	var no *Refusal
	if _, err := c.Session(t.Context(), 4); !errors.As(err, &no) || no.Code != CodeGone {
		t.Errorf("session 4: %v", err)
	}
	if _, err := c.Sessions(t.Context(), url.Values{"address": {"home"}}); !errors.As(err, &no) || no.Code != CodeWhose {
		t.Errorf("from home: %v", err)
	}
	if err := c.Health(t.Context()); err != nil {
		t.Errorf("health: %v", err)
	}
}

func TestSessionsAreEndedAndLimited(t *testing.T) {
	u := newUsher()
	_, c := serve(t, u)
	net := netip.MustParsePrefix("2001:db8::/32")
	for _, k := range []Kick{{ID: 2, Reason: "100% & more"}, {User: "a/b?c", Reason: "x"}, {From: net}} {
		if n, err := c.Kick(t.Context(), k); err != nil || n != 1 || u.kicks[len(u.kicks)-1] != k {
			t.Errorf("Kick %+v: %d, %v; the server was told %+v", k, n, err, u.kicks)
		}
	}
	var no *Refusal
	if _, err := c.Kick(t.Context(), Kick{ID: 4}); !errors.As(err, &no) || no.Code != CodeGone {
		t.Errorf("Kick 4: %v", err)
	}
	for _, path := range []string{"/v1/sessions", "/v1/sessions?user=a&address=192.0.2.1", "/v1/sessions?listener=ftp", "/v1/sessions?user=a&listener=ftp"} {
		if err := c.do(t.Context(), "DELETE", path, nil, new(Kicked)); !errors.As(err, &no) || no.Code != CodeWhose {
			t.Errorf("DELETE %s: %v", path, err)
		}
	}
	if err := c.do(t.Context(), "DELETE", "/v1/sessions/all", nil, new(Kicked)); !errors.As(err, &no) || no.Code != CodeGone {
		t.Errorf("DELETE all: %v", err)
	}
	n := int64(5)
	if s, err := c.LimitSession(t.Context(), 1, LiveLimit{Down: &n}); err != nil || s.Limit == nil || s.Limit.Down != 7 || *u.limit.Down != 5 || u.limit.Up != nil {
		t.Errorf("LimitSession: %+v, %v", s, err)
	}
	if _, err := c.LimitSession(t.Context(), 9, LiveLimit{Clear: true}); !errors.As(err, &no) || no.Code != CodeGone {
		t.Errorf("LimitSession 9: %v", err)
	}
	if err := errors.Join(c.LimitTransfer(t.Context(), "2-9", LiveLimit{Up: &n}), c.Abort(t.Context(), "2-9")); err != nil || *u.limit.Up != 5 || u.of != "2-9" {
		t.Errorf("of a transfer: %v, %+v", err, u)
	}
	for _, id := range []string{"9-9", "../sessions/1", "2-9/x", "\x1b"} {
		for _, err := range []error{c.LimitTransfer(t.Context(), id, LiveLimit{Clear: true}), c.Abort(t.Context(), id)} {
			if !errors.As(err, &no) || no.Code != CodeGone {
				t.Errorf("of the transfer %q: %v", id, err)
			}
		}
	}
	for _, body := range []string{"", "{}", "[]", `{"down":-1}`, `{"down":1,"clear":true}`, `{"limit":1}`, `{"up":"fast"}`} {
		for _, path := range []string{"/v1/sessions/1", "/v1/transfers/2-9"} {
			if err := c.do(t.Context(), "PATCH", path, []byte(body), new(struct{})); !errors.As(err, &no) || no.Code != CodeLiveLimit {
				t.Errorf("PATCH %s %.30q: %v", path, body, err)
			}
		}
	}
}
