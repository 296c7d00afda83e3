package hostile

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// Who may log in: anybody who knows the password.
const (
	user     = "dev"
	password = "secret"
)

// rig is a server under attack, with an honest client.
type rig struct {
	*testing.T
	srv    *edge.Server
	porter *porter
	log    *notes
	addrs  []string // of the listeners
	root   string   // of a server that serves a directory of the host
	client *tls.Config
	honest *honest

	served chan error
	cancel context.CancelFunc
	before goleak.Option
	fds    int

	mu    sync.Mutex
	conns []net.Conn // of attackers, closed at the end
}

// setup is what a test may change before its server begins.
type setup struct {
	edge.Config
	onDisk    bool                   // serve a directory of the host, not memory
	around    func(*vfs.Disk) vfs.FS // of onDisk: serve this instead
	unwatched bool                   // no honest client: there is no room for one
}

// serve starts a server, and an honest client at another address that works until
// stop.
func serve(t *testing.T, set func(*setup)) *rig {
	t.Helper()
	r := &rig{T: t, porter: newPorter(), log: &notes{}, served: make(chan error, 1), before: goleak.IgnoreCurrent(), fds: descriptors()}
	server, client, err := userpi.ThrowAway()
	r.must(err)
	r.client = client
	s := &setup{Config: edge.Config{
		FS:        vfs.NewMem(),
		Listeners: []edge.Listener{{Name: "main", Address: "127.0.0.1:0", TLS: server}},
		Policies:  []edge.Slot{{Name: "porter", Policy: r.porter}},
		Logins:    edge.Logins{FailDelay: -1},
		Limits:    edge.Limits{SessionsPerIP: -1},
		Defence:   edge.Defence{Off: true}, // it would turn the attackers away before they had shown anything: edge.TestBruteForce and its kin are about that
		Transfer:  edge.Transfer{Binary: true},
		Log:       slog.New(slog.NewTextHandler(r.log, nil)),
	}}
	set(s)
	var disk *vfs.Disk
	if s.onDisk {
		r.root = filepath.Join(t.TempDir(), "root")
		r.must(os.Mkdir(r.root, 0o755))
		disk, err = vfs.OpenDisk(vfs.DiskConfig{Root: r.root, State: filepath.Join(t.TempDir(), "state"), Durability: vfs.DurabilityNone})
		r.must(err)
		if s.FS = disk; s.around != nil {
			s.FS = s.around(disk)
		}
	}
	r.srv, err = edge.New(s.Config)
	r.must(err)
	r.must(r.srv.Listen(t.Context()))
	for _, a := range r.srv.Addresses() {
		r.addrs = append(r.addrs, strings.Replace(a.String(), "[::]", "127.0.0.1", 1))
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.served <- r.srv.Serve(ctx) }()
	if !s.unwatched {
		r.honest = beginHonest(r.addrs[0])
	}
	t.Cleanup(func() {
		r.stop()
		if disk != nil {
			r.must(disk.Close())
		}
		r.leftNothing()
	})
	return r
}

// plain is a set for serve that changes nothing.
func plain(*setup) {}

// stop ends the attackers and the server. The honest client must have been served
// to the end.
func (r *rig) stop() {
	r.Helper()
	r.meanwhile()
	if r.honest != nil {
		r.honest.end()
	}
	r.hangUp()
	r.until("all sessions have ended", func() bool { return r.srv.Status().Sessions == 0 })
	ctx, cancel := context.WithTimeout(context.Background(), userpi.Timeout)
	defer cancel()
	if err := r.srv.Shutdown(ctx); err != nil {
		r.Errorf("Shutdown: %v", err)
	}
	if err := <-r.served; err != nil {
		r.Errorf("Serve: %v", err)
	}
	r.cancel()
	if bad := r.log.find(" level=ERROR msg="); bad != "" {
		r.Errorf("the server has met a fault of its own: %s", bad)
	}
}

// leftNothing looks for goroutines and descriptors that should be gone.
func (r *rig) leftNothing() {
	r.Helper()
	goleak.VerifyNone(r, r.before)
	r.until("all descriptors are closed", func() bool {
		runtime.GC() // which closes the pipes that the runtime keeps for splice(2)
		return descriptors() <= r.fds
	})
}

// descriptors is how many the process has open; 0 where that cannot be told.
func descriptors() int {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return len(names) - 1 // but for the one that reads
}

// live is how many bytes the program holds once the garbage is gone: the heap and
// the goroutines' stacks.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// spent is how many bytes the program has ever taken from the heap.
func spent() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

// bounded fails when what was measured is more than permitted.
func (r *rig) bounded(what string, got, most int64) {
	r.Helper()
	r.Logf("%s: %d (at most %d)", what, got, most)
	if got > most {
		r.Errorf("%s: %d are more than %d", what, got, most)
	}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// cannot ends a test that needs what this machine does not have; in the gate that is
// a failure.
func (r *rig) cannot(why string) {
	r.Helper()
	if os.Getenv("CI") == "true" {
		r.Fatal(why)
	}
	r.Skip(why)
}

// until gives others their turn until something holds.
func (r *rig) until(what string, holds func() bool) {
	r.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.Now().Add(3 * userpi.Timeout)
	for !holds() {
		if time.Now().After(limit) {
			r.Fatalf("it never came to be that %s", what)
		}
		<-tick.C
	}
}

// keep closes a connection at the end of the test, if nobody else does.
func (r *rig) keep(c net.Conn) net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, c)
	return c
}

// hangUp closes all connections of attackers.
func (r *rig) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// dial opens a TCP connection, from this machine's usual address.
func (r *rig) dial(addr string) net.Conn {
	r.Helper()
	conn, err := net.DialTimeout("tcp", addr, userpi.Timeout)
	r.must(err)
	return r.keep(conn)
}

// meet opens a control connection and reads the greeting.
func (r *rig) meet() *userpi.Client {
	r.Helper()
	c := userpi.New(r.dial(r.addrs[0]))
	c.Timeout = 2 * userpi.Timeout
	r.expect(c, "the connection", 220)
	return c
}

// login opens a session.
func (r *rig) login() *userpi.Client {
	r.Helper()
	c := r.meet()
	r.must(c.Identify(user, password))
	return c
}

// protected opens a session over TLS, with protected data connections.
func (r *rig) protected(conf *tls.Config) *userpi.Client {
	r.Helper()
	c := r.meet()
	r.must(c.Protect(conf))
	r.must(c.Identify(user, password))
	return c
}

func (r *rig) do(c *userpi.Client, line string, codes ...int) userpi.Reply {
	r.Helper()
	reply, err := c.Must(line, codes...)
	r.must(err)
	return reply
}

func (r *rig) expect(c *userpi.Client, what string, codes ...int) userpi.Reply {
	r.Helper()
	reply, err := c.Expect(what, codes...)
	r.must(err)
	return reply
}

// dataAddr asks for a passive port.
func (r *rig) dataAddr(c *userpi.Client) string {
	r.Helper()
	addr, err := userpi.Address(r.do(c, "EPSV", 229), c.Raw().RemoteAddr())
	r.must(err)
	return addr
}

// put uploads a file.
func (r *rig) put(c *userpi.Client, line, text string) {
	r.Helper()
	_, err := c.Put(userpi.EPSV, line, strings.NewReader(text))
	r.must(err)
}

// get downloads a file or a listing.
func (r *rig) get(c *userpi.Client, line string) string {
	r.Helper()
	data, err := c.Get(userpi.EPSV, line)
	r.must(err)
	return string(data)
}

// reset ends a connection with a TCP reset.
func reset(c net.Conn) { _ = userpi.Reset(c) }

// porter is the policy of every rig: it lets in whoever knows the password, and
// counts what it is asked and told.
type porter struct {
	mu     sync.Mutex
	asked  map[policy.Op]int
	told   map[policy.EventKind]int
	events []policy.Event // the first thousand
}

func newPorter() *porter {
	return &porter{asked: map[policy.Op]int{}, told: map[policy.EventKind]int{}}
}

func (p *porter) Name() string { return "porter" }

func (p *porter) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: p, Authorizer: p, Observer: p}
}

func (p *porter) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Password != password {
		return policy.Identity{}, nil
	}
	all := policy.Perms(policy.PermAll)
	return policy.Identity{Verdict: policy.Allow, Perms: &all}, nil
}

func (p *porter) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[a.Op]++
	return policy.Answer{}, nil
}

func (p *porter) Observe(_ context.Context, e *policy.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told[e.Kind]++
	if len(p.events) < 1000 {
		p.events = append(p.events, *e)
	}
	return nil
}

// count is how often the porter was asked about an operation.
func (p *porter) count(op policy.Op) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[op]
}

// heard is how often the porter was told of a kind of event.
func (p *porter) heard(k policy.EventKind) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told[k]
}

// notes keep the last mebibyte of a log.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.text.Len() > 1<<20 {
		n.text.Reset()
	}
	return n.text.Write(b)
}

// find returns the first line that holds a text; empty if none does.
func (n *notes) find(text string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for line := range strings.SplitSeq(n.text.String(), "\n") {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}
