package chain_test

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a policy that does what a test says. Stages without a function are not
// taken part in.
type fake struct {
	name    string
	auth    func(*policy.Login) (policy.Identity, error)
	fs      func(*policy.Action) (policy.Answer, error)
	observe func(context.Context, *policy.Event) error

	asked   atomic.Int64
	running atomic.Int64
	late    atomic.Int64 // calls that ran at Close or began after it
	closed  atomic.Int64
}

func (f *fake) Name() string { return f.name }

func (f *fake) Hooks() policy.Hooks {
	var h policy.Hooks
	if f.auth != nil {
		h.Authenticator = f
	}
	if f.fs != nil {
		h.Authorizer = f
	}
	if f.observe != nil {
		h.Observer = f
	}
	return h
}

// called counts a call; what it returns ends it.
func (f *fake) called() func() {
	f.asked.Add(1)
	f.running.Add(1)
	if f.closed.Load() != 0 {
		f.late.Add(1)
	}
	return func() { f.running.Add(-1) }
}

func (f *fake) Authenticate(_ context.Context, q *policy.Login) (policy.Identity, error) {
	defer f.called()()
	return f.auth(q)
}

func (f *fake) Authorize(_ context.Context, q *policy.Action) (policy.Answer, error) {
	defer f.called()()
	return f.fs(q)
}

func (f *fake) Observe(ctx context.Context, e *policy.Event) error {
	defer f.called()()
	return f.observe(ctx, e)
}

func (f *fake) Close() error {
	f.closed.Add(1)
	f.late.Add(f.running.Load())
	return nil
}

// says answers every fs question alike.
func says(a policy.Answer) *fake {
	return &fake{name: "says", fs: func(*policy.Action) (policy.Answer, error) { return a, nil }}
}

// fails answers every fs question with an error.
func fails(err error) *fake {
	return &fake{name: "fails", fs: func(*policy.Action) (policy.Answer, error) { return policy.Answer{}, err }}
}

// knows answers every login alike.
func knows(id policy.Identity) *fake {
	return &fake{name: "knows", auth: func(*policy.Login) (policy.Identity, error) { return id, nil }}
}

var errBadPath = errors.New("bad path")

func clean(p string) (string, error) {
	if strings.ContainsAny(p, "\x00\r\n") {
		return "", errBadPath
	}
	return path.Clean("/" + p), nil
}

// slots names policies a, b, c and so on.
func slots(ps ...policy.Policy) []chain.Slot {
	var out []chain.Slot
	for i, p := range ps {
		out = append(out, chain.Slot{Name: string(rune('a' + i)), Policy: p})
	}
	return out
}

// start makes a chain that is closed at the end of the test.
func start(t testing.TB, ps ...policy.Policy) *chain.Chain {
	t.Helper()
	c, err := chain.New(chain.Config{Clean: clean, Log: slog.New(slog.DiscardHandler)}, slots(ps...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func action(op policy.Op, path string) *policy.Action {
	return &policy.Action{Meta: policy.Meta{Session: &policy.Session{ID: 1}, Request: 1, Time: time.Unix(0, 0)}, Op: op, Path: path}
}

func login(user string) *policy.Login {
	return &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: user}, Request: 1}}
}

func event(n uint64) policy.Event {
	return policy.Event{Meta: policy.Meta{Session: &policy.Session{ID: 1}, Request: n}, Kind: policy.EventCommandDone}
}
