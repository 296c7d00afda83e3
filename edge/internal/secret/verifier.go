package secret

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

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
type Verifier struct {
	gate  chan struct{}
	large chan struct{}
	dummy params
}

// NewVerifier returns a Verifier that runs at most parallel verifications at a
// time; zero or less means as many as the program has cores (GOMAXPROCS).
func NewVerifier(parallel int) *Verifier {
	if parallel <= 0 {
		parallel = runtime.GOMAXPROCS(0)
	}
	return &Verifier{
		gate:  make(chan struct{}, parallel),
		large: make(chan struct{}, 1),
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
// turn, or wraps [ErrHash] if the stored hash is unusable; the answer is then
// false. A verification that has begun is not interrupted.
func (v *Verifier) Verify(ctx context.Context, hash, password string) (bool, error) {
	p, err := parse(hash)
	if err != nil {
		return false, err
	}
	return v.verify(ctx, p, password)
}

// VerifyNobody does the work of Verify for a user who does not exist, so that
// the time a refusal takes does not tell which users do. The error is the cause
// of ctx if it ended while the call was waiting for its turn.
func (v *Verifier) VerifyNobody(ctx context.Context, password string) error {
	_, err := v.verify(ctx, v.dummy, password)
	return err
}

func (v *Verifier) verify(ctx context.Context, p params, password string) (bool, error) {
	if len(password) > MaxPassword {
		return false, nil
	}
	if p.memory >= largeMemory {
		if err := enter(ctx, v.large); err != nil {
			return false, err
		}
		defer func() {
			debug.FreeOSMemory() // 64 MiB and more do not wait for the collector
			<-v.large
		}()
	}
	if err := enter(ctx, v.gate); err != nil {
		return false, err
	}
	defer func() { <-v.gate }()
	return p.matches(password)
}

// enter takes a place in gate, or returns the cause of ctx.
func enter(ctx context.Context, gate chan struct{}) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case gate <- struct{}{}:
		return nil
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
	err := bcrypt.CompareHashAndPassword(p.bcrypt, input[:min(len(input), maxBcryptInput)])
	switch {
	case err == nil:
		return len(input) <= maxBcryptInput, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, fmt.Errorf("%w: damaged bcrypt", ErrHash)
}
