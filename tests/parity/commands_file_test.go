package parity

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

func fileCommands() []line {
	return []line{
		{"FTPHandler.ftp_RETR", "command: 150, or 125 where the connection is there; 226; 550 for what is no file", "pi.Standard[RETR]", "code", same, "", testRETR},
		{"FTPHandler.ftp_STOR", "command: stores a file; the old one is emptied at the 150", "pi.Standard[STOR], vfs.Stage", "code", safer,
			"the upload is published when it has ended well, and the old file is whole until then", testSTOR},
		{"FTPHandler.ftp_APPE", "command: appends to a file; 450 after REST", "pi.Standard[APPE]", "code", different,
			"REST to the end of the file, where APPE begins anyway, is taken: some clients send it", testAPPE},
		{"FTPHandler.ftp_STOU", "command: 150 FILE: name, or 125; ftpd.XXXXXXXX or prefix.XXXXXXXX; 450 after REST; 550 leaves nothing", "pi.Standard[STOU]", "code", same, "", testSTOU},
	}
}

func resumeCommands() []line {
	return []line{
		{"FTPHandler.ftp_REST", "command: 350 in binary, 501 in text; kept until RETR or STOR; 554 beyond the end", "pi.Standard[REST]", "code", different,
			"REST 0 is taken in text too: it is how clients take a marker back", testREST},
		{"FTPHandler.ftp_ABOR", "command: 225 without a transfer; 426 and 226 with one", "pi.Standard[ABOR]", "code", different,
			"426 and 226 also before the first byte: a command that was answered 150 gets its final reply", testABOR},
	}
}

func testRETR(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "content")
	s.write("d/b", "")
	c := s.binary()
	if got := c.get("RETR a"); got != "content" {
		t.Errorf("got %q", got)
	}
	if got := c.get("RETR d/b"); got != "" {
		t.Errorf("got %q", got)
	}
	conn := c.early()
	c.says("RETR a", "125")
	if got := drain(conn); got != "content" {
		t.Errorf("got %q", got)
	}
	c.next("226")
	c.says("EPSV", "229", "RETR d", "550", "RETR missing", "550", "RETR", "501", "RETR ../../etc/passwd", "550", "REST 8", "350", "RETR a", "554", "RETR a", "150")
	limited(t, "elw").login().says("RETR a", "550")
	s.greeted().says("RETR a", "530")
}

// early opens a data connection before the command that will use it.
func (c *client) early() net.Conn {
	c.t.Helper()
	conn := dialFrom(c.t, "127.0.0.1", c.passive("EPSV"))
	c.says("NOOP", "200") // a moment for the kernel
	return conn
}

func testSTOR(t *testing.T) {
	s := serve(t, nil)
	s.write("old", "the old content")
	s.mkdir("d")
	c := s.binary()
	c.put("STOR a", "content")
	s.holds("a", "content")
	conn, err := c.Begin(userpi.EPSV, "STOR old")
	s.must(err)
	_, err = conn.Write([]byte("new"))
	s.must(err)
	s.holds("old", "the old content")
	s.must(userpi.End(conn))
	c.next("226")
	s.holds("old", "new")
	c.says("EPSV", "229", "STOR", "501", "STOR d", "550", "STOR missing/a", "550", "STOR /", "550", "REST 3", "350", "STOR missing", "550", "REST 99", "350", "STOR a", "554")
	limited(t, "elra").login().says("STOR a", "550")
	s.greeted().says("STOR a", "530")
}

func testAPPE(t *testing.T) {
	s := serve(t, nil)
	c := s.binary()
	c.put("APPE a", "one ")
	c.put("APPE a", "two")
	s.holds("a", "one two")
	c.says("REST 3", "350", "EPSV", "229", "APPE a", "450", "REST 7", "350")
	c.put("APPE a", "!")
	s.holds("a", "one two!")
	c.says("EPSV", "229", "APPE", "501", "APPE /", "550")
	limited(t, "elrw").login().says("APPE a", "550")
	s.greeted().says("APPE a", "530")
}

func testSTOU(t *testing.T) {
	s := serve(t, nil)
	c := s.binary()
	seen := map[string]bool{}
	for _, line := range []string{"STOU", "STOU", "STOU mine"} {
		p, err := c.Prepare(userpi.EPSV)
		s.must(err)
		r := c.ask(line)
		name, ok := strings.CutPrefix(r.Text(), "FILE: ")
		if r.Code != 150 || !ok || seen[name] || !strings.HasPrefix(name, "ftpd.") && !strings.HasPrefix(name, "mine.") || (line == "STOU") != strings.HasPrefix(name, "ftpd.") {
			t.Fatalf("%s was answered %q", line, r)
		}
		seen[name] = true
		conn, err := p.Open()
		s.must(err)
		_, err = conn.Write([]byte(name))
		s.must(err)
		s.must(userpi.End(conn))
		c.next("226")
		s.holds(name, name)
	}
	conn := c.early()
	c.says("STOU", "125 FILE: *")
	s.must(conn.Close())
	c.next("226")
	c.says("REST 3", "350", "EPSV", "229", "STOU", "450")
	no := limited(t, "elra")
	no.login().says("EPSV", "229", "STOU", "550")
	if entries, err := os.ReadDir(no.root); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	s.greeted().says("STOU", "530")
}

func testREST(t *testing.T) {
	s := serve(t, nil)
	s.write("a", "0123456789")
	c := s.login()
	c.says("REST 3", "501", "REST 0", "350", "TYPE I", "200", "REST -1", "501", "REST x", "501", "REST", "501",
		"REST 4", "350 *4*", "NOOP", "200", "PWD", "257", "SIZE a", "213 10", "CWD /", "250")
	if got := c.get("RETR a"); got != "456789" {
		t.Errorf("got %q", got)
	}
	if got := c.get("RETR a"); got != "0123456789" {
		t.Errorf("the marker was used twice: %q", got)
	}
	c.says("REST 2", "350")
	c.put("STOR a", "xx")
	s.holds("a", "01xx456789")
	c.says("EPSV", "229", "REST 11", "350", "RETR a", "554", "REST 10", "350")
	if got := c.get("RETR a"); got != "" {
		t.Errorf("at the end: %q", got)
	}
	s.greeted().says("REST 1", "530")
}

func testABOR(t *testing.T) {
	s := serve(t, nil)
	s.write("a", strings.Repeat("x", 16<<20))
	c := s.binary()
	c.says("ABOR", "225")
	addr := c.passive("EPSV")
	c.says("ABOR", "225")
	if conn, err := net.Dial("tcp", addr); err == nil {
		t.Errorf("the port is still there and says %q", drain(conn))
	}
	c.says("EPSV", "229", "RETR a", "150", "ABOR", "426")
	c.next("226")
	for _, line := range []string{"RETR a", "STOR b"} {
		conn, err := c.Begin(userpi.EPSV, line)
		s.must(err)
		if line == "STOR b" {
			_, err = conn.Write([]byte("some"))
			s.must(err)
		}
		c.says("ABOR", "426")
		c.next("226")
		conn.Close()
		c.says("NOOP", "200")
	}
	s.absent("b")
	s.greeted().says("ABOR", "530")
	s.event("incomplete_file_sent")
	s.event("incomplete_file_received")
}
