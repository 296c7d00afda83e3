package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// A control connection that was sent something which is not FTP: the server says
// what it likes, but only in lines, and not for long; and it goes on serving.
func TestHostileBytes(t *testing.T) {
	t.Parallel()
	garbage := must(io.ReadAll(noise("garbage", 64<<10)))(t)
	hello := clientHello(t)
	for name, sent := range map[string][]byte{
		"garbage":      garbage,
		"a TLS hello":  hello,
		"HTTP":         []byte("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 30\r\n\r\nUSER secret-echo\r\nPASS x\r\nQUIT\r\n"),
		"a long line":  []byte("USER " + strings.Repeat("a", 8<<10) + "\r\nQUIT\r\n"),
		"long lines":   bytes.Repeat([]byte("MKD "+strings.Repeat("b", 8<<10)+"\r\n"), 50),
		"no line ends": bytes.Repeat([]byte("x"), 4*mib),
		"zeros":        make([]byte, 256<<10),
		"Telnet":       bytes.Repeat([]byte{0xff, 0xf4, 0xff, 0xf2, 0xff, 0xfb, 0x01, 0xff}, 8<<10),
		"many errors":  bytes.Repeat([]byte("NONSENSE\r\n"), 200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "--implicit", "127.0.0.1:0")
			for _, addr := range []string{s.addr, s.implicit(t)} {
				said := insult(t, addr, sent)
				if bytes.Contains(said, []byte("secret-echo")) {
					t.Errorf("the server echoes %q", said)
				}
				if len(said) > 64<<10 {
					t.Errorf("the server said %d bytes", len(said))
				}
			}
			c := s.login(t)
			c.put(t, "STOR still", strings.NewReader("alive"))
			s.holds(t, "still")
			s.stop(t)
		})
	}
}

// insult sends bytes, then the end of the stream, and returns what came back. The
// server may close at any moment, but must close in the end.
func insult(t *testing.T, addr string, sent []byte) []byte {
	t.Helper()
	conn := must(net.Dial("tcp", addr))(t)
	defer conn.Close()
	ok(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	go func() {
		if _, err := conn.Write(sent); err == nil {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	said, err := io.ReadAll(conn)
	if timeout, is := err.(net.Error); is && timeout.Timeout() {
		t.Errorf("the connection is still open; the server has said %q", said)
	}
	return said
}

// clientHello returns the first bytes that a TLS client sends.
func clientHello(t *testing.T) []byte {
	t.Helper()
	client, server := net.Pipe()
	ok(t, client.SetDeadline(time.Now().Add(userpi.Timeout)))
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS12}).Handshake()
		client.Close()
	}()
	defer server.Close()
	buf := make([]byte, 64<<10)
	return buf[:must(server.Read(buf))(t)]
}

// HTTP ends at its first line: a browser must not be made to speak FTP.
func TestHTTP(t *testing.T) {
	t.Parallel()
	s := start(t, "--tls", "off")
	request := "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nUSER " + s.user + "\r\nPASS " + s.password + "\r\nMKD made\r\nQUIT\r\n"
	said := insult(t, s.addr, []byte(request))
	if bytes.Contains(said, []byte("230 ")) || bytes.Contains(said, []byte("331 ")) {
		t.Errorf("commands behind an HTTP request were carried out: %q", said)
	}
	s.holds(t)
	s.stop(t)
}

// What is sent in the clear behind AUTH, to be taken for protected commands, is
// not carried out.
func TestInjectionBeforeTLS(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.dial(t)
	_, err := c.Write([]byte("AUTH TLS\r\nUSER " + s.user + "\r\nPASS " + s.password + "\r\nMKD made\r\n"))
	ok(t, err)
	if r := must(c.Reply())(t); r.Is(234) {
		ok(t, c.StartTLS(s.trust(t)))
		c.want(t, "MKD made", 530)
	} else if !r.Is(421) {
		t.Errorf("AUTH was answered %q", r)
	}
	s.holds(t)
	s.login(t).want(t, "MKD made", 257)
	s.stop(t)
}

// Without TLS nobody gets as far as a password, and without a protected data
// connection nobody gets data.
func TestTLSRequired(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := s.dial(t)
	if r := must(c.Do("USER " + s.user))(t); r.Code < 500 {
		t.Errorf("USER in the clear was answered %q", r)
	}
	if r := must(c.Do("PASS " + s.password))(t); r.Code < 500 {
		t.Errorf("PASS in the clear was answered %q", r)
	}
	ok(t, c.Protect(s.trust(t)))
	c.Protected = false
	ok(t, c.Identify(s.user, s.password))
	if r := must(c.Do("PROT C"))(t); r.Code < 500 {
		t.Errorf("PROT C was answered %q", r)
	}
	// The server waits for a TLS hello on the data connection and gets a file.
	conn := c.begin(t, "STOR clear")
	_, err := io.WriteString(conn, strings.Repeat("not TLS at all\n", 100))
	ok(t, err)
	conn.Close()
	if r := must(c.Reply())(t); r.Code < 400 {
		t.Errorf("an upload in the clear was answered %q", r)
	}
	if got := s.inView(t); got != nil {
		t.Errorf("in view: %q", got)
	}
	s.stop(t)
}

// Somebody at another address who connects to a passive port first gets nothing,
// and the owner is served.
func TestStolenPort(t *testing.T) {
	t.Parallel()
	thief := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: userpi.Timeout}
	for _, mode := range []string{"required", "off"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, "--tls", mode)
			textFile(t, s.in("secret"), "for the owner")
			c := s.login(t)
			for _, line := range []string{"RETR secret", "STOR upload", "LIST"} {
				reply := c.want(t, "EPSV", 229)
				addr := must(userpi.Address(reply, c.Raw().RemoteAddr()))(t)
				theft, err := thief.Dial("tcp", addr)
				if err != nil {
					cannot(t, "127.0.0.2 cannot be used here: "+err.Error())
				}
				defer theft.Close()
				ok(t, c.Send(line))
				_, _ = io.WriteString(theft, "from the thief")
				ok(t, theft.SetReadDeadline(time.Now().Add(userpi.Timeout)))
				owner := must(net.Dial("tcp", addr))(t)
				defer owner.Close()
				_, err = c.Expect(line, 125, 150)
				ok(t, err)
				if c.Protected {
					owner = must(c.Seal(owner))(t)
				}
				exchange(t, line, owner)
				_, err = c.Expect(line, 226)
				ok(t, err)
				if stolen, err := io.ReadAll(theft); len(stolen) > 0 {
					t.Errorf("%s: the thief got %q, %v", line, stolen, err)
				}
			}
			s.content(t, "upload", []byte("from the owner"))
			s.stop(t)
		})
	}
}

// exchange does the owner's part of a transfer.
func exchange(t *testing.T, line string, conn net.Conn) {
	t.Helper()
	ok(t, conn.SetDeadline(time.Now().Add(userpi.Timeout)))
	if strings.HasPrefix(line, "STOR") {
		_, err := io.WriteString(conn, "from the owner")
		ok(t, err)
		ok(t, userpi.End(conn))
		return
	}
	got := must(io.ReadAll(conn))(t)
	if strings.HasPrefix(line, "RETR") && string(got) != "for the owner" || !strings.Contains(string(got)+"secret", "secret") {
		t.Errorf("%s: the owner got %q", line, got)
	}
	conn.Close()
}

// A stranger on the same machine, whose address is the owner's, has no session
// to resume: a second and a third try do not help.
func TestStolenPortSameAddress(t *testing.T) {
	t.Parallel()
	s := start(t)
	textFile(t, s.in("secret"), "for the owner")
	c := s.login(t)
	thief := s.trust(t)
	thief.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range 3 {
		addr := must(userpi.Address(c.want(t, "EPSV", 229), c.Raw().RemoteAddr()))(t)
		conn := must(net.Dial("tcp", addr))(t)
		defer conn.Close()
		ok(t, c.Send("RETR secret"))
		ok(t, conn.SetDeadline(time.Now().Add(userpi.Timeout)))
		got, _ := io.ReadAll(tls.Client(conn, thief))
		if len(got) > 0 {
			t.Errorf("the thief got %q", got)
		}
		conn.Close()
		r := must(c.Reply())(t)
		if r.Is(125, 150) {
			r = must(c.Reply())(t)
		}
		if !r.Is(522) {
			t.Errorf("the owner was told %q", r)
		}
	}
	if got := string(c.get(t, "RETR secret")); got != "for the owner" {
		t.Errorf("the owner got %q", got)
	}
	s.stop(t)
}

// Nobody gets at what lies beside the root, whatever links say and however the
// path is written.
func TestOutside(t *testing.T) {
	t.Parallel()
	s := start(t, "--tls", "off")
	textFile(t, s.out("secret"), "not served")
	ok(t, os.Mkdir(s.in("dir"), 0o755))
	for link, target := range map[string]string{
		"file": s.out("secret"), "folder": s.outside, "relative": "../outside/secret", "up": "..", "chain": "folder",
		"dir/deep": "../../outside", "state": s.state, "new": s.out("made"), "loop": "loop",
	} {
		ok(t, os.Symlink(target, s.in(link)))
	}
	before, served := tree(t, s.outside), tree(t, s.root)
	c := s.login(t)
	for _, path := range []string{
		"file", "/file", "folder/secret", "relative", "up/outside/secret", "chain/secret", "dir/deep/secret", "state/ca.key",
		"../outside/secret", "/../outside/secret", "dir/../../outside/secret", "folder/../outside/secret", s.out("secret"),
		"..\\outside\\secret", "%2e%2e/outside/secret", "\xc0\xae\xc0\xae/outside/secret", "loop", "new",
	} {
		c.refused(t, "RETR "+path, 550, 553, 501)
		c.want(t, "SIZE "+path, 550, 553, 501)
	}
	for _, path := range []string{"folder", "up", "chain", "dir/deep", "state"} {
		c.want(t, "CWD "+path, 550)
		c.refused(t, "STOR "+path+"/planted", 550, 553)
		c.refused(t, "MLSD "+path, 550, 501)
		c.want(t, "MKD "+path+"/planted", 550)
		c.want(t, "DELE "+path+"/secret", 550)
		c.want(t, "RNFR "+path+"/secret", 550)
		if r := must(c.Do("RNTO /taken"))(t); r.Code < 500 {
			t.Errorf("RNTO was answered %q", r)
		}
	}
	for _, line := range []string{"STOR file", "APPE file", "STOR new", "APPE relative", "STOR ../planted"} {
		attempt(t, c, line)
	}
	for _, line := range []string{"SITE CHMOD 777 file", "MFMT 20200101000000 file", "MKD new/x", "MKD ../planted", "RMD up"} {
		c.want(t, line, 550, 501, 553, 257)
	}
	if after := tree(t, s.outside); !maps.Equal(before, after) {
		t.Errorf("what lies outside has changed: %q, was %q", after, before)
	}
	if info := must(os.Stat(s.out("secret")))(t); info.Mode().Perm() != 0o644 || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("the attributes of the outside have changed: %v", info)
	}
	t.Logf("below the root: %d names before, %d after", len(served), len(s.names(t)))
	s.stop(t)
}

// attempt tries an upload that may be refused, or be carried out inside the root.
func attempt(t *testing.T, c *session, line string) {
	t.Helper()
	r, err := c.Put(userpi.EPSV, line, strings.NewReader("planted"))
	t.Logf("%s: %v %v", line, r, err)
}
