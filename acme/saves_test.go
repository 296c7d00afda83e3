package acme

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a storage that answers a request to unlock no more, and others slowly.
type stuck struct {
	Storage
	gone *atomic.Bool // nothing can be loaded
}

func (s stuck) Load(ctx context.Context, key string) ([]byte, error) {
	if s.gone.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Storage.Load(ctx, key)
}

func (s stuck) Unlock(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

func (s stuck) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Close waits for no storage that does not answer.
func TestCloseWithStuckStorage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Bool
		m := managed(t, newFakeCA(t, 90*24*time.Hour), Config{Names: []string{"ftp.example"}, Storage: stuck{MemoryStorage(), &gone}, Log: slog.New(slog.DiscardHandler)})
		wait(59 * 24 * time.Hour)
		gone.Store(true)
		wait(2*24*time.Hour + time.Second) // it is due, and certmagic looks whether it was renewed
		began := time.Now()
		m.Close()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("Close took %v", took)
		}
	})
}
