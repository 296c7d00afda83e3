package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// secretWord stands in the values of panics, and must not stand in a log.
const secretWord = "zeal-otter-93"

// record is a log that is read while it is written.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

// bomb is a policy that panics once at each of its stages that is armed.
type bomb struct {
	at   string
	once sync.Once
}

func (b *bomb) Name() string { return "bomb" }

func (b *bomb) Hooks() policy.Hooks {
	h := policy.Hooks{Authenticator: b, Authorizer: b, Lister: b, Commander: b}
	switch b.at {
	case "filter":
		h.Filter = b
	case "tap":
		h.Filter, h.Tap = b, true
	case "throttle", "throttle again":
		h.Throttler = b
	case "observer":
		h.Observer = b
	}
	return h
}

func (b *bomb) strike(at string, value any) {
	if b.at == at {
		b.once.Do(func() { panic(value) })
	}
}

func (b *bomb) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.User == "eve" {
		b.strike("auth", errors.New("the password "+l.Password+" is none"))
		b.strike("auth value", l)
	}
	return policy.Identity{}, nil
}

func (b *bomb) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	b.strike("fs", struct{ word string }{secretWord})
	if a.Op == policy.OpCommit {
		b.strike("commit", "commit")
	}
	return policy.Answer{}, nil
}

func (b *bomb) List(context.Context, *policy.Listing) (policy.View, error) {
	b.strike("list", "list")
	return policy.View{}, nil
}

func (b *bomb) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	if c.Verb == "SYST" {
		b.strike("cmd", "cmd")
	}
	return policy.Answer{}, nil
}

func (b *bomb) Filter(context.Context, *policy.Chunk) (policy.Piece, error) {
	b.strike(b.at, "filter")
	return policy.Piece{}, nil
}

func (b *bomb) Throttle(_ context.Context, t *policy.Transfer) (policy.Rate, error) {
	if b.at == "throttle" || t.Took > 0 {
		b.strike(b.at, "throttle")
	}
	return policy.Rate{TTL: time.Millisecond}, nil
}

func (b *bomb) Observe(context.Context, *policy.Event) error {
	b.strike("observer", "observer")
	return nil
}

func (b *bomb) Close() error {
	b.strike("close", "close")
	return nil
}

// mined is a filesystem that panics.
type mined struct {
	*vfs.Mem
	at string
}

func (m mined) Open(p vfs.Path) (vfs.File, error) {
	if m.at == "open" {
		panic("open")
	}
	f, err := m.Mem.Open(p)
	if m.at == "read" && err == nil {
		return minedFile{f}, nil
	}
	return f, err
}

func (m mined) ReadDir(p vfs.Path) (vfs.Dir, error) {
	if m.at == "readdir" {
		panic("readdir")
	}
	return m.Mem.ReadDir(p)
}

func (m mined) Stage(p vfs.Path, opt vfs.StageOptions) (vfs.Stage, error) {
	s, err := m.Mem.Stage(p, opt)
	if m.at == "interrupt" && err == nil {
		return minedStage{s}, nil
	}
	return s, err
}

type minedStage struct{ vfs.Stage }

func (minedStage) Interrupt() { panic("interrupt") }

// minedMemory panics once.
type minedMemory struct{ once *sync.Once }

func (minedMemory) Load() ([]byte, error) { return nil, nil }

func (m minedMemory) Save([]byte) error {
	m.once.Do(func() { panic("memory") })
	return nil
}

type minedFile struct{ vfs.File }

func (minedFile) Read([]byte) (int, error) { panic("read") }

// minedConn panics at the read after it is armed.
type minedConn struct {
	net.Conn
	armed chan struct{}
}

func (c minedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if isClosed(c.armed) {
		panic("conn")
	}
	return n, err
}

// minedListener accepts one connection that panics when it is asked where it comes from.
type minedListener struct {
	net.Listener
	once *sync.Once
}

func (l minedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.once.Do(func() { conn = nameless{conn} })
	}
	return conn, err
}

type nameless struct{ net.Conn }

func (nameless) RemoteAddr() net.Addr { panic("address") }

// limiter panics in the middle of a transfer.
type limiter struct{}

func (limiter) Slice() int { return 1 << 10 }

func (limiter) Wait(_ context.Context, n int) error {
	if n > 0 {
		panic("limiter")
	}
	return nil
}

// mine is a place where something of a session panics.
type mine struct {
	name string
	set  func(c *Config)
	step func(r *rig)
}

// policyMine is one in a policy's hook.
func policyMine(at string, step func(r *rig)) mine {
	return mine{at, func(c *Config) { c.Policies = append(c.Policies, Slot{Name: "bomb", Policy: &bomb{at: at}}) }, step}
}

func fsMine(at string, step func(r *rig)) mine {
	return mine{at, func(c *Config) { c.FS = mined{c.FS.(*vfs.Mem), at} }, step}
}

// tell sends a line, and does not care what comes of it.
func tell(line string) func(r *rig) {
	return func(r *rig) { r.must(r.login().Send(line)) }
}

// store stores a file, whatever comes of it.
func store(r *rig) {
	c := r.login()
	if conn, err := c.Begin(userpi.EPSV, "STOR a"); err == nil {
		_, _ = conn.Write(make([]byte, 100<<10))
		_ = conn.Close()
	}
	_, _ = c.Reply()
}

func fetch(line string) func(r *rig) {
	return func(r *rig) { _, _ = r.login().Get(userpi.EPSV, line) }
}

func mines() []mine {
	bang := func(run func(context.Context) pi.Settle) func(c *Config) {
		return func(c *Config) {
			c.Commands = pi.Standard().With(pi.Spec{Verb: "BANG", Handler: func(*pi.Session, pi.Args) pi.Outcome {
				if run == nil {
					panic("handler")
				}
				return pi.Outcome{Job: &pi.Job{Title: "x", Run: run}}
			}})
		}
	}
	return []mine{
		policyMine("auth", func(r *rig) { _ = r.dial().Login("eve", secretWord) }),
		policyMine("auth value", func(r *rig) { _ = r.dial().Login("eve", secretWord) }),
		policyMine("fs", tell("MKD d")), policyMine("list", fetch("MLSD")), policyMine("cmd", tell("SYST")),
		policyMine("filter", store), policyMine("tap", store), policyMine("throttle", store), policyMine("throttle again", func(r *rig) {
			conn, err := r.login().Begin(userpi.EPSV, "STOR a")
			r.must(err)
			r.until("it is asked again", func() bool { return r.srv.Status().Panics > 0 })
			r.must(conn.Close())
		}),
		policyMine("observer", tell("NOOP")),
		policyMine("commit", func(r *rig) {
			store(r)
			r.until("it is counted", func() bool { return r.srv.Status().Panics > 0 })
			c := r.login() // the name is free
			reply, err := c.Put(userpi.EPSV, "STOR a", strings.NewReader("x"))
			if r.must(err); reply.Code != 226 {
				r.t.Error(reply)
			}
		}),
		fsMine("open", fetch("RETR f")), fsMine("read", fetch("RETR f")), fsMine("readdir", fetch("NLST")),
		fsMine("interrupt", func(r *rig) {
			c := r.login()
			conn, err := c.Begin(userpi.EPSV, "STOR a")
			r.must(err)
			r.must(c.Send("ABOR"))
			r.expect(c, "the upload", 426)
			r.must(conn.Close())
		}),
		{"memory", func(c *Config) { c.Defence = Defence{Memory: minedMemory{new(sync.Once)}} }, func(r *rig) {
			_, err := r.srv.Ban(netip.MustParsePrefix("192.0.2.1/32"), time.Hour, "")
			r.must(err)
		}},
		{"handler", bang(nil), tell("BANG")},
		{"job", bang(func(context.Context) pi.Settle { panic("job") }), tell("BANG")},
		{"settle", bang(func(context.Context) pi.Settle { return func(*pi.Session) pi.Outcome { panic("settle") } }), tell("BANG")},
		{"home", func(c *Config) {
			var once sync.Once
			fsys := c.FS
			c.Home = func(context.Context, policy.Session, policy.Identity) (vfs.FS, func(), error) {
				once.Do(func() { panic("home") })
				return fsys, nil, nil
			}
		}, func(r *rig) { _ = r.dial().Login("dev", "secret") }},
		{"runner", func(c *Config) {
			c.Transfer.Run = func(context.Context, *dtp.Transfer) dtp.Result { panic("runner") }
		}, fetch("RETR f")},
		{"limiter", func(c *Config) {
			c.Transfer.Limiter = func(policy.Session, bool) dtp.Limiter { return limiter{} }
		}, fetch("RETR f")},
		{"tls", func(c *Config) {
			c.Listeners[0].TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("tls") }}
		}, func(r *rig) {
			c := r.dial()
			r.expect(c, "the connection", 220)
			_ = c.Protect(&tls.Config{InsecureSkipVerify: true})
		}},
		{"accept", func(c *Config) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				c.Listeners[0].Socket = minedListener{l, new(sync.Once)}
			}
		}, func(r *rig) { _ = r.dial().Closed() }},
		{"reader", bang(func(ctx context.Context) pi.Settle {
			<-ctx.Done()
			return func(*pi.Session) pi.Outcome { return pi.Outcome{} }
		}), func(r *rig) {
			server, client := net.Pipe()
			armed := make(chan struct{})
			done := make(chan error, 1)
			go func() { done <- r.srv.ServeConn(context.Background(), minedConn{server, armed}, "main") }()
			c := userpi.New(client)
			r.must(c.Login("dev", "secret"))
			r.must(c.Send("BANG"))
			close(armed)
			_ = c.Send("NOOP")
			r.must(<-done)
			r.must(client.Close())
		}},
		{"shadow", nil, func(r *rig) {
			r.must(r.srv.Shadow("keeper", &bomb{at: "fs"}))
			r.do(r.login(), "MKD d", 257)
		}},
		{"notify", func(c *Config) { c.PolicyChanged = func(PolicyChange) { panic("notify") } }, func(r *rig) {
			_, err := r.srv.Canary("keeper", newKeeper(), Trial{Percent: 100})
			r.must(err)
			_, err = r.srv.Promote("keeper")
			r.must(err)
		}},
		policyMine("close", func(r *rig) {
			_, err := r.srv.Swap("bomb", &bomb{})
			r.must(err)
		}),
	}
}

// Whatever panics in whichever goroutine that a session has, costs that session at most:
// it is counted, it is in the log once with its stack, and what it knew is not.
func TestPanics(t *testing.T) {
	for _, m := range mines() {
		t.Run(m.name, func(t *testing.T) {
			var said record
			r := start(t, func(c *Config) {
				c.Log = slog.New(slog.NewJSONHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
				c.Timeouts.Stall = 2 * time.Second
				if err := c.FS.(*vfs.Mem).WriteFile("/f", make([]byte, 100<<10)); err != nil {
					t.Fatal(err)
				}
				if m.set != nil {
					m.set(c)
				}
			})
			m.step(r)
			r.until("a panic is counted", func() bool { return r.srv.Status().Panics == 1 })
			c := r.login()
			r.do(c, "NOOP", 200)
			r.must(c.Quit())
			r.stop()
			if n := r.srv.Status().Panics; n != 1 {
				t.Errorf("%d panics are counted", n)
			}
			log := said.String()
			if n := strings.Count(log, `"stack":"goroutine `); n != 1 {
				t.Errorf("%d stacks are in the log:\n%s", n, log)
			}
			if m.name != "tls" && !strings.Contains(log, "panic_test.go") {
				t.Errorf("the stack does not lead to the panic:\n%s", log)
			}
			if strings.Contains(log, secretWord) {
				t.Errorf("the log tells the secret:\n%s", log)
			}
			r.free()
		})
	}
}
