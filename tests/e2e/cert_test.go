package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// serial is that of the certificate that a session has been shown.
func (c *session) serial() string {
	return fmt.Sprintf("%x", c.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber)
}

// A certificate that is renewed is served at once, and sessions go on with the old one.
func TestCertRenewedNow(t *testing.T) {
	t.Parallel()
	s := start(t)
	old := s.login(t)
	var list []struct{ Name, Serial, State, Source string }
	r := s.admin(t, "cert", "list", "-o", "json")
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || r.code != 0 || len(list) == 0 || list[0].Serial != old.serial() || list[0].State != "ok" || list[0].Source != "dev" {
		t.Fatalf("exit code %d, %v, the client was shown %s\n%s", r.code, err, old.serial(), r.both())
	}
	// By an address that the certificate holds.
	r = s.admin(t, "cert", "renew", "127.0.0.1")
	if r.code != 0 || !strings.Contains(r.stdout, "serial "+old.serial()+" -> ") {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
	fresh := s.login(t)
	if fresh.serial() == old.serial() || !strings.Contains(r.stdout, " -> "+fresh.serial()+"\n") {
		t.Errorf("after the renewal a client is shown %s, before it was %s\n%s", fresh.serial(), old.serial(), r.stdout)
	}
	old.put(t, "STOR a", strings.NewReader("still here"))
	if got := fresh.get(t, "RETR a"); string(got) != "still here" {
		t.Errorf("%q", got)
	}
	if r := s.admin(t, "cert", "show", list[0].Name); r.code != 0 || !strings.Contains(r.stdout, fresh.serial()) {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	if r := s.admin(t, "cert", "renew", list[0].Name+"x"); r.code != 1 || !strings.Contains(r.stderr, "did you mean "+list[0].Name) {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	if r := s.admin(t, "status"); !strings.Contains(r.stdout, "  certs      ") {
		t.Error(r.both())
	}
}

// What is exported is what clients are to trust, and nothing is trusted by itself.
func TestCertExported(t *testing.T) {
	t.Parallel()
	s := start(t)
	file := s.out("exported.pem")
	r := s.admin(t, "cert", "ca-export", file)
	if got, want := must(os.ReadFile(file))(t), must(os.ReadFile(s.ca))(t); r.code != 0 || !bytes.Equal(got, want) {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	if r := s.admin(t, "cert", "trust", file, "--for", "debian"); r.code != 0 || !strings.Contains(r.stdout, "Nothing was changed.") || !strings.Contains(r.stdout, file) {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
}
