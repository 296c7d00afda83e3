package e2e

import (
	"errors"
	"testing"
	"time"
)

var errLate = errors.New("it took too long")

// waitWithin bounds the wait for something that comes at once on a machine that has nothing
// else to do. It is long, because this one may have: what does not come is found all the same.
const waitWithin = time.Minute

// until asks again and again until cond holds.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(waitWithin)
	for !cond() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: %v", what, errLate)
		}
	}
}

// ok fails the test on an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must returns v, or fails the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
