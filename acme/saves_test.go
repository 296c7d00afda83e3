package acme

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a storage that answers a request to unlock no more, and others slowly.
type stuck struct{ Storage }

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
		m := managed(t, newFakeCA(t, 90*24*time.Hour), Config{Names: []string{"ftp.example"}, Storage: stuck{MemoryStorage()}, Log: slog.New(slog.DiscardHandler)})
		synctest.Wait()
		began := time.Now()
		m.Close()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("Close took %v", took)
		}
	})
}
