package providers

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/libdns/libdns"
)

func asRecords(r libdns.Record) []libdns.Record { return []libdns.Record{r} }

func TestACMEDNS(t *testing.T) {
	a, s := newACMEDNS(t)
	p := opened(t, "acmedns", map[string]string{"server_url": s.URL + "/", "username": "user-1", "password": "a-password", "subdomain": "sub-1"})
	for _, value := range []string{one, two} {
		if _, err := p.AppendRecords(t.Context(), zone, text(value)); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.of("sub-1"); !slices.Equal(got, []string{one, two}) {
		t.Errorf("the server has %q", got)
	}
	if _, err := p.DeleteRecords(t.Context(), zone, text(one)); err != nil {
		t.Error(err)
	}
}

// With a file of accounts, each name has its own, also when the challenge is delegated
// to the account's own name.
func TestACMEDNSAccounts(t *testing.T) {
	a, s := newACMEDNS(t)
	file := filepath.Join(t.TempDir(), "accounts.json")
	if err := os.WriteFile(file, []byte(`{
		"ftp.example.org": {"username": "user-1", "password": "a-password", "subdomain": "sub-1", "fulldomain": "sub-1.auth.example.org", "allowfrom": []},
		"*.files.example.org": {"username": "user-2", "password": "a-password", "subdomain": "sub-2", "fulldomain": "sub-2.auth.example.org"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := opened(t, "acmedns", map[string]string{"server_url": s.URL, "accounts": file})
	for _, c := range []struct{ name, zone, account string }{
		{"_acme-challenge.ftp", zone, "sub-1"},
		{"_acme-challenge.files", zone, "sub-2"},
		{"sub-2", "auth.example.org.", "sub-2"},
	} {
		a.set(c.account, nil)
		if _, err := p.AppendRecords(t.Context(), c.zone, asRecords(libdns.TXT{Name: c.name, Text: one})); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := a.of(c.account); !slices.Equal(got, []string{one}) {
			t.Errorf("%s: the account %s has %q", c.name, c.account, got)
		}
	}
	_, err := p.AppendRecords(t.Context(), zone, asRecords(libdns.TXT{Name: "_acme-challenge.www", Text: one}))
	says(t, err, "no account for www.example.org", "register an account")
}

func TestACMEDNSNoFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none.json")
	err := Check("acmedns", map[string]string{"server_url": "https://auth.example.org", "accounts": file})
	says(t, err, "dns.settings.accounts: cannot be read: "+file+": ", "write a JSON file")
}

func TestACMEDNSRefused(t *testing.T) {
	_, s := newACMEDNS(t)
	open := func(password, subdomain string) map[string]string {
		return map[string]string{"server_url": s.URL, "username": "user-1", "password": password, "subdomain": subdomain}
	}
	_, err := opened(t, "acmedns", open("another-password", "sub-1")).AppendRecords(t.Context(), zone, text(one))
	says(t, err, "does not accept the account", "HTTP 401", "allowfrom")
	if strings.Contains(err.Error(), "another-password") {
		t.Errorf("the error tells the password: %v", err)
	}
	_, err = opened(t, "acmedns", open("a-password", "sub-1")).AppendRecords(t.Context(), zone, text("short"))
	says(t, err, "HTTP 400", "bad_txt")
}

// A server that redirects, or repeats the password, gets it nowhere.
func TestACMEDNSHostile(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the request went elsewhere with the key %q", r.Header.Get("X-Api-Key"))
	}))
	defer elsewhere.Close()
	code := http.StatusTemporaryRedirect
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", elsewhere.URL)
		reply(w, code, object{"error": "your key is " + r.Header.Get("X-Api-Key")})
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "accounts.json")
	if err := os.WriteFile(file, []byte(`{"ftp.example.org": {"username": "user-1", "password": "a-password", "subdomain": "sub-1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, code = range []int{http.StatusTemporaryRedirect, http.StatusBadRequest} {
		for _, settings := range []map[string]string{
			{"server_url": s.URL, "accounts": file},
			{"server_url": s.URL, "username": "user-1", "password": "a-password", "subdomain": "sub-1"},
		} {
			_, err := opened(t, "acmedns", settings).AppendRecords(t.Context(), zone, text(one))
			says(t, err, "(secret)")
			if strings.Contains(err.Error(), "a-password") {
				t.Errorf("the error tells the password: %v", err)
			}
		}
	}
}

// FuzzAccounts: what is read as accounts has all that a request needs, and errors tell
// no password.
func FuzzAccounts(f *testing.F) {
	f.Add([]byte(`{"example.org": {"username": "u", "password": "pass-word", "subdomain": "s"}}`))
	f.Add([]byte(`{"_acme-challenge.example.org.": {"username": "u"}, "*.example.org": {}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		accounts, err := parseAccounts(text)
		if (err == nil) == (len(accounts) == 0) {
			t.Fatalf("%d accounts and %v", len(accounts), err)
		}
		for name, a := range accounts {
			if name != bare(name) && name != bare("*."+name) || a.Username == "" || a.Password == "" || a.SubDomain == "" {
				t.Fatalf("%q: %+v", name, a)
			}
		}
	})
}

// A server that never ends its answer gets no more than 1 MiB into memory.
func TestACMEDNSEndless(t *testing.T) {
	sent := make(chan int, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		n := 0
		for part := make([]byte, 1<<16); n < 256<<20; {
			k, err := w.Write(part)
			if n += k; err != nil {
				break
			}
		}
		sent <- n
	}))
	defer s.Close()
	p := opened(t, "acmedns", map[string]string{"server_url": s.URL, "username": "user-1", "password": "a-password", "subdomain": "sub-1"})
	_, err := p.AppendRecords(t.Context(), zone, text(one))
	says(t, err, "HTTP 400")
	if n := <-sent; n > 64*most {
		t.Errorf("the answer was taken to byte %d", n)
	}
}
