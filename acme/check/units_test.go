package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/tests/authority"
)

func TestParseIssue(t *testing.T) {
	for value, want := range map[string]string{
		"ca.test":                            "ca.test",
		" CA.Test ":                          "ca.test",
		";":                                  "",
		"":                                   "",
		"ca.test;":                           "ca.test",
		"ca.test; a=b ;c=d=e":                "ca.test; a=b; c=d=e",
		"ca.test; AccountURI = https://ca/1": "ca.test; accounturi=https://ca/1",
		"ca.test; a=":                        "ca.test; a=",
		"; a=b":                              "; a=b",
		"ca test":                            "error",
		"-ca.test":                           "error",
		"ca..test":                           "error",
		"ca.test; a":                         "error",
		"ca.test; a b=c":                     "error",
		"ca.test; a=b c":                     "error",
		"ca.test; a=1; A=2":                  "error",
		"ca.test; a=\x7f":                    "error",
		"%%%%%":                              "error",
	} {
		is, err := parseIssue(value)
		got := is.String()
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q is %q, want %q", value, got, want)
		}
	}
}

// What is read is the same when it is written and read again.
func FuzzParseIssue(f *testing.F) {
	f.Add("ca.test; a=b")
	f.Add(";")
	f.Fuzz(func(t *testing.T, value string) {
		is, err := parseIssue(value)
		if err != nil {
			return
		}
		again, err := parseIssue(is.String())
		if err != nil || again.String() != is.String() {
			t.Errorf("%q is %q, and then %q, %v", value, is, again, err)
		}
	})
}

func TestPrivate(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "192.168.0.1": true, "172.16.0.1": true, "100.64.0.1": true, "169.254.1.1": true,
		"fe80::1": true, "fd00::1": true, "0.0.0.0": true, "255.255.255.255": true, "224.0.0.1": true, "::ffff:10.0.0.1": true,
		"8.8.8.8": false, "172.32.0.1": false, "100.128.0.1": false, "2001:4860::1": false,
	} {
		if got := private(netip.MustParseAddr(addr)); (got != "") != want {
			t.Errorf("%s is %q", addr, got)
		}
	}
}

// seen looks at names by an authority on the internet.
func seen(t *testing.T, c acme.Challenges, s *subject, local ...string) []Finding {
	t.Helper()
	r := &run{conf: acme.Config{Names: []string{s.name}, Challenges: c}, ends: []*endpoint{{public: true}}, names: []*subject{s}, over: func() bool { return false }}
	for _, ip := range local {
		r.local = append(r.local, netip.MustParseAddr(ip))
	}
	r.checkNames()
	r.checkAddresses(s)
	return r.found
}

// To an authority on the internet, private names and addresses are of no use.
func TestPublicAuthority(t *testing.T) {
	ports, dns := acme.Challenges{HTTP: []string{":80"}}, acme.Challenges{DNS: &acme.DNS{}}
	for _, c := range []struct {
		name  string
		conf  acme.Challenges
		addrs string
		want  string // the findings that are not OK
	}{
		{"localhost", ports, "", "fail names localhost"},
		{"nas.local", ports, "", "fail names nas.local"},
		{"ftp", ports, "", "fail names ftp"},
		{"*.org", ports, "", "fail names *.org"},
		{"10.0.0.1", ports, "", "fail names 10.0.0.1"},
		{"ftp.example.org", ports, "10.0.0.5", "fail dns ftp.example.org"},
		{"ftp.example.org", dns, "10.0.0.5", "note dns ftp.example.org"},
		{"ftp.example.org", ports, "10.0.0.5 8.8.8.8", "warn dns ftp.example.org"},
		{"ftp.example.org", ports, "8.8.8.8", ""},
		{"ftp.example.org", ports, "8.8.4.4", "note dns ftp.example.org"},
		{"8.8.8.8", ports, "8.8.8.8", ""},
		{"8.8.4.4", ports, "8.8.4.4", "note dns 8.8.4.4"},
	} {
		r := &run{conf: acme.Config{Names: []string{c.name}}}
		s := r.subject(c.name)
		for ip := range strings.FieldsSeq(c.addrs) {
			s.addrs = append(s.addrs, netip.MustParseAddr(ip))
		}
		if got := strings.Join(above(Note, seen(t, c.conf, s, "8.8.8.8")), "; "); got != c.want {
			t.Errorf("%s at %s: %q, want %q", c.name, c.addrs, got, c.want)
		}
	}
}

// Only where a translation of addresses may be in between is a failure uncertain.
func TestHidden(t *testing.T) {
	for _, c := range []struct {
		at, local string
		want      bool
	}{
		{"8.8.8.8", "10.0.0.5", true},
		{"8.8.8.8", "8.8.8.8", false},
		{"8.8.8.8", "10.0.0.5 8.8.4.4", false},
		{"8.8.8.8", "10.0.0.5 2001:4860::1", true},
		{"2001:4860::2", "10.0.0.5 2001:4860::1", false},
		{"2001:4860::2", "8.8.8.8", true},
	} {
		r := &run{}
		for ip := range strings.FieldsSeq(c.local) {
			r.local = append(r.local, netip.MustParseAddr(ip))
		}
		if got := r.hidden(netip.MustParseAddr(c.at)); got != c.want {
			t.Errorf("%s from %s: %t", c.at, c.local, got)
		}
	}
}

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"there is no answer within 10s":                      context.DeadlineExceeded,
		"its certificate is signed by nobody who is trusted": x509.UnknownAuthorityError{},
		`its certificate is for other names ("a.example")`:   x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"a.example"}}},
		"it does not speak TLS":                              tls.RecordHeaderError{Msg: "x"},
		`its address cannot be found: "no such host"`:        &net.DNSError{Err: "no such host", Name: "a"},
		`it fails: "evil\x1b[31m"`:                           errors.New("evil\x1b[31m"),
	} {
		if got := reason(err); got != want {
			t.Errorf("%v is told as %q, want %q", err, got, want)
		}
	}
	if got := quoted(strings.Repeat("\u00e4", 200)); len(got) > 200 {
		t.Errorf("a long text is not cut: %d bytes", len(got))
	}
}

// A running server that has port 443 with its FTPS listener is known by its certificate.
func TestServedByTheServer(t *testing.T) {
	w := newWorld(t, authority.Options{})
	w.conf.Names = []string{hostName}
	w.only()
	w.conf.Challenges.TLSALPNServed = true
	base := w.store(hostName, time.Now(), time.Now().Add(time.Hour*1000))
	pair, err := tls.LoadX509KeyPair(w.dir+"/"+base+".crt", w.dir+"/"+base+".key")
	if err != nil {
		t.Fatal(err)
	}
	l := w.listen(w.ca.TLSAddr())
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			_ = tls.Server(c, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				if slices.Contains(hello.SupportedProtos, acmeTLS) {
					return nil, errors.New("no order is pending")
				}
				return &tls.Config{Certificates: []tls.Certificate{pair}}, nil
			}}).Handshake()
			_ = c.Close()
		}
	}()
	if bad := above(Note, w.run()); len(bad) > 0 {
		t.Errorf("false alarms: %q", bad)
	}
}

// What the running server holds, and does not get through to its port, is not taken for
// it.
func TestHeldElsewhere(t *testing.T) {
	w := newWorld(t, authority.Options{})
	w.conf.Names = []string{hostName}
	w.only(http01)
	l := w.listen("127.0.0.1:0")
	address := l.Addr().String()
	_ = l.Close()
	w.web(address, false, http.NotFound)
	w.web(w.ca.HTTPAddr(), false, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) })
	w.conf.Challenges.HTTP = []string{address}
	w.opt.Running = func(a string) bool { return a == address }
	if bad := above(Warn, w.run()); len(bad) != 2 || bad[0] != "fail challenge ftp.example.org" {
		t.Errorf("found %q", bad)
	}
}

// A name and its wildcard have their persistent records in one place.
func TestPersistentRecordOfBoth(t *testing.T) {
	w := newWorld(t, authority.Options{})
	w.only(dnsPersist01)
	w.conf.Names = []string{"files.example.org", wildName}
	w.opt.Persist = nil // that of the product: it makes an account
	found := w.run()
	if bad := above(Fail, found); len(bad) != 4 || w.ca.Count(authority.NewAccount) != 1 || w.ca.Tried() != 0 {
		t.Errorf("found %q", bad)
	}
	w.ca.DNS.Remove("_validation-persist.files.example.org", "TXT")
	for _, f := range found {
		if _, record, ok := strings.Cut(f.Help, "add the record: "); ok && f.Subject == wildName {
			w.ca.DNS.Add(record)
		}
	}
	if bad := above(Warn, w.run()); len(bad) > 0 {
		t.Errorf("the record that is asked for is not enough: %q", bad)
	}
}

// With the development authority there is nothing to prove, and nobody is asked.
func TestDevelopmentAuthority(t *testing.T) {
	w := newWorld(t, authority.Options{})
	local, err := acme.NewDevCA(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	w.conf.Local, w.conf.Authorities, w.conf.Names = local, nil, []string{"localhost"}
	if bad := above(Warn, w.run()); len(bad) > 0 {
		t.Errorf("false alarms: %q", bad)
	}
	if len(w.ca.Requests())+len(w.ca.DNS.Queries()) > 0 {
		t.Error("somebody was asked")
	}
}

// What leads into clear text is told: no order would follow.
func TestDirectoryInClearText(t *testing.T) {
	for _, redirect := range []bool{false, true} {
		var asked bool
		clear := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			asked = true
			rw.Header().Set("Replay-Nonce", "n")
		}))
		defer clear.Close()
		s := httptest.NewUnstartedServer(nil)
		s.StartTLS()
		defer s.Close()
		s.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				http.Redirect(rw, r, clear.URL, http.StatusFound)
				return
			}
			nonce := clear.URL
			if redirect {
				nonce = s.URL
			}
			_ = json.NewEncoder(rw).Encode(map[string]any{"newNonce": nonce, "newAccount": s.URL, "newOrder": s.URL})
		})
		e := &endpoint{url: s.URL, at: acme.Authority{Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}
		e.look(t.Context(), "")
		if got := fmt.Sprint(e.err, e.nonce); asked || !strings.Contains(got, "not encrypted") {
			t.Errorf("redirect %v: asked %v, %s", redirect, asked, got)
		}
	}
}
