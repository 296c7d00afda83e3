package blackbox

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func controlAttacks() []attack {
	return []attack{
		{name: "line-endless", row: 1, correct: "a line without end is refused, and little of it is kept", try: func(t *trial) { lineEndless(t, t.login(0)) }},
		{name: "line-endless-before-login", row: 1, correct: "the same before the login", try: func(t *trial) { lineEndless(t, t.meet(0)) }},
		{name: "line-long-not-split", row: 2, correct: "the tail of an over-long line is no command", try: lineNotSplit},
		{name: "line-long-answered", row: 2, correct: "one reply to an over-long line, or the end", try: lineAnswered},
		{name: "line-nul", row: 3, correct: "nothing is cut at a NUL", try: lineNUL, patient: true},
		{name: "bare-cr-lf", row: 4, correct: "CR alone ends nothing, LF alone always or never", try: bareCRLF},
		{name: "iac-bytes", row: 5, correct: "Telnet's bytes go, and leave names whole", try: iacBytes},
		{name: "garbage-bytes", row: 6, correct: "random bytes do nothing", try: garbageBytes},
		{name: "garbage-tls-hello-on-plain", row: 6, correct: "a TLS hello in the clear does nothing", try: garbageHello},
		{name: "http-on-ftp-closed", row: 7, correct: "a request of a browser ends the connection, its body is not obeyed", try: httpOnFTP, patient: true},
		{name: "preauth-errors-bounded", row: 8, correct: "closed after some bad commands before the login", try: preauthErrors, patient: true},
		{name: "reply-no-escape-echo", row: 9, correct: "no control characters come back", try: noEscapes},
		{name: "replies-well-formed", row: 9, correct: "replies have the form of RFC 959", try: wellFormed},
		{name: "flood-pipelined", row: 10, correct: "20,000 commands are answered in order", try: floodPipelined},
		{name: "flood-unread", row: 11, correct: "who does not read replies costs nothing", try: func(t *trial) { floodUnread(t, t.login) }},
		{name: "flood-unread-before-login", row: 11, correct: "the same before the login", try: func(t *trial) { floodUnread(t, t.meet) }},
		{name: "slow-commands", row: 12, correct: "60 slow lines disturb nobody", try: slowCommands},
		{name: "silent-connections", row: 13, correct: "150 silent connections cost little", try: silentConnections},
		{name: "login-silent-dropped", row: 13, correct: "who says nothing is dropped within 65 s", try: silentDropped, patient: true, long: true},
		{name: "idle-cpu", row: 13, correct: "idle sessions cost no time of the processor", try: idleCPU},
		{name: "half-closed", row: 14, correct: "the end behind USER ends the session", try: halfClosed, patient: true},
		{name: "reset-storm", row: 15, correct: "300 resets leave nothing behind", try: resetStorm},
		{name: "flood-one-address", row: 16, correct: "one address has so many sessions and no more", try: floodOneAddress, form: fewSessions},
		{name: "fd-limit", row: 17, correct: "without descriptors the server waits, and recovers", try: fdLimit, form: fewFiles},
		{name: "line-after-quit", row: 18, correct: "what follows QUIT is not run", try: afterQuit},
		{name: "syntax-errors", row: 19, correct: "malformed arguments are refused, in step", try: syntaxErrors},
		{name: "unknown-commands-logged-in", row: 19, correct: "unknown commands are refused, in step", try: unknownCommands},
		{name: "fuzz-commands", row: 19, correct: "random commands do no harm", try: fuzzCommands},
		{name: "control-during-transfer", row: 20, correct: "ABOR is heard while nobody reads the data", try: controlDuringTransfer},
	}
}

func lineEndless(t *trial, c *userpi.Client) {
	before := t.memory()
	block := bytes.Repeat([]byte("A"), 64<<10)
	c.Timeout = 5 * time.Second
	var err error
	sent := 0
	for ; sent < 64<<20 && err == nil; sent += len(block) {
		_, err = c.Write(block)
	}
	t.check(t.memory()-before < 16<<20, "memory grew by %d MiB", (t.memory()-before)>>20)
	if err == nil {
		_, err = c.Reply() // a refusal that waits for the end of the line is none
	}
	var timeout net.Error
	t.check(!asTimeout(err, &timeout), "after %d MiB the connection is open", sent>>20)
	t.others(soon)
}

func lineNotSplit(t *trial) {
	for i, size := range []int{256, 509, 510, 511, 512, 1000, 1022, 1023, 1024, 2047, 2048, 4095, 4096, 4097, 8190, 8191, 8192, 8193, 16384, 65536} {
		c, err := t.session(i, nil)
		t.must(err)
		name := fmt.Sprintf("split%d", size)
		line := "NOOP " + strings.Repeat("x", size-5) + "MKD " + name
		_, _ = c.Write([]byte(line + "\r\nMKD after" + name + "\r\nQUIT\r\n"))
		c.Timeout = 3 * time.Second
		for err == nil {
			_, err = c.Reply()
		}
		t.check(!t.has(name), "the tail of a line of %d bytes was run", size)
		c.Close()
	}
}

func lineAnswered(t *trial) {
	c := t.login(0)
	c.Timeout = 3 * time.Second
	t.must(c.Send("MKD " + strings.Repeat("x", 5000)))
	r, err := c.Reply()
	var timeout net.Error
	t.check(!asTimeout(err, &timeout), "a line of 5,000 bytes is not answered")
	if err != nil {
		return // closed
	}
	t.check(r.Code >= 400, "%v", r)
	r, err = c.Do("NOOP")
	t.check(err == nil && r.Code == 200 || err != nil && !asTimeout(err, &timeout), "NOOP behind it: %v, %v", r, err)
}

func lineNUL(t *trial) {
	t.plant("kept", "x")
	for i, line := range []string{"DELE kept\x00.txt", "MKD cut\x00off", "RNFR kept\x00x", "SITE CHMOD 600 kept\x00x", "CWD " + t.cwd + "\x00/none", "RETR kept\x00x"} {
		c := t.login(i)
		r, err := c.Do(line)
		t.check(err != nil || r.Code >= 400, "%q was answered %q", line, r)
		t.check(t.has("kept") && !t.has("cut"), "%q was cut at its NUL", line)
	}
	for i, pair := range [][2]string{{peers.OtherUser + "\x00x", peers.OtherPassword}, {peers.OtherUser, peers.OtherPassword + "\x00x"}} {
		err := t.meet(20+i).Identify(pair[0], pair[1])
		t.check(err != nil, "%q logged in with %q", pair[0], pair[1])
	}
}

func bareCRLF(t *trial) {
	c := t.login(0)
	_, _ = c.Write([]byte("MKD cr1\rMKD cr2\r\nMKD lf1\nMKD lf2\r\nQUIT\r\n"))
	c.Timeout = 3 * time.Second
	for err := error(nil); err == nil; {
		_, err = c.Reply()
	}
	t.check(!t.has("cr2"), "CR alone ends a line")
	t.check(t.has("lf1") == t.has("lf2"), "LF alone ends a line now and then")
}

func iacBytes(t *trial) {
	c := t.login(0)
	c.Timeout = 3 * time.Second
	for _, before := range []string{"\xff\xf4\xff\xf2", "\xff\xf1", "\xff\xfb\x01", "\xff\xfd\x06"} {
		_, err := c.Write([]byte(before + "NOOP\r\n"))
		t.must(err)
		r, err := c.Reply()
		t.check(err == nil && r.Code == 200, "NOOP behind % x: %v, %v", before, r, err)
	}
	r, err := c.Do("MKD a\xff\xffb")
	t.check(err == nil, "a doubled IAC: %v", err)
	t.check(r.Code >= 400 || t.has("a\xffb") || t.has("a\xff\xffb"), "the name with a doubled IAC became another: %v", r)
	t.check(!t.has("ab"), "IAC left a name")
	t.inStep(c, "IAC")
}

func garbageBytes(t *trial) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 5 {
		conn, err := t.dialAt(i, t.Addr)
		t.must(err)
		bytes := make([]byte, 64<<10)
		for j := range bytes {
			bytes[j] = byte(random.Uint32())
		}
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		go io.Copy(io.Discard, conn)
		_, _ = conn.Write(bytes)
	}
	t.others(soon)
}

func garbageHello(t *trial) {
	conn, err := t.dialAt(0, t.Addr)
	t.must(err)
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	t.check(tls.Client(conn, anyTLS()).Handshake() != nil, "there was a handshake")
	t.others(soon)
}

func httpOnFTP(t *trial) {
	for i, method := range []string{"POST", "GET", "HEAD", "PUT", "OPTIONS", "CONNECT"} {
		c := t.meet(i)
		_, _ = c.Write([]byte(method + " /<script>x</script> HTTP/1.1\r\nHost: ftp.example.test\r\n\r\nUSER " + peers.User + "\r\nPASS " + peers.Password + "\r\nMKD " + t.cwd + "/http\r\n"))
		said, err := readAll(c.Conn(), 5*time.Second)
		t.check(!t.has("http"), "the body of %s was obeyed", method)
		t.check(err == nil, "%s did not end the connection", method)
		t.check(!strings.Contains(said, "<script>"), "%s came back: %q", method, said)
	}
}

// readAll reads until the end; a reset is one, and silence an error.
func readAll(conn net.Conn, within time.Duration) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(within))
	data, err := io.ReadAll(io.LimitReader(conn, 8<<20))
	var timeout net.Error
	if asTimeout(err, &timeout) {
		return string(data), err
	}
	return string(data), nil
}

func preauthErrors(t *trial) {
	c := t.meet(0)
	for i := range 50 {
		if _, err := c.Do("XYZZY"); err != nil {
			var timeout net.Error
			t.check(!asTimeout(err, &timeout), "command %d: %v", i, err)
			return
		}
	}
	t.fail("50 bad commands were answered")
}

func noEscapes(t *trial) {
	bad := []string{"\x1b", "\x07", "\x08", "\x7f", "\u009b", "\u202e"}
	say := func(n int, begin func(int) *userpi.Client, words ...string) {
		for _, word := range words {
			c := begin(n)
			_, _ = c.Write([]byte(word + " x\x1b[31m\x07\x08\x7f\u009b1m\u202e\r\nQUIT\r\n"))
			said, _ := readAll(c.Conn(), 5*time.Second)
			for _, b := range bad {
				t.check(!strings.Contains(said, b), "%s: %q came back in %.200q", word, b, said)
			}
		}
	}
	say(0, t.meet, "USER", "XYZZY", "HOST", "\x1b[2J")
	say(1, t.login, "MKD", "CWD", "DELE", "STAT", "HELP", "SITE", "SITE HELP", "RETR", "SIZE", "MLST", "OPTS", "TYPE", "MODE", "\x1b[2J", "RNFR", "LANG", "CLNT")
}

// wellFormed holds that lines end with CR LF, begin with a code or are inside of a reply
// of several lines, and that none of these looks like the last one of another code.
func wellFormed(t *trial) {
	t.plant("file", "x")
	first := regexp.MustCompile(`^[1-6][0-9][0-9][ -]`)
	for _, line := range []string{"FEAT", "HELP", "SITE HELP", "STAT", "STAT file", "SYST", "PWD", "MLST file", "OPTS UTF8 ON", "HELP RETR", "ALLO 1", "NOOP", "XYZZY", "SIZE file", "MDTM file"} {
		c := t.login(0)
		_, err := c.Write([]byte(line + "\r\nQUIT\r\n"))
		t.must(err)
		said, err := readAll(c.Conn(), 5*time.Second)
		t.check(err == nil, "%s: %v", line, err)
		inside := ""
		for l := range strings.SplitAfterSeq(said, "\n") {
			text, ok := strings.CutSuffix(l, "\r\n")
			t.check(ok || l == "", "%s: the line %q does not end with CR LF", line, l)
			t.check(!strings.ContainsAny(text, "\r\x00"), "%s: the line %q", line, l)
			coded := first.MatchString(text)
			switch {
			case l == "":
			case inside == "":
				t.check(coded, "%s: the line %q has no code", line, l)
				if text[3] == '-' {
					inside = text[:3]
				}
			case coded && text[:3] == inside && text[3] == ' ':
				inside = ""
			case coded:
				t.check(text[:3] == inside, "%s: the line %q is inside of a reply %s", line, l, inside)
			}
		}
		t.check(inside == "", "%s: the reply has no end", line)
	}
}

func floodPipelined(t *trial) {
	c := t.login(0)
	const many = 20000
	go func() { _, _ = c.Conn().Write(bytes.Repeat([]byte("NOOP\r\n"), many)) }()
	c.Timeout = 15 * time.Second
	for i := range many {
		r, err := c.Reply()
		if err == nil && r.Code == 421 {
			return
		}
		t.check(err == nil && r.Code == 200, "command %d: %v, %v", i, r, err)
	}
}

func floodUnread(t *trial, begin func(int) *userpi.Client) {
	before := t.memory()
	block := bytes.Repeat([]byte("HELP\r\nFEAT\r\nNOOP\r\n"), 1000)
	var all sync.WaitGroup
	for i := range 4 {
		c := begin(i)
		all.Go(func() {
			limit := time.Now().Add(2 * time.Second)
			for sent := 0; sent < 16<<20; sent += len(block) {
				_ = c.Conn().SetWriteDeadline(limit)
				if _, err := c.Conn().Write(block); err != nil {
					return
				}
			}
		})
	}
	t.pause(200 * time.Millisecond)
	t.others(soon)
	all.Wait()
	t.check(t.memory()-before < flatMemory/2, "memory grew by %d MiB", (t.memory()-before)>>20)
}

func slowCommands(t *trial) {
	for i := range 60 {
		conn, err := t.dialAt(i, t.Addr)
		t.must(err)
		go func() {
			for range 8 {
				if _, err := conn.Write([]byte("N")); err != nil {
					return
				}
				t.pause(150 * time.Millisecond)
			}
		}()
	}
	for range 2 {
		t.pause(300 * time.Millisecond)
		t.others(soon)
	}
}

func silentConnections(t *trial) {
	before := t.memory()
	for i := range 150 {
		_, err := t.dialAt(i, t.Addr)
		t.must(err)
	}
	t.others(soon)
	t.flat(before)
}

func silentDropped(t *trial) {
	c := t.meet(0)
	_, err := readAll(c.Conn(), 65*time.Second)
	t.check(err == nil, "still open after 65 s")
}

func idleCPU(t *trial) {
	for i := range 40 {
		t.login(i)
	}
	t.pause(100 * time.Millisecond)
	began := t.processor()
	t.pause(500 * time.Millisecond)
	used := t.processor() - began
	t.check(used <= 100*time.Millisecond, "40 idle sessions took %v of half a second", used)
}

func halfClosed(t *trial) {
	c := t.meet(0)
	t.must(c.Send("USER " + peers.User))
	t.must(c.Conn().(*net.TCPConn).CloseWrite())
	_, err := readAll(c.Conn(), 5*time.Second)
	t.check(err == nil, "the connection is open 5 s later")
}

func resetStorm(t *trial) {
	before := t.state()
	for i := range 300 {
		conn, err := t.dialAt(i, t.Addr)
		t.must(err)
		if i%3 > 0 {
			_, _ = conn.Write([]byte("USER x\r\n"))
		}
		_ = userpi.Reset(conn)
	}
	t.givenBack(before, 10*time.Second)
	t.others(soon)
}

func floodOneAddress(t *trial) {
	greeted := 0
	for range 60 {
		c, err := t.open(0)
		if err != nil {
			continue
		}
		c.Timeout = 3 * time.Second
		if r, err := c.Reply(); err == nil && r.Code == 220 {
			if r, err := c.Do("USER " + peers.User); err == nil && r.Code == 331 { // some say it there
				greeted++
			}
		}
	}
	t.check(greeted <= 25, "of one address %d were served at once", greeted)
	t.others(soon)
}

func fdLimit(t *trial) {
	var conns []net.Conn
	for i := range 400 {
		conn, err := t.dialAt(i, t.Addr)
		if err == nil {
			conns = append(conns, conn)
		}
	}
	began := t.processor()
	t.pause(time.Second)
	used := t.processor() - began
	t.check(t.Alive(), "the server has ended")
	t.check(used <= 500*time.Millisecond, "it took %v of a second to wait", used)
	for _, c := range conns {
		c.Close()
	}
	var err error
	ok := t.until(10*time.Second, func() bool {
		err = visit(t.ctx, t.Server, t.net, false, 2*time.Second)
		return err == nil
	})
	t.check(ok, "it does not recover: %v", err)
}

func afterQuit(t *trial) {
	c := t.login(0)
	_, err := c.Write([]byte("QUIT\r\nMKD afterquit\r\n"))
	t.must(err)
	_, err = readAll(c.Conn(), 5*time.Second)
	t.check(err == nil, "QUIT does not end the session")
	t.check(!t.has("afterquit"), "it was run")
}

func syntaxErrors(t *trial) {
	c := t.login(0)
	for _, line := range []string{"TYPE X", "TYPE", "MODE X", "MODE", "STRU X", "PORT 1,2,3", "PORT a,b,c,d,e,f", "PORT 256,0,0,1,1,1", "PORT 127,0,0,1,999,1", "PORT",
		"EPRT |9|127.0.0.1|5|", "EPRT", "EPRT |1|127.0.0.1|x|", "EPRT ||||", "REST -1", "REST abc", "REST", "RNTO none", "RNFR", "SIZE", "MDTM", "RETR", "STOR", "APPE", "DELE", "MKD", "RMD",
		"OPTS", "SITE CHMOD", "SITE CHMOD 999 none", "SITE CHMOD x none", "PROT X", "EPSV 9", "EPSV x", "AUTH NOTHING"} {
		t.refused(c, line)
		t.inStep(c, line)
	}
}

func unknownCommands(t *trial) {
	c := t.login(0)
	for _, line := range []string{"FOO", "XYZZY bar", "\x80\x81\x82", "NOOPX", "QUITX", strings.Repeat("Z", 400)} {
		t.refused(c, line)
		t.inStep(c, line)
	}
}

func fuzzCommands(t *trial) {
	verbs := strings.Fields("USER ACCT CWD CDUP SMNT REIN PORT EPRT TYPE STRU MODE ALLO REST RNFR RNTO ABOR SITE SYST STAT HELP NOOP FEAT OPTS MDTM MFMT MFCT MFF SIZE MLST PBSZ PROT CCC HASH RANG XCRC AVBL LANG HOST CLNT CSID ESTA THMB MKD XPWD")
	pieces := []string{"", "/", "..", "-1", "\"", "'", "%n%s", "*", "{{{", "[", "~", "~root", "\\", "|1|127.0.0.1|1|", "99999999999999999999", "\xff\xfe", "\xc3\x28", "type;size;", "CHMOD", "777", "UTIME", "2147483648", ";", "\t", "x=y", strings.Repeat("a/", 200), strings.Repeat("%", 300)}
	random := rand.New(rand.NewPCG(3, 4))
	rounds, silent := 300, 0
	if t.full {
		rounds = 3000
	}
	var c *userpi.Client
	for i := range rounds {
		if c == nil {
			c = t.login(i)
		}
		line := verbs[random.IntN(len(verbs))]
		for range random.IntN(4) {
			line += " " + pieces[random.IntN(len(pieces))]
		}
		_, err := c.Do(line)
		var timeout net.Error
		if asTimeout(err, &timeout) {
			silent++
			t.check(silent < 5, "%.80q and four others are not answered", line)
		}
		if verb, _, _ := strings.Cut(line, " "); err != nil || verb == "USER" || verb == "REIN" {
			c.Close()
			c = nil
		}
	}
	t.check(t.Alive(), "the server has ended")
	t.others(soon)
}

func controlDuringTransfer(t *trial) {
	t.plantHole("big", 256<<20)
	c := t.login(0)
	conn := t.begin(c, "RETR big")
	_, err := io.ReadFull(conn, make([]byte, 1000))
	t.must(err)
	t.abort(c, 3*time.Second)
	t.inStep(c, "ABOR")
}

// abort sends ABOR as RFC 959 §4.1.3 says and reads its replies, of which the last is
// 225 or 226.
func (t *trial) abort(c *userpi.Client, within time.Duration) {
	raw, ok := c.Conn().(*net.TCPConn)
	if !ok {
		t.must(c.Send("ABOR"))
	} else {
		_, err := raw.Write([]byte("\xff\xf4"))
		t.must(err)
		t.must(sendUrgent(raw, "\xff"))
		_, err = raw.Write([]byte("\xf2ABOR\r\n"))
		t.must(err)
	}
	c.Timeout = within
	r, err := c.Reply()
	if err == nil && r.Is(425, 426, 450, 451, 550, 552) { // of the transfer
		r, err = c.Reply()
	}
	t.check(err == nil && r.Is(225, 226), "ABOR: %v, %v", r, err)
	c.Timeout = userpi.Timeout
	t.settled(c, "ABOR")
}

// settled reads what may still come of a transfer that had ended when it was aborted,
// until the session answers NOOP.
func (t *trial) settled(c *userpi.Client, what string) {
	t.must(c.Send("NOOP"))
	for range 3 {
		r, err := c.Reply()
		t.check(err == nil, "NOOP behind %s: %v", what, err)
		if r.Code == 200 {
			return
		}
		t.check(r.Is(225, 226, 425, 426), "NOOP behind %s: %v", what, r)
	}
	t.fail("%s has too many replies", what)
}
