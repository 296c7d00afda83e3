package parity

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func tlsAttributes() []line {
	return []line{
		{"TLS_FTPHandler", "class: FTPHandler with TLS", "edge.Listener.TLS, edge.Listener.Require, edge.Listener.Implicit", "listeners[].tls.certificate, listeners[].protocol", safer,
			"TLS 1.2 and 1.3 alone, data connections are bound to their control connection, and an upload without close_notify is not taken", testTLSClass},
		{"TLS_FTPHandler.tls_control_required", "attribute = False: no login in the clear (550)", "edge.TLSControl", "listeners[].tls.control=required", safer,
			"required in the file unless it says otherwise; optional by default in the Go API", testControlRequired},
		{"TLS_FTPHandler.tls_data_required", "attribute = False: no data connection in the clear (550)", "edge.TLSData", "listeners[].tls.data", different,
			"PROT C is refused at once (534) and not first taken and then useless", testDataRequired},
		{"TLS_FTPHandler.certfile", "attribute = None: PEM file of the certificate, read once", "edge.Listener.TLS", "certificates.files[].cert", safer,
			"it is taken over when it changes, and a file that cannot be used is refused before the server listens", testCertificate},
		{"TLS_FTPHandler.keyfile", "attribute = None: PEM file of the key, which may be in certfile", "edge.Listener.TLS", "certificates.files[].key", same, "", testKey},
	}
}

func tlsSSL() []line {
	return []line{
		{"TLS_FTPHandler.ssl_protocol", "attribute: the method of OpenSSL, whose lowest version is whatever it allows", "edge.Listener.TLS", "listeners[].tls.min_version=1.2", safer,
			"never below TLS 1.2 (RFC 8996)", testTLSVersion},
		{"TLS_FTPHandler.ssl_options", "attribute: no SSLv2, SSLv3, compression", "edge.Listener.TLS", "listeners[].tls.ciphers=[]", needless,
			"there are none of the three in crypto/tls; the suites of TLS 1.2 can be chosen", testTLSOptions},
		{"TLS_FTPHandler.ssl_context", "attribute = None: a ready-made context", "edge.Listener.TLS", "code", same, "", testTLSContext},
	}
}

// withTLS proves an item by a server of this process and by the program, both with
// a certificate. The words are those of the file.
func withTLS(t *testing.T, require edge.Require, words string, prove func(*site)) {
	t.Helper()
	t.Run("code", func(t *testing.T) { prove(tlsSite(t, func(c *edge.Config) { c.Listeners[0].Require = require })) })
	t.Run("file", func(t *testing.T) { prove(program(t, tlsFile(words))) })
}

func tlsFile(words string) file {
	return file{cert: true, listener: "tls: { certificate: files, " + words + " }",
		top: "certificates: { files: [{ cert: @DIR@/cert.pem, key: @DIR@/key.pem }] }\n"}
}

// tlsSite is a server of this process with a certificate.
func tlsSite(t *testing.T, change func(*edge.Config)) *site {
	t.Helper()
	server, trust, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(c *edge.Config) {
		c.Listeners[0].TLS = server
		if change != nil {
			change(c)
		}
	})
	s.client = trust
	return s
}

// secured connects, protects both connections and logs in.
func (s *site) secured() *client {
	s.Helper()
	c := s.greeted()
	c.must(c.Protect(s.client))
	c.enter()
	c.says("TYPE I", "200")
	return c
}

func testTLSClass(t *testing.T) {
	withTLS(t, edge.TLSOptional, "control: optional", func(s *site) {
		s.write("a", "content")
		c := s.secured()
		if got := c.get("RETR a"); got != "content" {
			s.Errorf("got %q", got)
		}
		c.put("STOR b", "up")
		s.holds("b", "up")
		plain := s.binary() // the client decides
		if got := plain.get("RETR a"); got != "content" {
			s.Errorf("got %q", got)
		}
		conn, err := c.Begin(userpi.EPSV, "STOR b")
		s.must(err)
		_, err = conn.Write([]byte("cut"))
		s.must(err)
		s.must(conn.(*tls.Conn).NetConn().Close()) // without close_notify
		c.next("426")
		s.holds("b", "up")
	})
}

func testControlRequired(t *testing.T) {
	withTLS(t, edge.TLSControl, "control: required, data: optional", func(s *site) {
		c := s.greeted()
		c.says("USER dev", "550", "PASS x", "550", "FEAT", "211")
		s.write("a", "content")
		c.must(c.Protect(s.client))
		c.enter()
		c.says("PROT C", "200")
		c.Protected = false
		if got := c.get("RETR a"); got != "content" {
			s.Errorf("in the clear: %q", got)
		}
	})
}

func testDataRequired(t *testing.T) {
	withTLS(t, edge.TLSData, "control: optional, data: required", func(s *site) {
		c := s.login()
		c.says("PASV", "550", "EPSV", "550", "PORT 127,0,0,1,100,100", "550", "EPRT |1|127.0.0.1|9000|", "550")
		c = s.secured()
		c.says("PROT C", "534", "EPSV", "229")
		s.write("a", "content")
		if got := c.get("RETR a"); got != "content" {
			s.Errorf("got %q", got)
		}
	})
}

// shown is the certificate that the server shows.
func (s *site) shown() string {
	s.Helper()
	c := s.greeted()
	c.says("AUTH TLS", "234")
	c.must(c.StartTLS(&tls.Config{InsecureSkipVerify: true}))
	defer c.Close()
	return string(c.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0].Signature)
}

func testCertificate(t *testing.T) {
	s := program(t, tlsFile("control: optional"))
	first := s.shown()
	dir := filepath.Dir(s.events)
	certificate(t, dir)
	for _, name := range []string{"cert.pem", "key.pem"} {
		old := time.Now().Add(-time.Minute) // long enough ago to be whole
		s.must(os.Chtimes(filepath.Join(dir, name), old, old))
	}
	until(t, "the new certificate is shown", func() bool { return s.shown() != first })
	said := refuses(t, file{listener: "tls: { certificate: files }", top: "certificates: { files: [{ cert: @DIR@/missing.pem }] }\n"})
	if !strings.Contains(said, "missing.pem") {
		t.Errorf("a missing certificate: %s", said)
	}
	own := tlsSite(t, nil)
	if c := own.secured(); c.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0].VerifyHostname(userpi.ServerName) != nil {
		t.Error("another certificate is shown")
	}
}

// Certificate and key in one file.
func testKey(t *testing.T) {
	f := tlsFile("control: optional")
	f.top = "certificates: { files: [{ cert: @DIR@/both.pem }] }\n"
	program(t, f).secured().says("PWD", "257")
	program(t, tlsFile("control: optional")).secured().says("PWD", "257")
}

func testTLSVersion(t *testing.T) {
	try := func(s *site, low, high uint16) bool {
		s.Helper()
		c := s.greeted()
		c.says("AUTH TLS", "234")
		conf := s.client.Clone()
		conf.MinVersion, conf.MaxVersion = low, high
		return c.StartTLS(conf) == nil
	}
	withTLS(t, edge.TLSOptional, "control: optional", func(s *site) {
		for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			if try(s, version, version) != ok {
				s.Errorf("%s is taken: %v", tls.VersionName(version), !ok)
			}
		}
	})
	if s := program(t, tlsFile("control: optional, min_version: '1.3'")); try(s, tls.VersionTLS12, tls.VersionTLS12) || !try(s, tls.VersionTLS13, tls.VersionTLS13) {
		t.Error("min_version 1.3 does not hold")
	}
}

func testTLSOptions(t *testing.T) {
	withTLS(t, edge.TLSOptional, "control: optional", func(s *site) {
		c := s.greeted()
		c.says("AUTH SSL", "234")
		// An SSL 3.0 ClientHello that offers compression (RFC 6101 §5.6.1.2).
		hello := "\x01\x00\x00\x2a\x03\x00" + strings.Repeat("r", 32) + "\x00\x00\x02\x00\x2f\x02\x01\x00"
		_, err := c.Write([]byte("\x16\x03\x00\x00" + string(rune(len(hello))) + hello))
		s.must(err)
		if got := drain(c.Raw()); strings.HasPrefix(got, "\x16") {
			s.Errorf("SSL 3.0 is answered with %q", got)
		}
	})
	const suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
	s := program(t, tlsFile("control: optional, ciphers: ["+suite+"]"))
	conf := s.client.Clone()
	conf.MaxVersion = tls.VersionTLS12
	c := s.greeted()
	c.says("AUTH TLS", "234")
	c.must(c.StartTLS(conf))
	if got := tls.CipherSuiteName(c.Conn().(*tls.Conn).ConnectionState().CipherSuite); got != suite {
		t.Errorf("the suite is %s", got)
	}
}

func testTLSContext(t *testing.T) {
	asked := make(chan string, 1)
	s := tlsSite(t, func(c *edge.Config) {
		own := c.Listeners[0].TLS.Clone()
		own.MinVersion = tls.VersionTLS13
		own.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			select {
			case asked <- hello.ServerName:
			default:
			}
			return nil, nil
		}
		c.Listeners[0].TLS = own
	})
	c := s.secured()
	if name := <-asked; name != userpi.ServerName {
		t.Errorf("the context was asked for %q", name)
	}
	if v := c.Conn().(*tls.Conn).ConnectionState().Version; v != tls.VersionTLS13 {
		t.Errorf("the version is %x", v)
	}
	s.write("a", "content")
	if got := c.get("RETR a"); got != "content" {
		t.Errorf("got %q", got)
	}
}
