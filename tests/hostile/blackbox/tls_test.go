package blackbox

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func tlsAttacks() []attack {
	return []attack{
		{name: "tls-injection-before", row: 51, correct: "what came before the handshake is thrown away", try: injection},
		{name: "tls-plain-login-refused", row: 52, correct: "no password in the clear where TLS is required", try: plainLogin, form: protected},
		{name: "tls-prot-c-refused", row: 53, correct: "no data in the clear where TLS is required", try: protC, form: protected},
		{name: "tls-ccc-refused", row: 53, correct: "CCC is refused", try: ccc, form: protected},
		{name: "tls-plain-data-upload", row: 54, correct: "bytes in the clear are not stored", try: plainUpload},
		{name: "tls-truncated-upload", row: 55, correct: "an upload without close_notify is not stored", try: truncatedUpload},
		{name: "tls-download-close-notify", row: 56, correct: "a download ends with close_notify", try: closeNotify},
		{name: "tls-old-versions", row: 57, correct: "TLS 1.0 and 1.1 are refused", try: oldVersions},
		{name: "tls-weak-ciphers", row: 57, correct: "RC4 and 3DES are refused", try: func(t *trial) { ciphers(t, weak()) }},
		{name: "tls-forward-secrecy-only", row: 57, correct: "so is RSA key exchange", try: func(t *trial) { ciphers(t, static()) }},
		{name: "tls-stalled-handshakes", row: 58, correct: "handshakes that stall disturb nobody", try: stalledHandshakes},
		{name: "tls-stalled-dropped", row: 58, correct: "and are ended within 65 s", try: stalledDropped, patient: true, long: true},
		{name: "tls-garbage-handshake", row: 58, correct: "a handshake of garbage ends", try: garbageHandshake},
		{name: "tls-handshake-flood", row: 58, correct: "many handshakes disturb nobody for long", try: handshakeFlood},
		{name: "tls-auth-twice", row: 58, correct: "a second AUTH is refused, in step", try: authTwice},
		{name: "tls-tiny-records", row: 59, correct: "records of one byte work", try: tinyRecords, patient: true},
	}
}

func injection(t *trial) {
	for _, extra := range []string{"USER " + peers.OtherUser + "\r\n", "NOOP\r\nNOOP\r\n", "PASS "} {
		c := t.meet(0)
		_, err := c.Write([]byte("AUTH TLS\r\n" + extra))
		t.must(err)
		r, err := c.Reply()
		if err != nil || r.Code >= 400 || c.StartTLS(anyTLS()) != nil {
			continue // refused as a whole
		}
		c.Timeout = 3 * time.Second
		r, err = c.Do("PASS " + peers.OtherPassword)
		t.check(err != nil || r.Code != 230, "a USER in the clear counts")
		if err != nil {
			continue
		}
		t.check(r.Code >= 500, "behind AUTH with %q PASS was answered %q", extra, r)
		r, err = c.Do("NOOP")
		t.check(err != nil || r.Code == 200 || r.Code >= 500, "NOOP: %v", r)
	}
}

func plainLogin(t *trial) {
	c := t.meet(0)
	r, err := c.Do("USER " + peers.User)
	t.check(err != nil || r.Code >= 400, "USER was answered %q", r)
	if err == nil {
		r, err = c.Do("PASS " + peers.Password)
		t.check(err != nil || r.Code >= 400, "PASS was answered %q", r)
	}
}

// half logs in over TLS and asks for nothing about data connections.
func (t *trial) half(n int) *userpi.Client {
	c := t.meet(n)
	t.must(t.auth(c, anyTLS()))
	t.must(c.Identify(peers.User, peers.Password))
	return c
}

func protC(t *trial) {
	t.plant("file", "treasure")
	for i, lines := range [][]string{{}, {"PBSZ 0", "PROT C"}, {"PBSZ 0", "PROT P", "PROT C"}} {
		c := t.half(i)
		for _, line := range lines {
			_, err := c.Do(line)
			t.must(err)
		}
		addr, err := passive(c)
		if err != nil {
			continue // refused here
		}
		conn, err := t.dialAt(i, addr)
		t.must(err)
		t.must(c.Send("RETR " + t.cwd + "/file"))
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		data, _ := io.ReadAll(conn)
		t.check(!strings.Contains(string(data), "treasure"), "behind %v there is data in the clear", lines)
		c.Close()
	}
}

func ccc(t *trial) {
	c := t.half(0)
	r, err := c.Do("CCC")
	t.check(err == nil && r.Code >= 500, "CCC: %v, %v", r, err)
	t.inStep(c, "CCC")
}

// bareData begins a protected upload and returns the connection without TLS.
func (t *trial) bareData(c *userpi.Client, line string) net.Conn {
	p, err := c.Prepare(userpi.EPSV)
	t.must(err)
	t.must(c.Send(line))
	conn, err := p.Open()
	t.must(err)
	t.later(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	return conn
}

func plainUpload(t *trial) {
	c := t.secure(0)
	conn := t.bareData(c, "STOR clear")
	_, _ = conn.Write([]byte(strings.Repeat("clear ", 1000)))
	conn.Close()
	c.Timeout = 5 * time.Second
	r, err := c.Reply()
	if err == nil && r.Code < 200 {
		r, err = c.Reply()
	}
	t.check(err != nil || r.Code >= 400, "it was answered %q", r)
	t.check(t.read("clear") == "", "it was stored")
}

func truncatedUpload(t *trial) {
	t.plant("old", "as it was")
	for i, name := range []string{"new", "old"} {
		c := t.secure(i)
		conn := t.begin(c, "STOR "+name)
		_, err := conn.Write([]byte(strings.Repeat("x", 100<<10)))
		t.must(err)
		t.must(conn.(*tls.Conn).NetConn().(*net.TCPConn).CloseWrite())
		r, err := c.Reply()
		t.check(err == nil && r.Code >= 400, "it was answered %v, %v", r, err)
	}
	t.check(!t.has("new"), "a cut file is in view")
	t.check(t.read("old") == "as it was", "the old file is gone")
}

func closeNotify(t *trial) {
	t.plant("file", strings.Repeat("x", 100<<10))
	for i, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conf := anyTLS()
		conf.MinVersion, conf.MaxVersion = version, version
		c, err := t.session(i, conf)
		t.must(err)
		for _, line := range []string{"RETR file", "LIST"} {
			_, err := t.get(c, line) // io.ErrUnexpectedEOF without close_notify
			t.check(err == nil, "%s over %s: %v", line, tls.VersionName(version), err)
		}
	}
}

// shake tries a handshake and reports whether it succeeds.
func (t *trial) shake(n int, conf *tls.Config) bool {
	c := t.meet(n)
	r, err := c.Do("AUTH TLS")
	t.check(err == nil && r.Code == 234, "AUTH: %v, %v", r, err)
	return c.StartTLS(conf) == nil
}

func oldVersions(t *trial) {
	for i, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		conf := anyTLS()
		conf.MinVersion, conf.MaxVersion = version, version
		t.check(!t.shake(i, conf), "%s works", tls.VersionName(version))
	}
	t.check(t.shake(9, anyTLS()), "there is no handshake at all")
}

func weak() []uint16 {
	return []uint16{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_RC4_128_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA}
}

func static() []uint16 {
	return []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA}
}

func ciphers(t *trial, suites []uint16) {
	conf := anyTLS()
	conf.MaxVersion, conf.CipherSuites = tls.VersionTLS12, suites
	t.check(!t.shake(0, conf), "one of them works")
	t.check(t.shake(1, anyTLS()), "there is no handshake at all")
}

func stalledHandshakes(t *trial) {
	before := t.memory()
	for i := range 50 {
		c := t.meet(i)
		t.do(c, "AUTH TLS", 234)
		_, err := c.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1}) // the beginning of a hello
		t.must(err)
	}
	t.others(soon)
	t.flat(before)
}

func stalledDropped(t *trial) {
	c := t.meet(0)
	t.do(c, "AUTH TLS", 234)
	_, err := readAll(c.Conn(), 65*time.Second)
	t.check(err == nil, "open after 65 s")
}

func garbageHandshake(t *trial) {
	for i := range 5 {
		c := t.meet(i)
		t.do(c, "AUTH TLS", 234)
		_, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n" + strings.Repeat("\x00\xff", 2000)))
		t.must(err)
		said, err := readAll(c.Conn(), 3*time.Second)
		// What comes back is an alert, or a reply in the clear that ends the session.
		t.check(err == nil || strings.HasPrefix(said, "5") || strings.HasPrefix(said, "4"), "it hangs")
	}
	t.others(soon)
}

func handshakeFlood(t *trial) {
	before := t.memory()
	stop := time.Now().Add(time.Second)
	var n atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := 0; time.Now().Before(stop); j++ {
				c, err := t.open(i*25 + j%25)
				if err != nil {
					return
				}
				if _, err := c.Reply(); err == nil && t.auth(c, anyTLS()) == nil {
					n.Add(1)
				}
				c.Close()
			}
		})
	}
	t.pause(200 * time.Millisecond)
	err := visit(t.ctx, t.Server, t.net, false, 5*time.Second)
	all.Wait()
	t.check(err == nil, "others: %v", err)
	t.check(n.Load() > 0, "there was no handshake")
	t.others(soon)
	t.flat(before)
}

func authTwice(t *trial) {
	c := t.secure(0)
	t.refused(c, "AUTH TLS")
	t.inStep(c, "AUTH")
}

func tinyRecords(t *trial) {
	c := t.secure(0)
	c.Timeout = 5 * time.Second
	for range 5 {
		for _, b := range []byte("NOOP\r\n") {
			_, err := c.Write([]byte{b})
			t.must(err)
		}
		r, err := c.Reply()
		t.check(err == nil && r.Code == 200, "%v, %v", r, err)
	}
	conn := t.begin(c, "STOR tiny")
	for range 2000 {
		_, err := conn.Write([]byte("x"))
		t.must(err)
	}
	t.must(userpi.End(conn))
	_, err := c.Expect("STOR", 226)
	t.must(err)
	t.check(len(t.read("tiny")) == 2000, "there are %d bytes", len(t.read("tiny")))
}
