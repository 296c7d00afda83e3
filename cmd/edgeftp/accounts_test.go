package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/userdb"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

const cheapHash = "$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

// kicks notes whose sessions were ended.
type kicks struct {
	names []string
	rates []edge.Rates
}

// LimitLogins notes whose rates were changed.
func (k *kicks) LimitLogins(_ string, r edge.Rates) { k.rates = append(k.rates, r) }

func (k *kicks) KickUser(name, _ string) int {
	k.names = append(k.names, name)
	return 2
}

// accountsIn are those of a store in a directory, and of a list with one user.
func accountsIn(t *testing.T, dir string) (*accounts, *kicks) {
	t.Helper()
	c := &config.Config{Instance: config.Instance{StateDir: dir}, Sources: []string{config.SourceList, config.SourceStore},
		Users: []config.User{{Name: "dev", PasswordHash: cheapHash, Source: config.SourceList}}, Defaults: config.Defaults{Perms: policy.PermReadOnly}}
	a, err := openAccounts(c, slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	k := new(kicks)
	a.begin(isThere, k)
	return a, k
}

func addUser(t *testing.T, a *accounts, entry string) {
	t.Helper()
	if _, err := a.AddUsers(newUser(entry)); err != nil {
		t.Fatal(err)
	}
}

func newUser(entry string) control.NewUsers {
	return control.NewUsers{Users: []json.RawMessage{json.RawMessage(entry)}}
}

func change(a *accounts, name, settings string) (control.User, error) {
	return a.ChangeUser(name, control.UserChange{Settings: json.RawMessage(settings)})
}

// Sessions of a user who may no longer be there are ended, and of no one else.
func TestAccountsEndSessions(t *testing.T) {
	a, k := accountsIn(t, t.TempDir())
	addUser(t, a, `{"name": "anna", "password_hash": "`+cheapHash+`"}`)
	for _, c := range []struct {
		what string
		do   func() (control.User, error)
		ends bool
	}{
		{"perm", func() (control.User, error) { return change(a, "anna", `{"perm": "e"}`) }, false},
		{"disabled", func() (control.User, error) { return change(a, "anna", `{"disabled": true}`) }, true},
		{"enabled", func() (control.User, error) { return change(a, "anna", `{"disabled": null}`) }, false},
		{"expires later", func() (control.User, error) { return change(a, "anna", `{"expires": "2999-01-01"}`) }, false},
		{"expired", func() (control.User, error) { return change(a, "anna", `{"expires": "2001-01-01"}`) }, true},
		{"no longer", func() (control.User, error) { return change(a, "anna", `{"expires": null}`) }, false},
		{"password", func() (control.User, error) {
			return a.ChangeUser("anna", control.UserChange{PasswordHash: cheapHash})
		}, false},
		{"password, and out", func() (control.User, error) {
			return a.ChangeUser("anna", control.UserChange{PasswordHash: cheapHash, End: true})
		}, true},
		{"removed", func() (control.User, error) { return a.RemoveUser("anna") }, true},
	} {
		k.names = nil
		u, err := c.do()
		if err != nil || (len(k.names) == 1) != c.ends || (u.Ended == 2) != c.ends || strings.Contains(string(u.Settings), "password") {
			t.Errorf("%s: %v, %+v, sessions of %q are ended", c.what, err, u, k.names)
		}
	}
}

// Rates hold for sessions that run, if they are others.
func TestAccountsRate(t *testing.T) {
	a, k := accountsIn(t, t.TempDir())
	addUser(t, a, `{"name": "anna", "password_hash": "`+cheapHash+`", "bandwidth": {"down": "1MB"}}`)
	for _, settings := range []string{`{"perm": "e"}`, `{"bandwidth": {"up": "2MB"}}`, `{"bandwidth": null}`} {
		if _, err := change(a, "anna", settings); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.rates) != 2 || k.rates[0] != (edge.Rates{Down: 1e6, Up: 2e6}) || k.rates[1] != (edge.Rates{}) {
		t.Errorf("rates: %v", k.rates)
	}
}

// A user whose expiry was changed while he was logged in is ended when it comes.
func TestAccountsExpire(t *testing.T) {
	a, k := accountsIn(t, t.TempDir())
	addUser(t, a, `{"name": "anna", "password_hash": "`+cheapHash+`", "expires": "2027-01-31"}`)
	addUser(t, a, `{"name": "bob", "password_hash": "`+cheapHash+`"}`)
	at := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	a.expire(at.Add(-2*time.Minute), at.Add(-time.Minute))
	a.expire(at, at.Add(time.Minute))
	if len(k.names) != 0 {
		t.Errorf("too early, or too late: %q", k.names)
	}
	a.expire(at.Add(-time.Minute), at)
	if len(k.names) != 1 || k.names[0] != "anna" {
		t.Errorf("ended: %q", k.names)
	}
}

// Logins are written within a minute, and at the end.
func TestAccountsKeep(t *testing.T) {
	dir := t.TempDir()
	var first, second time.Time
	synctest.Test(t, func(t *testing.T) {
		a, _ := accountsIn(t, dir)
		addUser(t, a, `{"name": "anna", "password_hash": "`+cheapHash+`"}`)
		done := make(chan struct{})
		go a.keep(done)
		first = time.Now()
		a.seen("anna", first)
		a.seen("nobody", first)
		<-time.After(keepEvery + time.Second)
		synctest.Wait()
		if r, err := a.db.Get("anna"); err != nil || !r.Login.Equal(first.Truncate(time.Second)) {
			t.Errorf("after a minute: %+v, %v", r, err)
		}
		second = time.Now()
		a.seen("anna", second)
		if u, err := a.User("anna"); err != nil || !u.LastLogin.Equal(second.Truncate(time.Second)) {
			t.Errorf("before it is written: %+v, %v", u, err)
		}
		close(done)
	})
	a, _ := accountsIn(t, dir)
	if u, err := a.User("anna"); err != nil || !u.LastLogin.Equal(second.Truncate(time.Second)) {
		t.Errorf("the next process: %+v, %v", u, err)
	}
}

// Another process may have the store for a while.
func TestAccountsRelease(t *testing.T) {
	dir := t.TempDir()
	a, _ := accountsIn(t, dir)
	addUser(t, a, `{"name": "anna", "password_hash": "`+cheapHash+`"}`)
	if err := a.release(); err != nil {
		t.Fatal(err)
	}
	var no *control.Refusal
	if _, err := change(a, "anna", `{"perm": "e"}`); !errors.As(err, &no) || no.Code != control.CodeUserSource {
		t.Errorf("changed what another process has: %v", err)
	}
	p := a.under(a.conf)
	if u, known := p.Find("anna"); !known || u.PasswordHash != cheapHash {
		t.Errorf("logins find %+v", u)
	}
	other, err := userdb.Open(a.conf.UserStore(), 0)
	if err != nil {
		t.Fatal(err)
	}
	entry := json.RawMessage(`{"name": "bob", "password_hash": "` + cheapHash + `"}`)
	if err := errors.Join(other.Change(time.Now(), func(tx *userdb.Tx) error { return tx.Add("bob", entry) }), other.Close()); err != nil {
		t.Fatal(err)
	}
	if err := a.retake(time.Second); err != nil {
		t.Fatal(err)
	}
	if u, known := p.Find("bob"); !known || u.PasswordHash != cheapHash {
		t.Errorf("logins find %+v", u)
	}
	if _, err := change(a, "bob", `{"perm": "e"}`); err != nil {
		t.Error(err)
	}
}

// A record that this version cannot read stays, is told of, and lets nobody in.
func TestAccountsOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	db, err := userdb.Open(filepath.Join(dir, "users.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	odd := json.RawMessage(`{"name":"anna","password_hash":"` + cheapHash + `","tomorrow":1}`)
	if err := errors.Join(db.Change(time.Now(), func(tx *userdb.Tx) error { return tx.Add("anna", odd) }), db.Close()); err != nil {
		t.Fatal(err)
	}
	a, _ := accountsIn(t, dir)
	if u, known := a.under(a.conf).Find("anna"); !known || !u.Disabled {
		t.Errorf("found: %+v", u)
	}
	if u, err := a.User("anna"); err != nil || !strings.Contains(u.Problem, "tomorrow") {
		t.Errorf("told: %+v, %v", u, err)
	}
	if r, err := a.db.Get("anna"); err != nil || string(r.Entry) != string(odd) {
		t.Errorf("kept: %s, %v", r.Entry, err)
	}
	if _, err := change(a, "anna", `{"tomorrow": null}`); err != nil {
		t.Error(err)
	}
	if u, known := a.under(a.conf).Find("anna"); !known || u.Disabled {
		t.Errorf("mended: %+v", u)
	}
}

func TestPatch(t *testing.T) {
	for _, c := range []struct{ into, with, want string }{
		{`{"a":1,"b":{"c":2,"d":3}}`, `{"a":null,"b":{"c":null,"e":4},"f":{"g":null}}`, `{"b":{"d":3,"e":4},"f":{}}`},
		{`{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{`{"a":"b"}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{`{}`, `{"a":null}`, `{}`},
	} {
		var into, with map[string]any
		if err := errors.Join(json.Unmarshal([]byte(c.into), &into), json.Unmarshal([]byte(c.with), &with)); err != nil {
			t.Fatal(err)
		}
		patch(into, with)
		if got, _ := json.Marshal(into); string(got) != c.want {
			t.Errorf("%s with %s is %s, not %s", c.into, c.with, got, c.want)
		}
	}
}

// Two trees that do not know of each other do not lie in one another.
func TestHomeAboveAnother(t *testing.T) {
	h, dir := homesIn(t, func(string, *config.Config) {})
	above := filepath.Join(dir, "root", "sub")
	if _, release, err := h.tree(above); err != nil {
		t.Error(err)
	} else if release != nil {
		release()
	}
	if _, _, err := h.tree(filepath.Join(dir, "own", "inner")); err != nil {
		t.Error(err)
	}
	if _, _, err := h.tree(filepath.Join(dir, "own")); err == nil || !strings.Contains(err.Error(), "is served already") {
		t.Errorf("the tree above one that is open: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "own")); err != nil {
		t.Error(err)
	}
}

// Whoever has a quota in the store is seen without reading it, in this process and the
// next; and nobody is while nobody has one.
func TestAccountsUnlimited(t *testing.T) {
	dir := t.TempDir()
	a, _ := accountsIn(t, dir)
	unlimited := a.under(a.configuration()).unlimited()
	said := func(what string, want bool) {
		t.Helper()
		if got := unlimited(); got != want {
			t.Errorf("%s: nobody has a quota: %v", what, got)
		}
	}
	said("an empty store", true)
	addUser(t, a, `{"name": "anna", "password_hash": "`+cheapHash+`"}`)
	addUser(t, a, `{"name": "bob", "password_hash": "`+cheapHash+`", "quota": {"bytes": "1MB"}}`)
	said("bob", false)
	for settings, want := range map[string]bool{`{"quota": null}`: true, `{"quota": {"files": 3}}`: false} {
		for range 2 {
			if _, err := change(a, "bob", settings); err != nil {
				t.Fatal(err)
			}
			said(settings, want)
		}
	}
	if _, err := change(a, "bob", `{"quota": {"files": 4}}`); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	b, _ := accountsIn(t, dir)
	unlimited = b.under(b.configuration()).unlimited()
	said("the next process", false)
	for _, name := range []string{"anna", "bob"} {
		if _, err := b.RemoveUser(name); err != nil {
			t.Fatal(err)
		}
		said("without "+name, name == "bob")
	}
}
