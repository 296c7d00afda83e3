package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	"github.com/edgeftp/edgeftp/guest-sdk/go/guesttest"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

const (
	base = "GET https://idp.example.org/users/"
	anna = `{"hash": "$2y$anna", "home": "/in", "perms": "elrw", "group": "staff"}`
)

func configured(t *testing.T, text string) *directory {
	t.Helper()
	d := newDirectory()
	if err := settings.Read([]byte(text), d); err != nil {
		t.Fatal(err)
	}
	return d
}

const plain = `{"url": "https://idp.example.org/users/{user}", "token": "key"}`

func ask(t *testing.T, w *guesttest.World, d *directory, user string) (policy.Identity, error) {
	t.Helper()
	return d.Authenticate(w.Context(""), &policy.Login{Meta: w.Meta(user)})
}

// TestVectors asks tests.json natively.
func TestVectors(t *testing.T) { guesttest.Run(t, "tests.json") }

func TestKnown(t *testing.T) {
	w := guesttest.New(t)
	w.HTTP[base+"anna"] = guesttest.Response{Body: anna}
	d := configured(t, plain)
	perms := policy.PermCwd | policy.PermList | policy.PermRead | policy.PermWrite
	want := policy.Identity{Verdict: policy.Allow, PasswordHash: "$2y$anna", Home: "/in", Group: "staff", Perms: &perms}
	for range 2 {
		got, err := ask(t, w, d, "anna")
		if x := cmp.Diff(want, got); err != nil || x != "" {
			t.Error(err, x)
		}
	}
	asked := w.Requests()
	if len(asked) != 1 || asked[0].Timeout != 1500*time.Millisecond || asked[0].Header[1] != (fetch.Field{Name: "Authorization", Value: "Bearer key"}) {
		t.Errorf("asked %+v", asked)
	}
	w.Now = w.Now.Add(time.Minute)
	w.HTTP[base+"anna"] = guesttest.Response{Status: 404}
	if got, err := ask(t, w, d, "anna"); err != nil || got.Verdict != policy.Deny {
		t.Errorf("after a minute: %+v, %v", got, err)
	}
}

// TestUnknown holds that nobody is refused sooner than the others: as much is asked and
// kept about them.
func TestUnknown(t *testing.T) {
	w := guesttest.New(t)
	w.HTTP[base+"b%2F%C3%A9%20"] = guesttest.Response{Status: 404}
	d := configured(t, strings.Replace(plain, "}\"", "}\", \"dummy_hash\": \"$2y$nobody\"", 1))
	for range 2 {
		if got, err := ask(t, w, d, "b/é "); err != nil || got.Verdict != policy.Deny || got.PasswordHash != "" || got.Code != 0 || got.Text != "" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if n := len(w.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	w.Hashes["$2y$nobody"] = true // whoever finds its password is still nobody
	for _, name := range []string{"b/é ", "", ".", "..", strings.Repeat("x", maxName+1)} {
		if got, err := ask(t, w, d, name); err != nil || got.Verdict != policy.Deny {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if n := len(w.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestFailsClosed(t *testing.T) {
	w := guesttest.New(t)
	d := configured(t, plain)
	for name, r := range map[string]guesttest.Response{
		"down": {Err: abi.ErrnoIO}, "slow": {Err: abi.ErrnoTimeout}, "broken": {Status: 500}, "empty": {},
		"text": {Body: "no JSON"}, "more": {Body: `{"hash": "$2y$a", "admin": true}`}, "plain": {Body: `{"hash": "secret"}`},
		"relative": {Body: `{"hash": "$2y$a", "home": "in"}`}, "nowhere": {Body: `{"hash": "$2y$a", "home": ""}`},
		"letters": {Body: `{"hash": "$2y$a", "perms": "xyz"}`}, "long": {Body: `{"hash": "$2y$` + strings.Repeat("a", 4096) + `"}`},
	} {
		w.HTTP[base+name] = r
		if got, err := ask(t, w, d, name); err == nil || got.Verdict != policy.Pass || !strings.Contains(err.Error(), "the directory of users") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, ok := w.KV.Get("user:down"); ok {
		t.Error("a failure was kept")
	}
	w.HTTP[base+"none"] = guesttest.Response{Status: 404}
	d.dummy = "no hash"
	if got, err := ask(t, w, d, "none"); err == nil {
		t.Errorf("a dummy that is none: %+v", got)
	}
}

func TestSettings(t *testing.T) {
	for in, says := range map[string]string{
		`{}`:                                     `"url" must have {user}`,
		`{"url": "https://a/"}`:                  `"url" must have {user}`,
		`{"url": "{user}", "x": 1}`:              `unknown setting "x"`,
		`{"url": "{user}", "timeout_ms": 0}`:     `"timeout_ms" must be 1 to 10000`,
		`{"url": "{user}", "cache_seconds": -1}`: `"cache_seconds" must not be negative`,
		`{"url": "{user}", "dummy_hash": "x"}`:   `"dummy_hash" must be a stored hash`,
	} {
		if err := settings.Read([]byte(in), newDirectory()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", in, err)
		}
	}
	w := guesttest.New(t)
	w.HTTP[base+"anna"] = guesttest.Response{Body: anna}
	d := configured(t, strings.Replace(plain, "}\"", "}\", \"cache_seconds\": 0", 1))
	for range 2 {
		if got, err := ask(t, w, d, "anna"); err != nil || got.Verdict != policy.Allow {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if n := len(w.Requests()); n != 2 {
		t.Errorf("%d requests without a cache", n)
	}
}
