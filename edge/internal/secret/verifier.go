package secret

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// largeMemory is the argon2id memory, in KiB, from which a verification passes
// the second gate, so that at most one such runs at a time and its memory is
// returned before the next begins.
const largeMemory = 64 << 10

// Verifier checks passwords against stored hashes behind a gate, so that a storm
// of logins costs a bounded part of the machine: at most the given number of
// verifications run at a time, of which at most one takes 64 MiB or more. Make
// it with [NewVerifier]. It is safe for concurrent use.
//
// What waits for its turn is bounded too, in number and in time: a login beyond that
// is told to come back ([ErrBusy]) while others go on.
type Verifier struct {
	gate    chan struct{}
	large   chan struct{}
	waiting atomic.Int64
	longest time.Duration // that one waits
	dummy   params
}

// How many verifications may wait, and how long each, the time of those that run
// not counted.
const (
	mostWaiting = 1000
	longestWait = 15 * time.Second
)

// ErrBusy says that a verification was not begun, as too many others wait or it would
// have had to wait too long.
var ErrBusy = errors.New("too many passwords wait to be verified")

// NewVerifier returns a Verifier that runs at most parallel verifications at a
// time; zero or less means as many as the program has cores (GOMAXPROCS).
func NewVerifier(parallel int) *Verifier {
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	return &Verifier{
		gate:  make(chan struct{}, parallel),
		large: make(chan struct{}, 1), longest: longestWait,
		dummy: params{
			memory: newMemory, time: newTime, parallelism: newParallelism,
			salt: make([]byte, newSalt), key: make([]byte, newKey),
		},
	}
}

// Like makes VerifyNobody cost as much as a verification of hash, for servers
// whose users were hashed with other parameters than [Hash] takes. Call it
// before the Verifier is shared. The error wraps [ErrHash].
func (v *Verifier) Like(hash string) error {
	p, err := parse(hash)
	if err != nil {
		return err
	}
	v.dummy = p
	return nil
}

// Verify reports whether password is the one that hash was made of, argon2id or
// bcrypt. A password longer than [MaxPassword] never matches, nor does one
// beyond bcrypt's 72 bytes match a bcrypt hash, because bcrypt would ignore the
// rest.
//
// The error is the cause of ctx if it ended while the call was waiting for its
// turn, is [ErrBusy] if that did not come in time, or wraps [ErrHash] if the stored
// hash is unusable; the answer is then false. A verification that has begun is not interrupted.
func (v *Verifier) Verify(ctx context.Context, hash, password string) (bool, error) {
	p, err := parse(hash)
	if err != nil {
		return false, err
	}
	return v.verify(ctx, p, password)
}

// VerifyNobody does the work of Verify for a user who does not exist, so that
// the time a refusal takes does not tell which users do. The error is the cause
// of ctx if it ended while the call was waiting for its turn, or [ErrBusy].
func (v *Verifier) VerifyNobody(ctx context.Context, password string) error {
	_, err := v.verify(ctx, v.dummy, password)
	return err
}

func (v *Verifier) verify(ctx context.Context, p params, password string) (bool, error) {
	if len(password) > MaxPassword {
		return false, nil
	}
	late := time.Now().Add(v.longest)
	if p.memory >= largeMemory {
		if err := v.enter(ctx, v.large, late); err != nil {
			return false, err
		}
		defer func() {
			debug.FreeOSMemory() // 64 MiB and more do not wait for the collector
			<-v.large
		}()
	}
	if err := v.enter(ctx, v.gate, late); err != nil {
		return false, err
	}
	defer func() { <-v.gate }()
	return p.matches(password)
}

// enter takes a place in gate, or returns the cause of ctx, or ErrBusy.
func (v *Verifier) enter(ctx context.Context, gate chan struct{}, late time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case gate <- struct{}{}: // a place is free: no timer is needed
		return nil
	default:
	}
	defer v.waiting.Add(-1)
	if v.waiting.Add(1) > mostWaiting {
		return ErrBusy
	}
	limit := time.NewTimer(time.Until(late))
	defer limit.Stop()
	select {
	case gate <- struct{}{}:
		return nil
	case <-limit.C:
		return ErrBusy
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// matches does the work. It takes the same time whether it matches or not.
func (p params) matches(password string) (bool, error) {
	if p.bcrypt == nil {
		key := p.derive(password, uint32(len(p.key)))
		return subtle.ConstantTimeCompare(key, p.key) == 1, nil
	}
	input := []byte(password)
	defer clear(input)
	err := bcrypt.CompareHashAndPassword(p.bcrypt, input[:min(len(input), maxBcryptInput)])
	switch {
	case err == nil:
		return len(input) <= maxBcryptInput, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, fmt.Errorf("%w: damaged bcrypt", ErrHash)
}
