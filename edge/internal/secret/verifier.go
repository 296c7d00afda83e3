package secret

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// largeMemory is the argon2id memory, in KiB, from which a verification passes
// the second gate, so that at most one such runs at a time and its memory is
// returned before the next begins. [Verifier.Within] may lower it.
const largeMemory = 64 << 10

// Verifier checks passwords against stored hashes behind a gate, so that a storm
// of logins costs a bounded part of the machine: at most the given number of
// verifications run at a time, of which at most one takes 64 MiB or more. Make
// it with [NewVerifier]. It is safe for concurrent use.
//
// What waits for its turn is bounded too, in number and in time: a login beyond that
// is told to come back ([ErrBusy]) while others go on. Addresses take turns, see
// [Verifier.Of].
type Verifier struct {
	gate      *turns
	large     *turns
	longest   time.Duration // that one waits
	dummy     params
	who       netip.Addr    // whose turns are waited for
	largeFrom uint32        // KiB: those from here on go one at a time
	most      uint32        // KiB: those beyond are refused
	memory    *memory       // of what has matched; nil: none
	garbage   *atomic.Int64 // bytes, see tidy
	spared    *atomic.Bool  // see Pay; nil but for a Verifier of Of
}

// mostGarbage is how many bytes verifications may leave behind before they are collected:
// three of them, which costs a twentieth of their own time; where more than that is alive,
// as much as is alive: there a collection takes longer, and whoever guesses passwords must
// not have one for each third guess. The collector by itself may wait for several times
// what the largest moment has taken.
const mostGarbage = 3 * newMemory << 10

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
		gate:      newTurns(parallel, mostWaiting),
		large:     newTurns(1, mostWaiting),
		longest:   longestWait,
		largeFrom: largeMemory, most: MaxMemory, garbage: new(atomic.Int64),
		dummy: params{
			memory: newMemory, time: newTime, parallelism: newParallelism,
			salt: make([]byte, newSalt), key: make([]byte, newKey),
		},
	}
}

// Remember lets a password that has matched match again for as long without the work,
// and without waiting for a turn; zero or less forgets at once, as does a Verifier of
// which this was never asked. Passwords that do not match cost the same each time.
// Call it before the Verifier is shared.
func (v *Verifier) Remember(within time.Duration) {
	if v.memory = nil; within > 0 {
		v.memory = remembering(within)
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

// Within keeps the verifications that run at a time to about three quarters of so
// many bytes: all but the large ones together to a quarter, the large one to a half.
// What is large begins lower for that, and fewer run at a time, but never less than
// one; a hash that asks for more than the half is refused. It returns what they take
// at most, in bytes, a large one not counted. Call it before the Verifier is shared.
func (v *Verifier) Within(bytes int64) int64 {
	quarter := max(newMemory, bytes/4>>10)
	parallel := max(1, min(int64(v.gate.places), quarter/newMemory))
	v.gate = newTurns(int(parallel), mostWaiting)
	v.largeFrom = uint32(min(largeMemory, quarter/parallel+1))
	v.most = uint32(max(newMemory, min(MaxMemory, bytes/2>>10)))
	return v.Memory()
}

// Memory returns how many bytes the verifications that run at a time take when all of
// them are like those of [Hash].
func (v *Verifier) Memory() int64 { return int64(v.gate.places) * newMemory << 10 }

// Of returns v for one login of one address, an IPv6 /64 being one: its logins wait
// in a line of their own. Networks (IPv4 /24, IPv6 /48) take turns, and in each of them its
// lines. The zero Addr is an address like another.
func (v *Verifier) Of(who netip.Addr) *Verifier {
	its := *v
	its.who, its.spared = who, new(atomic.Bool)
	return &its
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
	if len(password) > MaxPassword {
		return false, nil
	}
	if ctx.Err() == nil && v.known(hash, password) {
		return true, nil
	}
	return v.verify(ctx, p, hash, password)
}

// VerifyNobody does the work of Verify for a user who does not exist, so that
// the time a refusal takes does not tell which users do. The error is the cause
// of ctx if it ended while the call was waiting for its turn, or [ErrBusy].
func (v *Verifier) VerifyNobody(ctx context.Context, password string) error {
	if len(password) > MaxPassword {
		return nil
	}
	_, err := v.verify(ctx, v.dummy, "", password)
	return err
}

// Pay does the work that Verify was spared since the password was remembered, if it was;
// once, and only for a Verifier of Of. It is for a login that is refused though its
// password matches: by the time it takes it would be known from those that do not.
func (v *Verifier) Pay(ctx context.Context, password string) error {
	if v.spared == nil || !v.spared.Swap(false) {
		return nil
	}
	return v.VerifyNobody(ctx, password)
}

// known reports whether the outcome is known without the work, which then is owed.
func (v *Verifier) known(hash, password string) bool {
	known := v.memory.knows(hash, password)
	if known && v.spared != nil {
		v.spared.Store(true)
	}
	return known
}

// verify waits for its turn and does the work, if the outcome is not known by then: of
// many logins of one user at once, the first ones do it for all. p is the hash taken
// apart, which is empty for nobody's.
func (v *Verifier) verify(ctx context.Context, p params, hash, password string) (bool, error) {
	if p.memory > v.most {
		return false, fmt.Errorf("%w: it takes %d MiB, and the memory budget leaves %d MiB for one", ErrHash, p.memory>>10, v.most>>10)
	}
	late := time.Now().Add(v.longest)
	if p.memory >= v.largeFrom {
		if err := v.large.enter(ctx, v.who, late); err != nil {
			return false, err
		}
		defer func() {
			debug.FreeOSMemory() // 64 MiB and more do not wait for the collector
			v.large.leave()
		}()
	}
	if err := v.gate.enter(ctx, v.who, late); err != nil {
		return false, err
	}
	ok, err := v.work(p, hash, password)
	v.tidy() // when the next one has its turn
	return ok, err
}

// work verifies the password, if the outcome is not known by now, and leaves the gate.
func (v *Verifier) work(p params, hash, password string) (bool, error) {
	defer v.gate.leave()
	if v.known(hash, password) {
		return true, nil
	}
	v.garbage.Add(int64(p.memory) << 10)
	ok, err := p.matches(password)
	if ok && err == nil && hash != "" { // of nobody's, the time would tell whether it was tried before
		v.memory.keep(hash, password)
	}
	return ok, err
}

// tidy collects what verifications have left behind, if it is much.
func (v *Verifier) tidy() {
	if left := v.garbage.Load(); left >= mostGarbage && left >= alive() && v.garbage.CompareAndSwap(left, 0) {
		runtime.GC()
	}
}

// alive is how many bytes the last collection has found in use.
func alive() int64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
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
