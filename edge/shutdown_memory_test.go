package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// stuck is a memory on a disk that does not answer.
type stuck chan struct{}

func (s stuck) Load() ([]byte, error) { return nil, nil }

func (s stuck) Save([]byte) error {
	<-s
	return nil
}

// A memory of the defence that does not come back holds nothing up.
func TestShutdownWithStuckMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := make(stuck)
		s, err := New(Config{FS: vfs.NewMem(), Listeners: []Listener{{Name: "x"}}, Log: slog.New(slog.DiscardHandler), Defence: Defence{Memory: memory}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Ban(netip.MustParsePrefix("192.0.2.1/32"), time.Hour, "x"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := s.Shutdown(ctx); !errors.Is(err, ErrLeft) {
			t.Errorf("Shutdown: %v", err)
		}
		if took := time.Since(began); took > time.Minute+time.Second {
			t.Errorf("it took %v", took)
		}
		close(memory)
	})
}
