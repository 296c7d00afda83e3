package defender

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"
)

// A page that somebody reads can have his browser connect to us, and send requests,
// handshakes or nothing: a stranger could have him banned where he works with us.
func TestLedByOthers(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	reader, stranger := addr("192.0.2.7"), addr("192.0.2.8")
	d.Entered(now, reader, "anna")
	for _, what := range []Offence{Foreign, BadTLS, Silent, Crowding} {
		banned := false
		for range 1000 {
			if _, made := d.Note(now, reader, what); made {
				t.Fatalf("%v: who has logged in is banned", what)
			}
			_, made := d.Note(now, stranger, what)
			banned = banned || made
		}
		if !banned {
			t.Errorf("%v: a stranger is not banned", what)
		}
		d.Unban(now, prefixOf("192.0.2.8/32"))
	}
	if !d.fail(now, reader, "bert", 10) {
		t.Error("who has logged in guesses at others")
	}
	d.Unban(now, prefixOf("192.0.2.7/32"))
	d.Entered(now, reader, "anna")
	later := now.Add(ownerFor)
	for range 20 {
		d.Note(later, reader, Foreign)
	}
	if d.Admit(later, reader) != Banned {
		t.Error("after two weeks he is still known")
	}
}

// An owner whose provider gives him another address of the same network does not wait
// behind the guessers there, who could keep him out with a login each 30 seconds.
func TestOwnerBesideGuessers(t *testing.T) {
	for _, form := range []string{"192.0.2.%d", "2001:db8:1:%x::1"} {
		now := time.Now()
		d := New(usual(), now)
		at := func(i int) netip.Addr { return addr(fmt.Sprintf(form, i)) }
		d.Entered(now.Add(-time.Hour), at(250), "anna")
		for i := range 120 {
			d.fail(now, at(i), fmt.Sprint(i), 1)
		}
		for range 20 {
			d.Attempt(now, at(1), "x")
		}
		if turn := d.Attempt(now, at(251), "anna"); turn != (Turn{}) {
			t.Errorf("the owner: %+v", turn)
		}
		if turn := d.Attempt(now, at(251), "bert"); !turn.Slowed {
			t.Errorf("another user: %+v", turn)
		}
	}
	// Where there are so many hosts that they cannot be banned, it would be no limit.
	now := time.Now()
	d := New(usual(), now)
	at := func(i int) netip.Addr { return addr(fmt.Sprintf("2001:db8:1:%x::1", i)) }
	d.Entered(now, at(0xffff), "anna")
	for i := range 2 * maxCrowd {
		d.fail(now, at(i), "anna", 1)
	}
	for range 20 {
		d.Attempt(now, at(2*maxCrowd), "anna")
	}
	if turn := d.Attempt(now, at(2*maxCrowd), "anna"); !turn.Slowed {
		t.Errorf("a host without a record: %+v", turn)
	}
	if turn := d.Attempt(now, at(0xffff), "anna"); turn != (Turn{}) {
		t.Errorf("the owner where he was: %+v", turn)
	}
}

// A network whose hosts were once as many as are kept does not stay without a record
// for ever: nobody in it could be banned, and no owner known.
func TestCrowdLeaves(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	at := func(i int) netip.Addr { return addr(fmt.Sprintf("2001:db8:1:%x::1", i)) }
	for i := range maxCrowd {
		d.Note(now, at(i), BadTLS)
	}
	if d.fail(now, at(1000), "x", 10) {
		t.Error("there was no room, and yet a ban")
	}
	now = now.Add(time.Hour)
	if !d.fail(now, at(1001), "x", 10) {
		t.Error("the hosts of an hour ago still take the room")
	}
	d.Entered(now, at(1002), "anna")
	if h := d.hosts.find(mustHost(t, at(1002))); h == nil || !h.recent(d.tick(now)) {
		t.Error("an owner is not known")
	}
}

func mustHost(t *testing.T, a netip.Addr) key {
	t.Helper()
	k, ok := hostOf(a)
	if !ok {
		t.Fatal(a)
	}
	return k
}

// The longest time that can be said is long, and not over at once.
func TestOrderForLong(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	for _, long := range []time.Duration{math.MaxInt64, math.MaxInt64 - epoch, 100 * 365 * 24 * time.Hour} {
		b, err := d.Order(now, prefixOf("192.0.2.0/24"), long, "")
		if err != nil || !b.Until.After(now.Add(20*365*24*time.Hour)) || d.Admit(now, addr("192.0.2.1")) != Banned || len(d.Bans(now)) != 1 {
			t.Errorf("%v: %+v, %v", long, b, err)
		}
		if _, next := d.Expire(now); !next.Equal(b.Until) {
			t.Errorf("%v: ends %v, not %v", long, next, b.Until)
		}
	}
}
