package acme

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/authority"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// accounts is how many accounts the authority has made.
func accounts(ca *authority.Authority) int {
	made := 0
	for _, r := range ca.Requests() {
		if r.Endpoint == authority.NewAccount && r.Status == 201 {
			made++
		}
	}
	return made
}

func TestAccountIsKept(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	conf := onlyHTTP(t, ca, "a.example.org")
	n := start(t, ca, conf)
	n.obtained()
	n.Close()
	conf.Names = []string{"a.example.org", "b.example.org"}
	n = start(t, ca, conf)
	if leaf := n.obtained(); leaf.DNSNames[0] != "b.example.org" {
		t.Errorf("%v was ordered again", leaf.DNSNames)
	}
	if got := accounts(ca); got != 1 {
		t.Errorf("%d accounts were made", got)
	}
	n.Close()
	conf.Names, conf.Authorities[0].Email = []string{"c.example.org"}, "other@example.org"
	start(t, ca, conf).obtained()
	if got := accounts(ca); got != 2 {
		t.Errorf("%d accounts were made, and two addresses were used", got)
	}
}

// An authority that was reset knows neither the account nor its key.
func TestAccountForgotten(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	conf := onlyHTTP(t, ca, "a.example.org")
	n := start(t, ca, conf)
	n.obtained()
	n.Close()
	key := n.issuers[0].(*issuer).real.file()
	before := rewriteAccount(t, conf.Storage, key, func(r map[string]any) {
		account := r["account"].(map[string]any)
		account["location"] = strings.Replace(account["location"].(string), "my-account/", "my-account/0", 1)
	})
	n = start(t, ca, conf)
	must(t, n.Renew(t.Context(), "a.example.org"))
	after, err := conf.Storage.Load(t.Context(), key)
	must(t, err)
	if accounts(ca) != 2 || bytes.Equal(before, after) {
		t.Errorf("%d accounts were made; stored: %s", accounts(ca), after)
	}
	if _, err := parseRegistration(after); err != nil {
		t.Error(err)
	}
}

// rewriteAccount changes the stored account, and returns what is stored then.
func rewriteAccount(t *testing.T, s Storage, key string, change func(map[string]any)) []byte {
	t.Helper()
	text, err := s.Load(t.Context(), key)
	must(t, err)
	var r map[string]any
	must(t, json.Unmarshal(text, &r))
	change(r)
	text, err = json.Marshal(r)
	must(t, err)
	must(t, s.Store(t.Context(), key, text))
	return text
}

func TestAccountDamaged(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	conf := onlyHTTP(t, ca, "a.example.org")
	n := start(t, ca, conf)
	n.obtained()
	n.Close()
	key := n.issuers[0].(*issuer).real.file()
	text, err := conf.Storage.Load(t.Context(), key)
	must(t, err)
	must(t, conf.Storage.Store(t.Context(), key, text[:len(text)/2]))
	n = start(t, ca, conf)
	must(t, n.Renew(t.Context(), "a.example.org"))
	if !strings.Contains(n.log.String(), "a stored account is damaged") {
		t.Error("nobody was told")
	}
	kept, err := conf.Storage.List(t.Context(), "damaged", true)
	if err != nil || !strings.HasSuffix(kept[len(kept)-1], "account.json") {
		t.Errorf("the damaged account is not kept: %q, %v", kept, err)
	}
}

func TestBinding(t *testing.T) {
	mac := bytes.Repeat([]byte{0xfb, 0xef, 0x3e}, 11)[:32] // + and / in the other alphabet
	ca := authority.Start(t, authority.Options{Bindings: map[string]string{"kid-1": base64.RawURLEncoding.EncodeToString(mac)}})
	t.Run("none", func(t *testing.T) {
		n := start(t, ca, onlyHTTP(t, ca, "a.example.org"))
		e := n.event()
		if !errors.Is(e.Err, errBinding) || !strings.Contains(Advice(e.Err), "account_binding") {
			t.Errorf("%v; help: %s", e.Err, Advice(e.Err))
		}
		if got := n.Orders()[0]; got.Result != "failed" || got.Count != 1 {
			t.Errorf("it was counted as %v", n.Orders())
		}
	})
	t.Run("wrong", func(t *testing.T) {
		conf := onlyHTTP(t, ca, "a.example.org")
		conf.Authorities[0].Binding = &Binding{KeyID: "kid-1", MAC: base64.RawURLEncoding.EncodeToString([]byte("another key of thirty-two bytes!"))}
		if e := start(t, ca, conf).event(); e.Err == nil {
			t.Error("it was taken")
		}
	})
	for what, encoding := range map[string]*base64.Encoding{"base64url": base64.RawURLEncoding, "padded": base64.URLEncoding, "base64": base64.StdEncoding} {
		t.Run(what, func(t *testing.T) {
			conf := onlyHTTP(t, ca, "a.example.org")
			conf.Authorities[0].Binding = &Binding{KeyID: "kid-1", MAC: encoding.EncodeToString(mac)}
			n := start(t, ca, conf)
			n.obtained()
			text, err := conf.Storage.Load(t.Context(), n.issuers[0].(*issuer).real.file())
			if err != nil || bytes.Contains(text, []byte("externalAccountBinding")) {
				t.Errorf("stored: %s, %v", text, err)
			}
		})
	}
}

// Another external account makes another account.
func TestBindingChanges(t *testing.T) {
	t.Parallel()
	keys := map[string]string{}
	for _, id := range []string{"kid-1", "kid-2"} {
		keys[id] = base64.RawURLEncoding.EncodeToString([]byte(id + strings.Repeat("x", 30)))
	}
	ca := authority.Start(t, authority.Options{Bindings: keys})
	conf := onlyHTTP(t, ca, "a.example.org")
	for i, id := range []string{"kid-1", "kid-1", "kid-2"} {
		conf.Authorities[0].Binding = &Binding{KeyID: id, MAC: keys[id]}
		n := start(t, ca, conf)
		if i == 0 {
			n.obtained()
		} else {
			must(t, n.Renew(t.Context(), "a.example.org"))
		}
		n.Close()
	}
	if got := accounts(ca); got != 2 {
		t.Errorf("%d accounts were made", got)
	}
}

// Many names at once make one account.
func TestOneAccountForMany(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	conf := onlyHTTP(t, ca, "a.example.org", "b.example.org", "c.example.org", "d.example.org")
	n := start(t, ca, conf)
	for range conf.Names {
		n.obtained()
	}
	if got := ca.Count(authority.NewAccount); got != 1 {
		t.Errorf("%d requests for an account", got)
	}
}

func TestStorageKey(t *testing.T) {
	for url, want := range map[string]string{
		"https://acme-v02.api.letsencrypt.org/directory": "acme-v02.api.letsencrypt.org-directory",
		"https://dv.acme-v02.api.pki.goog/directory":     "dv.acme-v02.api.pki.goog-directory",
	} {
		if got := storageKey(url); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
	seen := map[string]string{}
	for _, url := range []string{
		"https://ca.example.org/a/b", "https://ca.example.org/a-b", "https://ca.example.org/a/b/", "https://ca.example.org/A/b",
		"https://ca.example.org:8443/a/b", "https://ca.example.org/8443/a/b", "https://ca.example.org/a/b?x=1", "https://ca.example.org/a/b#x",
		"https://ca.example.org-a/b", "http://127.0.0.1:14000/dir", "https://127.0.0.1:14000/dir", "https://ca.example.org/a//b",
		"https://ca.example.org/a%2fb", "https://ca.example.org/a/../b", "https://ca.example.org/b", "", "%", "https://ca.example.org/a.b",
	} {
		key := storageKey(url)
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q share %s", url, other, key)
		}
		seen[key] = url
		if strings.ContainsAny(key, `/\: `) || strings.Contains(key, "..") || key == "" {
			t.Errorf("%q: %q is no key", url, key)
		}
	}
}

func FuzzRegistration(f *testing.F) {
	f.Add([]byte(`{"account":{"status":"valid","location":"https://ca/1"},"key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRegistration(text)
		if err == nil && (r.Account.PrivateKey == nil || r.Account.Location == "") {
			t.Errorf("%q gives an account that cannot be used", text)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "60": time.Minute, "9999999999999": longest, "99999999999999999999999": 0, "soon": 0,
		"Tue, 24 Nov 2026 13:00:00 GMT": time.Hour, "Tue, 24 Nov 2026 11:00:00 GMT": 0, "Tue, 24 Nov 2099 11:00:00 GMT": longest,
	} {
		got := retryAfter(value, now)
		if want == 0 != got.IsZero() || want > 0 && got.Sub(now) != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

// A damaged account is put aside once, however often it is asked for.
func TestDamagedAccountOnce(t *testing.T) {
	storage := &asides{Storage: MemoryStorage()}
	srv := newLocal(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	d := newDirectory(&Config{Storage: storage}, Authority{}, srv+"/dir", slog.New(slog.DiscardHandler))
	t.Cleanup(d.web.close)
	must(t, storage.Storage.Store(t.Context(), d.file(), []byte("{")))
	for range 3 {
		ctx := context.WithValue(t.Context(), nowKey{}, true)
		if _, err := d.account(ctx); err == nil {
			t.Fatal("an account from nowhere")
		}
	}
	if storage.damaged != 1 {
		t.Errorf("put aside %d times", storage.damaged)
	}
}

type asides struct {
	Storage
	mu      sync.Mutex
	damaged int
}

func (c *asides) Store(ctx context.Context, key string, value []byte) error {
	c.mu.Lock()
	if strings.HasPrefix(key, "damaged/") {
		c.damaged++
	}
	c.mu.Unlock()
	return c.Storage.Store(ctx, key, value)
}

// An authority that was set up anew gives the same addresses again: the account that
// another node has just made stays, also where it has that of the one that is gone.
func TestForgetKeepsOthers(t *testing.T) {
	d := newDirectory(&Config{Storage: MemoryStorage()}, Authority{}, "https://ca.example.org/dir", slog.New(slog.DiscardHandler))
	gone := rfc8555.Account{Location: "https://ca.example.org/acct/1", PrivateKey: newKey(t)}
	fresh := &registration{Account: rfc8555.Account{Location: gone.Location, PrivateKey: newKey(t)}}
	text, err := fresh.encode()
	must(t, err)
	must(t, d.storage.Store(t.Context(), d.file(), text))
	must(t, d.forget(t.Context(), gone))
	if !d.storage.Exists(t.Context(), d.file()) {
		t.Error("the new account was deleted")
	}
	must(t, d.forget(t.Context(), fresh.Account))
	if d.storage.Exists(t.Context(), d.file()) {
		t.Error("the account that is gone is still there")
	}
}
