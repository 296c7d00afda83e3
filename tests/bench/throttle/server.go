package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

const (
	userName = "dev"
	password = "secret"
	fileName = "file"
)

// server is an edge server of this process, whose user has limits.
type server struct {
	*edge.Server
	disk    *vfs.Disk
	records chan *record // of transfers, in the order in which they began
	ended   chan error
	cancel  context.CancelFunc
}

// serve starts a server of the directory root in which a file of size bytes, all
// hole, can be downloaded.
func serve(root string, size int64, limits policy.Limits, conf *tls.Config) (*server, error) {
	file, err := os.Create(filepath.Join(root, fileName))
	if err != nil {
		return nil, err
	}
	if err := file.Truncate(size); err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: root, Durability: vfs.DurabilityNone})
	if err != nil {
		return nil, err
	}
	s := &server{disk: d, records: make(chan *record, 1024), ended: make(chan error, 1)}
	s.Server, err = edge.New(edge.Config{
		FS:        d,
		Transfer:  edge.Transfer{Run: s.run},
		Listeners: []edge.Listener{{Address: "127.0.0.1:0", TLS: conf}},
		Policies:  []edge.Slot{{Name: "limits", Policy: &limiting{limits}}},
		Log:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	if err := s.Listen(ctx); err != nil {
		cancel()
		return nil, err
	}
	go func() { s.ended <- s.Serve(ctx) }()
	return s, nil
}

// stop ends the server with whatever still runs.
func (s *server) stop() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx)
	s.cancel()
	<-s.ended
	return s.disk.Close()
}

// limiting is the policy: one user, with limits.
type limiting struct{ limits policy.Limits }

// Name implements [policy.Policy].
func (p *limiting) Name() string { return "limits" }

// Hooks implements [policy.Policy].
func (p *limiting) Hooks() policy.Hooks { return policy.Hooks{Authenticator: p} }

// Authenticate implements [policy.Authenticator].
func (p *limiting) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.User != userName || l.Password != password {
		return policy.Identity{}, nil
	}
	perms := policy.Perms(policy.PermAll)
	return policy.Identity{Verdict: policy.Allow, Perms: &perms, Limits: p.limits}, nil
}

// watched is a transfer's limiter, and notes what the server tells it of.
type watched struct {
	dtp.Limiter
	record *record
}

// Wait implements [dtp.Limiter].
func (w *watched) Wait(ctx context.Context, n int) error {
	w.record.add(n)
	return w.Limiter.Wait(ctx, n)
}

// Spread implements [dtp.Spreader].
func (w *watched) Spread() (n int, rate int64) {
	if s, ok := w.Limiter.(dtp.Spreader); ok {
		return s.Spread()
	}
	return w.Slice(), 0
}

// Done implements [dtp.Doner].
func (w *watched) Done() {
	if d, ok := w.Limiter.(dtp.Doner); ok {
		d.Done()
	}
}

// run implements [dtp.Runner].
func (s *server) run(ctx context.Context, t *dtp.Transfer) dtp.Result {
	r := new(record)
	t.Limiter = &watched{t.Limiter, r}
	s.records <- r
	return t.Run(ctx)
}
