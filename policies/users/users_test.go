package users_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/users"
)

// The policy is what it says it is.
var (
	_ policy.Policy        = (*users.Policy)(nil)
	_ policy.Authenticator = (*users.Policy)(nil)
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func ask(t *testing.T, p policy.Policy, user, password string) policy.Identity {
	t.Helper()
	id, err := p.Hooks().Authenticator.Authenticate(t.Context(), &policy.Login{
		Meta:     policy.Meta{Session: &policy.Session{ID: 1, User: user}, Request: 1, Time: noon},
		Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func alice() users.User {
	return users.User{
		Name:         "alice",
		PasswordHash: "$argon2id$…",
		Perms:        policy.PermReadOnly,
		Rules:        []policy.PathRule{{Dir: "/in", Perms: policy.PermAll, Recursive: true}},
		Home:         "/home",
		Group:        "staff",
		Limits:       policy.Limits{RateDown: 1000, DataTLS: true},
		MaxSessions:  3,
		Expires:      noon.Add(time.Hour),
		MsgLogin:     "Good day.",
		MsgQuit:      "Bye.",
	}
}

func TestKnownUser(t *testing.T) {
	p, err := users.New(users.Config{Users: []users.User{alice()}})
	if err != nil {
		t.Fatal(err)
	}
	perms := policy.PermReadOnly
	want := policy.Identity{
		Verdict: policy.Allow, PasswordHash: "$argon2id$…", Perms: &perms,
		Rules: alice().Rules, Home: "/home", Group: "staff",
		Limits:      policy.Limits{RateDown: 1000, DataTLS: true},
		MaxSessions: 3, Expires: noon.Add(time.Hour), MsgLogin: "Good day.", MsgQuit: "Bye.",
	}
	for _, password := range []string{"right", "wrong", ""} {
		if diff := cmp.Diff(want, ask(t, p, "alice", password)); diff != "" {
			t.Errorf("password %q (-want +got):\n%s", password, diff)
		}
	}
}

func TestUnknownNamesPass(t *testing.T) {
	late := alice()
	late.Name, late.Expires = "late", noon
	p, err := users.New(users.Config{Users: []users.User{alice(), late}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "Alice", "ALICE", "alice ", " alice", "alic", "alice\x00", "bob", "late"} {
		if diff := cmp.Diff(policy.Identity{}, ask(t, p, name, "x")); diff != "" {
			t.Errorf("%q is known:\n%s", name, diff)
		}
	}
}

func TestAnswersAreApart(t *testing.T) {
	list := []users.User{alice()}
	p, err := users.New(users.Config{Users: list})
	if err != nil {
		t.Fatal(err)
	}
	list[0].Rules[0].Dir = "/elsewhere"
	first := ask(t, p, "alice", "x")
	*first.Perms = policy.PermAll
	first.Rules[0].Dir = "/changed"
	second := ask(t, p, "alice", "x")
	if *second.Perms != policy.PermReadOnly || second.Rules[0].Dir != "/in" {
		t.Errorf("one answer changes the next: %v %v", *second.Perms, second.Rules)
	}
}

func TestNothingPermitted(t *testing.T) {
	u := alice()
	u.Perms = 0
	p, err := users.New(users.Config{Users: []users.User{u}})
	if err != nil {
		t.Fatal(err)
	}
	if id := ask(t, p, "alice", "x"); id.Perms == nil || *id.Perms != 0 {
		t.Errorf("no permissions became %v", id.Perms)
	}
}

func TestNewRefuses(t *testing.T) {
	change := func(f func(*users.User)) users.User {
		u := alice()
		f(&u)
		return u
	}
	cases := []struct {
		user users.User
		want string
	}{
		{alice(), `user 2: "alice" is given twice`},
		{change(func(u *users.User) { u.Name = "" }), "user 2: the name is empty"},
		{change(func(u *users.User) { u.Name = "a\nb" }), "line end"},
		{change(func(u *users.User) { u.Name, u.PasswordHash = "bob", "" }), `"bob" has no password hash`},
		{change(func(u *users.User) { u.Name, u.Home = "bob", "in" }), `home "in" does not begin with /`},
	}
	for _, c := range cases {
		p, err := users.New(users.Config{Users: []users.User{alice(), c.user}})
		if p != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v", c.want, p, err)
		}
	}
}

func TestName(t *testing.T) {
	for given, want := range map[string]string{"": "users", "staff": "staff"} {
		p, err := users.New(users.Config{Name: given})
		if err != nil || p.Name() != want {
			t.Errorf("%q is named %q, %v", given, p.Name(), err)
		}
		if h := p.Hooks(); h.Authorizer != nil || h.Observer != nil {
			t.Errorf("takes part in more than auth: %v", h)
		}
	}
}

// A certificate takes the place of the password, and only of its user's.
func TestCertificates(t *testing.T) {
	mine, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	p, err := users.New(users.Config{Users: []users.User{
		{Name: "both", PasswordHash: "$argon2id$x", Certificates: []string{strings.ToUpper(mine)}, Lenient: policy.Lenience{CloseNotify: true}},
		{Name: "only", Certificates: []string{other, mine}},
		{Name: "none", PasswordHash: "$argon2id$x"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, shown, hash string
		verdict           policy.Verdict
	}{
		{"both", mine, "", policy.Allow},
		{"both", other, "$argon2id$x", policy.Allow},
		{"both", "", "$argon2id$x", policy.Allow},
		{"only", mine, "", policy.Allow},
		{"only", strings.Repeat("ef", 32), "", policy.Pass},
		{"only", "", "", policy.Pass},
		{"none", "", "$argon2id$x", policy.Allow},
	} {
		login := &policy.Login{Meta: policy.Meta{Session: &policy.Session{User: c.user, TLS: policy.TLS{ClientSHA256: c.shown}}}}
		id, err := p.Authenticate(context.Background(), login)
		if err != nil || id.Verdict != c.verdict || id.PasswordHash != c.hash || id.Lenient.CloseNotify != (c.user == "both") {
			t.Errorf("%s with %.4q: %+v, %v", c.user, c.shown, id, err)
		}
	}
	for _, bad := range []string{"", "abcd", strings.Repeat("xy", 32)} {
		if _, err := users.New(users.Config{Users: []users.User{{Name: "a", PasswordHash: "x", Certificates: []string{bad}}}}); err == nil {
			t.Errorf("%q passes for a digest", bad)
		}
	}
}

// changing is a source of which a test takes users away.
type changing struct {
	mu    sync.Mutex
	users map[string]users.User
}

func (c *changing) Find(name string) (users.User, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, known := c.users[name]
	return u, known
}

func (c *changing) set(u users.User) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users[u.Name] = u
}

// What a source says holds for the next login, and of two that know a name the first one
// decides.
func TestSources(t *testing.T) {
	first, err := users.NewList([]users.User{{Name: "both", PasswordHash: "first", Disabled: false}})
	if err != nil {
		t.Fatal(err)
	}
	second := &changing{users: map[string]users.User{}}
	second.set(users.User{Name: "both", PasswordHash: "second"})
	p, err := users.New(users.Config{Users: []users.User{alice()}, Sources: []users.Source{first, second}})
	if err != nil {
		t.Fatal(err)
	}
	hash := func(name, want string, verdict policy.Verdict) {
		t.Helper()
		if id := ask(t, p, name, "x"); id.PasswordHash != want || id.Verdict != verdict {
			t.Errorf("%s: %v with %q, want %v with %q", name, id.Verdict, id.PasswordHash, verdict, want)
		}
	}
	hash("both", "first", policy.Allow)
	hash("alice", "$argon2id$…", policy.Allow)
	hash("carol", "", policy.Pass)
	second.set(users.User{Name: "carol", PasswordHash: "new"})
	hash("carol", "new", policy.Allow)
	second.set(users.User{Name: "carol", PasswordHash: "new", Disabled: true})
	hash("carol", "", policy.Deny)
	if _, known := (users.List{}).Find("alice"); known {
		t.Error("an empty list knows somebody")
	}
}

func TestAlone(t *testing.T) {
	p, err := users.New(users.Config{Users: []users.User{alice()}, Alone: true, Beside: []string{"anonymous"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]policy.Verdict{"alice": policy.Allow, "anonymous": policy.Pass, "": policy.Deny, "mallory": policy.Deny} {
		if id := ask(t, p, name, "x"); id.Verdict != want || id.Text != "" || id.Code != 0 {
			t.Errorf("%q: %+v, want %v", name, id, want)
		}
	}
}

func TestSeen(t *testing.T) {
	var seen []string
	p, err := users.New(users.Config{Seen: func(name string, at time.Time) { seen = append(seen, name+at.Format(time.Kitchen)) }})
	if err != nil {
		t.Fatal(err)
	}
	h := p.Hooks()
	for _, kind := range []policy.EventKind{policy.EventLogin, policy.EventLogout} {
		for _, shadow := range []bool{false, true} {
			e := &policy.Event{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "bob"}, Time: noon, Shadow: shadow}, Kind: kind}
			if err := h.Observer.Observe(t.Context(), e); err != nil {
				t.Error(err)
			}
		}
	}
	if len(seen) != 1 || seen[0] != "bob12:00PM" || len(h.Interest.Events) != 1 {
		t.Errorf("seen: %q, %v", seen, h.Interest)
	}
}
