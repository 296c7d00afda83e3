package ftpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// ours starts a server of this tree that serves a directory with TLS and asks data
// connections to resume, and returns how to log in.
func ours(t *testing.T, version uint16) (root string, conf Config) {
	t.Helper()
	root = t.TempDir()
	server, client, err := userpi.ThrowAway()
	check(t, err)
	server.MaxVersion = version
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: root})
	check(t, err)
	hash, err := edge.HashPassword("secret")
	check(t, err)
	people, err := users.New(users.Config{Users: []users.User{{Name: "anna", PasswordHash: hash, Perms: policy.PermAll}}})
	check(t, err)
	srv, err := edge.New(edge.Config{FS: disk, Log: slog.New(slog.DiscardHandler),
		Listeners: []edge.Listener{{Name: "main", Address: "127.0.0.1:0", TLS: server, Require: edge.TLSRequired, Binding: dtp.BindRequire}},
		Policies:  []edge.Slot{{Name: "users", Policy: people}}})
	check(t, err)
	check(t, srv.Listen(t.Context()))
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	t.Cleanup(func() {
		check(t, srv.Shutdown(context.Background()))
		check(t, <-served)
		check(t, disk.Close())
	})
	return root, login(srv.Addresses()[0].String(), client)
}

// login is a Config for a server on this machine.
func login(addr string, conf *tls.Config) Config {
	at := netip.MustParseAddrPort(addr)
	target := &Target{Host: at.Addr().String(), Port: at.Port()}
	if conf == nil {
		target.Security = Plain
	}
	return Config{Target: target, User: "anna", Password: "secret", TLS: conf, Timeout: 5 * time.Second}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, conf Config) *Session {
	t.Helper()
	s, err := Dial(t.Context(), conf)
	check(t, err)
	t.Cleanup(s.Close)
	return s
}

// here opens a new directory for downloads.
func here(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "here")
	root, err := OpenDir(dir)
	check(t, err)
	t.Cleanup(func() { check(t, root.Close()) })
	return root, dir
}

// names are all files and directories below dir.
func names(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	check(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, p); rel != "." {
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	}))
	return strings.Join(all, " ")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(name), 0o755))
	check(t, os.WriteFile(name, []byte(text), 0o644))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	check(t, err)
	return string(text)
}

// fake is a server that says what a test wants. Its answers have the key of a command's
// verb, or of the whole command.
type fake struct {
	script // what the test writes
	l      net.Listener

	mu       sync.Mutex
	shown    script // what new connections see: that of the last publish
	shortly  bool   // short was once
	taken    int    // connections
	commands []string
	stored   bytes.Buffer
	wait     sync.WaitGroup
	conns    []net.Conn
}

// script is what a fake does.
type script struct {
	tls     *tls.Config
	answers map[string]string
	files   map[string]string // of RETR
	list    string            // of MLSD and LIST
	cut     bool              // end data connections without close_notify
	short   int               // so many bytes of the first RETR, and then the end of everything
	early   string            // behind the reply to AUTH TLS
	foreign bool              // PASV names another host
	most    int               // connections are taken; 0 is no limit
}

// publish shows the script to the connections to come.
func (f *fake) publish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shown = f.script
	f.shown.answers, f.shown.files = maps.Clone(f.answers), maps.Clone(f.files)
}

func newFake(t *testing.T, answers map[string]string) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	f := &fake{l: l, script: script{answers: answers, files: map[string]string{}}}
	f.publish()
	f.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.keep(conn)
			f.wait.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		f.wait.Wait()
	})
	return f
}

func (f *fake) keep(c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, c)
}

// conf publishes the script, and is how to log in.
func (f *fake) conf() Config {
	f.publish()
	return login(f.l.Addr().String(), nil)
}

// said reports whether a client has sent a command that begins so.
func (f *fake) said(prefix string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.commands {
		if strings.HasPrefix(c, prefix) {
			return true
		}
	}
	return false
}

// talk is one connection of a fake.
type talk struct {
	script
	f    *fake
	conn net.Conn
	data net.Listener
	rest int
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	f.mu.Lock()
	c := &talk{script: f.shown, f: f, conn: conn}
	f.taken++
	full := c.most > 0 && f.taken > c.most
	f.mu.Unlock()
	if full {
		c.say("421 too many")
		return
	}
	c.say(c.answer("GREETING", "220 hello"))
	buf := make([]byte, 0, 4096)
	for {
		at := bytes.IndexByte(buf, '\n')
		if at < 0 {
			n, err := c.conn.Read(buf[len(buf):cap(buf)])
			if buf = buf[:len(buf)+n]; err != nil {
				return
			}
			continue
		}
		line := strings.TrimRight(string(buf[:at]), "\r\n")
		buf = append(make([]byte, 0, 4096), buf[at+1:]...)
		f.mu.Lock()
		f.commands = append(f.commands, line)
		f.mu.Unlock()
		if !c.obey(line) {
			return
		}
	}
}

func (c *talk) say(text string) {
	if text != "" {
		_, _ = c.conn.Write([]byte(text + "\r\n"))
	}
}

func (s *script) answer(key, otherwise string) string {
	if a, ok := s.answers[key]; ok {
		return a
	}
	return otherwise
}

func (c *talk) obey(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	usual := map[string]string{"USER": "331 password", "PASS": "230 in", "FEAT": "211-features\r\n MLST\r\n SIZE\r\n REST STREAM\r\n211 end",
		"TYPE": "200 ok", "PWD": `257 "/"`, "PBSZ": "200 ok", "PROT": "200 ok", "QUIT": "221 bye", "REST": "350 ok", "CWD": "250 ok", "MKD": "257 made",
		"DELE": "250 gone", "RMD": "250 gone", "SIZE": "550 none", "MLST": "550 none"}
	if a, ok := c.answers[line]; ok {
		c.say(a)
		return true
	}
	if a, ok := c.answers[verb]; ok {
		c.say(a)
		return true
	}
	switch text, found := c.files[arg]; {
	case verb == "AUTH" && c.tls != nil:
		c.say("234 begin" + c.early)
		tc := tls.Server(c.conn, c.tls)
		c.f.keep(tc)
		c.conn = tc
	case verb == "EPSV" || verb == "PASV":
		return c.passive(verb)
	case verb == "SIZE" && found:
		c.say(fmt.Sprint("213 ", len(text)))
	case verb == "REST":
		_, _ = fmt.Sscan(arg, &c.rest)
		c.say("350 ok")
	case verb == "RETR" && found:
		return c.send(text[c.rest:])
	case verb == "MLSD" || verb == "LIST":
		return c.send(c.list)
	case verb == "STOR" || verb == "APPE":
		return c.receive()
	default:
		if c.say(usual[verb]); usual[verb] == "" {
			c.say("500 what?")
		}
	}
	return true
}

func (c *talk) passive(verb string) bool {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return false
	}
	c.data = l
	port := l.Addr().(*net.TCPAddr).Port
	host := "127,0,0,1"
	if c.foreign {
		host = "127,0,0,2"
	}
	if verb == "EPSV" {
		c.say(fmt.Sprintf("229 go (|||%d|)", port))
	} else {
		c.say(fmt.Sprintf("227 go (%s,%d,%d)", host, port>>8, port&255))
	}
	return true
}

func (c *talk) accept() (net.Conn, bool) {
	if c.data == nil {
		return nil, false
	}
	conn, err := c.data.Accept()
	_ = c.data.Close()
	c.data = nil
	if err != nil {
		return nil, false
	}
	c.f.keep(conn)
	c.say("150 go")
	return conn, true
}

func (c *talk) send(text string) bool {
	raw, ok := c.accept()
	if !ok {
		return false
	}
	defer raw.Close()
	c.rest = 0
	if n := c.short; n > 0 && n < len(text) && c.f.first() {
		_, _ = raw.Write([]byte(text[:n]))
		return false
	}
	if c.tls == nil {
		_, _ = raw.Write([]byte(text))
	} else {
		tc := tls.Server(raw, c.tls)
		_, _ = tc.Write([]byte(text))
		if !c.cut {
			_ = tc.CloseWrite()
		}
	}
	_ = raw.Close()
	c.say(c.answer("END", "226 done"))
	return true
}

// first is true once.
func (f *fake) first() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.shortly
	f.shortly = true
	return !before
}

func (c *talk) receive() bool {
	raw, ok := c.accept()
	if !ok {
		return false
	}
	defer raw.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(raw)
	c.f.mu.Lock()
	c.f.stored.Write(b.Bytes())
	c.f.mu.Unlock()
	c.say("226 done")
	return true
}
