package e2e

import (
	"os"
	"strings"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
)

// New sessions are shown the certificates of the new configuration, from other files or of
// another kind; a session that runs keeps its own for its data connections, and one that has
// not begun TLS yet begins it with what it has. What is no certificate changes nothing.
func TestReloadCertificates(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, _, ca := issue(t, "authority", nil)
	first, second := newPair(t, ca, newKey(t, "p256"), 60*24*time.Hour), newPair(t, ca, newKey(t, "p256"), 60*24*time.Hour)
	ok(t, os.WriteFile(p.out("first.pem"), append(first.cert, first.key...), 0o600))
	ok(t, os.WriteFile(p.out("second.pem"), append(second.cert, second.key...), 0o600))
	ok(t, os.WriteFile(p.out("broken.pem"), []byte("no certificate"), 0o600))
	ok(t, os.WriteFile(p.in("a"), []byte("hello"), 0o644))
	conf := func(file, more string) string {
		return "listeners:\n  - { name: main, address: 127.0.0.1:0, tls: { certificate: files, session_reuse: require" + more + " } }\n" +
			"certificates: { files: [{ cert: " + file + " }] }\n"
	}
	s := p.serve(t, conf("first.pem", ""))
	enter := func() *session {
		c := s.dial(t)
		ok(t, c.Protect(ca.trusting()))
		ok(t, c.Identify("dev", secret))
		c.want(t, "TYPE I", 200)
		return c
	}
	shown := func(when string, want pair) {
		t.Helper()
		if leaf, err := shake(s.addr, ca.trusting()); err != nil || !leaf.Equal(want.leaf) {
			t.Errorf("%s: another certificate is shown, %v", when, err)
		}
	}
	c, late := enter(), s.dial(t)
	p.again(t, conf("second.pem", ""))
	s.reload(t, 0)
	shown("after a reload", second)
	d := enter()
	p.again(t, conf("broken.pem", ""))
	if r := s.admin(t, "reload"); r.code != 1 {
		t.Errorf("no certificate: exit code %d\n%s", r.code, r.both())
	}
	shown("after a refusal", second)
	p.again(t, conf("second.pem", ", min_version: \"1.3\""))
	s.reload(t, 0)
	ok(t, late.Protect(ca.trusting()))
	ok(t, late.Identify("dev", secret))
	late.want(t, "TYPE I", 200)
	for _, c := range []*session{c, d, late, enter()} {
		if got := c.get(t, "RETR a"); string(got) != "hello" {
			t.Errorf("%q", got)
		}
	}
	// The development authority in their place, and back.
	p.again(t, "listeners: [{ name: main, address: \"127.0.0.1:0\", tls: { certificate: dev } }]\n")
	s.reload(t, 0)
	if _, err := shake(s.addr, ca.trusting()); err == nil {
		t.Error("the files' certificate is shown still")
	}
	p.again(t, conf("first.pem", ""))
	s.reload(t, 0)
	shown("at last", first)
	c.get(t, "RETR a")
	s.stop(t)
}

// A reload leaves the names of authorities alone: nothing is ordered again, and what another
// name needs is ordered beside. Who is there keeps the certificate that was there.
func TestReloadAuthorities(t *testing.T) {
	t.Parallel()
	const other = "other.example.org"
	p, ca := newPlace(t), authorities.Start(t, authorities.Options{})
	conf := func(banner string, names ...string) string {
		text := p.byHTTP(t, ca)
		text = strings.Replace(text, "name: explicit,", "name: explicit, banner: "+banner+",", 1)
		return strings.Replace(text, "domains: ["+certName+"]", "domains: ["+strings.Join(names, ", ")+"]", 1)
	}
	s := p.serve(t, conf("first", certName))
	before := s.verified(t, ca, certName)
	p.again(t, conf("second", certName))
	s.reload(t, 0)
	if after := s.verified(t, ca, certName); !after.Equal(before) || ca.Orders() != 1 {
		t.Errorf("after a reload: %d orders", ca.Orders())
	}
	p.again(t, conf("second", certName, other))
	s.reload(t, 0)
	until(t, "the other name has its certificate", func() bool {
		leaf, err := shake(s.addr, trusting(ca, other))
		return err == nil && leaf.VerifyHostname(other) == nil
	})
	if after := s.verified(t, ca, certName); !after.Equal(before) || ca.Orders(certName) != 1 || ca.Orders(other) != 1 {
		t.Errorf("%d and %d orders", ca.Orders(certName), ca.Orders(other))
	}
	s.stop(t)
}
