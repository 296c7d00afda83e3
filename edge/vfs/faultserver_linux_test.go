package vfs_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// alarm is a log that is told of nothing but panics.
type alarm struct {
	mu    sync.Mutex
	heard []string
}

func (*alarm) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (a *alarm) WithAttrs([]slog.Attr) slog.Handler         { return a }
func (a *alarm) WithGroup(string) slog.Handler              { return a }
func (a *alarm) Handle(_ context.Context, r slog.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !strings.Contains(r.Message, "panic") {
		return nil
	}
	r.Attrs(func(attr slog.Attr) bool {
		r.Message += " " + attr.String()
		return true
	})
	a.heard = append(a.heard, r.Message)
	return nil
}

// everybody lets in whoever comes.
type everybody struct{}

func (everybody) Name() string          { return "everybody" }
func (e everybody) Hooks() policy.Hooks { return policy.Hooks{Authenticator: e} }
func (everybody) Authenticate(context.Context, *policy.Login) (policy.Identity, error) {
	all := policy.Perms(policy.PermAll)
	return policy.Identity{Verdict: policy.Allow, Perms: &all}, nil
}

// faultServer serves many Disks at once, each to one user.
type faultServer struct {
	addr  string
	log   *alarm
	ports ports
	mu    sync.Mutex
	disks map[string]*servedDisk
}

type servedDisk struct {
	*vfs.Disk
	left chan struct{} // closed when the session has ended
}

func (f *faultServer) home(_ context.Context, who policy.Session, _ policy.Identity) (vfs.FS, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.disks[who.User]
	return d.Disk, func() { close(d.left) }, nil
}

func (f *faultServer) give(user string, d *servedDisk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.disks[user] = d; d == nil {
		delete(f.disks, user)
	}
}

// serveFaults starts a server until the test ends.
func serveFaults(t *testing.T) *faultServer {
	t.Helper()
	f := &faultServer{log: &alarm{}, disks: make(map[string]*servedDisk)}
	srv, err := edge.New(edge.Config{
		FS: vfs.NewMem(), Home: f.home, Log: slog.New(f.log),
		Listeners: []edge.Listener{{Name: "main", Address: "127.0.0.1:0", Passive: pi.Passive{Listen: f.ports.take}}},
		Policies:  []edge.Slot{{Name: "everybody", Policy: everybody{}}},
		Limits:    edge.Limits{SessionsPerIP: -1},
		Transfer:  edge.Transfer{Binary: true},
		Commands:  pi.Standard().With(pi.Optional()...),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.addr = srv.Addresses()[0].String()
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { served <- srv.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-served
		f.ports.close()
		for _, heard := range f.log.heard {
			t.Errorf("the server says: %s", heard)
		}
	})
	return f
}

// ports are listening data ports that are used again and again: a new one for each
// of so many transfers would use up those of the machine, because each keeps an
// ended connection (TIME_WAIT) for a minute.
type ports struct {
	mu   sync.Mutex
	free []*net.TCPListener
	all  []*net.TCPListener
}

func (s *ports) take(_ context.Context, conf dtp.PassiveConfig) (dtp.PassivePort, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		l := s.free[n-1]
		s.free = s.free[:n-1]
		return &lentPort{l: l, ports: s}, nil
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(conf.Local, 0)))
	if err != nil {
		return nil, err
	}
	s.all = append(s.all, l)
	return &lentPort{l: l, ports: s}, nil
}

func (s *ports) close() {
	for _, l := range s.all {
		_ = l.Close()
	}
}

// lentPort is one use of a data port.
type lentPort struct {
	l     *net.TCPListener
	ports *ports
	over  sync.Once
}

func (p *lentPort) Addr() netip.AddrPort { return p.l.Addr().(*net.TCPAddr).AddrPort() }
func (p *lentPort) Until() time.Time     { return time.Time{} }

func (p *lentPort) Open(ctx context.Context) (net.Conn, error) {
	_ = p.l.SetDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { _ = p.l.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c, err := p.l.Accept()
	_ = p.Close()
	return c, err
}

func (p *lentPort) Close() error {
	p.over.Do(func() {
		p.ports.mu.Lock()
		defer p.ports.mu.Unlock()
		p.ports.free = append(p.ports.free, p.l)
	})
	return nil
}
