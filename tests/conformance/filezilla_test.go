package conformance

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// TestFileZilla speaks as FileZilla's client does once its own protocol was
// negotiated: no PBSZ, no PROT, and data connections that name theirs and resume.
func TestFileZilla(t *testing.T) {
	serverTLS, clientTLS, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	opt := newOptions(&suite{serverTLS: serverTLS})
	if err := opt.set([]string{"binding", "off"}); err != nil {
		t.Fatal(err)
	}
	srv, err := serve(t.Context(), opt.conf, vfs.NewMem(), opt.rules)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.stop(); err != nil {
			t.Error(err)
		}
	}()
	c, err := userpi.Dial(srv.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	control := clientTLS.Clone()
	control.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	control.NextProtos = []string{dtp.ProtocolControl, dtp.ProtocolFileZilla}
	must := func(_ userpi.Reply, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Expect("greeting", 220))
	must(c.Must("AUTH TLS", 234))
	if err := c.StartTLS(control); err != nil {
		t.Fatal(err)
	}
	begin := func(line string, conf *tls.Config, protocols ...string) net.Conn {
		t.Helper()
		port, err := c.Prepare(userpi.EPSV)
		if err != nil {
			t.Fatal(err)
		}
		must(c.Must(line, 150, 125))
		raw, err := port.Open()
		if err != nil {
			t.Fatal(err)
		}
		conf = conf.Clone()
		conf.NextProtos = protocols
		return tls.Client(raw, conf)
	}
	for range 2 { // the second time after REIN
		if err := c.Identify(user, password); err != nil {
			t.Fatal(err)
		}
		conn := begin("STOR file", control, dtp.ProtocolData)
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		if err := userpi.End(conn); err != nil {
			t.Fatal(err)
		}
		must(c.Expect("STOR", 226))
		conn = begin("RETR file", control, dtp.ProtocolData)
		if got, err := io.ReadAll(conn); err != nil || string(got) != "hello" {
			t.Errorf("%q, %v", got, err)
		}
		conn.Close()
		must(c.Expect("RETR", 226))
		for name, conn := range map[string]func() net.Conn{
			"not resumed":      func() net.Conn { return begin("RETR file", clientTLS, dtp.ProtocolData) },
			"without its name": func() net.Conn { return begin("RETR file", control) },
		} {
			conn := conn()
			if got, _ := io.ReadAll(conn); len(got) > 0 {
				t.Errorf("%s: %q is served", name, got)
			}
			conn.Close()
			must(c.Expect("RETR "+name, 522))
		}
		must(c.Must("REIN", 220, 230))
	}
}
