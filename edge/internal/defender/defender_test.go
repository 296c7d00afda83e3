package defender

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// usual is a configuration in which the tenth failed login makes a ban.
func usual() Config {
	return Config{Score: 100, Within: 30 * time.Minute, Ban: 15 * time.Minute, MostBan: 24 * time.Hour}
}

func addr(s string) netip.Addr       { return netip.MustParseAddr(s) }
func prefixOf(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// fail makes failed logins and returns whether the last one has made a ban.
func (d *Defender) fail(now time.Time, a netip.Addr, user string, times int) (banned bool) {
	for range times {
		_, _, banned = d.Failed(now, a, user, FailedLogin, 3*time.Second)
	}
	return banned
}

// Threat 27: whoever guesses is answered later and later, and then banned, and three
// slips of the finger cost nothing but the usual delay.
func TestGuesser(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	a := addr("192.0.2.7")
	want := []time.Duration{3, 3, 3, 6, 6, 6, 12, 12, 12, 3}
	for i, w := range want {
		delay, ban, banned := d.Failed(now, a, "u", FailedLogin, 3*time.Second)
		if banned != (i == 9) || delay != w*time.Second {
			t.Errorf("failure %d: delayed %v and banned: %v", i+1, delay, banned)
		}
		if banned && (ban.Who != prefixOf("192.0.2.7/32") || ban.Times != 1 || ban.Until.Sub(now) != 15*time.Minute || ban.By != ByScore) {
			t.Errorf("the ban is %+v", ban)
		}
	}
	if d.Admit(now, a) != Banned || d.Admit(now, netip.AddrFrom16(a.As16())) != Banned {
		t.Error("the guesser is not banned")
	}
	if !d.Attempt(now, a, "u").Banned {
		t.Error("a session of before goes on guessing")
	}
	if d.Admit(now, addr("192.0.2.8")) != Welcome || d.Admit(now, netip.Addr{}) != Welcome {
		t.Error("somebody else is banned")
	}
	if got := d.Admit(now.Add(15*time.Minute-1), a); got != Banned {
		t.Errorf("just before the end: %v", got)
	}
	if got := d.Admit(now.Add(15*time.Minute), a); got != Welcome {
		t.Errorf("at the end: %v", got)
	}
}

// Each further ban lasts twice as long, up to the most, until a whole MostBan went by.
func TestRepeater(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	a := addr("2001:db8::1")
	long := 15 * time.Minute
	for i := range 12 {
		if !d.fail(now, a, "u", 10) {
			t.Fatalf("ban %d was not made", i+1)
		}
		b := d.Bans(now)
		if len(b) != 1 || b[0].Until.Sub(now) != long || b[0].Times != i+1 || b[0].Who != prefixOf("2001:db8::/64") {
			t.Fatalf("ban %d: %+v, not %v", i+1, b, long)
		}
		now = now.Add(long)
		if ended, _ := d.Expire(now); len(ended) != 1 || len(d.Bans(now)) != 0 {
			t.Fatalf("ban %d has ended: %+v", i+1, ended)
		}
		now = now.Add(time.Hour)
		long = min(2*long, 24*time.Hour)
	}
	now = now.Add(24 * time.Hour)
	d.fail(now, a, "u", 10)
	if b := d.Bans(now); len(b) != 1 || b[0].Until.Sub(now) != 15*time.Minute {
		t.Errorf("after a long rest: %+v", b)
	}
}

// What counts is over after its time; what is left makes no ban.
func TestSlowGuesser(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	a := addr("192.0.2.7")
	for range 100 {
		if d.fail(now, a, "u", 1) {
			t.Fatal("a failure each four minutes made a ban")
		}
		now = now.Add(4 * time.Minute)
	}
	d.Attempt(now.Add(time.Hour), a, "u")
	if n := d.Status(now.Add(time.Hour), 5); len(n.Highest) != 0 {
		t.Errorf("an hour later: %+v", n)
	}
}

// A policy's 421 weighs more, what clients with a wrong certificate do less, and each
// offence makes a ban in the end.
func TestOffences(t *testing.T) {
	for what, times := range map[Offence]int{FailedLogin: 10, Unwelcome: 4, Senseless: 5, LongLine: 5, Foreign: 20, BadTLS: 100, Silent: 20, Crowding: 100} {
		now := time.Now()
		d := New(usual(), now)
		for i := 1; i <= times; i++ {
			b, banned := d.Note(now, addr("192.0.2.7"), what)
			if banned != (i == times) {
				t.Errorf("%v: after %d banned: %v", what, i, banned)
			}
			if banned && !strings.Contains(b.Why, what.String()) {
				t.Errorf("%v: %q", what, b.Why)
			}
		}
	}
}

// A client with more connections than it may have is not banned where it has logged in.
func TestCrowdOfFriends(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	a := addr("192.0.2.7")
	d.Entered(now, a, "anna")
	for range 1000 {
		if _, banned := d.Note(now, a, Crowding); banned {
			t.Fatal("banned")
		}
	}
}

// Threat 28: many addresses that guess at one user slow that user's logins down where
// they come from, and neither where he is at home nor where nobody has guessed.
func TestOwner(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	home, abroad := addr("198.51.100.9"), addr("203.0.113.5")
	d.Entered(now.Add(-time.Minute), home, "anna")
	for i := range 200 {
		d.fail(now, netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), "anna", 1)
	}
	for range 20 {
		if turn := d.Attempt(now, home, "anna"); turn != (Turn{}) {
			t.Fatalf("at home: %+v", turn)
		}
	}
	if delay, _, _ := d.Failed(now, home, "anna", FailedLogin, 3*time.Second); delay != 3*time.Second {
		t.Errorf("a slip at home is answered after %v", delay)
	}
	if turn := d.Attempt(now, abroad, "anna"); turn != (Turn{}) {
		t.Errorf("the first login abroad: %+v", turn)
	}
	guesser := addr("10.0.3.1")
	if turn := d.Attempt(now, guesser, "anna"); turn != (Turn{}) {
		t.Errorf("a first guess: %+v", turn)
	}
	if turn := d.Attempt(now, guesser, "anna"); turn.Wait < firstPause && !turn.Slowed {
		t.Errorf("a second guess: %+v", turn)
	}
	if turn := d.Attempt(now, guesser, "bert"); turn != (Turn{}) {
		t.Errorf("another user: %+v", turn)
	}
	later := now.Add(ownerFor)
	d.fail(later, guesser, "anna", 9)
	for i := range 30 {
		d.fail(later, netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), "anna", 1)
	}
	d.Attempt(later, home, "anna")
	if turn := d.Attempt(later, home, "anna"); turn == (Turn{}) {
		t.Error("after two weeks the owner is still known")
	}
}

// Threat 31: whether there is such a user is not known here, and so makes no
// difference: two users are treated alike, the one who once logged in elsewhere too.
func TestAlike(t *testing.T) {
	now := time.Now()
	known, unknown := New(usual(), now), New(usual(), now)
	known.Entered(now, addr("198.51.100.9"), "anna")
	for i := range 300 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i % 7), byte(i % 11)})
		t1, t2 := known.Attempt(now, a, "anna"), unknown.Attempt(now, a, "nobody")
		d1, _, b1 := known.Failed(now, a, "anna", FailedLogin, time.Second)
		d2, _, b2 := unknown.Failed(now, a, "nobody", FailedLogin, time.Second)
		if t1 != t2 || d1 != d2 || b1 != b2 {
			t.Fatalf("guess %d: %+v %v %v, and %+v %v %v", i, t1, d1, b1, t2, d2, b2)
		}
		now = now.Add(700 * time.Millisecond)
	}
}

// Logins of a network beyond its limit go one at a time, with growing pauses; who has
// logged in from his very address does not wait for his neighbours.
func TestNetwork(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	friend := addr("192.0.2.250")
	d.Entered(now, friend, "anna")
	for i := range 100 {
		d.fail(now, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), fmt.Sprint(i), 1)
	}
	var waits []Turn
	for range 7 {
		waits = append(waits, d.Attempt(now, addr("192.0.2.200"), "new"))
	}
	for i, turn := range waits[:6] {
		if turn.Slowed || turn.Wait != time.Duration(i)*firstPause {
			t.Errorf("login %d: %+v", i, turn)
		}
	}
	if !waits[6].Slowed {
		t.Errorf("a seventh one waits %v", waits[6].Wait)
	}
	if turn := d.Attempt(now, friend, "anna"); turn != (Turn{}) {
		t.Errorf("a friend: %+v", turn)
	}
	if turn := d.Attempt(now, addr("192.0.3.1"), "new"); turn != (Turn{}) {
		t.Errorf("another network: %+v", turn)
	}
	st := d.Status(now, 5)
	if st.Waited != 5 || st.Refused != 1 || len(st.Slowed) != 1 || st.Slowed[0] != (Slowed{prefixOf("192.0.2.0/24"), 100}) || st.Bans != 0 {
		t.Errorf("%+v", st)
	}
	if grown(firstPause, mostPause, 1) != firstPause || grown(firstPause, mostPause, 4) != 4*firstPause || grown(firstPause, mostPause, 1<<40) != mostPause {
		t.Error("pauses do not grow as they should")
	}
}

// Threat 30: whoever has a whole /48 of IPv6 and uses each /64 once is slowed as a
// network, and takes no more room than a /24 could.
func TestRotation(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	bans := 0
	for i := range 10_000 {
		a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 1, byte(i >> 8), byte(i), 15: 1})
		if turn := d.Attempt(now, a, "root"); i > 2000 && turn == (Turn{}) && i%1000 != 0 {
			t.Fatalf("guess %d is not slowed", i)
		}
		if d.fail(now, a, "root", 10) {
			bans++
		}
	}
	st := d.Status(now, 5)
	if bans != maxCrowd || st.Addresses != maxCrowd || st.Networks != 1 || st.Unrecorded == 0 || len(st.Slowed) != 1 || st.Slowed[0].Who != prefixOf("2001:db8:1::/48") {
		t.Errorf("%d bans, %+v", bans, st)
	}
	if !d.fail(now, addr("2001:db8:2::1"), "root", 10) {
		t.Error("the neighbour's /48 is not kept")
	}
}

// Threat 30: noise from a million addresses pushes out neither bans nor those who are
// close to one, and the table does not grow beyond its bound.
func TestNoise(t *testing.T) {
	noise := 200_000
	if os.Getenv("EDGEFTP_FULL") != "" {
		noise = 1_000_000
	}
	now := time.Now()
	d := New(usual(), now)
	rnd := rand.New(rand.NewPCG(5, 6))
	var bans, close []netip.Addr
	for i := range 1000 {
		bans = append(bans, netip.AddrFrom4([4]byte{100, byte(i >> 8), byte(i), 1}))
		close = append(close, netip.AddrFrom4([4]byte{101, byte(i >> 8), byte(i), 1}))
		if !d.fail(now, bans[i], "u", 10) || d.fail(now, close[i], "u", 9) {
			t.Fatal("the beginning is wrong")
		}
	}
	kinds := []Offence{FailedLogin, Senseless, Foreign, BadTLS, Silent, Crowding}
	for i := range noise {
		a := netip.AddrFrom4([4]byte{byte(1 + i>>24), byte(i >> 16), byte(i >> 8), byte(i)})
		if rnd.IntN(2) == 0 {
			a = netip.AddrFrom16([16]byte{0x20, 2, byte(i >> 16), byte(i >> 8), byte(i), byte(rnd.IntN(256)), 15: 1})
		}
		d.Note(now, a, kinds[rnd.IntN(len(kinds))])
		if rnd.IntN(20) == 0 {
			d.fail(now, a, fmt.Sprint("u", i), 1)
		}
		if i%1000 == 0 {
			now = now.Add(time.Second / 2) // 500 s in all for a million: no ban ends, and no score is forgotten
		}
	}
	d.hosts.check(t)
	if n := d.hosts.len(); n > maxHosts {
		t.Errorf("%d addresses are kept", n)
	}
	if st := d.Status(now, 1); st.Bans != len(bans) {
		t.Errorf("%d bans are left of %d", st.Bans, len(bans))
	}
	for i := range bans {
		if d.Admit(now, bans[i]) != Banned {
			t.Fatalf("the ban of %v was pushed out", bans[i])
		}
	}
	for _, a := range close {
		if !d.fail(now, a, "u", 1) {
			t.Fatalf("the score of %v was pushed out", a)
		}
	}
}

// The crowds are counted as the table holds them.
func TestCrowds(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	for i := range 120_000 {
		d.Note(now, netip.AddrFrom4([4]byte{10, byte(i >> 13), byte(i >> 5), byte(i * 8)}), BadTLS)
	}
	counted := map[key]int{}
	for k := range d.hosts.index {
		counted[k.network()]++
	}
	if len(counted) != len(d.crowds) {
		t.Errorf("%d networks and %d crowds", len(counted), len(d.crowds))
	}
	for k, n := range counted {
		if d.crowds[k] != n {
			t.Fatalf("%v: %d hosts are counted as %d", k, n, d.crowds[k])
		}
	}
}

func TestLists(t *testing.T) {
	conf := usual()
	conf.Allow = []netip.Prefix{prefixOf("10.1.0.0/16"), prefixOf("10.9.9.9/32"), prefixOf("2001:db8::/48"), prefixOf("::ffff:192.0.2.0/120")}
	conf.Deny = []netip.Prefix{prefixOf("10.0.0.0/8"), prefixOf("10.1.1.0/24"), prefixOf("10.9.9.9/32"), prefixOf("::/0")}
	now := time.Now()
	d := New(conf, now)
	for a, want := range map[string]Admission{"10.2.0.1": Denied, "10.1.0.1": Welcome, "10.1.1.1": Denied, "10.9.9.9": Denied, "11.0.0.1": Welcome,
		"2001:db8::1": Welcome, "2001:db9::1": Denied, "::ffff:10.1.0.1": Welcome, "192.0.2.1": Welcome, "fe80::1%eth0": Denied} {
		if got := d.Admit(now, addr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
	if d.fail(now, addr("10.1.0.1"), "u", 100) || d.Attempt(now, addr("10.1.0.1"), "u") != (Turn{}) || d.Status(now, 1).Users != 0 {
		t.Error("an allowed address is held to account")
	}
	for who, want := range map[string]error{"10.1.0.1/32": ErrAllowed, "10.1.1.1/32": nil, "10.0.0.0/7": nil, "10.1.0.0/16": ErrAllowed, "2001:db8::/64": ErrAllowed} {
		if _, err := d.Order(now, prefixOf(who), time.Hour, "test"); !errors.Is(err, want) {
			t.Errorf("%s: %v", who, err)
		}
	}
	if d.Admit(now, addr("11.0.0.1")) != Banned || d.Admit(now, addr("10.1.0.1")) != Welcome {
		t.Error("a wide ban takes the allowed with it")
	}
}

func TestOrders(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	b, err := d.Order(now, prefixOf("192.0.2.77/24"), time.Hour, "a bad\r\nneighbourhood"+strings.Repeat("é", 200))
	if err != nil || b.Who != prefixOf("192.0.2.0/24") || b.By != ByOperator || b.Times != 1 || !strings.HasPrefix(b.Why, "a bad  neigh") || len(b.Why) > maxWhy {
		t.Fatalf("%+v, %v", b, err)
	}
	if d.Admit(now, addr("192.0.2.1")) != Banned || !d.Attempt(now, addr("192.0.2.1"), "u").Banned {
		t.Error("who is in it is not banned")
	}
	if b, err = d.Order(now, prefixOf("192.0.2.0/24"), 0, "for good"); err != nil || b.Times != 2 || !b.Until.IsZero() {
		t.Errorf("%+v, %v", b, err)
	}
	far := now.Add(20 * 365 * 24 * time.Hour)
	if d.Admit(far, addr("192.0.2.1")) != Banned || len(d.Bans(far)) != 1 || d.Status(far, 1).Bans != 1 {
		t.Error("a ban without end has ended")
	}
	if _, found := d.Unban(now, prefixOf("192.0.2.0/25")); found {
		t.Error("another prefix was banned")
	}
	if b, found := d.Unban(now, prefixOf("192.0.2.9/24")); !found || b.Why != "for good" || d.Admit(now, addr("192.0.2.1")) != Welcome {
		t.Errorf("%v, %+v", found, b)
	}
	d.fail(now, addr("192.0.2.1"), "u", 10)
	if b, found := d.Unban(now, prefixOf("192.0.2.1/32")); !found || b.By != ByScore || d.Admit(now, addr("192.0.2.1")) != Welcome {
		t.Errorf("%v, %+v", found, b)
	}
	for _, bad := range []func() (Ban, error){
		func() (Ban, error) { return d.Order(now, netip.Prefix{}, time.Hour, "") },
		func() (Ban, error) { return d.Order(now, prefixOf("192.0.2.0/24"), -1, "") },
	} {
		if _, err := bad(); !errors.Is(err, ErrPrefix) {
			t.Errorf("%v", err)
		}
	}
	for i := range maxOrders + 1 {
		_, err = d.Order(now, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24), time.Hour, "")
	}
	if !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	ended, next := d.Expire(now.Add(time.Hour))
	if len(ended) != maxOrders || !next.IsZero() {
		t.Errorf("%d have ended, the next %v", len(ended), next)
	}
}

// Expire tells of each ban once, and when to come again.
func TestExpire(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	if ended, next := d.Expire(now); len(ended) != 0 || !next.IsZero() {
		t.Errorf("at first: %v, %v", ended, next)
	}
	d.fail(now, addr("192.0.2.1"), "u", 10)
	if _, err := d.Order(now, prefixOf("192.0.3.0/24"), time.Minute, ""); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		after time.Duration
		ended int
		next  time.Duration
	}{{0, 0, time.Minute}, {time.Minute, 1, 15 * time.Minute}, {time.Minute, 0, 15 * time.Minute}, {15 * time.Minute, 1, 0}, {time.Hour, 0, 0}} {
		ended, next := d.Expire(now.Add(step.after))
		if len(ended) != step.ended || step.next > 0 && !next.Equal(now.Add(step.next)) || step.next == 0 && !next.IsZero() {
			t.Errorf("step %d: %v, %v", i, ended, next)
		}
	}
}

// Threat 96: what is compared is the monotonic clock, which no jump of the wall clock
// moves; and even without one, a clock that goes back ends no ban.
func TestClock(t *testing.T) {
	now := time.Now()
	d := New(usual(), now)
	if !strings.Contains(d.base.String(), "m=") {
		t.Error("the first tick has no monotonic clock")
	}
	a := addr("192.0.2.1")
	d.fail(now, a, "u", 10)
	for _, back := range []time.Duration{time.Hour, 100 * 365 * 24 * time.Hour} {
		if d.Admit(now.Add(-back), a) != Banned || d.Admit(now.Round(0).Add(-back), a) != Banned {
			t.Errorf("a clock that has gone back by %v ends a ban", back)
		}
	}
	if d.Admit(now.Add(15*time.Minute), a) != Welcome {
		t.Error("the ban does not end")
	}
}

// Whatever happens, a Defender stays within a bound of memory.
func TestMemory(t *testing.T) {
	now := time.Now()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d := New(usual(), now)
	long := strings.Repeat("long", 100)
	for i := range uint32(maxHosts + 100) {
		a := netip.AddrFrom4([4]byte{byte(i % 200), byte(i >> 16), byte(i >> 8), byte(i)})
		user := fmt.Sprint(long, i)
		d.fail(now, a, user, 1)
		if i < maxHosts-maxTurns-100 {
			continue
		}
		for n := range byte(homes) {
			d.owners.hold(nameOf(user), epoch).enter(home{key{0, mapped | uint64(n)<<8}, epoch})
			d.owners.settle(nameOf(user), epoch)
		}
		turn := turnKey{nameOf(user), key{0, uint64(i)}}
		*d.turns.hold(turn, epoch) = epoch + time.Hour
		d.turns.settle(turn, epoch)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	st := d.Status(now, 1)
	if st.Addresses != maxHosts || st.Networks != maxNetworks || st.Users != maxUsers || d.owners.len() != maxOwners || d.turns.len() != maxTurns {
		t.Errorf("not everything is full: %+v, %d owners, %d turns", st, d.owners.len(), d.turns.len())
	}
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("all that it can know takes %d KiB", grown>>10)
	if grown > 32<<20 {
		t.Errorf("that is too much")
	}
	runtime.KeepAlive(d)
}

// All calls at once, for the race detector.
func TestRace(t *testing.T) {
	conf := usual()
	conf.Allow = []netip.Prefix{prefixOf("10.0.0.0/24")}
	d := New(conf, time.Now())
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for range 2000 {
				now := time.Now().Add(time.Duration(rnd.IntN(3600)) * time.Second)
				a := netip.AddrFrom4([4]byte{10, 0, byte(rnd.IntN(4)), byte(rnd.IntN(4))})
				user := fmt.Sprint(rnd.IntN(5))
				switch rnd.IntN(40) {
				case 0:
					d.Bans(now)
				case 1:
					_, _ = d.Order(now, netip.PrefixFrom(a, 30), time.Minute, "race")
				case 2:
					d.Unban(now, netip.PrefixFrom(a, 32))
				case 3:
					d.Expire(now)
				case 4:
					d.Status(now, 3)
				case 5:
					d.Snapshot(now)
				case 6, 7:
					d.Entered(now, a, user)
				default:
					d.Admit(now, a)
					d.Attempt(now, a, user)
					d.Failed(now, a, user, FailedLogin, time.Second)
					d.Note(now, a, Offence(1+rnd.IntN(8)))
				}
			}
		})
	}
	all.Wait()
	d.hosts.check(t)
	d.nets.check(t)
	d.users.check(t)
	d.turns.check(t)
	d.owners.check(t)
}

// A full table, half of it bans.
func BenchmarkAdmit(b *testing.B) {
	now := time.Now()
	d := New(usual(), now)
	for i := range maxHosts {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		d.fail(now, a, "u", 1+9*(i%2))
	}
	for i := range 1000 {
		_, _ = d.Order(now, netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 0}), 24), time.Hour, "")
	}
	for name, a := range map[string]netip.Addr{"banned": netip.AddrFrom4([4]byte{10, 0, 0, 1}), "known": netip.AddrFrom4([4]byte{10, 0, 0, 2}), "stranger": addr("2001:db8::1")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.Admit(now, a)
			}
		})
	}
}

// Noise in a full table: each offence is of an address never seen before.
func BenchmarkNote(b *testing.B) {
	now := time.Now()
	d := New(usual(), now)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		d.Note(now, netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}), Foreign)
	}
}
