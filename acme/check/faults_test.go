package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/acme/providers"
	"github.com/edgeftp/edgeftp/tests/authority"
)

// fault is one thing that is wrong in a set-up that is healthy otherwise.
type fault struct {
	name  string
	about authority.Options
	names []string // empty: the host name alone
	spoil func(w *world)
	want  []string // what is warned of or fails; anything else is a false alarm
}

// only leaves the named challenges.
func (w *world) only(methods ...string) {
	was := w.conf.Challenges
	w.conf.Challenges = acme.Challenges{}
	for _, m := range methods {
		switch m {
		case http01:
			w.conf.Challenges.HTTP = was.HTTP
		case tlsALPN01:
			w.conf.Challenges.TLSALPN = was.TLSALPN
		case dns01:
			w.conf.Challenges.DNS = was.DNS
		case dnsPersist01:
			w.conf.Challenges.Persist = was.Persist
		}
	}
}

// unavailable is a storage that fails in one of its methods.
type unavailable struct {
	acme.Storage
	store, lock error
}

func (u unavailable) Store(ctx context.Context, key string, value []byte) error {
	if u.store != nil {
		return u.store
	}
	return u.Storage.Store(ctx, key, value)
}

func (u unavailable) Lock(ctx context.Context, name string) error {
	if u.lock != nil {
		return u.lock
	}
	return u.Storage.Lock(ctx, name)
}

// directory is an authority that only has a directory, at another clock.
func (w *world) directory(ahead time.Duration, header http.Header) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	w.t.Cleanup(s.Close)
	s.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		rw.Header().Set("Replay-Nonce", "n")
		for k, v := range header {
			rw.Header()[k] = v
		}
		_ = json.NewEncoder(rw).Encode(map[string]any{"newNonce": s.URL, "newAccount": s.URL, "newOrder": s.URL, "renewalInfo": s.URL,
			"meta": map[string]any{"caaIdentities": []string{authority.Identity}}})
	})
	w.ca.Directory = s.URL
	w.conf.Authorities[0] = acme.Authority{Directory: s.URL, Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
}

// expired is an authority whose own certificate has ended.
func (w *world) expired() {
	base := w.store("127.0.0.1", time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, base+".crt"), filepath.Join(w.dir, base+".key"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.store("127.0.0.1", time.Now(), time.Now().Add(100*time.Hour))
	s := httptest.NewUnstartedServer(http.HandlerFunc(http.NotFound))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	w.t.Cleanup(s.Close)
	w.ca.Directory = s.URL
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	w.conf.Authorities[0] = acme.Authority{Directory: s.URL, Roots: roots}
}

func namesFaults() []fault {
	return []fault{
		{name: "a name that is none", names: []string{"ftp_.example.org"}, want: []string{"fail names ftp_.example.org"}},
		{name: "a name of somebody else", spoil: func(w *world) { w.opt.Names = []string{"www.example.org"} },
			want: []string{"fail names www.example.org"}},
		{name: "a name that may not be issued on demand", spoil: func(w *world) {
			w.conf.OnDemand, w.opt.Names = &acme.OnDemand{Allow: []string{"*.customers.example.org"}}, []string{"a.b.customers.example.org"}
		}, want: []string{"fail names a.b.customers.example.org"}},
	}
}

func dnsFaults() []fault {
	ports := func(w *world) { w.only(http01) }
	return []fault{
		{name: "no such name", spoil: func(w *world) { ports(w); w.ca.DNS.Answer(hostName, dns.RcodeNameError) },
			want: []string{"fail dns ftp.example.org", "fail challenge ftp.example.org"}},
		{name: "no address", spoil: func(w *world) {
			ports(w)
			w.ca.DNS.Add("ftp.example.org. CNAME _none.example.org.", `_none.example.org. TXT "x"`)
		}, want: []string{"fail dns ftp.example.org", "fail challenge ftp.example.org"}},
		{name: "aliases in a circle", spoil: func(w *world) {
			ports(w)
			w.ca.DNS.Add("ftp.example.org. CNAME a.example.org.", "a.example.org. CNAME b.example.org.", "b.example.org. CNAME ftp.example.org.")
		}, want: []string{"fail dns ftp.example.org", "fail challenge ftp.example.org"}},
		{name: "servers that fail", spoil: func(w *world) { ports(w); w.ca.DNS.Answer(hostName, dns.RcodeServerFailure) },
			want: []string{"fail dns ftp.example.org", "fail dns ftp.example.org"}},
		{name: "a dns server that does not answer", spoil: func(w *world) { ports(w); w.opt.Resolver = "127.0.0.1:1" },
			want: []string{"warn dns ftp.example.org", "warn dns ftp.example.org"}},
		{name: "a dns server that refuses", spoil: func(w *world) { ports(w); w.ca.DNS.Answer(hostName, dns.RcodeRefused) },
			want: []string{"warn dns ftp.example.org", "warn dns ftp.example.org"}},
		{name: "caa for another authority", spoil: func(w *world) { w.ca.DNS.Add(`example.org. CAA 0 issue "other.test"`) },
			want: []string{"fail dns ftp.example.org"}},
		{name: "caa for wildcards", names: []string{hostName, wildName}, spoil: func(w *world) {
			w.ca.DNS.Add(`example.org. CAA 0 issue "authority.test"`, `example.org. CAA 0 issuewild ";"`)
		}, want: []string{"fail dns *.files.example.org"}},
		{name: "caa for other challenges", spoil: func(w *world) {
			w.only(http01, tlsALPN01)
			w.ca.DNS.Add(`ftp.example.org. CAA 0 issue "authority.test; validationmethods=dns-01"`)
		}, want: []string{"fail dns ftp.example.org"}},
		{name: "caa for another account", spoil: func(w *world) {
			w.put("acme/ca/users/ops@example.org/account.json", []byte(`{"account":{"location":"https://ca/acct/1"},"key":""}`))
			w.ca.DNS.Add(`ftp.example.org. CAA 0 issue "authority.test; accounturi=https://ca/acct/2"`)
		}, want: []string{"fail dns ftp.example.org"}},
		{name: "caa for an account that is not known", spoil: func(w *world) {
			w.ca.DNS.Add(`ftp.example.org. CAA 0 issue "authority.test; accounturi=https://ca/acct/2"`)
		}},
		{name: "caa that lets it issue", names: []string{hostName, wildName}, spoil: func(w *world) {
			w.put("acme/ca/users/ops@example.org/account.json", []byte(`{"account":{"location":"https://ca/acct/1"},"key":""}`))
			w.ca.DNS.Add(`example.org. CAA 0 issue "other.test"`, `example.org. CAA 128 iodef "mailto:ops@example.org"`,
				`example.org. CAA 128 issue " Authority.Test ; AccountURI=https://ca/acct/1; validationmethods=dns-01,http-01"`)
		}},
		{name: "caa that nobody knows", spoil: func(w *world) { w.ca.DNS.Add(`example.org. CAA 128 phase "1"`) },
			want: []string{"fail dns ftp.example.org"}},
		{name: "caa with nonsense", spoil: func(w *world) { w.ca.DNS.Add(`example.org. CAA 0 issue "authority.test; account uri"`) },
			want: []string{"fail dns ftp.example.org"}},
	}
}

func portFaults() []fault {
	greeting := func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Server", "other/1.0")
		_, _ = io.WriteString(rw, "welcome")
	}
	elsewhere := "127.0.0.1:0"
	return []fault{
		{name: "port of another program", spoil: func(w *world) { w.web(w.ca.HTTPAddr(), false, greeting); w.only(http01) },
			want: []string{"fail ports 127.0.0.1:80", "fail challenge ftp.example.org"}},
		{name: "address of another machine", spoil: func(w *world) { w.only(http01); w.conf.Challenges.HTTP = []string{"192.0.2.1:80"} },
			want: []string{"fail ports 192.0.2.1:80", "fail challenge ftp.example.org"}},
		{name: "another web server under the name", spoil: func(w *world) {
			w.conf.Challenges.HTTP = []string{elsewhere}
			w.web(w.ca.HTTPAddr(), false, greeting)
		}, want: []string{"fail challenge ftp.example.org"}},
		{name: "redirect to another port", spoil: func(w *world) {
			w.conf.Challenges.HTTP = []string{elsewhere}
			w.web(w.ca.HTTPAddr(), false, func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "http://ftp.example.org:8443"+r.URL.Path, http.StatusFound)
			})
		}, want: []string{"fail challenge ftp.example.org"}},
		{name: "redirect in a circle", spoil: func(w *world) {
			w.conf.Challenges.HTTP = []string{elsewhere}
			w.web(w.ca.HTTPAddr(), false, func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, r.URL.Path, http.StatusFound) })
		}, want: []string{"fail challenge ftp.example.org"}},
		{name: "nothing gets through", spoil: func(w *world) { w.conf.Challenges.HTTP = []string{elsewhere} },
			want: []string{"fail challenge ftp.example.org"}},
		{name: "another server with tls under the name", spoil: func(w *world) {
			w.conf.Challenges.TLSALPN = []string{elsewhere}
			w.web(w.ca.TLSAddr(), true, greeting)
		}, want: []string{"fail challenge ftp.example.org"}},
		{name: "no tls under the name", spoil: func(w *world) {
			w.conf.Challenges.TLSALPN = []string{elsewhere}
			w.web(w.ca.TLSAddr(), false, greeting)
		}, want: []string{"fail challenge ftp.example.org"}},
		{name: "aaaa without a listener", spoil: func(w *world) {
			w.only(http01)
			w.ca.DNS.Add("ftp.example.org. A 127.0.0.1", "ftp.example.org. AAAA ::1")
		}, want: []string{"fail challenge ftp.example.org"}},
		{name: "behind nat", spoil: func(w *world) {
			w.only(http01)
			w.ca.DNS.Add("ftp.example.org. A 127.0.0.9")
			w.opt.Local = func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("10.0.0.5")}, nil }
		}, want: []string{"warn challenge ftp.example.org"}},
		{name: "a server that is not running", spoil: func(w *world) { w.only(); w.conf.Challenges.TLSALPNServed = true },
			want: []string{"warn challenge ftp.example.org"}},
		{name: "another server where the own one is to be", spoil: func(w *world) {
			w.only()
			w.conf.Challenges.TLSALPNServed = true
			w.web(w.ca.TLSAddr(), true, greeting)
		}, want: []string{"fail challenge ftp.example.org", "fail challenge ftp.example.org"}},
		{name: "redirect to a page that has it", spoil: func(w *world) {
			w.only(http01)
			l := w.listen("127.0.0.1:0")
			_ = l.Close()
			w.conf.Challenges.HTTP = []string{l.Addr().String()}
			w.web(w.ca.HTTPAddr(), false, func(rw http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(r.Host, "www.") {
					http.Redirect(rw, r, "http://www.example.org:"+strconv.Itoa(w.ca.HTTPPort)+r.URL.Path, http.StatusFound)
					return
				}
				httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: l.Addr().String()}).ServeHTTP(rw, r)
			})
		}},
		{name: "a wildcard by ports", names: []string{wildName}, spoil: func(w *world) { w.only(http01) },
			want: []string{"fail challenge *.files.example.org"}},
		{name: "an address by dns", names: []string{addrName}, spoil: func(w *world) { w.only(dns01) },
			want: []string{"fail challenge 127.0.0.1"}},
	}
}

func recordFaults() []fault {
	persist := func(record string) func(w *world) {
		return func(w *world) {
			w.only(dnsPersist01)
			w.ca.DNS.Remove("_validation-persist.files.example.org", "TXT")
			if record != "" {
				w.ca.DNS.Add("_validation-persist.files.example.org. TXT " + record)
			}
		}
	}
	lacking := []string{"fail dns *.files.example.org", "fail challenge *.files.example.org"}
	both := []string{"fail dns ftp.example.org", "fail challenge ftp.example.org"}
	one := []string{"fail dns ftp.example.org"}
	wild := []string{wildName}
	return []fault{
		{name: "provider refuses", spoil: func(w *world) { w.only(dns01); w.provider.noAdd = errors.New("403 bad key") }, want: both},
		{name: "provider knows why", spoil: func(w *world) {
			w.only(dns01)
			w.provider.noAdd = &providers.Error{Provider: "rfc2136", Doing: "add the TXT record _acme-challenge-check.ftp.example.org. in the zone example.org.",
				What: "the server does not accept the key: NOTAUTH " + strings.Repeat("x", 400), Help: "compare key_name, key_alg and key with the server's"}
		}, want: both},
		{name: "provider does not know why", spoil: func(w *world) {
			w.only(dns01)
			w.provider.noAdd = &providers.Error{Provider: "rfc2136", Doing: "add", What: "no", Help: "edgeftp cert check tries the provider"}
		}, want: both},
		{name: "name servers without an address", spoil: func(w *world) { w.only(dns01); w.ca.DNS.Answer("ns.example.org", dns.RcodeNameError) }, want: both},
		{name: "name servers without an address, and resolvers", spoil: func(w *world) {
			w.only(dns01)
			w.conf.Challenges.DNS.Resolvers = []string{w.ca.DNS.Addr}
			w.ca.DNS.Answer("ns.example.org", dns.RcodeNameError)
		}},
		{name: "record does not appear at the resolvers", spoil: func(w *world) {
			w.only(dns01)
			w.conf.Challenges.DNS.Resolvers = []string{w.ca.DNS.Addr}
			w.ca.DNS.Hide(1000)
		}, want: both},
		{name: "record does not appear", spoil: func(w *world) { w.only(dns01); w.ca.DNS.Hide(1000) }, want: both},
		{name: "record is slow", spoil: func(w *world) { w.ca.DNS.Hide(3) }},
		{name: "record stays", spoil: func(w *world) { w.provider.noRemove = errors.New("403 may not remove") },
			want: []string{"warn dns ftp.example.org"}},
		{name: "delegate without an alias", spoil: func(w *world) { w.conf.Challenges.DNS.Delegate = "acme.example.net" }, want: one},
		{name: "alias without a delegate", spoil: func(w *world) { w.ca.DNS.Add("_acme-challenge.ftp.example.org. CNAME acme.example.net.") }, want: one},
		{name: "delegate with its alias", spoil: func(w *world) {
			w.conf.Challenges.DNS.Delegate = "acme.example.net"
			w.ca.DNS.Add("_acme-challenge.ftp.example.org. CNAME acme.example.net.")
		}},
		{name: "no persistent record", names: wild, spoil: persist(""), want: lacking},
		{name: "persistent record of another account", names: wild, spoil: persist(`"authority.test; accounturi=https://ca/2; policy=wildcard"`), want: lacking},
		{name: "persistent record without wildcards", names: wild, spoil: persist(`"authority.test; accounturi=https://ca/1"`), want: lacking},
		{name: "persistent record that has ended", names: wild,
			spoil: persist(`"authority.test; accounturi=https://ca/1; policy=wildcard; persistUntil=1700000000"`), want: lacking},
		{name: "persistent record of another authority", names: wild, spoil: persist(`"other.test; accounturi=https://ca/1; policy=wildcard"`), want: lacking},
	}
}

func authorityFaults() []fault {
	main, clock := []string{"fail authority https://ca/dir"}, "clock https://ca/dir"
	return []fault{
		{name: "authority down", spoil: func(w *world) { w.ca.Down() }, want: main},
		{name: "authority in maintenance", spoil: func(w *world) { w.ca.Status(503, time.Minute) }, want: main},
		{name: "a page in place of the directory", spoil: func(w *world) { w.ca.Garbage(authority.HTML, authority.Directory) }, want: main},
		{name: "no nonce", spoil: func(w *world) { w.ca.Status(500, 0, authority.NewNonce) }, want: main},
		{name: "a certificate of another time", spoil: func(w *world) { w.expired() }, want: main},
		{name: "no such directory", spoil: func(w *world) { w.ca.Status(404, 0) }, want: main},
		{name: "unknown roots", spoil: func(w *world) { w.conf.Authorities[0].Roots = nil }, want: main},
		{name: "customers only", about: authority.Options{Bindings: map[string]string{"k": "bWFjbWFjbWFj"}}, want: main},
		{name: "a key with a typing error", about: authority.Options{Bindings: map[string]string{"k": "bWFjbWFjbWFj"}},
			spoil: func(w *world) { w.conf.Authorities[0].Binding = &acme.Binding{KeyID: "k", MAC: "not base64!"} }, want: main},
		{name: "a profile that is not offered", spoil: func(w *world) { w.conf.Authorities[0].Profile = "tlsserver" }, want: main},
		{name: "staging and fallback down", spoil: func(w *world) {
			w.conf.Authorities[0].Staging = "https://127.0.0.1:1/staging"
			w.conf.Authorities = append(w.conf.Authorities, acme.Authority{Directory: "https://127.0.0.1:1/dir"})
		}, want: []string{"warn authority https://127.0.0.1:1/staging", "warn authority https://127.0.0.1:1/dir"}},
		{name: "a clock that is 10 minutes behind", spoil: func(w *world) { w.directory(10*time.Minute, nil) }, want: []string{"warn " + clock}},
		{name: "a clock that is 2 hours ahead", spoil: func(w *world) { w.directory(-2*time.Hour, nil) }, want: []string{"fail " + clock}},
		{name: "limits", spoil: func(w *world) { w.directory(0, http.Header{"Ratelimit": {"limit=10, remaining=0"}}) }},
	}
}

func storageFaults() []fault {
	own := []string{"fail storage storage"}
	return []fault{
		{name: "storage that cannot be written", spoil: func(w *world) {
			w.conf.Storage = unavailable{Storage: w.conf.Storage, store: errors.New("read-only file system")}
		}, want: own},
		{name: "storage without locks", spoil: func(w *world) {
			w.conf.Storage = unavailable{Storage: w.conf.Storage, lock: errors.New("operation not supported")}
		}, want: own},
		{name: "storage that is open to all", spoil: func(w *world) { _ = os.Chmod(w.dir, 0o755) }, want: []string{"warn storage DIR"}},
		{name: "storage that is nearly full", spoil: func(w *world) {
			w.space = func(string) (room, error) { return room{bytes: 1 << 20, files: 1 << 20}, nil }
		}, want: []string{"warn storage DIR"}},
		{name: "storage without files left", spoil: func(w *world) {
			w.space = func(string) (room, error) { return room{bytes: 1 << 40}, nil }
		}, want: []string{"fail storage DIR"}},
		{name: "a damaged certificate", spoil: func(w *world) {
			w.put(w.store("old.example.org", time.Now(), time.Now().Add(time.Hour))+".key", []byte("x"))
		}, want: []string{"warn storage certificates/authority/old.example.org/old.example.org"}},
		{name: "an expired certificate", spoil: func(w *world) { w.store(hostName, time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)) },
			want: []string{"fail storage ftp.example.org"}},
		{name: "a certificate that ends soon", spoil: func(w *world) { w.store(hostName, time.Now().Add(-48*time.Hour), time.Now().Add(time.Hour)) },
			want: []string{"warn storage ftp.example.org"}},
		{name: "locks of others", spoil: func(w *world) {
			w.put("locks/issue_cert_ftp.example.org.lock", []byte("x"))
			w.put("locks/old.lock", []byte("x"))
			past := time.Now().Add(-time.Hour)
			_ = os.Chtimes(w.dir+"/locks/old.lock", past, past)
		}},
	}
}

// Each fault is found, in its area, with what helps; nothing else is complained of.
func TestFaults(t *testing.T) {
	groups := map[string][]fault{"names": namesFaults(), "dns": dnsFaults(), "ports": portFaults(), "records": recordFaults(),
		"authority": authorityFaults(), "storage": storageFaults()}
	for group, faults := range groups {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			var text strings.Builder
			for _, f := range faults {
				t.Run(f.name, func(t *testing.T) { fmt.Fprintf(&text, "== %s\n%s\n", f.name, f.find(t)) })
			}
			golden(t, group, text.String())
		})
	}
}

// find seeds the fault, and returns what is said of it.
func (f *fault) find(t *testing.T) string {
	w := newWorld(t, f.about)
	w.conf.Names = f.names
	if len(f.names) == 0 {
		w.conf.Names = []string{hostName}
	}
	if f.spoil != nil {
		f.spoil(w)
	}
	found := w.run()
	var got []string
	for line := range strings.Lines(w.text(Warn, found)) {
		if !strings.HasPrefix(line, " ") {
			level, rest, _ := strings.Cut(line, " ")
			area, rest, _ := strings.Cut(rest, " ")
			subject, _, _ := strings.Cut(rest, ": ")
			got = append(got, level+" "+area+" "+subject)
		}
	}
	if strings.Join(got, "\n") != strings.Join(f.want, "\n") {
		t.Errorf("found %q, want %q", got, f.want)
	}
	for _, one := range found {
		if (one.Help == "") != (one.Level == OK) {
			t.Errorf("help and level do not fit: %+v", one)
		}
	}
	return w.text(Note, found)
}
