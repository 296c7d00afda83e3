package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/quicnet"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// quicSession is a control session of FTP over QUIC.
type quicSession struct {
	net.Conn
	client *quicnet.Client
	in     *bufio.Reader
}

// overQUIC connects to one of the server's listeners, of FTP over QUIC, and is greeted.
func (s *server) overQUIC(t *testing.T, at int) *quicSession {
	t.Helper()
	return s.at(t, at).quic(t)
}

// quic does the same at the server's address.
func (s *server) quic(t *testing.T) *quicSession {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience())
	t.Cleanup(cancel)
	client := must(quicnet.Dial(ctx, quicnet.DialConfig{Addr: s.addr, TLS: s.trusting(t)}))(t)
	t.Cleanup(func() { _ = client.Close() })
	conn := must(client.Session(ctx))(t)
	ok(t, conn.SetDeadline(time.Now().Add(patience())))
	q := &quicSession{conn, client, bufio.NewReader(conn)}
	q.want(t, "", "220")
	return q
}

// want sends a line, unless it is empty, and returns the last line of the reply, which has
// to have the code.
func (q *quicSession) want(t *testing.T, line, code string) string {
	t.Helper()
	if line != "" {
		must(fmt.Fprintf(q, "%s\r\n", line))(t)
	}
	for {
		reply := must(q.in.ReadString('\n'))(t)
		if len(reply) > 3 && reply[3] == ' ' && reply[0] >= '1' && reply[0] <= '5' {
			if !strings.HasPrefix(reply, code) {
				t.Fatalf("%q was answered %q", line, reply)
			}
			return strings.TrimRight(reply, "\r\n")
		}
	}
}

// login logs in as dev.
func (q *quicSession) login(t *testing.T) {
	t.Helper()
	q.want(t, "USER dev", "331")
	q.want(t, "PASS "+secret, "23")
	q.want(t, "TYPE I", "200")
}

// FTP over QUIC by the configuration, beside HTTP/3 on the same port: files go both ways,
// the log says that it is experimental, and those who look see the protocol.
func TestQUIC(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := delivering(t, p, "")
	s.expect(t, `"level":"WARN"`, "FTP over QUIC is experimental", `"listener":"quic"`)
	q := s.overQUIC(t, atQUIC)
	q.login(t)
	token := q.client.Token()
	q.want(t, "QDAT "+token, "200")
	up := must(q.client.Send(t.Context(), token))(t)
	q.want(t, "STOR there", "150")
	must(io.WriteString(up, "and back"))(t)
	ok(t, up.Close())
	q.want(t, "", "226")
	if got := string(must(os.ReadFile(p.in("there")))(t)); got != "and back" {
		t.Errorf("what was stored: %q", got)
	}
	token = q.client.Token()
	q.want(t, "QDAT "+token, "200")
	q.want(t, "RETR there", "150")
	down := must(q.client.Receive(t.Context(), token))(t)
	if got := string(must(io.ReadAll(down))(t)); got != "and back" {
		t.Errorf("what was fetched: %q", got)
	}
	q.want(t, "", "226")
	q.want(t, "PASV", "522")
	if got := ask(t, s.browsers(t)["h3"], "https://"+s.at(t, atWeb3).addr+"/there"); got.body != "and back" {
		t.Errorf("beside it, over HTTP/3: %s %q", got.Status, got.body)
	}
	if list := s.admin(t, "sessions", "-o", "json"); !strings.Contains(list.stdout, `"protocol": "ftpq/1"`) {
		t.Errorf("sessions: %s", list.both())
	}
	if list := s.admin(t, "sessions"); !strings.Contains(list.stdout, " ftpq/1 ") {
		t.Errorf("sessions: %s", list.both())
	}
	if st := s.admin(t, "status"); !strings.Contains(st.stdout, "  ftp+quic\n") || !strings.Contains(st.stdout, "  http3\n") {
		t.Errorf("status: %s", st.both())
	}
	q.want(t, "QUIT", "221")
	s.stop(t)
}

// A reload of other things leaves sessions of QUIC alone; one that removes the listener ends
// none that there is, and lets no other begin.
func TestQUICReload(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	address := ports.Addr(t)
	conf := func(banner, quic string) string {
		return listener("banner: "+banner) + quic + everybody
	}
	quic := fmt.Sprintf("  - { name: quic, protocol: ftp+quic, address: %q, banner: By QUIC. }\n", address)
	s := p.serve(t, conf("one", quic))
	s.ca = p.state + "/ca.pem"
	q := s.overQUIC(t, 1)
	q.login(t)
	p.again(t, conf("two", quic))
	s.reload(t, 0)
	q.want(t, "NOOP", "200")
	s.overQUIC(t, 1).login(t)
	p.again(t, conf("two", ""))
	s.reload(t, 0)
	q.want(t, "NOOP", "200")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if c, err := quicnet.Dial(ctx, quicnet.DialConfig{Addr: address, TLS: s.trusting(t)}); err == nil {
		_ = c.Close()
		t.Error("a listener that is no more has taken a connection")
	}
	q.want(t, "QUIT", "221")
	s.stop(t)
}

// A listener's congestion control is that of its data connections; one that the kernel does
// not have is refused with the list of those that it has, and nothing starts.
func TestCongestion(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := edgeftp(t, asRoot([]string{"serve", "--config", p.file(t, listener("congestion: nosuch"))})...)
	if r.code == 0 || !strings.Contains(r.stderr, "edgeftp.yaml:8:") || !strings.Contains(r.stderr, "= help: this kernel has: ") || !strings.Contains(r.stderr, "reno") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	s := p.serve(t, listener("congestion: reno"))
	textFile(t, s.in("a"), "content")
	c := s.login(t)
	data := c.begin(t, "RETR a")
	if got := string(must(io.ReadAll(data))(t)); got != "content" {
		t.Errorf("%q", got)
	}
	data.Close()
	_, err := c.Expect("RETR", 226)
	ok(t, err)
	p.again(t, listener("congestion: nosuch"))
	if r := s.admin(t, "reload"); r.code == 0 || !strings.Contains(r.stderr, "= help: this kernel has: ") {
		t.Errorf("a reload with one that the kernel does not have: exit code %d\n%s", r.code, r.both())
	}
	p.again(t, listener("congestion: reno", "banner: Again."))
	s.reload(t, 0)
	s.stop(t)
}
