package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// secret is the password of every user in the files of these tests, @HASH@ what
// stands for its hash there.
const secret = "a long secret"

// listener is a plain listener on a free port, with further keys.
func listener(keys ...string) string {
	return "listeners:\n  - name: main\n    address: 127.0.0.1:0\n    tls: { control: off }\n    " + strings.Join(keys, "\n    ") + "\n"
}

// everybody is a user who may do everything.
const everybody = "users: { list: [{ name: dev, password_hash: @HASH@, perm: elradfmwMT }] }\n"

// file writes a configuration file: what every one needs, and text. Without users
// in it, there is dev.
func (p place) file(t *testing.T, text string) string {
	t.Helper()
	hash := must(bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost))(t)
	if !strings.Contains(text, "users:") {
		text += everybody
	}
	text = fmt.Sprintf("version: 1\ninstance: { state_dir: %q, drain_timeout: 5s }\nstorage: [{ root: %q }]\n", p.state, p.root) + text
	path := p.out("edgeftp.yaml")
	ok(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "@HASH@", `"`+string(hash)+`"`)), 0o600))
	return path
}

// serve starts a server with a file of text.
func (p place) serve(t *testing.T, text string, flags ...string) *server {
	t.Helper()
	s := startServer(t, p, append([]string{"--config", p.file(t, text)}, flags...)...)
	s.plain = strings.Contains(text, "control: off") || strings.Contains(text, "control: optional")
	s.user, s.password = "dev", secret
	return s
}

// at is the server seen at another of its listeners.
func (s *server) at(t *testing.T, n int) *server {
	t.Helper()
	line := s.expect(t, `"msg":"ready"`)
	var r ready
	ok(t, jsonInto(line, &r))
	other := *s
	other.addr = r.Listeners[n]
	return &other
}

// raw connects and returns the reply that the server greets with.
func (s *server) raw(t *testing.T) (*session, userpi.Reply) {
	t.Helper()
	c := must(userpi.Dial(s.addr))(t)
	t.Cleanup(func() { c.Close() })
	return &session{c}, must(c.Reply())(t)
}

// says compares the lines of a reply with those that are expected.
func says(t *testing.T, r userpi.Reply, lines ...string) {
	t.Helper()
	if !slices.Equal(r.Lines, lines) {
		t.Errorf("the reply is %q, want %q", r.Lines, lines)
	}
}

func TestSettingAdvertise(t *testing.T) {
	t.Parallel()
	one := func(name, passive string) string {
		return fmt.Sprintf("  - { name: %s, address: \"127.0.0.1:0\", tls: { control: off }, passive: { %s } }\n", name, passive)
	}
	s := newPlace(t).serve(t, "listeners:\n"+
		one("fixed", "advertise: 256.256.256.256")+
		one("local", "advertise: 192.0.2.1, advertise_local: { 127.0.0.1: 198.51.100.7, 127.0.0.2: 198.51.100.8 }")+
		one("network", "advertise_local: { 127.0.0.1: 198.51.100.7 }, advertise_for: { 127.0.0.0/8: 203.0.113.8, 127.0.0.1: 203.0.113.1, 10.0.0.0/8: 10.0.0.5 }")+
		one("name", "advertise: localhost")+
		one("auto", "advertise: auto, advertise_for: { 10.0.0.0/8: 10.0.0.5 }"))
	for i, want := range []string{"256,256,256,256", "198,51,100,7", "203,0,113,1", "127,0,0,1", "127,0,0,1"} {
		c := s.at(t, i).login(t)
		if r := c.want(t, "PASV", 227); !strings.Contains(r.Text(), "("+want+",") {
			t.Errorf("listener %d tells %q, want %s", i, r, want)
		}
	}
	s.stop(t)
}

func TestSettingTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 16)
	s := newPlace(t).serve(t, listener("banner: |", "  Welcome.", "", "  220 is not the end.")+`users:
  list:
    - { name: dev, password_hash: @HASH@, msg_login: "Hello, dev.\nBe kind.", msg_quit: "So long." }
    - { name: anna, password_hash: @HASH@, msg_login: "`+long+`" }
    - { name: otto, password_hash: @HASH@ }
  anonymous: { enabled: true, msg_login: "Hello, stranger.", msg_quit: "Who were you?" }
`)
	c, greeting := s.raw(t)
	says(t, greeting, "Welcome.", " ", "220 is not the end.")
	c.want(t, "USER dev", 331)
	says(t, c.want(t, "PASS "+secret, 230), "Hello, dev.", "Be kind.")
	says(t, c.want(t, "QUIT", 221), "So long.")
	c, _ = s.raw(t)
	c.want(t, "USER anna", 331)
	says(t, c.want(t, "PASS "+secret, 230), long, "")
	c, _ = s.raw(t)
	c.want(t, "USER anonymous", 331)
	says(t, c.want(t, "PASS x", 230), "Hello, stranger.")
	says(t, c.want(t, "QUIT", 221), "Who were you?")
	c, _ = s.raw(t)
	c.want(t, "USER otto", 331)
	c.want(t, "PASS "+secret, 230)
	says(t, c.want(t, "QUIT", 221), "Goodbye.")
	s.stop(t)
}

func TestSettingEncoding(t *testing.T) {
	t.Parallel()
	one := func(name, encoding string) string {
		return fmt.Sprintf("  - { name: %s, address: \"127.0.0.1:0\", tls: { control: off }, encoding: { %s } }\n", name, encoding)
	}
	s := newPlace(t).serve(t, "listeners:\n"+one("latin", "name: ISO-8859-1")+one("kept", "name: utf-8")+one("strict", "name: utf-8, on_error: strict")+
		one("replaced", "name: utf-8, on_error: replace"))
	c := s.login(t)
	c.put(t, "STOR gr\xfc\xdfe", strings.NewReader("x"))
	if _, err := os.Stat(s.in("grüße")); err != nil {
		t.Error(err)
	}
	if got := string(c.get(t, "NLST")); got != "gr\xfc\xdfe\r\n" {
		t.Errorf("the listing is %q", got)
	}
	if r := c.want(t, "FEAT", 211); strings.Contains(r.String(), "UTF8") {
		t.Errorf("FEAT tells UTF8: %s", r)
	}
	c = s.at(t, 1).login(t)
	if r := c.want(t, "FEAT", 211); !strings.Contains(r.String(), "UTF8") {
		t.Errorf("FEAT does not tell UTF8: %s", r)
	}
	c.put(t, "STOR a\xfc", strings.NewReader("x"))
	if _, err := os.Stat(s.in("a\xfc")); err != nil {
		t.Error(err)
	}
	c = s.at(t, 2).login(t)
	c.want(t, "SIZE a\xfc", 501)
	c = s.at(t, 3).login(t)
	c.put(t, "STOR b\xfc", strings.NewReader("x"))
	if _, err := os.Stat(s.in("b\uFFFD")); err != nil {
		t.Error(err)
	}
	s.stop(t)
}

func TestSettingCommands(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, "listeners:\n"+
		"  - { name: a, address: \"127.0.0.1:0\", tls: { control: off }, unlisted_commands: [mfmt, site chmod, HASH], optional_commands: [SITE SYMLINK] }\n"+
		"  - { name: b, address: \"127.0.0.1:0\", tls: { control: off }, unlisted_commands: [SITE, STOU] }\n"+
		"i18n: { negotiate: false }\n")
	c := s.login(t)
	ok(t, os.WriteFile(s.in("file"), nil, 0o644))
	for line, code := range map[string]int{
		"MFMT 20200101000000 file": 500, "SITE CHMOD 600 file": 500, "HASH file": 500, "LANG de": 500,
		"SITE SYMLINK file link": 200, "SITE UTIME 20200101000000 file": 200, "XMD5 file": 250,
	} {
		if r := must(c.Do(line))(t); r.Code != code {
			t.Errorf("%s: %s, want %d", line, r, code)
		}
	}
	if target, err := os.Readlink(s.in("link")); err != nil || target != "file" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	for _, line := range []string{"FEAT", "HELP", "SITE HELP"} {
		r := c.want(t, line, 211, 214)
		for _, gone := range []string{"MFMT", "CHMOD", "HASH", "LANG"} {
			if strings.Contains(r.String(), gone) {
				t.Errorf("%s tells of %s: %s", line, gone, r)
			}
		}
	}
	c = s.at(t, 1).login(t)
	for line, code := range map[string]int{"SITE CHMOD 600 file": 500, "SITE HELP": 500, "SITE SYMLINK a b": 500, "STOU": 500, "MFMT 20200101000000 file": 213} {
		if r := must(c.Do(line))(t); r.Code != code {
			t.Errorf("%s: %s, want %d", line, r, code)
		}
	}
	s.stop(t)
}

// zone is the file of a time zone three hours and a half east of Greenwich.
func zone(t *testing.T) string {
	t.Helper()
	data := "TZif" + strings.Repeat("\x00", 16) + strings.Repeat("\x00\x00\x00\x00", 4) + "\x00\x00\x00\x01\x00\x00\x00\x04" + // counts
		"\x00\x00\x31\x38\x00\x00XYZ\x00" // 12,600 s
	path := filepath.Join(t.TempDir(), "zone")
	ok(t, os.WriteFile(path, []byte(data), 0o644))
	return path
}

func TestSettingTimes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env = []string{"TZ=" + zone(t)}
	s := p.serve(t, "listeners:\n"+
		"  - { name: local, address: \"127.0.0.1:0\", tls: { control: off }, timestamps: local }\n"+
		"  - { name: gmt, address: \"127.0.0.1:0\", tls: { control: off } }\n")
	ok(t, os.WriteFile(s.in("file"), nil, 0o644))
	at := time.Date(2020, 1, 31, 22, 0, 0, 0, time.UTC)
	ok(t, os.Chtimes(s.in("file"), at, at))
	for i, want := range []string{"20200201013000", "20200131220000"} {
		c := s.at(t, i).login(t)
		if r := c.want(t, "MDTM file", 213); !strings.HasPrefix(r.Text(), want) {
			t.Errorf("MDTM: %s, want %s", r, want)
		}
		if list := string(c.get(t, "MLSD")); !strings.Contains(list, "modify="+want) {
			t.Errorf("MLSD: %q, want %s", list, want)
		}
	}
	s.stop(t)
}

func TestSettingHosts(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, listener("hosts: [FTP.example.org, \"[2001:db8::1]\"]"))
	c := s.dial(t)
	c.want(t, "HOST other.example.org", 504)
	c.want(t, "HOST ftp.EXAMPLE.org", 220)
	c.want(t, "HOST [2001:db8::1]", 220)
	s.stop(t)
}

func TestSettingLanguages(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ok(t, os.WriteFile(p.out("sv.json"), []byte(`{"language":"sv","name":"Svenska","texts":{"Goodbye.":"Hej då."}}`), 0o644))
	s := p.serve(t, listener()+"i18n: { default: sv, catalogues: [sv.json] }\n")
	c := s.login(t)
	says(t, s.login(t).want(t, "QUIT", 221), "Hej då.")
	c.want(t, "LANG de", 200)
	if r := c.want(t, "QUIT", 221); r.Text() == "Hej då." || r.Text() == "Goodbye." {
		t.Errorf("after LANG de the server says %q", r)
	}
	s.stop(t)
}

func TestSettingTransfer(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, listener()+"transfer: { default_type: binary, checksums: [md5, crc32] }\nlisting: { hide_dot_files: true }\n"+
		"limits: { listing: { matches: 2, depth: 1, sort: 0 } }\n")
	ok(t, os.WriteFile(s.in("file"), []byte("123456789"), 0o644))
	ok(t, os.WriteFile(s.in(".hidden"), nil, 0o644))
	c := s.dial(t)
	ok(t, c.Identify(s.user, s.password))
	c.want(t, "SIZE file", 213) // refused under TYPE A
	if r := c.want(t, "HASH file", 213); !strings.Contains(r.Text(), "MD5 0-8 25f9e794323b453885f5181f1b624d0b") {
		t.Errorf("HASH: %s", r)
	}
	c.want(t, "XSHA256 file", 502)
	if r := c.want(t, "XCRC file", 250); !strings.Contains(strings.ToUpper(r.Text()), "CBF43926") {
		t.Errorf("XCRC: %s", r)
	}
	if got := string(c.get(t, "NLST")); got != "file\r\n" {
		t.Errorf("the listing is %q", got)
	}
	for _, name := range []string{"a1", "a2", "a3"} {
		ok(t, os.WriteFile(s.in(name), nil, 0o644))
	}
	c.refused(t, "NLST a*", 550)
	if got := strings.Count(string(c.get(t, "NLST a[12]")), "\n"); got != 2 {
		t.Errorf("%d matches", got)
	}
	s.stop(t)
}

// Who moves the bytes, and MODE Z.
func TestSettingCopies(t *testing.T) {
	strace := need(t, "strace")
	s := newPlace(t).serve(t, listener()+"transfer: { sendfile: false, buffers: 16KiB, tcp_nodelay: false, deflate: { enabled: false } }\n")
	noiseFile(t, s.in("down"), mib)
	c := s.login(t)
	c.want(t, "MODE Z", 504, 502)
	if r := c.want(t, "FEAT", 211); strings.Contains(r.String(), "MODE Z") {
		t.Errorf("FEAT tells MODE Z: %s", r)
	}
	calls := traced(t, s, strace, func() {
		if got := len(c.get(t, "RETR down")); got != mib {
			t.Errorf("%d bytes came down", got)
		}
		c.put(t, "STOR up", noise("up", mib))
	})
	if len(calls) > 0 {
		t.Errorf("the kernel was asked to move bytes: %v", calls)
	}
	lines := calledBy(t, s, strace, "setsockopt", func() { s.dial(t) })
	if !strings.Contains(lines, "TCP_NODELAY, [0]") {
		t.Errorf("no call switches TCP_NODELAY off:\n%s", lines)
	}
	lines = calledBy(t, s, strace, "read,write", func() { c.get(t, "RETR down") })
	if !strings.Contains(lines, " = 16384\n") || strings.Contains(lines, " = 32768\n") {
		t.Errorf("the buffer is not one of 16 KiB:\n%.2000s", lines)
	}
	s.stop(t)
}

// calledBy returns what strace prints of some system calls of the server while do
// runs.
func calledBy(t *testing.T, s *server, strace, names string, do func()) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "calls")
	cmd := program{name: strace, args: []string{"-f", "-p", strconv.Itoa(s.cmd.Process.Pid), "-e", "trace=" + names, "-o", out}}.command(t.Context(), t)
	said := newJournal()
	stderr := must(cmd.StderrPipe())(t)
	ok(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		said.scan(stderr)
		_ = cmd.Wait()
	}()
	if _, err := said.find(ended, stopWithin, func(l string) bool { return strings.Contains(l, "attached") }); err != nil {
		cannot(t, "strace cannot attach here: "+said.String())
	}
	do()
	ok(t, cmd.Process.Signal(os.Interrupt)) // it detaches
	<-ended
	return string(must(os.ReadFile(out))(t))
}

// A bounce is refused unless the file says otherwise, and so are privileged
// ports.
func TestSettingPorts(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, "listeners:\n"+
		"  - { name: a, address: \"127.0.0.1:0\", tls: { control: off }, active: { enabled: true } }\n"+
		"  - { name: b, address: \"127.0.0.1:0\", tls: { control: off }, active: { enabled: true, foreign_addresses: true, privileged_ports: true }, passive: { same_peer: false } }\n"+
		"  - { name: c, address: \"127.0.0.1:0\", tls: { control: off } }\n"+
		"  - { name: d, address: \"127.0.0.1:0\", tls: { control: off }, active: { enabled: true, replace_private: true } }\n")
	ok(t, os.WriteFile(s.in("file"), []byte("content"), 0o644))
	foreign := must(net.Listen("tcp", "127.0.0.2:0"))(t)
	defer foreign.Close()
	c := s.login(t)
	c.want(t, "PORT "+userpi.FormatPort(foreign.Addr()), 501)
	c.want(t, "PORT 127,0,0,1,3,255", 501)
	s.at(t, 2).login(t).want(t, "PORT 127,0,0,1,100,100", 502)
	s.at(t, 3).login(t).want(t, "PORT 10,0,0,9,100,100", 200)
	c.want(t, "PORT 10,0,0,9,100,100", 501)

	c = s.at(t, 1).login(t)
	c.want(t, "PORT 127,0,0,1,3,255", 200)
	c.want(t, "EPRT |1|127.0.0.1|1023|", 200)
	c.want(t, "PORT "+userpi.FormatPort(foreign.Addr()), 200)
	ok(t, c.Send("RETR file"))
	conn := must(foreign.Accept())(t)
	if got := string(must(readAll(conn))(t)); got != "content" {
		t.Errorf("the foreign address got %q", got)
	}
	for range 2 {
		_, err := c.Expect("RETR", 150, 125, 226)
		ok(t, err)
	}
	// And the other way round: somebody else connects to the passive port.
	to := must(userpi.Address(c.want(t, "EPSV", 229), c.Raw().RemoteAddr()))(t)
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}
	conn = must(from.DialContext(t.Context(), "tcp", to))(t)
	defer conn.Close()
	ok(t, c.Send("RETR file"))
	if got := string(must(readAll(conn))(t)); got != "content" {
		t.Errorf("the other client got %q", got)
	}
	s.stop(t)
}

func TestSettingPassivePorts(t *testing.T) {
	t.Parallel()
	passive := ports.Some(t, 2)
	s := newPlace(t).serve(t, listener("passive: { ports: ["+strings.Join(passive, ", ")+"], backlog: 3 }"))
	seen := map[string]bool{}
	var held []*session
	for range passive {
		c := s.login(t)
		held = append(held, c) // each keeps its port
		_, port, err := net.SplitHostPort(must(userpi.Address(c.want(t, "EPSV", 229), c.Raw().RemoteAddr()))(t))
		ok(t, err)
		seen[port] = true
	}
	if len(seen) != 2 || !seen[passive[0]] || !seen[passive[1]] {
		t.Errorf("ports %v, want %v", seen, passive)
	}
	s.login(t).want(t, "EPSV", 425)
	held[0].want(t, "EPSV", 229) // its own port is free again
	s.stop(t)
}

func jsonInto(line string, v any) error { return json.Unmarshal([]byte(line), v) }

// readAll reads a data connection to its end and closes it.
func readAll(conn net.Conn) ([]byte, error) {
	defer conn.Close()
	return io.ReadAll(conn)
}
