package parity

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func tlsCommands() []line {
	return []line{
		{"TLS_FTPHandler.ftp_AUTH", "command: TLS, TLS-C, SSL, TLS-P are 234; again 503; others 502; keeps a login", "pi.Standard[AUTH]", "code", different,
			"an unknown mechanism is 504 (RFC 4217 §4); what was said in the clear, a login too, is forgotten (RFC 4217 §4.2)", testAUTH},
		{"TLS_FTPHandler.ftp_PBSZ", "command: 200 PBSZ=0 whatever the number; 503 in the clear", "pi.Standard[PBSZ]", "code", same, "", testPBSZ},
		{"TLS_FTPHandler.ftp_PROT", "command: C and P are 200, S and E 521, others 502; 503 in the clear or without PBSZ", "pi.Standard[PROT]", "code", different,
			"PBSZ may be left out: devices never send it", testPROT},
		{"TLS_FTPHandler.secure_connection", "method (ssl_context): the connection goes on with TLS; lines that are read already are carried out in it", "pi.Outcome.Secure", "code", safer,
			"nothing that came in the clear behind AUTH is ever carried out: 421 and the end", testSecure},
	}
}

func tlsCallbacks() []line {
	const key = "events.file"
	return []line{
		{"TLS_FTPHandler.handle_ssl_established", "callback: a handshake is done", "policy.EventTLSEstablished", key, same, "", testTLSEstablished},
		{"TLS_FTPHandler.handle_ssl_shutdown", "callback: TLS is ended", "policy.EventTLSShutdown", key, same, "", testTLSShutdown},
		{"TLS_FTPHandler.handle_failed_ssl_handshake", "callback: a handshake has failed; 522 on a data connection, no reply on the control connection", "policy.EventTLSFailed", key, same, "", testTLSFailed},
	}
}

func testAUTH(t *testing.T) {
	s := tlsSite(t, nil)
	for _, word := range []string{"TLS", "tls", "TLS-C", "SSL", "TLS-P"} {
		c := s.login()
		c.says("AUTH X", "504", "AUTH", "501", "AUTH "+word, "234")
		c.must(c.StartTLS(s.client))
		c.says("PWD", "530", "AUTH TLS", "503")
		c.enter()
		c.says("AUTH TLS", "503", "FEAT", "211  AUTH TLS")
	}
	serve(t, nil).greeted().says("AUTH TLS", "502")
}

func testPBSZ(t *testing.T) {
	s := tlsSite(t, nil)
	c := s.greeted()
	c.says("PBSZ 0", "503", "AUTH TLS", "234")
	c.must(c.StartTLS(s.client))
	c.says("PBSZ 0", "200 PBSZ=0*", "PBSZ 4096", "200 PBSZ=0*", "PBSZ", "501")
}

func testPROT(t *testing.T) {
	s := tlsSite(t, nil)
	s.write("a", "content")
	c := s.greeted()
	c.says("PROT P", "503", "AUTH TLS", "234")
	c.must(c.StartTLS(s.client))
	c.enter()
	c.says("PROT P", "200", "PROT S", "521", "PROT E", "521", "PROT X", "502", "PROT", "501")
	for _, level := range []string{"P", "C", "P"} {
		c.says("PROT "+level, "200")
		c.Protected = level == "P"
		if got := c.get("RETR a"); got != "content" {
			t.Errorf("at level %s: %q", level, got)
		}
	}
}

// A command of one's own begins TLS; nothing may come along in the clear.
func testSecure(t *testing.T) {
	s := tlsSite(t, func(c *edge.Config) {
		c.Commands = pi.Standard().With(pi.Spec{Verb: "XTLS", Grammar: pi.NoArg, State: pi.Anyone, Barrier: true, Help: ": begin TLS",
			Handler: func(*pi.Session, pi.Args) pi.Outcome {
				return pi.Outcome{Reply: pi.Say(234, "mine").Reply, Secure: true}
			}})
	})
	c := s.greeted()
	c.says("XTLS", "234 mine")
	c.must(c.StartTLS(s.client))
	c.enter()
	c = s.greeted()
	c.must(c.Send("AUTH TLS\r\nMKD injected"))
	c.next("421")
	c.closed()
	s.absent("injected")
}

func testTLSEstablished(t *testing.T) {
	withTLS(t, edge.TLSOptional, "control: optional", func(s *site) {
		c := s.secured()
		if e := s.event("tls_established"); e.TLS == "" || !strings.HasPrefix(e.Text, "TLS 1.") {
			s.Errorf("of the control connection: %+v", e)
		}
		c.put("STOR a", "x")
		if e := s.event("tls_established"); !strings.HasPrefix(e.Text, "data connection") {
			s.Errorf("of the data connection: %+v", e)
		}
	})
}

func testTLSShutdown(t *testing.T) {
	withTLS(t, edge.TLSOptional, "control: optional", func(s *site) {
		c := s.secured()
		s.must(c.Conn().(*tls.Conn).CloseWrite()) // the client leaves TLS; nothing goes on in the clear
		s.event("tls_shutdown")
		s.event("disconnect")
		if _, err := c.Raw().Write([]byte("NOOP\r\n")); err == nil {
			if got := drain(c.Raw()); strings.Contains(got, "200 ") {
				s.Errorf("the server goes on in the clear: %q", got)
			}
		}
	})
}

func testTLSFailed(t *testing.T) {
	withTLS(t, edge.TLSOptional, "control: optional", func(s *site) {
		c := s.greeted()
		c.says("AUTH TLS", "234")
		_, err := c.Write([]byte("this is no handshake, and a long line of words at that\r\n"))
		s.must(err)
		if got := drain(c.Raw()); strings.Contains(got, "2") && strings.Contains(got, "\r\n") {
			s.Errorf("a reply in the clear: %q", got)
		}
		s.event("tls_failed")
		c = s.secured()
		s.write("a", "content")
		p, err := c.Prepare(userpi.EPSV)
		s.must(err)
		c.says("RETR a", "150")
		conn, err := p.Open()
		s.must(err)
		_, err = conn.Write([]byte("this is no handshake, and a long line of words at that\r\n"))
		s.must(err)
		c.next("522")
		_ = conn.Close()
		if e := s.event("tls_failed"); !strings.HasPrefix(e.Text, "data connection") {
			s.Errorf("of the data connection: %+v", e)
		}
		c.says("NOOP", "200")
	})
}
