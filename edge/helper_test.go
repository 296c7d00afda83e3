package edge

import (
	"context"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keeper is a policy that lets in whoever says "secret", refuses some operations
// and writes everything down.
type keeper struct {
	refuses policy.Op

	mu     sync.Mutex
	asked  []policy.Op
	events []policy.Event
	closed chan struct{}
}

func newKeeper() *keeper { return &keeper{closed: make(chan struct{})} }

func (k *keeper) Name() string { return "keeper" }

func (k *keeper) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: k, Authorizer: k, Observer: k}
}

func (k *keeper) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Password != "secret" {
		return policy.Identity{}, nil
	}
	all := policy.Perms(policy.PermAll)
	return policy.Identity{Verdict: policy.Allow, Perms: &all}, nil
}

func (k *keeper) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, a.Op)
	if a.Op == k.refuses {
		return policy.Answer{Verdict: policy.Deny, Text: "The keeper refuses."}, nil
	}
	return policy.Answer{}, nil
}

func (k *keeper) Observe(_ context.Context, e *policy.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, *e)
	return nil
}

func (k *keeper) Close() error {
	close(k.closed)
	return nil
}

// was reports how often an operation was asked about.
func (k *keeper) was(op policy.Op) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.asked {
		if o == op {
			n++
		}
	}
	return n
}

// rig is a running server.
type rig struct {
	t      *testing.T
	srv    *Server
	fs     *vfs.Mem
	keeper *keeper
	addr   string
	cancel context.CancelFunc
	served chan error
}

func basic(k *keeper) Config {
	return Config{FS: vfs.NewMem(), Listeners: []Listener{{Name: "main", Address: "127.0.0.1:0"}},
		Policies: []Slot{{Name: "keeper", Policy: k}}, Logins: Logins{FailDelay: -1}, Log: slog.New(slog.DiscardHandler)}
}

// start makes a server and serves; set changes its configuration.
func start(t *testing.T, set func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, keeper: newKeeper(), served: make(chan error, 1)}
	conf := basic(r.keeper)
	if set != nil {
		set(&conf)
	}
	r.fs, _ = conf.FS.(*vfs.Mem)
	var err error
	if r.srv, err = New(conf); err != nil {
		t.Fatal(err)
	}
	if err := r.srv.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.addr = r.srv.Addresses()[0].String()
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.served <- r.srv.Serve(ctx) }()
	return r
}

// stop shuts the server down, in which everything has to end by itself.
func (r *rig) stop() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), userpi.Timeout)
	defer cancel()
	if err := r.srv.Shutdown(ctx); err != nil {
		r.t.Errorf("Shutdown: %v", err)
	}
	if err := <-r.served; err != nil {
		r.t.Errorf("Serve: %v", err)
	}
	r.cancel()
}

func (r *rig) dial() *userpi.Client {
	r.t.Helper()
	c, err := userpi.Dial(r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *rig) login() *userpi.Client {
	r.t.Helper()
	c := r.dial()
	r.must(c.Login("dev", "secret"))
	r.do(c, "TYPE I", 200)
	return c
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) do(c *userpi.Client, line string, codes ...int) userpi.Reply {
	r.t.Helper()
	reply, err := c.Must(line, codes...)
	r.must(err)
	return reply
}

func (r *rig) expect(c *userpi.Client, what string, codes ...int) {
	r.t.Helper()
	_, err := c.Expect(what, codes...)
	r.must(err)
}

// upload begins an upload and returns its data connection.
func (r *rig) upload(c *userpi.Client, name string) io.WriteCloser {
	r.t.Helper()
	conn, err := c.Begin(userpi.EPSV, "STOR "+name)
	r.must(err)
	return conn
}

// until gives other goroutines their turn until something holds.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	limit := time.Now().Add(userpi.Timeout)
	for !holds() {
		if time.Now().After(limit) {
			r.t.Fatalf("it never came to be that %s", what)
		}
		runtime.Gosched()
	}
}

// free waits until no session is counted, nor any connection that was handed on.
func (r *rig) free() {
	r.t.Helper()
	r.until("no session is counted", func() bool {
		r.srv.gate.mu.Lock()
		defer r.srv.gate.mu.Unlock()
		all := &r.srv.gate
		return all.sessions.total+all.handed.total == 0 && len(all.sessions.byIP)+len(all.handed.byIP) == 0
	})
}

// was reports whether an event of a kind was observed.
func (r *rig) was(kind policy.EventKind) bool {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	return slices.ContainsFunc(r.keeper.events, func(e policy.Event) bool { return e.Kind == kind })
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
