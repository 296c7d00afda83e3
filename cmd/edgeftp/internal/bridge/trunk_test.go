package bridge

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// ended is a Link that the server has closed.
type ended struct {
	Link
	done chan struct{}
}

func (e *ended) Done() <-chan struct{} { return e.done }
func (e *ended) Err() error            { return errors.New("idle for too long") }
func (e *ended) Close() error          { return nil }

// A connection that the server closes is lost to those who use it; where nobody does, there
// is nothing to warn of.
func TestClosedByServer(t *testing.T) {
	for _, users := range []int{0, 1} {
		ctx, cancel := context.WithCancel(t.Context())
		log, link := new(journal), &ended{done: make(chan struct{})}
		tr := &trunk{ctx: ctx, log: slog.New(slog.NewTextHandler(log, nil)), dial: func(context.Context) (Link, error) { return link, nil }, keep: 1 << 40}
		for range users {
			tr.enter()
		}
		if _, err := tr.get(ctx); err != nil {
			t.Fatal(err)
		}
		close(link.done)
		log.wait(t, []string{"connection closed", "connection lost"}[users])
		if strings.Contains(log.String(), "WARN") != (users > 0) {
			t.Errorf("%d sessions: %s", users, log)
		}
		cancel()
		tr.end()
	}
}
