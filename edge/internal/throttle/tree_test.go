package throttle_test

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

func rates(t *testing.T, what string, n *throttle.Node, down, up int64) {
	t.Helper()
	if r := n.Rates(); r != (throttle.Rates{Down: down, Up: up}) {
		t.Errorf("%s: %+v, want %d down and %d up", what, r, down, up)
	}
}

func TestUsers(t *testing.T) {
	tree := throttle.NewTree(throttle.Rates{})
	tree.SetDefaults(throttle.Rates{Down: 10, Up: 20}, throttle.Rates{})
	one, leave1 := tree.User("ann", throttle.Rates{})
	rates(t, "the default", one, 10, 20)
	two, leave2 := tree.User("ann", throttle.Rates{Up: 5})
	if one != two {
		t.Error("two sessions of one user have two limits")
	}
	rates(t, "the later login's", one, 10, 5)
	if other, leave := tree.User("bob", throttle.Rates{}); other == one {
		t.Error("two users share a limit")
	} else {
		leave()
	}

	tree.SetDefaults(throttle.Rates{Down: 30, Up: 40}, throttle.Rates{})
	rates(t, "another default", one, 30, 5)
	tree.SetUser("ann", throttle.Rates{Up: 7})
	rates(t, "the operator's", one, 0, 7)
	tree.SetDefaults(throttle.Rates{Down: 50}, throttle.Rates{})
	three, leave3 := tree.User("ann", throttle.Rates{Down: 1, Up: 1})
	rates(t, "the operator's, after a login", three, 0, 7)
	for _, leave := range []func(){leave1, leave1, leave1, leave2, leave3} { // once each, however often it is called
		leave()
	}
	four, leave4 := tree.User("ann", throttle.Rates{Down: 2})
	if four != one {
		t.Error("what the operator set is forgotten")
	}
	rates(t, "the operator's, after all have left", four, 0, 7)
	tree.ClearUser("ann")
	tree.ClearUser("ann")
	tree.ClearUser("nobody")
	rates(t, "the login's again", four, 2, 0)
	leave4()
	five, leave5 := tree.User("ann", throttle.Rates{})
	if five == one {
		t.Error("a user who has left is remembered")
	}
	rates(t, "a new user's", five, 50, 0)
	leave5()
	tree.SetUser("carl", throttle.Rates{})
	tree.ClearUser("carl")
	if s := tree.Snapshot(); len(s.Users) != 0 {
		t.Errorf("users are left: %+v", s.Users)
	}
}

func TestSessionsAndListeners(t *testing.T) {
	tree := throttle.NewTree(throttle.Rates{Down: 1, Up: 2})
	rates(t, "the server", tree.Server(), 1, 2)
	one, leave1 := tree.Session(1, throttle.Rates{Down: 3})
	two, leave2 := tree.Session(2, throttle.Rates{})
	if one == two {
		t.Error("two sessions share a limit")
	}
	tree.SetDefaults(throttle.Rates{}, throttle.Rates{Down: 8, Up: 9})
	rates(t, "the session with a rate", one, 3, 9)
	rates(t, "the session without", two, 8, 9)
	leave1()
	leave1()
	leave2()
	tree.SetDefaults(throttle.Rates{}, throttle.Rates{})
	rates(t, "a session that has ended", two, 8, 9)

	tree.SetListener("ftps", throttle.Rates{Up: 4})
	l := tree.Listener("ftps")
	rates(t, "the listener", l, 0, 4)
	rates(t, "another listener", tree.Listener("ftp"), 0, 0)
	tree.SetListener("ftps", throttle.Rates{Up: 5})
	rates(t, "the listener, changed", l, 0, 5)
}

func TestSnapshot(t *testing.T) {
	tree := throttle.NewTree(throttle.Rates{Down: 100})
	tree.SetDefaults(throttle.Rates{}, throttle.Rates{Up: 3})
	tree.SetListener("b", throttle.Rates{Up: 4})
	tree.SetListener("a", throttle.Rates{Up: 5})
	tree.Listener("free")
	_, leave := tree.User("zoe", throttle.Rates{Down: 6})
	defer leave()
	for range 2 {
		_, leave := tree.User("ann", throttle.Rates{Down: 7})
		defer leave()
	}
	_, leaveFree := tree.User("free", throttle.Rates{})
	defer leaveFree()
	tree.SetUser("lifted", throttle.Rates{})
	got := tree.Snapshot()
	want := throttle.Snapshot{
		Server: throttle.Rates{Down: 100}, Session: throttle.Rates{Up: 3},
		Listeners: []throttle.Limit{{Name: "a", Rates: throttle.Rates{Up: 5}}, {Name: "b", Rates: throttle.Rates{Up: 4}}},
		Users: []throttle.Limit{
			{Name: "ann", Rates: throttle.Rates{Down: 7}, Sessions: 2},
			{Name: "lifted", Set: true},
			{Name: "zoe", Rates: throttle.Rates{Down: 6}, Sessions: 1},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// To break off, log out and log in again does not make a limit void.
func TestDebtsOutliveTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := throttle.NewTree(throttle.Rates{})
		start, moved := time.Now(), 0
		for time.Since(start) < 10*time.Second {
			user, leave := tree.User("ann", throttle.Rates{Down: 1e6})
			l := throttle.Chain(true, user)
			if err := l.Wait(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
			n := l.Slice()
			moved += n
			go func() {
				_ = l.Wait(t.Context(), n)
			}()
			synctest.Wait() // it is debited, and waits, but nobody waits for it
			leave()
		}
		within(t, "in ten seconds", float64(moved), 10e6, 0.01)
		<-time.After(time.Second)
		user, leave := tree.User("bob", throttle.Rates{})
		leave()
		if again, _ := tree.User("ann", throttle.Rates{}); again.Rates() != user.Rates() {
			t.Error("who has paid is remembered")
		}
	})
}

// Everything at once, for the race detector.
func TestTreeIsSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := throttle.NewTree(throttle.Rates{Down: 50e6, Up: 50e6})
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for j := range 50 {
					name := fmt.Sprint("user", (i+j)%3)
					user, leave := tree.User(name, throttle.Rates{Down: 1e6, Up: int64(j) * 1e5})
					session, end := tree.Session(3, throttle.Rates{})
					l := throttle.Chain(j%2 == 0, session, user, tree.Listener(name), tree.Server())
					for range 3 {
						if err := l.Wait(t.Context(), l.Slice()); err != nil {
							t.Error(err)
						}
					}
					end()
					leave()
				}
			})
		}
		wg.Go(func() {
			for j := range int64(100) {
				tree.SetUser("user1", throttle.Rates{Down: j * 1e5, Up: 1e7})
				tree.SetDefaults(throttle.Rates{Up: j * 1e6}, throttle.Rates{Down: 2e7 - j*1e4})
				tree.SetListener("user2", throttle.Rates{Down: j % 2 * 1e6})
				tree.Server().Set(throttle.Rates{Down: 50e6 - j, Up: j % 3 * 1e7})
				tree.Snapshot()
				<-time.After(7 * time.Millisecond)
				tree.ClearUser("user1")
			}
		})
		wg.Wait()
		if s := tree.Snapshot(); s.Server != (throttle.Rates{Down: 50e6 - 99, Up: 0}) {
			t.Errorf("the server has %+v", s.Server)
		}
	})
}

// An operator's word about a session holds before its first transfer, over what it brings
// and what the defaults say, until it is taken back.
func TestSetSession(t *testing.T) {
	tree := throttle.NewTree(throttle.Rates{})
	tree.SetSession(7, throttle.Rates{Down: 5})
	n, leave := tree.Session(7, throttle.Rates{Down: 1, Up: 2})
	other, leaveOther := tree.Session(8, throttle.Rates{Down: 1, Up: 2})
	rates(t, "set before", n, 5, 0)
	rates(t, "another one", other, 1, 2)
	tree.SetDefaults(throttle.Rates{}, throttle.Rates{Down: 100, Up: 100})
	rates(t, "set, under other defaults", n, 5, 0)
	tree.SetSession(7, throttle.Rates{})
	rates(t, "lifted", n, 0, 0)
	if set := tree.SetSessions(); len(set) != 1 || set[7] != (throttle.Rates{}) {
		t.Errorf("set is %v", set)
	}
	tree.ClearSession(7)
	tree.ClearSession(7)
	tree.ClearSession(9)
	rates(t, "taken back", n, 1, 2)
	leave()
	leaveOther()
	tree.SetSession(7, throttle.Rates{Down: 3})
	rates(t, "of a session that has left", n, 1, 2)
}

// The narrowest limit of a chain is told, in the transfer's own direction.
func TestRateOfAChain(t *testing.T) {
	var none *throttle.Limiter
	own, server := throttle.NewNode(throttle.Rates{}), throttle.NewNode(throttle.Rates{Down: 9, Up: 4})
	down, up := throttle.Chain(true, own, nil, server), throttle.Chain(false, own, server)
	if none.Rate() != 0 || down.Rate() != 9 || up.Rate() != 4 || throttle.Chain(true, own).Rate() != 0 {
		t.Errorf("the rates are %d, %d, %d", none.Rate(), down.Rate(), up.Rate())
	}
	own.Set(throttle.Rates{Down: 5})
	if down.Rate() != 5 || up.Rate() != 4 {
		t.Errorf("narrowed, the rates are %d and %d", down.Rate(), up.Rate())
	}
}
