package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// suite is what all dialogues share.
type suite struct {
	serverTLS, clientTLS *tls.Config
	awake                time.Duration // edge.Timeouts.Awake
}

// patience bounds every single wait of a dialogue.
const patience = userpi.Timeout

// silence is how long another server may take to answer: where it does not, that is a result,
// and a hundred times so.
const silence = 10 * time.Second

// run is one dialogue under way.
type run struct {
	suite   *suite
	opt     *options
	fs      tree     // where the dialogue makes files and looks at them
	served  vfs.FS   // what this process's server serves
	foreign *foreign // the server of another process that is spoken to instead, or nil
	srv     *server
	clients map[string]*client
	at      string // the client that speaks
	vars    names
	script  transcript
	watch   stopwatch
	mayEnd  bool // the server may have closed the connection: what is said on it is left out then
	over    bool // it has
	// stranger is a TLS client that does not share the session's secrets.
	stranger *tls.Config
	seen     int // events that were waited for, or passed over
}

// client is one control connection of a dialogue and its data connection.
type client struct {
	*userpi.Client
	last     userpi.Reply
	passive  string // the address in the last 227 or 229
	former   string // the one before that
	listener net.Listener
	data     net.Conn
	sent     chan error // what pipeline came to
}

func newRun(s *suite) *run {
	return &run{
		suite: s, opt: newOptions(s), at: "first", clients: map[string]*client{},
		vars: names{"user": user, "password": password},
	}
}

// play runs one dialogue against a server of its own, over a filesystem in memory.
func play(t *testing.T, s *suite, path string, d dialogue) {
	r, mem := newRun(s), vfs.NewMem()
	r.fs, r.served = mem, mem
	settle(t, path, d.title, r, r.perform(t.Context(), d))
}

// settle ends a dialogue and says how it went.
func settle(t *testing.T, path, title string, r *run, err error) {
	t.Helper()
	if closing := r.close(); closing != nil {
		t.Error(closing)
	}
	if r.script.wanted || err != nil {
		t.Logf("%s, %s\n%s", path, title, &r.script)
	}
	if os.Getenv("CI") != "true" && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
		t.Skipf("this host lacks an address: %v", err)
	}
	if err != nil {
		t.Fatalf("%s:%v", path, err)
	}
}

// fault is a step that went otherwise than the script says.
type fault struct {
	command string // the last one that was sent before
	step    step
	err     error
}

func (f *fault) Error() string {
	return fmt.Sprintf("%d: %s %s: %v", f.step.line, f.step.word, clip(f.step.rest), f.err)
}

func (f *fault) Unwrap() error { return f.err }

// perform carries out a dialogue from its first step to its last one.
func (r *run) perform(ctx context.Context, d dialogue) error {
	command := ""
	for _, st := range d.steps {
		if err := r.attempt(ctx, st); err != nil {
			return &fault{command, st, err}
		}
		switch st.word {
		case "C:", "raw", "urgent", "long":
			command = strings.TrimPrefix(st.word+" "+st.rest, "C: ")
		}
	}
	return nil
}

func (r *run) close() error {
	for _, c := range r.clients {
		c.closeData()
		_ = c.Close()
	}
	if r.srv == nil {
		return nil
	}
	return r.srv.stop()
}

// step carries one step out.
func (r *run) step(ctx context.Context, st step) error {
	switch st.word {
	case "C:":
		c, err := r.client(ctx)
		if err != nil {
			return err
		}
		line, err := unescape(r.vars.fill(st.rest))
		if err != nil {
			return err
		}
		return c.Send(line)
	case "S:":
		c, err := r.client(ctx)
		if err != nil {
			return err
		}
		return r.expect(c, st)
	}
	args, err := words(r.vars.fill(st.rest))
	if err != nil {
		return err
	}
	if handled, err := r.prepare(st.word, args); handled {
		return err
	}
	if handled, err := r.check(ctx, st.word, args); handled {
		return err
	}
	return r.control(ctx, st.word, args)
}

// prepare carries out the steps that need no server.
func (r *run) prepare(word string, args []string) (handled bool, err error) {
	switch word {
	case "server":
		if r.foreign != nil {
			return true, elsewhere("it needs settings of its own (server " + strings.Join(args, " ") + ")")
		}
		if r.srv != nil || len(args) == 0 {
			return true, errors.New("a server's options stand before the first connection")
		}
		return true, r.opt.set(args)
	case "tls12", "tickets":
		old := *r.suite
		old.clientTLS = old.clientTLS.Clone()
		if word == "tls12" {
			old.clientTLS.MaxVersion = tls.VersionTLS12
		} else {
			old.clientTLS.ClientSessionCache = &singleUse{}
		}
		r.suite = &old
		return true, nil
	case "transcript":
		r.script.wanted = true
		return true, nil
	case "own":
		if r.foreign != nil {
			return true, elsewhere("it is about this server's own choices")
		}
		return true, nil
	case "file", "dir", "link", "many", "chmod", "touch":
		return true, r.make(word, args)
	case "session":
		if len(args) != 1 {
			return true, errors.New("session takes one name")
		}
		r.at = args[0]
		return true, nil
	}
	return false, nil
}

// client returns the connection that speaks, and makes it first if need be.
func (r *run) client(ctx context.Context) (*client, error) {
	if c := r.clients[r.at]; c != nil {
		return c, nil
	}
	addr, err := r.address(ctx)
	if err != nil {
		return nil, err
	}
	pi, err := userpi.Dial(addr)
	if err != nil {
		return nil, err
	}
	if r.foreign != nil {
		pi.Lenient, pi.Timeout = true, silence
	}
	pi.Trace = r.script.of(r.at)
	c := &client{Client: pi}
	r.clients[r.at] = c
	return c, nil
}

// address is where the server is; one of this process is started first.
func (r *run) address(ctx context.Context) (string, error) {
	if r.foreign != nil {
		return r.foreign.addr, nil
	}
	if r.srv == nil {
		served, err := r.opt.over(r.served)
		if err != nil {
			return "", err
		}
		srv, err := serve(context.WithoutCancel(ctx), r.opt.conf, served, r.opt.rules)
		if err != nil {
			return "", err
		}
		r.srv = srv
	}
	return r.srv.Addresses()[0].String(), nil
}

// control carries out the steps on the control connection, and hands those on
// the data connection on.
func (r *run) control(ctx context.Context, word string, args []string) error {
	c, err := r.client(ctx)
	if err != nil {
		return err
	}
	switch word {
	case "login":
		return r.login(c, args)
	case "binary":
		_, err := c.Must("TYPE I", 200)
		return err
	case "protect":
		return c.Protect(r.suite.clientTLS)
	case "private":
		return c.Private()
	case "tls":
		return r.handshake(c, args)
	case "data":
		r.script.note(r.at, "data "+strings.Join(args, " "))
		return r.dataStep(c, args)
	case "moved":
		return c.moved(ctx, strings.Join(args, ""))
	case "long", "pipeline", "pipelined":
		return c.flood(word, args)
	case "raw":
		r.script.note(r.at, fmt.Sprintf("raw %q", strings.Join(args, "")))
		_, err := c.Write([]byte(strings.Join(args, "")))
		return err
	case "urgent":
		r.script.note(r.at, fmt.Sprintf("urgent %q", strings.Join(args, "")))
		return urgent(c.Raw(), strings.Join(args, ""))
	}
	if handled, err := r.behave(ctx, c, word, args); handled {
		return err
	}
	return r.end(c, word, args)
}

// end carries out the steps in which one side ends the control connection.
func (r *run) end(c *client, word string, args []string) error {
	r.script.note(r.at, word+" "+strings.Join(args, " "))
	switch word {
	case "closed":
		return c.Closed()
	case "closed-after-alert": // TLS's own last words are no reply
		_ = c.Raw().SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, c.Raw())
		return err
	case "half-close":
		return c.Raw().(*net.TCPConn).CloseWrite()
	case "control":
		if strings.Join(args, "") != "reset" {
			return errors.New("control takes the word reset")
		}
		return userpi.Reset(c.Raw())
	}
	return fmt.Errorf("%s is not a step", word)
}

func (r *run) login(c *client, args []string) error {
	switch len(args) {
	case 0:
		return c.Login(r.vars["user"], r.vars["password"])
	case 1:
		return c.Login(args[0], password)
	}
	return c.Identify(args[0], args[1])
}

func (r *run) handshake(c *client, args []string) error {
	r.script.note(r.at, "(handshake)")
	conf := r.suite.clientTLS
	if len(args) == 1 && args[0] == "nameless" {
		conf = conf.Clone()
		conf.ServerName = "127.0.0.1" // an address is not sent (RFC 6066 §3)
	}
	err := c.StartTLS(conf)
	if len(args) == 1 && args[0] == "fails" {
		if err == nil {
			return errors.New("the handshake succeeded")
		}
		return nil
	}
	return err
}

// expect reads one reply and compares it.
func (r *run) expect(c *client, st step) error {
	got, err := c.Reply()
	if err != nil {
		return fmt.Errorf("no reply: %w", err)
	}
	c.last = got
	if got.Code == 227 || got.Code == 229 {
		c.former = c.passive
		if c.passive, err = userpi.Address(got, c.Raw().RemoteAddr()); err != nil {
			return err
		}
	}
	m := codes.FindStringSubmatch(st.rest)
	if !strings.Contains("|"+m[1]+"|", fmt.Sprintf("|%03d|", got.Code)) {
		return fmt.Errorf("the reply is %q", got)
	}
	if m[2] == "-" {
		return r.expectLines(got, append([]string{m[3]}, st.more...))
	}
	if m[3] == "" {
		return nil
	}
	for _, line := range got.Lines {
		if err = r.vars.match(m[3], strings.TrimPrefix(line, " ")); err == nil {
			return nil
		}
	}
	return err
}

// expectLines compares a reply of several lines.
func (r *run) expectLines(got userpi.Reply, want []string) error {
	last := len(want) - 1
	want[last] = codes.FindStringSubmatch(want[last])[3]
	for _, i := range []int{0, last} {
		if want[i] == "" {
			want[i] = "*"
		}
	}
	if err := r.matchLines(want, got.Lines); err != nil {
		return fmt.Errorf("%w in the reply %q", err, got)
	}
	return nil
}

// matchLines compares lines; "..." stands for any number of them.
func (r *run) matchLines(want, got []string) error {
	switch {
	case len(want) == 0 && len(got) > 0:
		return fmt.Errorf("there are also the lines %q", got)
	case len(want) == 0:
		return nil
	case want[0] == "...":
		var err error
		for skip := range len(got) + 1 {
			if err = r.matchLines(want[1:], got[skip:]); err == nil {
				return nil
			}
		}
		return fmt.Errorf("no place for the lines %q", want[1:])
	case len(got) == 0:
		return fmt.Errorf("no line %q", want[0])
	}
	if err := r.vars.match(want[0], got[0]); err != nil {
		return err
	}
	return r.matchLines(want[1:], got[1:])
}

// until returns a context for one wait.
func until(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, time.Now().Add(patience))
}
