package pi

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// admitAll is a policy that lets in whoever says "secret".
type admitAll struct{}

func (admitAll) Name() string { return "all" }
func (p admitAll) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: p, Observer: p}
}

func (admitAll) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Password != "secret" {
		return policy.Identity{}, nil
	}
	return policy.Identity{Verdict: policy.Allow}, nil
}

func (admitAll) Observe(context.Context, *policy.Event) error { return nil }

// nobody verifies no hash: no policy here stores one.
type nobody struct{}

func (nobody) Verify(context.Context, string, string) (bool, error) { return false, nil }
func (nobody) VerifyNobody(context.Context, string) error           { return nil }

// headcount is a census without limits.
type headcount struct {
	mu sync.Mutex
	n  int
}

func (h *headcount) Enter(string, int) bool { h.add(1); return true }
func (h *headcount) Leave(string)           { h.add(-1) }

func (h *headcount) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n += n
}

// fakePort is a data port whose connection is a pipe. It opens when the test
// says so.
type fakePort struct {
	server, client net.Conn
	opened         chan struct{} // closed: the client has connected
	gone           chan struct{} // closed: the port was closed
	once           sync.Once
}

func newFakePort() *fakePort {
	p := &fakePort{opened: make(chan struct{}), gone: make(chan struct{})}
	p.server, p.client = net.Pipe()
	return p
}

// connect makes the data connection and returns the client's end.
func (p *fakePort) connect() net.Conn {
	close(p.opened)
	return p.client
}

func (p *fakePort) Open(ctx context.Context) (net.Conn, error) {
	select {
	case <-p.opened:
		return p.server, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *fakePort) Close() error {
	p.once.Do(func() { close(p.gone) })
	return nil
}

func (p *fakePort) closed() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// bench is one session on a pipe.
type bench struct {
	t      testing.TB
	conf   *Config
	fs     *vfs.Mem
	count  *headcount
	drain  chan struct{}
	ports  chan *fakePort // taken by the command FAKE
	sess   *Session
	client *userpi.Client
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // the owner has left
}

// newBench prepares a session; set changes its configuration.
func newBench(t testing.TB, set func(*Config)) *bench {
	t.Helper()
	c, err := chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }}, chain.Slot{Name: "all", Policy: admitAll{}})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, fs: vfs.NewMem(), count: &headcount{}, drain: make(chan struct{}), ports: make(chan *fakePort, 1), ended: make(chan struct{})}
	fake := Spec{Verb: "FAKE", Handler: func(s *Session, _ Args) Outcome {
		s.setPort(<-b.ports, time.Time{})
		return Say(200, "A pipe is prepared.")
	}}
	b.conf = &Config{Name: "test", Table: Standard().With(fake), Chain: c, FS: b.fs, Banner: "ready", Perms: policy.PermAll,
		Verifier: nobody{}, Census: b.count, Buffers: new(dtp.Buffers), Drain: b.drain, Log: slog.New(slog.DiscardHandler),
		Idle: 5 * time.Minute, LoginWithin: time.Minute, Attempts: 3}
	if set != nil {
		set(b.conf)
	}
	ours, theirs := net.Pipe()
	here := netip.MustParseAddrPort("127.0.0.1:21")
	b.sess = NewSession(b.conf, 1, ours, here, here)
	b.client = userpi.New(theirs)
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// own starts the owner.
func (b *bench) own() *bench {
	go func() {
		defer close(b.ended)
		defer func() {
			if p := recover(); p != nil {
				b.sess.Panic(p)
			}
		}()
		for b.sess.Step(b.ctx, time.Hour) != Closed {
		}
	}()
	return b
}

// close ends what is left.
func (b *bench) close() {
	_ = b.client.Close()
	<-b.ended
	b.cancel()
	b.conf.Chain.Close()
	if b.count.n != 0 {
		b.t.Errorf("the census counts %d sessions after the last one", b.count.n)
	}
}

// login reads the greeting, logs in and asks for binary transfers.
func (b *bench) login() *bench {
	b.t.Helper()
	b.must(b.client.Login("dev", "secret"))
	b.do("TYPE I", 200)
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) do(line string, codes ...int) userpi.Reply {
	b.t.Helper()
	r, err := b.client.Must(line, codes...)
	b.must(err)
	return r
}

func (b *bench) expect(what string, codes ...int) userpi.Reply {
	b.t.Helper()
	r, err := b.client.Expect(what, codes...)
	b.must(err)
	return r
}

// begin starts a transfer over a fake port and returns the port.
func (b *bench) begin(line string) *fakePort {
	b.t.Helper()
	p := newFakePort()
	b.ports <- p
	b.do("FAKE", 200)
	b.do(line, 150)
	return p
}

// put is a whole upload's client side.
func (p *fakePort) put(data []byte) {
	conn := p.connect()
	_, _ = io.Copy(conn, bytes.NewReader(data))
	_ = conn.Close()
}

// path makes one of a name.
func (b *bench) path(name string) vfs.Path {
	b.t.Helper()
	p, err := vfs.Clean(vfs.Root, name)
	b.must(err)
	return p
}
