package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/userpi"
	"github.com/edgeftp/edgeftp/wasmhost"
)

const (
	userName = "dev"
	password = "secret"
	listener = "main"
)

// world is a server of this process, of a directory that goes away with it.
type world struct {
	*edge.Server
	root   string
	disk   *vfs.Disk
	ended  chan error
	cancel context.CancelFunc
}

// open starts a server with these policies behind the one that lets the user in. It
// takes the policies over.
func open(log slog.Handler, slots ...edge.Slot) (*world, error) {
	return openTold(log, nil, slots...)
}

// openTold is open for somebody who wants to know how trials end.
func openTold(log slog.Handler, told func(edge.PolicyChange), slots ...edge.Slot) (w *world, err error) {
	w = &world{ended: make(chan error, 1)}
	if w.root, err = os.MkdirTemp("", "policy"); err != nil {
		return nil, err
	}
	if w.disk, err = vfs.OpenDisk(vfs.DiskConfig{Root: w.root, Durability: vfs.DurabilityNone}); err != nil {
		return nil, err
	}
	w.Server, err = edge.New(edge.Config{
		FS:        w.disk,
		Listeners: []edge.Listener{{Name: listener, Address: "127.0.0.1:0"}},
		Policies:  append([]edge.Slot{{Name: "login", Policy: door{}}}, slots...),
		Limits:    edge.Limits{Sessions: -1, SessionsPerIP: -1},
		Timeouts:  edge.Timeouts{Idle: -1, Login: -1},
		Log:       slog.New(log),

		PolicyChanged: told,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	if err := w.Listen(ctx); err != nil {
		cancel()
		return nil, err
	}
	go func() { w.ended <- w.Serve(ctx) }()
	return w, nil
}

// stop ends the server with whatever still runs.
func (w *world) stop() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.Shutdown(ctx)
	w.cancel()
	<-w.ended
	err := w.disk.Close()
	if e := os.RemoveAll(w.root); err == nil {
		err = e
	}
	return err
}

// connect logs in over TCP.
func (w *world) connect() (*userpi.Client, error) {
	c, err := userpi.Dial(w.Addresses()[0].String())
	if err != nil {
		return nil, err
	}
	return c, enter(c)
}

// enter logs a client in.
func enter(c *userpi.Client) error {
	c.Timeout = 0 // an expired deadline would be a figure of the machine's, not an error
	if err := c.Login(userName, password); err != nil {
		return err
	}
	_, err := c.Must("TYPE I", 200)
	return err
}

// door is the policy that lets the user in.
type door struct{}

// Name implements [policy.Policy].
func (door) Name() string { return "login" }

// Hooks implements [policy.Policy].
func (d door) Hooks() policy.Hooks { return policy.Hooks{Authenticator: d} }

// Authenticate implements [policy.Authenticator].
func (door) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.User != userName || l.Password != password {
		return policy.Identity{}, nil
	}
	perms := policy.Perms(policy.PermAll)
	return policy.Identity{Verdict: policy.Allow, Perms: &perms}, nil
}

// modules loads the policy in three languages, to be asked one after the other.
func modules(ctx context.Context, h *wasmhost.Host) (all []*wasmhost.Policy, slots []edge.Slot, err error) {
	for _, name := range []string{"write-once-c", "write-once-zig", "write-once-rs"} {
		b, err := guests.Module(name)
		if err != nil {
			return nil, nil, err
		}
		p, err := h.Load(ctx, name, b, wasmhost.LoadOptions{})
		if err != nil {
			return nil, nil, err
		}
		all, slots = append(all, p), append(slots, edge.Slot{Name: name, Policy: p})
	}
	return all, slots, nil
}

// together runs f n times at once and returns an error of one.
func together(n int, f func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- f(i) }()
	}
	var first error
	for range n {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}
