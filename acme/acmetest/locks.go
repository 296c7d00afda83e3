package acmetest

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/acme"
)

func lockChecks() []check {
	return []check{
		{"a lock excludes", lockExcludes},
		{"a lock counts", lockCounts},
		{"names of locks", lockNames},
		{"a wait ends with its context", lockWaitEnds},
		{"a lock is released by its holder", lockHolder},
		{"a lock that is tried", lockTried},
		{"a lease", lockLease},
	}
}

func lockExcludes(b *bed) {
	const name = "issue_cert_ftp.example.org"
	for _, pair := range [][2]acme.Storage{{b.a, b.b}, {b.b, b.a}, {b.a, b.a}} {
		b.lock(pair[0], name)
		b.refused(pair[1], name, moment)
		b.free(pair[1], "issue_cert_other.example.org")
		b.must(pair[0].Unlock(b.ctx, name))
		b.free(pair[1], name)
	}
	// Who waits has the lock when it is released.
	b.lock(b.a, name)
	got := make(chan error, 1)
	ctx, cancel := context.WithTimeout(b.ctx, b.patience)
	defer cancel()
	go func() { got <- b.b.Lock(ctx, name) }()
	select {
	case err := <-got:
		b.Fatalf("the lock is held, and the other node has it: %v", err)
	case <-time.After(moment):
	}
	b.must(b.a.Unlock(b.ctx, name))
	b.must(<-got)
	b.must(b.b.Unlock(b.ctx, name))
}

// A counter that is read and written under the lock loses nothing.
func lockCounts(b *bed) {
	const workers, rounds = 4, 5
	b.store(b.a, "counter", "0")
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for range rounds {
				if err := b.count([]acme.Storage{b.a, b.b}[i%2]); err != nil {
					b.Errorf("error: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	b.has("counter", strconv.Itoa(workers*rounds))
}

func (b *bed) count(s acme.Storage) (err error) {
	ctx, cancel := context.WithTimeout(b.ctx, 2*b.patience)
	defer cancel()
	if err := s.Lock(ctx, "counter"); err != nil {
		return err
	}
	defer func() {
		if failed := s.Unlock(b.ctx, "counter"); err == nil {
			err = failed
		}
	}()
	text, err := s.Load(b.ctx, "counter")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	return s.Store(b.ctx, "counter", []byte(strconv.Itoa(n+1)))
}

func lockNames(b *bed) {
	names := []string{"issue_cert_*.example.org", "issue_cert_2001:db8::1", "issue_cert_203.0.113.5", "storage_clean",
		"register_acme_account_ops@example.org", "issue_cert_" + strings.Repeat("a.", 120) + "example.org"}
	for _, name := range names {
		b.lock(b.a, name)
	}
	for _, name := range names {
		b.refused(b.b, name, moment/3)
		b.must(b.a.Unlock(b.ctx, name))
		b.free(b.b, name)
	}
}

func lockWaitEnds(b *bed) {
	const name = "issue_cert_ftp.example.org"
	b.lock(b.a, name)
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.b.Lock(ctx, name) }()
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			b.Error("the lock is held, and was given to who no longer waits")
		}
	case <-time.After(b.patience / 3):
		b.Fatal("Lock goes on waiting when its context has ended")
	}
	b.refused(b.b, name, moment)
	b.must(b.a.Unlock(b.ctx, name))
	<-time.After(moment) // for who gave up and has it all the same
	b.free(b.a, name)
	b.free(b.b, name)
}

// What another node does with a lock that it does not hold is of no effect; it may be an
// error.
func lockHolder(b *bed) {
	const name = "issue_cert_ftp.example.org"
	b.free(b.a, name)
	_ = b.a.Unlock(b.ctx, name) // nobody holds it
	b.free(b.b, name)
	if same(b.a, b.b) {
		return // the store cannot tell its nodes apart, and need not
	}
	b.lock(b.a, name)
	_ = b.b.Unlock(b.ctx, name)
	b.refused(b.b, name, moment)
	b.must(b.a.Unlock(b.ctx, name))
	b.free(b.b, name)
}

// same reports whether two views are one value.
func same(a, b acme.Storage) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// lockTried checks a method that not every store has.
func lockTried(b *bed) {
	type tryer interface {
		TryLock(ctx context.Context, name string) (bool, error)
	}
	const name = "storage_clean"
	first, can := b.a.(tryer)
	second, can2 := b.b.(tryer)
	if !can || !can2 {
		return
	}
	try := func(s tryer, want bool) {
		b.Helper()
		if got, err := s.TryLock(b.ctx, name); got != want || err != nil {
			b.Fatalf("TryLock: %v, %v; want %v", got, err, want)
		}
	}
	try(first, true)
	try(first, false)
	try(second, false)
	b.refused(b.b, name, moment)
	b.must(b.a.Unlock(b.ctx, name))
	b.lock(b.b, name)
	try(first, false)
	b.must(b.b.Unlock(b.ctx, name))
	try(second, true)
	b.must(b.b.Unlock(b.ctx, name))
}

// lockLease checks that a lease which is renewed lasts, and dies with its lock.
func lockLease(b *bed) {
	type renewer interface {
		RenewLockLease(ctx context.Context, name string, lease time.Duration) error
	}
	const name = "issue_cert_ftp.example.org"
	r, can := b.a.(renewer)
	if !can {
		return
	}
	b.lock(b.a, name)
	for i := range 3 {
		if err := r.RenewLockLease(b.ctx, name, time.Minute); err != nil {
			b.Fatalf("the lease cannot be renewed (%s): %v", fmt.Sprint(i), err)
		}
		b.refused(b.b, name, moment)
	}
	b.must(b.a.Unlock(b.ctx, name))
	b.free(b.b, name)
}
