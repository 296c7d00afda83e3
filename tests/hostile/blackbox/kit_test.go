package blackbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// form is how a server is set up for a case.
type form int

const (
	usual       form = iota // TLS as the client likes, 1,000 sessions an address
	protected               // TLS required, on data connections too
	fewPorts                // ten ports for data connections
	fewSessions             // twenty sessions an address
	fewFiles                // 256 descriptors a process
	forms
)

// flatMemory is what an attack may cost a server, in bytes.
const flatMemory = 64 << 20

// soon is within which others have to be served during and after an attack: a login and
// a file. It is that long for the sake of busy machines; a server that waits for an
// attacker takes longer.
const soon = 10 * time.Second

// attack is one case.
type attack struct {
	name    string // as the threat list has it
	row     int    // of that list
	correct string
	try     func(*trial)
	form    form
	// patient cases wait more than they work, and run at the same time.
	patient bool
	// long cases take more than a second, and are not part of the short form.
	long bool
}

// trial is one case that is tried on one server. It belongs to the goroutine of the
// case; what is said of others may be used by those that the case starts.
type trial struct {
	*peers.Server
	a      attack
	ctx    context.Context
	net    byte   // its addresses are 127.net.0.0/16
	dir    string // its directory on the host
	cwd    string // the same as clients see it
	full   bool   // the long form
	result verdict

	mu      sync.Mutex
	conns   []net.Conn
	cleanup []func()
}

// verdict is what came of a trial.
type verdict struct {
	word   string // "ok", "fail" or "n/a"
	detail string
}

// late reports whether the case failed because something did not come in time or the
// attacker was not let in, which a busy machine may do as well as the server.
func (v verdict) late() bool {
	return v.word == "fail" && slices.ContainsFunc([]string{"i/o timeout", "others ", " takes ", "no session: "}, func(s string) bool { return strings.Contains(v.detail, s) })
}

// run tries the case. It is over within a minute and a half.
func (t *trial) run() verdict {
	ctx, cancel := context.WithTimeout(t.ctx, 90*time.Second)
	defer cancel()
	t.ctx = ctx
	done := make(chan struct{})
	t.result = verdict{"fail", "it came to no end"}
	go func() {
		defer close(done)
		defer t.hangUp()
		if err := t.prepare(); err != nil {
			t.fail("the directory: %v", err)
		}
		t.a.try(t)
		t.result = verdict{word: "ok"}
	}()
	select {
	case <-done:
		return t.result
	case <-ctx.Done():
		t.hangUp() // which ends what it waits for
		select {
		case <-done:
			return t.result
		case <-time.After(5 * time.Second):
			return verdict{"fail", "it came to no end"}
		}
	}
}

// prepare makes the directory of the case, in a root that no case before has closed.
func (t *trial) prepare() error {
	if err := os.Chmod(t.Root, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(t.dir, 0o755); err != nil {
		return err
	}
	return t.give(t.dir)
}

// fail ends the case.
func (t *trial) fail(format string, args ...any) { t.end("fail", format, args...) }

// absent ends the case on a server that has not what is asked, and says so.
func (t *trial) absent(format string, args ...any) { t.end("n/a", format, args...) }

func (t *trial) end(word, format string, args ...any) {
	t.result = verdict{word, fmt.Sprintf(format, args...)}
	runtime.Goexit()
}

func (t *trial) must(err error) {
	if err != nil {
		_, _, line, _ := runtime.Caller(1)
		t.fail("%v (line %d)", err, line)
	}
}

// check fails the case unless something holds.
func (t *trial) check(holds bool, format string, args ...any) {
	if !holds {
		t.fail(format, args...)
	}
}

// later is done when the case has ended.
func (t *trial) later(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanup = append(t.cleanup, f)
}

// hangUp closes all connections of the case.
func (t *trial) hangUp() {
	t.mu.Lock()
	conns, cleanup := t.conns, t.cleanup
	t.conns, t.cleanup = nil, nil
	t.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	for _, f := range cleanup {
		f()
	}
}

// from is an address of the case's own.
func (t *trial) from(n int) net.IP {
	if runtime.GOOS != "linux" {
		return net.IPv4(127, 0, 0, 1)
	}
	return net.IPv4(127, t.net, byte(n/200), byte(1+n%200))
}

// dialAt connects to an address of the server from the n-th address. Others may use it.
func (t *trial) dialAt(n int, addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: t.from(n)}, Timeout: 5 * time.Second}
	conn, err := d.DialContext(t.ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns = append(t.conns, conn)
	return conn, nil
}

// open opens a control connection. Others may use it.
func (t *trial) open(n int) (*userpi.Client, error) {
	conn, err := t.dialAt(n, t.Addr)
	if err != nil {
		return nil, err
	}
	c := userpi.New(conn)
	c.Timeout, c.Lenient = 2*userpi.Timeout, true
	return c, nil
}

// session logs in from the n-th address, and goes to the case's directory. Others may
// use it.
func (t *trial) session(n int, over *tls.Config) (*userpi.Client, error) {
	c, err := t.open(n)
	if err != nil {
		return nil, err
	}
	if _, err := c.Expect("the connection", 220); err != nil {
		return nil, err
	}
	if over != nil {
		if err := t.auth(c, over); err != nil {
			return nil, err
		}
	}
	if err := c.Identify(peers.User, peers.Password); err != nil {
		return nil, err
	}
	if over != nil {
		if err := c.Private(); err != nil {
			return nil, err
		}
	}
	if _, err := c.Must("TYPE I", 200); err != nil {
		return nil, err
	}
	_, err = c.Must("CWD "+t.cwd, 250)
	return c, err
}

func (t *trial) auth(c *userpi.Client, conf *tls.Config) error {
	if _, err := c.Must("AUTH TLS", 234); err != nil {
		return err
	}
	return c.StartTLS(conf)
}

// meet opens a control connection and reads the greeting.
func (t *trial) meet(n int) *userpi.Client {
	c, err := t.open(n)
	if err == nil {
		_, err = c.Expect("the connection", 220)
	}
	t.check(err == nil, "no session: %v", err)
	return c
}

// login opens a session in the clear.
func (t *trial) login(n int) *userpi.Client {
	c, err := t.session(n, nil)
	t.check(err == nil, "no session: %v", err)
	return c
}

// secure opens a session over TLS, with protected data connections.
func (t *trial) secure(n int) *userpi.Client {
	c, err := t.session(n, anyTLS())
	t.check(err == nil, "no session: %v", err)
	return c
}

// anyTLS is a client's configuration that trusts everybody.
func anyTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: userpi.ServerName, MinVersion: tls.VersionTLS12}
}

// do sends a command whose reply must have one of the codes.
func (t *trial) do(c *userpi.Client, line string, codes ...int) userpi.Reply {
	r, err := c.Must(line, codes...)
	t.must(err)
	return r
}

// refused sends a command that must be refused.
func (t *trial) refused(c *userpi.Client, line string) userpi.Reply {
	r, err := c.Do(line)
	if err != nil {
		t.fail("%.60q: %v", line, err)
	}
	t.check(r.Code >= 400, "%.60q was answered %q", line, r)
	return r
}

// inStep holds that the session answers what it is asked, and nothing else.
func (t *trial) inStep(c *userpi.Client, after string) {
	r, err := c.Do("PWD")
	t.check(err == nil && r.Code == 257, "after %.60q PWD was answered %v, %v", after, r, err)
	r, err = c.Do("NOOP")
	t.check(err == nil && r.Code == 200, "after %.60q NOOP was answered %v, %v", after, r, err)
}

// passive asks for a port and returns its address. Others may use it.
func passive(c *userpi.Client) (string, error) {
	r, err := c.Must("EPSV", 229)
	if err != nil {
		return "", err
	}
	return userpi.Address(r, c.Raw().RemoteAddr())
}

// begin starts a transfer and keeps its data connection until the end of the case.
func (t *trial) begin(c *userpi.Client, line string) net.Conn {
	conn, err := begin(c, line)
	t.must(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns = append(t.conns, conn)
	return conn
}

// begin starts a transfer. Unlike userpi's it connects before it reads the mark,
// because some servers wait for that.
func begin(c *userpi.Client, line string) (net.Conn, error) {
	p, err := c.Prepare(userpi.EPSV)
	if err != nil {
		return nil, err
	}
	if err := c.Send(line); err != nil {
		return nil, err
	}
	conn, broken := p.Open()
	r, err := c.Reply()
	if err == nil && !r.Is(125, 150) {
		err = &userpi.Unexpected{Command: line, Reply: r}
	}
	if err = errors.Join(err, broken); err != nil {
		if broken == nil {
			conn.Close()
		}
		return nil, err
	}
	return c.Secure(conn)
}

// fetch runs a command that sends something.
func fetch(c *userpi.Client, line string) ([]byte, error) {
	conn, err := begin(c, line)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	data, err := io.ReadAll(conn)
	if err != nil {
		return data, err
	}
	conn.Close()
	_, err = c.Expect(line, 226, 250)
	return data, err
}

// get runs a command that sends something; a refusal is an error.
func (t *trial) get(c *userpi.Client, line string) (string, error) {
	data, err := fetch(c, line)
	return string(data), err
}

// put uploads a file.
func (t *trial) put(c *userpi.Client, line, text string) error {
	conn, err := begin(c, line)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	if err := userpi.End(conn); err != nil {
		return err
	}
	_, err = c.Expect(line, 226, 250)
	return err
}

// others holds that somebody else, at another address, is served in time.
func (t *trial) others(within time.Duration) {
	began := time.Now()
	if err := visit(t.ctx, t.Server, t.net, t.a.form == protected, within); err != nil {
		t.fail("others are not served after %v: %v", time.Since(began).Round(time.Millisecond), err)
	}
	if took := time.Since(began); took > within {
		t.fail("others waited for %v", took.Round(time.Millisecond))
	}
}

// flat holds that the server does not have much more memory than before.
func (t *trial) flat(before int64) {
	now := t.memory()
	t.check(now-before <= flatMemory, "memory went from %d to %d MiB", before>>20, now>>20)
}

func (t *trial) memory() int64 {
	n, err := t.Memory()
	t.must(err)
	return n
}

// until waits for something and reports whether it came about in time.
func (t *trial) until(within time.Duration, holds func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(within)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			return holds()
		case <-t.ctx.Done():
			return false
		}
	}
	return true
}

// pause lets time pass for an attack that is slow by nature.
func (t *trial) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
	}
}

// state is how many descriptors and processes the server has.
type state struct{ open, processes int }

func (t *trial) state() state {
	open, processes := t.Descriptors()
	return state{open, processes}
}

// givenBack holds that what an attack took is returned.
func (t *trial) givenBack(before state, within time.Duration) {
	var now state
	ok := t.until(within, func() bool {
		now = t.state()
		return now.open <= before.open+8 && now.processes <= before.processes+2
	})
	t.check(ok, "descriptors went from %d to %d, processes from %d to %d", before.open, now.open, before.processes, now.processes)
}

// host is the path of something in the case's directory.
func (t *trial) host(name string) string { return filepath.Join(t.dir, name) }

// give hands a file to the server's user.
func (t *trial) give(path string) error {
	uid, gid, ok := strings.Cut(t.Owner, ":")
	if !ok {
		return nil
	}
	u, err := strconv.Atoi(uid)
	g, err2 := strconv.Atoi(gid)
	return errors.Join(err, err2, os.Lchown(path, u, g))
}

// plant makes a file.
func (t *trial) plant(name, text string) {
	t.must(os.WriteFile(t.dir+"/"+name, []byte(text), 0o644))
	t.must(t.give(t.dir + "/" + name))
}

// plantDir makes a directory.
func (t *trial) plantDir(name string) {
	t.must(os.Mkdir(t.host(name), 0o755))
	t.must(t.give(t.host(name)))
}

// plantHole makes a file that has a size and no contents.
func (t *trial) plantHole(name string, size int64) {
	t.plant(name, "")
	t.must(os.Truncate(t.host(name), size))
}

// link makes a symbolic link.
func (t *trial) link(target, name string) {
	t.must(os.Symlink(target, t.host(name)))
	t.must(t.give(t.host(name)))
}

// has reports whether there is something of that name in the case's directory.
func (t *trial) has(name string) bool {
	_, err := os.Lstat(t.dir + "/" + name)
	return !errors.Is(err, fs.ErrNotExist)
}

// read returns what is in a file, or nothing.
func (t *trial) read(name string) string {
	text, _ := os.ReadFile(t.host(name))
	return string(text)
}

// visit is an honest client: login, a file, and off.
func visit(ctx context.Context, s *peers.Server, from byte, protect bool, within time.Duration) error {
	d := net.Dialer{Timeout: within}
	if runtime.GOOS == "linux" {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, from, 250, 1)}
	}
	conn, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	c := userpi.New(conn)
	c.Timeout, c.Lenient = within, true
	if _, err := c.Expect("the connection", 220); err != nil {
		return err
	}
	if protect {
		if err := c.Protect(anyTLS()); err != nil {
			return err
		}
	}
	if err := c.Identify(peers.User, peers.Password); err != nil {
		return err
	}
	if _, err := c.Must("TYPE I", 200); err != nil {
		return err
	}
	data, err := fetch(c, "RETR /"+witness)
	if err == nil && string(data) != witnessed {
		err = fmt.Errorf("%s holds %.40q", witness, data)
	}
	_, _ = c.Do("QUIT")
	return err
}

// witness is a file that honest clients fetch.
const (
	witness   = "witness.txt"
	witnessed = "all is well\n"
)

// onlyRoot ends a case that cannot be tried here; in the gate that is a failure.
func (t *trial) onlyRoot(err error) {
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.fail("%v", err)
	}
	t.absent(notHere+": %v", err)
}

// notHere begins what is told of a case that needs rights which the test has not.
const notHere = "this machine does not permit it"

func TestFrom(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is only one address")
	}
	one := &trial{net: 7}
	seen := map[string]bool{}
	for n := range 600 {
		seen[one.from(n).String()] = true
	}
	if len(seen) != 600 || !seen["127.7.0.1"] {
		t.Errorf("there are %d addresses", len(seen))
	}
}
