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

	mu     sync.Mutex
	names  map[string]*attempt // those whose last order failed
	issued map[string]issue    // those whose last order did not
}

// issue is an order that was fulfilled. Its certificate may be of no use nevertheless:
// the authority says that it is to be renewed at once, it has expired, or the storage
// has lost it.
type issue struct {
	at    time.Time
	inRow int       // orders before it, each fulfilled less than soonAgain before the next
	next  time.Time // no other order before, unless somebody asks for it now
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
	// soonAgain is less than between two orders that are fulfilled and of use, but for
	// certificates of a day.
	soonAgain = 12 * time.Hour
	// clockSkew is how far ahead a node's clock may be. What is noted with a later time
	// was noted by a clock that was wrong.
	clockSkew = 5 * time.Minute
	forgetful = 24 * time.Hour // after its next attempt a failure means nothing
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
	now := time.Now()
	var stored attempt
	readable := err == nil && json.Unmarshal(text, &stored) == nil && !stored.At.After(now.Add(clockSkew))
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.names[name]
	if readable && (got == nil || got.At.Before(stored.At)) {
		stored.Next, stored.InRow = earlier(stored.Next, now.Add(longest)), max(stored.InRow, 0)
		if got == nil && !stored.Limited {
			stored.Next = earlier(stored.Next, stored.At.Add(restartPause))
			if stored.InRow < restartFree {
				stored.Next = stored.At
			}
		}
		got = &stored
		a.put(name, got)
	}
	next := a.issued[name].next
	if got != nil && got.Next.After(next) {
		next = got.Next
	}
	return next
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

// succeed notes an order that has given a certificate of that life, and returns when
// the next one may be made. Orders that follow each other soon, as no certificate should
// make them, have pauses as if they failed, of a quarter of the life at most.
func (a *attempts) succeed(name string, life time.Duration, now time.Time) issue {
	a.mu.Lock()
	delete(a.names, name)
	got := issue{at: now}
	if last, ok := a.issued[name]; ok && now.Sub(last.at) < soonAgain {
		got.inRow = last.inRow + 1
		got.next = now.Add(min(pauseAfter(got.inRow-1), life/4))
	}
	maps.DeleteFunc(a.issued, func(_ string, old issue) bool { return now.Sub(old.at) > soonAgain })
	if a.issued == nil {
		a.issued = map[string]issue{}
	}
	a.issued[name] = got
	a.mu.Unlock()
	a.remove(name)
	return got
}

// settle forgets a failure of which nothing is left to do.
func (a *attempts) settle(name string) {
	a.mu.Lock()
	failed := a.names[name] != nil
	delete(a.names, name)
	a.mu.Unlock()
	if failed {
		a.remove(name)
	}
}

// remove deletes a failure from the storage.
func (a *attempts) remove(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	if err := a.storage.Delete(ctx, attemptKey(name)); err != nil {
		a.log.Warn("an old failure cannot be removed from the storage of certificates", "name", name, "error", err)
	}
}

// fail notes a failure. The authority may say when to come again; the pause is longer
// by up to a tenth, so that many names and nodes do not come at once.
func (a *attempts) fail(name string, err error, now time.Time) attempt {
	var gone []string // names on demand that nobody asks for
	a.mu.Lock()
	maps.DeleteFunc(a.names, func(name string, old *attempt) bool {
		forgotten := now.Sub(old.Next) > forgetful
		if forgotten {
			gone = append(gone, name)
		}
		return forgotten
	})
	got := attempt{Failed: brief(err), Help: Advice(err), At: now}
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
	for _, name := range gone {
		a.remove(name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	if text, err := json.Marshal(got); err == nil {
		_ = a.storage.Store(ctx, attemptKey(name), text) // it may be the storage that has failed
	}
	return got
}

// sweep removes from the storage what processes before this one have noted, and what
// means nothing any more.
func (a *attempts) sweep(ctx context.Context) {
	keys, err := a.storage.List(ctx, "attempts", false)
	if err != nil {
		return // there are none
	}
	for _, key := range keys {
		info, err := a.storage.Stat(ctx, key)
		if err == nil && time.Since(info.Modified) > longest+forgetful {
			_ = a.storage.Delete(ctx, key) // the next start tries again
		}
	}
}

// limitedError is an authority's refusal that says when it may be asked again (RFC 8555
// §6.6).
type limitedError struct {
	error
	until time.Time
}

func (e *limitedError) Unwrap() error { return e.error }
