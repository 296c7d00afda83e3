// Package ports gives tests of every package the numbers of ports that they have to name
// before somebody listens there: passive ranges, listeners that come and go, addresses at
// which nobody is to answer. Where a listener can take port 0 and be asked for its address,
// that is better.
//
// A port that was found free and let go belongs to whoever asks next: another test, or
// another program of tests that runs beside this one. On Linux the numbers are therefore
// held until the test ends, by sockets that are bound and never listen: a listener of Go
// can be opened over them, and nobody else finds the number free. They lie below those that
// systems give away by themselves. A number counts for UDP as well, and for the other
// addresses of the machine, as far as tests have theirs from here.
//
// Only tests import it.
package ports

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The numbers that are given, first and behind the last. Linux gives away 32768 and up.
// Below lie those that are written down somewhere, as in the manifest of a guest.
const first, behind = 20000, 32000

// rounds is how often a row is looked for.
const rounds = 1000

var errNone = errors.New("ports: not so many are free in a row")

// Hold returns the first of n ports of 127.0.0.1 in a row that are the caller's until release
// is called.
func Hold(n int) (from int, release func(), err error) { return row(n, hold) }

// Row returns the first of n ports of 127.0.0.1 in a row that are this test's until it ends.
func Row(t testing.TB, n int) int {
	t.Helper()
	from, release, err := Hold(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return from
}

// Some returns n ports of 127.0.0.1 that are this test's until it ends, as decimal numbers.
func Some(t testing.TB, n int) []string {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(Row(t, 1))
	}
	return list
}

// Addr returns an address, 127.0.0.1:PORT, at which nobody listens unless the test does.
func Addr(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Row(t, 1)))
}

// row looks for n ports in a row, each of which hold has taken.
func row(n int, hold func(port int) (release func(), err error)) (from int, release func(), err error) {
	var held []func()
	release = func() {
		for _, f := range held {
			f()
		}
		held = nil
	}
	last := errNone
	for range rounds {
		from = first + rand.N(behind-first)
		for port := from; port < behind && len(held) < n; port++ {
			f, err := hold(port)
			if err != nil {
				last = err
				break
			}
			held = append(held, f)
		}
		if len(held) == n {
			return from, release, nil
		}
		release()
	}
	return 0, nil, errors.Join(errNone, last)
}
