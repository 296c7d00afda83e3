package e2e

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
)

// outage is a way in which an authority is of no use.
type outage struct {
	what  string
	begin func(*authorities.Authority)
	error string // in the log
	help  string
}

func outages() []outage {
	return []outage{
		{"down", (*authorities.Authority).Down, "/dir", "does not answer"},
		{"503", func(ca *authorities.Authority) { ca.Status(503, 0) }, "serverInternal", "the fault is the authority's"},
		{"garbage", func(ca *authorities.Authority) { ca.Garbage(authorities.HTML) }, "text/html", "proxy"},
		{"slow", func(ca *authorities.Authority) { ca.Slow(time.Hour) }, "", ""},
	}
}

// With a certificate in the storage clients are served at once, whatever becomes of the
// authority, and nothing is asked of it.
func TestCertificateStartInOutage(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	conf := p.byHTTP(t, ca)
	s := p.serve(t, conf).issued(ca)
	first := s.verified(t, ca, certName)
	s.stop(t)
	for _, tt := range outages() {
		tt.begin(ca)
		asked := len(ca.Requests()) + ca.Refused()
		s := p.serve(t, conf)
		for i, shake := range []func() bool{
			func() bool { cert, err := shake(s.addr, trusting(ca, certName)); ok(t, err); return cert.Equal(first) },
			func() bool {
				cert, err := shakeAtOnce(s.at(t, 1).addr, trusting(ca, certName))
				ok(t, err)
				return cert.Equal(first)
			},
		} {
			if !shake() {
				t.Errorf("%s: listener %d shows another certificate", tt.what, i)
			}
		}
		if n := len(ca.Requests()) + ca.Refused() - asked; n != 0 {
			t.Errorf("%s: the authority was asked %d times, and the certificate is new", tt.what, n)
		}
		s.stop(t)
	}
}

// orderFailure is the log record of an order that has failed.
type orderFailure struct {
	Msg, Name, Error, Help string
	Failures               int
	Time                   time.Time // of the record
	Next                   time.Time `json:"next_attempt"`
	ValidUntil             time.Time `json:"valid_until"`
}

// failed waits for the first such record.
func (s *server) failed(t *testing.T, words ...string) orderFailure {
	t.Helper()
	var f orderFailure
	ok(t, json.Unmarshal([]byte(s.expect(t, append(words, `"level":"ERROR"`, `"next_attempt"`)...)), &f))
	return f
}

// Without a certificate and without an authority the server serves those who need none,
// says what is the matter and when it tries again, and has a certificate after that.
func TestCertificateFirstStartInOutage(t *testing.T) {
	t.Parallel()
	type node struct {
		outage
		ca *authorities.Authority
		*server
	}
	var nodes []node
	for _, o := range outages() {
		n := node{o, authorities.Start(t, authorities.Options{}), nil}
		o.begin(n.ca)
		p := newPlace(t)
		conf := p.byHTTP(t, n.ca)
		conf = strings.Replace(conf, "certificates:", `  - { name: optional, address: "127.0.0.1:0", tls: { control: optional, certificate: auto } }`+"\ncertificates:", 1)
		n.server = p.serve(t, conf).issued(n.ca)
		n.plain = false // but for that one
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.unserved(t, n.what)
		if n.error == "" { // nothing is known yet
			continue
		}
		f := n.failed(t)
		if pause := f.Next.Sub(f.Time); f.Name != certName || !strings.Contains(f.Error, n.error) || !strings.Contains(f.Help, n.help) || f.Failures != 1 ||
			pause < 50*time.Second || pause > 67*time.Second {
			t.Errorf("%s: %+v", n.what, f)
		}
	}
	for _, n := range nodes {
		if n.what == "503" { // somebody cannot wait
			if r := n.admin(t, "cert", "renew", certName); r.code == 0 || !strings.Contains(r.stderr, n.help) {
				t.Errorf("cert renew in the outage: exit code %d\n%s", r.code, r.both())
			}
			n.ca.Resume()
			n.admin(t, "cert", "renew", certName)
			_, err := shake(n.addr, trusting(n.ca, certName))
			ok(t, err)
		}
		n.ca.Resume()
	}
	for _, n := range nodes {
		began := time.Now()
		n.verifiedWithin(t, n.ca, certName, 3*time.Minute) // the next attempt is up to 67 s away
		t.Logf("%s: %s from its end to the first verified handshake", n.what, seconds(time.Since(began)))
		n.visit(t, certName)
		if orders := n.ca.Orders(); orders != 1 {
			t.Errorf("%s: %d orders", n.what, orders)
		}
		n.stop(t)
	}
}

// unserved looks at what clients have of a server without certificates.
func (s *server) unserved(t *testing.T, what string) {
	t.Helper()
	c := s.dial(t)
	for _, verb := range []string{"AUTH TLS", "AUTH TLS"} { // and it does not end the session
		if r := c.want(t, verb, 431); !strings.Contains(r.Text(), "certificate") {
			t.Errorf("%s: 431 says %q", what, r)
		}
	}
	c.want(t, "FEAT", 211)
	c.want(t, "NOOP", 200)
	c.want(t, "USER dev", 530, 534, 550, 521, 522) // in the clear, which this listener does not want
	c.want(t, "QUIT", 221)
	ok(t, os.WriteFile(s.in("file"), []byte("content"), 0o644))
	open := s.at(t, 2)
	open.plain = true
	c = open.login(t)
	if got := string(c.get(t, "RETR file")); got != "content" {
		t.Errorf("%s: a client without TLS gets %q", what, got)
	}
	c.want(t, "DELE file", 250)
	c.want(t, "AUTH TLS", 431)
	c.want(t, "NOOP", 200)
	if cert, err := shakeAtOnce(s.at(t, 1).addr, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Errorf("%s: the implicit listener shows a certificate of %s", what, cert.Subject)
	}
}
