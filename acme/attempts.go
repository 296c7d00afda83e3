package acme

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// pauseAfter follows the failure of that number in a row, from 0. The pauses make 9 attempts
// on the first day without an authority, and 4 on every other.
func pauseAfter(failure int) time.Duration {
	pauses := [...]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour}
	return pauses[min(failure, len(pauses)-1)]
}

// errTooSoon is why an order is not made: the last one has failed just now.
var errTooSoon = errors.New("it is not yet time to try again")

// attempts remembers by name what the last orders came to, also in the storage: the
// nodes of a fleet share their failures, and a server that is started again and again
// does not use up what an authority allows.
type attempts struct {
	storage Storage
	log     *slog.Logger

	mu    sync.Mutex
	names map[string]*attempt // those whose last order failed
}

// attempt is the last order of a name, which has failed, and those before it.
type attempt struct {
	Failed  string    `json:"failed"`
	Help    string    `json:"help,omitempty"`
	At      time.Time `json:"at"`
	Next    time.Time `json:"next"`
	InRow   int       `json:"in_row"`
	Limited bool      `json:"limited,omitempty"` // Next is the authority's word
}

const (
	// restartPause is what a start waits for at most after the last failure, and only after
	// some in a row, unless the authority has said more: who starts the server has perhaps
	// mended what was wrong.
	restartPause = 15 * time.Minute
	restartFree  = 3 // failures in a row
	storeTime    = 5 * time.Second
)

// get is what is known of a name; the zero value is a name without failures.
func (a *attempts) get(name string) attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	if got := a.names[name]; got != nil {
		return *got
	}
	return attempt{}
}

func (a *attempts) inRow(name string) int { return a.get(name).InRow }

// next is when a name may be ordered again. What another node, or the process before
// this one, has found out counts as well.
func (a *attempts) next(ctx context.Context, name string) time.Time {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	text, err := a.storage.Load(ctx, attemptKey(name))
	var stored attempt
	if err != nil || json.Unmarshal(text, &stored) != nil {
		return a.get(name).Next
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.names[name]
	if got == nil || got.At.Before(stored.At) {
		if got == nil && !stored.Limited {
			stored.Next = earlier(stored.Next, stored.At.Add(restartPause))
			if stored.InRow < restartFree {
				stored.Next = stored.At
			}
		}
		got = &stored
		a.put(name, got)
	}
	return got.Next
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// recall tells of a failure before the start, for which a name waits.
func (m *Manager) recall(name string) {
	next := m.attempts.next(m.ctx, name)
	last := m.attempts.get(name)
	if time.Until(next) <= 0 || m.ctx.Err() != nil {
		return
	}
	m.log.Warn("a certificate is not ordered yet: its last order has failed before the start", "name", name, "error", last.Failed, "failures", last.InRow,
		"next_attempt", next.UTC().Format(time.RFC3339), "help", "when the cause is mended, edgeftp cert renew "+name+" orders at once")
}

func attemptKey(name string) string {
	return path.Join("attempts", certmagic.StorageKeys.Safe(name)+".json")
}

// put sets what is known of a name. The caller holds mu.
func (a *attempts) put(name string, got *attempt) {
	if a.names == nil {
		a.names = map[string]*attempt{}
	}
	a.names[name] = got
}

func (a *attempts) succeed(name string) {
	a.mu.Lock()
	delete(a.names, name)
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	if err := a.storage.Delete(ctx, attemptKey(name)); err != nil {
		a.log.Warn("an old failure cannot be removed from the storage of certificates", "name", name, "error", err)
	}
}

// fail notes a failure. The authority may say when to come again; the pause is longer
// by up to a tenth, so that many names and nodes do not come at once.
func (a *attempts) fail(name string, err error, now time.Time) attempt {
	a.mu.Lock()
	maps.DeleteFunc(a.names, func(_ string, old *attempt) bool { return now.Sub(old.Next) > 24*time.Hour }) // names on demand that nobody asks for
	got := attempt{Failed: brief(err), Help: advice(err), At: now}
	if last := a.names[name]; last != nil {
		got.InRow = last.InRow
	}
	wait := pauseAfter(got.InRow)
	got.Next = now.Add(wait + rand.N(wait/10))
	got.InRow++
	var limited *limitedError
	if errors.As(err, &limited) && limited.until.After(got.Next) {
		got.Next, got.Limited = limited.until, true
	}
	a.put(name, &got)
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	if text, err := json.Marshal(got); err == nil {
		_ = a.storage.Store(ctx, attemptKey(name), text) // it may be the storage that has failed
	}
	return got
}

// limitedError is an authority's refusal that says when it may be asked again (RFC 8555
// §6.6).
type limitedError struct {
	error
	until time.Time
}

func (e *limitedError) Unwrap() error { return e.error }
