package e2e

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/executable"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// certFault is something that is wrong with certificates, from the side of the server.
type certFault struct {
	what    string
	options authorities.Options
	lines   func(*authorities.Authority) []string // nil: http-01
	had     bool                                  // there is a certificate from before
	before  func(*testing.T, *sufferer)           // before the start
	wrap    func(*sufferer) []string              // what runs the server
	during  func(*testing.T, *sufferer)           // while it serves
	says    string                                // what the log says in the end
	exit    int                                   // of a server that does not start
}

// sufferer is a server that meets a fault.
type sufferer struct {
	place
	*server
	ca   *authorities.Authority
	had  *x509.Certificate
	told strings.Builder // what everybody was told
}

// sees writes down what a client has of the server.
func (s *sufferer) sees(when string) {
	cert, err := shake(s.addr, trusting(s.ca, certName))
	var reply *userpi.Unexpected
	var invalid x509.CertificateInvalidError
	text := fmt.Sprint(err)
	switch {
	case err == nil && s.had != nil && cert.Equal(s.had):
		text = "the certificate from before, verified"
	case err == nil:
		text = "a new certificate, verified"
	case errors.As(err, &reply):
		text = reply.Reply.String()
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		text = "a certificate that has expired"
	}
	fmt.Fprintf(&s.told, "%s, clients see: %s\n", when, text)
}

// forced renews by hand and writes down what that says.
func (s *sufferer) forced(t *testing.T) {
	t.Helper()
	r := s.admin(t, "cert", "renew", certName)
	fmt.Fprintf(&s.told, "edgeftp cert renew: exit code %d\n%s", r.code, r.stderr)
}

// hurt changes the stored file with that ending.
func hurt(ending string, change func([]byte) []byte) func(*testing.T, *sufferer) {
	return func(t *testing.T, s *sufferer) {
		t.Helper()
		files := stored(t, s.certificates(), certName+ending)
		if len(files) != 1 {
			t.Fatalf("files with %s: %q", ending, files)
		}
		ok(t, os.WriteFile(files[0], change(must(os.ReadFile(files[0]))(t)), 0o600))
	}
}

func httpWith(more ...string) func(*authorities.Authority) []string {
	return func(ca *authorities.Authority) []string {
		return append([]string{"challenges: [http-01]", "http: { listen: [\"" + ca.HTTPAddr() + "\"] }"}, more...)
	}
}

const damaged, cannotObtain, cannotRenew, isObtained = "a stored certificate is damaged", "a certificate could not be obtained", "a certificate could not be renewed", "a certificate was obtained"

func storageFaults() []certFault {
	return []certFault{
		{what: "the certificate in the storage is cut off", had: true, says: isObtained,
			before: hurt(".crt", func(b []byte) []byte { return b[:len(b)/4] })},
		{what: "the key in the storage is another certificate's", had: true, says: isObtained,
			before: func(t *testing.T, s *sufferer) {
				_, key, _ := issue(t, certName, nil)
				hurt(".key", func([]byte) []byte { return key })(t, s)
			}},
		{what: "the facts in the storage are garbage", had: true, says: isObtained,
			before: hurt(".json", func([]byte) []byte { return []byte("\x00\x01{") })},
		{what: "the certificate in the storage has ended, and the authority is down", options: briefLife(3 * time.Second), had: true, says: cannotRenew,
			before: func(t *testing.T, s *sufferer) {
				until(t, "the certificate has ended", func() bool { return time.Now().After(s.had.NotAfter) })
				s.ca.Down()
			},
			during: func(t *testing.T, s *sufferer) { s.expect(t, "has expired") }},
		{what: "a file is in the place of the storage", exit: 3,
			before: func(t *testing.T, s *sufferer) {
				ok(t, os.MkdirAll(s.state, 0o700))
				ok(t, os.WriteFile(s.certificates(), nil, 0o600))
			}},
		{what: "the storage is another user's", exit: 3, had: true,
			before: disown,
			wrap: func(s *sufferer) []string {
				return []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", s.out("edgeftp")}
			}},
		{what: "the disk is full at the start", exit: 1, wrap: onTinyDisk("16k")},
		{what: "the disk is full when the certificate is renewed", wrap: onTinyDisk("256k"), during: fillDisk},
	}
}

func orderFaults() []certFault {
	return []certFault{
		{what: "a program has the challenge port at the start", says: cannotObtain,
			before: func(t *testing.T, s *sufferer) { occupy(t, s.ca.HTTPAddr()) }},
		{what: "a program has the challenge port when the certificate is renewed", had: true, during: func(t *testing.T, s *sufferer) {
			occupy(t, s.ca.HTTPAddr())
			s.forced(t)
		}},
		{what: "the account binding is another one's", says: cannotObtain, options: authorities.Options{Bindings: map[string]string{"customer-7": bindingSecret}},
			lines: httpWith("account_binding: { key_id: customer-8, mac: " + bindingSecret + " }")},
		{what: "the account binding has another key", says: cannotObtain, options: authorities.Options{Bindings: map[string]string{"customer-7": bindingSecret}},
			lines: httpWith("account_binding: { key_id: customer-7, mac: QQ" + bindingSecret[2:] + " }")},
		{what: "the authority wants an account binding", says: cannotObtain, options: authorities.Options{Bindings: map[string]string{"customer-7": bindingSecret}}},
		{what: "the authority wants another challenge", says: cannotObtain, options: authorities.Options{Challenges: []string{"dns-01"}}},
		{what: "the name does not resolve", says: cannotObtain,
			before: func(_ *testing.T, s *sufferer) { s.ca.DNS.Answer(certName, nxdomain) }},
		{what: "another machine answers at the name", says: cannotObtain, options: authorities.Options{},
			lines: func(ca *authorities.Authority) []string {
				return []string{"challenges: [http-01]", "http: { listen: [\"" + ca.TLSAddr() + "\"] }"}
			},
			before: func(t *testing.T, s *sufferer) { occupy(t, s.ca.HTTPAddr()) }},
		{what: "CAA records do not allow the authority", says: cannotObtain,
			before: func(_ *testing.T, s *sufferer) { // which does not look at them itself
				s.ca.Break(authorities.Fault{At: []authorities.Endpoint{authorities.Finalize}, Status: 403, Type: "caa",
					Detail: "CAA record for " + certName + " prevents issuance"})
			}},
		{what: "nobody trusts the authority's own certificate", says: cannotObtain,
			before: func(t *testing.T, s *sufferer) {
				_, _, other := issue(t, "other", nil)
				s.store(t, "roots.pem", other.pem)
			}},
	}
}

const nxdomain = 3 // RFC 1035 §4.1.1

// occupy listens on an address, as a program that has nothing to do with certificates.
func occupy(t *testing.T, addr string) {
	t.Helper()
	l := must(net.Listen("tcp", addr))(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
}

// disown gives all but the storage to the user nobody.
func disown(t *testing.T, s *sufferer) {
	t.Helper()
	if os.Getuid() != 0 {
		cannot(t, "only root can become another user")
	}
	need(t, "setpriv")
	ok(t, executable.Copy(s.out("edgeftp"), os.Getenv(binaryVar)))
	ok(t, filepath.WalkDir(filepath.Dir(s.root), func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == s.certificates() {
			return filepath.SkipDir
		}
		return os.Lchown(path, 65534, 65534)
	}))
}
