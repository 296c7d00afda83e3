package bridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/quicnet"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// rig is a bridge, and a server of FTP over QUIC that it leads to.
type rig struct {
	t     *testing.T
	files *vfs.Mem
	srv   *edge.Server
	quic  *quicnet.Listener
	addr  string // the bridge's
	log   *journal
	made  *Bridge
	tls   *tls.Config // the server's

	mu     sync.Mutex
	links  []Link
	idle   time.Duration // of the connection; 0 is the usual one
	relay  string        // in the place of the server's address
	closed bool          // no connection is made
}

// journal is a log.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// wait waits for a text in the log.
func (j *journal) wait(t *testing.T, text string) {
	t.Helper()
	j.waitFor(t, text, 1)
}

// waitFor waits until the log has said something so often.
func (j *journal) waitFor(t *testing.T, text string, times int) {
	t.Helper()
	for end := time.Now().Add(userpi.Timeout); strings.Count(j.String(), text) < times; {
		if time.Now().After(end) {
			t.Fatalf("the log does not say %q %d times:\n%s", text, times, j)
		}
		pause(t, 5*time.Millisecond)
	}
}

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	_ = sleep(t.Context(), d)
}

// start makes a rig; set changes the bridge's configuration and the server's.
func start(t *testing.T, set func(*Config, *edge.Config)) *rig {
	t.Helper()
	r := &rig{t: t, files: vfs.NewMem(), log: new(journal), idle: 10 * time.Second} // the word that a connection is over may be lost
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := edge.HashPassword("secret")
	if err != nil {
		t.Fatal(err)
	}
	who, err := users.New(users.Config{Users: []users.User{{Name: "anna", PasswordHash: hash, Perms: policy.PermAll}}})
	if err != nil {
		t.Fatal(err)
	}
	far := edge.Config{FS: r.files, Listeners: []edge.Listener{{Name: "main"}}, Logins: edge.Logins{FailDelay: -1},
		Policies: []edge.Slot{{Name: "users", Policy: who}}, Log: slog.New(slog.DiscardHandler)}
	conf := Config{Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Patience: 30 * time.Second}
	conf.Dial = func(ctx context.Context) (Link, error) { return r.dial(ctx, client) }
	if set != nil {
		set(&conf, &far)
	}
	if r.srv, err = edge.New(far); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.srv.Shutdown(context.Background()) })
	r.tls = server
	r.serve()
	r.bridge(conf)
	return r
}

// serve serves FTP over QUIC.
func (r *rig) serve() {
	r.t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	l, err := quicnet.Listen(socket, quicnet.Config{TLS: r.tls, FTP: true, Limits: quicnet.Limits{Stray: 20 * time.Second}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.quic = l
	r.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { _ = r.srv.ServeConn(ctx, conn, "main") })
		}
	})
	r.t.Cleanup(func() {
		end(l)
		cancel()
		all.Wait()
	})
}

// end ends a listener with all its connections.
func end(l *quicnet.Listener) {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.Shutdown(now)
}

// bridge starts the bridge.
func (r *rig) bridge(conf Config) {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	b := New(ctx, conf)
	r.made = b
	go func() { done <- b.Serve(l) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Serve: %v", err)
		}
		if r.t.Failed() {
			r.t.Logf("the log:\n%s", r.log)
		}
	})
}

func (r *rig) dial(ctx context.Context, conf *tls.Config) (Link, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, quicnet.ErrSilent
	}
	c, err := quicnet.Dial(ctx, quicnet.DialConfig{Addr: r.at(), ServerName: userpi.ServerName, TLS: conf, Idle: r.idle, KeepAlive: r.idle / 4})
	if err != nil {
		return nil, err
	}
	r.links = append(r.links, Over(c))
	return r.links[len(r.links)-1], nil
}

// at is where the server is.
func (r *rig) at() string {
	if r.relay != "" {
		return r.relay
	}
	return r.quic.Addr().String()
}

// cut ends the connection that there is; closed says whether there may be others.
func (r *rig) cut(closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = closed
	_ = r.links[len(r.links)-1].Close()
}

// open lets connections be made again.
func (r *rig) open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = false
}

// connections is how many there were.
func (r *rig) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.links)
}

// client connects and logs in.
func (r *rig) client() *userpi.Client {
	r.t.Helper()
	c, err := userpi.Dial(r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	if err := c.Login("anna", "secret"); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// put makes a file at the server.
func (r *rig) put(name string, size int) []byte {
	r.t.Helper()
	b := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(b)
	if err := r.files.WriteFile(vfs.Path(name), b); err != nil {
		r.t.Fatal(err)
	}
	return b
}

// must sends a command that has to be answered with one of the codes.
func must(t *testing.T, c *userpi.Client, line string, codes ...int) userpi.Reply {
	t.Helper()
	reply, err := c.Must(line, codes...)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}
