package antiflood_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/policies/antiflood"
)

// The policy is what it says it is.
var (
	_ policy.Policy        = (*antiflood.Policy)(nil)
	_ policy.Authenticator = (*antiflood.Policy)(nil)
	_ policy.Commander     = (*antiflood.Policy)(nil)
	_ policy.Observer      = (*antiflood.Policy)(nil)
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// rig is a policy with a clock.
type rig struct {
	*testing.T
	policy *antiflood.Policy
	kv     *policy.MemKV
	now    time.Time
	mu     sync.Mutex
	bans   []string
}

func newRig(t *testing.T, config antiflood.Config) *rig {
	t.Helper()
	r := &rig{T: t, now: noon}
	r.kv = &policy.MemKV{Now: func() time.Time { return r.now }}
	config.KV = r.kv
	config.Banned = func(who netip.Prefix, until time.Time, why string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bans = append(r.bans, fmt.Sprintf("%s until %s: %s", who, until.UTC().Format(time.TimeOnly), why))
	}
	p, err := antiflood.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r.policy = p
	return r
}

func (r *rig) wait(d time.Duration) {
	r.now = r.now.Add(d)
}

func (r *rig) meta(from, user string) policy.Meta {
	s := &policy.Session{ID: 1, User: user}
	if from != "" {
		s.Peer = netip.AddrPortFrom(netip.MustParseAddr(from), 40000)
	}
	return policy.Meta{Session: s, Request: 1, Time: r.now}
}

// login asks about a login; if it is not refused it fails, as a guess does. The
// result is the code of the refusal, 0 if there was none.
func (r *rig) login(from, user string) int {
	r.Helper()
	m := r.meta(from, user)
	id, err := r.policy.Authenticate(r.Context(), &policy.Login{Meta: m})
	if err != nil || id.Verdict != policy.Pass && id.Verdict != policy.Deny {
		r.Fatalf("%+v, %v", id, err)
	}
	denial := policy.Denial{}
	if id.Verdict == policy.Deny {
		denial = policy.Denial{Policy: "the slot's name", Code: id.Code, Text: id.Text}
	}
	r.fails(m, denial)
	return id.Code
}

func (r *rig) fails(m policy.Meta, d policy.Denial) {
	r.Helper()
	e := policy.Event{Meta: m, Kind: policy.EventLoginFailed, Text: d.Error(), Policy: d.Policy}
	if err := r.policy.Observe(r.Context(), &e); err != nil {
		r.Error(err)
	}
}

func (r *rig) want(what string, code, got int) {
	r.Helper()
	if code != got {
		r.Errorf("%s: refused with %d, want %d", what, got, code)
	}
}

func TestBan(t *testing.T) {
	for _, c := range []struct{ guesser, neighbour, stranger, banned string }{
		{"192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.7/32"},
		{"::ffff:192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.7/32"},
		{"2001:db8:1:2::3", "2001:db8:1:2:ffff::1", "2001:db8:1:3::3", "2001:db8:1:2::/64"},
		{"127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.1/32"},
		{"fe80::1%eth0", "fe80::2%eth1", "fe80:0:0:1::1", "fe80::/64"},
	} {
		t.Run(c.guesser, func(t *testing.T) {
			r := newRig(t, antiflood.Config{Failures: 3, Ban: time.Hour})
			for i := range 3 {
				r.want("guess", 0, r.login(c.guesser, "user"+strconv.Itoa(i)))
			}
			r.want("fourth", 421, r.login(c.guesser, "anna"))
			r.want("neighbour", 421, r.login(c.neighbour, "anna"))
			r.want("stranger", 0, r.login(c.stranger, "anna"))
			r.wait(time.Hour - 1)
			r.want("just before the end", 421, r.login(c.guesser, "anna"))
			r.wait(1)
			r.want("after it", 0, r.login(c.guesser, "anna"))
			if want := c.banned + " until 13:00:00: 3 failed logins in 10m0s"; len(r.bans) != 1 || r.bans[0] != want {
				t.Errorf("bans %q, want %q", r.bans, want)
			}
		})
	}
}

// A window begins with its first failure and does not move with the others.
func TestWindow(t *testing.T) {
	r := newRig(t, antiflood.Config{Failures: 3, Window: time.Minute})
	for range 20 {
		r.want("guess", 0, r.login("192.0.2.7", "anna"))
		r.wait(31 * time.Second)
	}
}

// What this policy refuses, and what another fails at, is no guess; what another
// refuses is one.
func TestWhatCounts(t *testing.T) {
	r := newRig(t, antiflood.Config{Failures: 2})
	m := r.meta("192.0.2.7", "anna")
	for range 10 {
		r.fails(m, policy.Denial{Failed: true, Cause: errors.New("no answer")})
		r.fails(m, policy.Denial{Policy: "ldap", Failed: true, Cause: errors.New("no answer")})
		r.fails(m, policy.Denial{Policy: "x", Text: "Too many failed logins from your address; try again later."})
	}
	shadow := m
	shadow.Shadow = true
	r.fails(shadow, policy.Denial{})
	if err := r.policy.Observe(t.Context(), &policy.Event{Meta: m, Kind: policy.EventLogin}); err != nil || r.kv.Keys() != 0 {
		t.Fatalf("%d keys, %v", r.kv.Keys(), err)
	}
	r.fails(m, policy.Denial{Policy: "ldap", Text: "No."})
	r.fails(m, policy.Denial{})
	r.want("after two", 421, r.login("192.0.2.7", "anna"))
}

// Beyond its limit a network is slowed down, not shut out.
func TestNetwork(t *testing.T) {
	for _, addr := range []string{"192.0.2.%d", "2001:db8:5:%x::1"} {
		r := newRig(t, antiflood.Config{NetworkFailures: 10, Pause: 5 * time.Second})
		for i := range 10 {
			r.want("guess", 0, r.login(fmt.Sprintf(addr, i+1), "user"+strconv.Itoa(i)))
		}
		for i := range 20 {
			from := fmt.Sprintf(addr, 100+i)
			r.want("the one", 0, r.login(from, "x"+strconv.Itoa(i)))
			r.want("another", 530, r.login(from, "anna"))
			r.want("elsewhere", 0, r.login("198.51.100."+strconv.Itoa(i), "someone"+strconv.Itoa(i)))
			r.wait(5 * time.Second)
		}
		if len(r.bans) != 0 {
			t.Errorf("bans %q", r.bans)
		}
	}
}

// However many guess at one user, from wherever, he gets in: from his own network
// at the second try at the latest.
func TestUser(t *testing.T) {
	r := newRig(t, antiflood.Config{UserFailures: 20, Pause: 5 * time.Second})
	for i := range 20 {
		r.want("guess", 0, r.login(fmt.Sprintf("198.51.%d.1", i), "anna"))
	}
	r.want("one from each network", 0, r.login("198.51.0.2", "anna"))
	r.want("one from each network", 530, r.login("198.51.0.2", "anna"))
	r.want("the user", 0, r.login("192.0.2.1", "anna"))
	r.want("the user's neighbour", 530, r.login("192.0.2.2", "anna"))
	r.want("another user", 0, r.login("192.0.2.2", "bob"))
	r.wait(5 * time.Second)
	r.want("the user again", 0, r.login("192.0.2.1", "anna"))
}

func TestNoLimits(t *testing.T) {
	r := newRig(t, antiflood.Config{Failures: -1, NetworkFailures: -1, UserFailures: -1, SessionCommands: -1, AddressCommands: -1})
	for range 500 {
		r.want("guess", 0, r.login("192.0.2.7", "anna"))
	}
	if h := r.policy.Hooks(); h.Commander != nil || r.kv.Keys() != 0 {
		t.Errorf("%d keys, %+v", r.kv.Keys(), h)
	}
	r = newRig(t, antiflood.Config{})
	for range 500 {
		r.want("of nowhere", 0, r.login("", "anna"))
	}
	if r.kv.Keys() != 0 {
		t.Errorf("%d keys", r.kv.Keys())
	}
}

func (r *rig) command(session uint64, from, verb string) int {
	r.Helper()
	m := r.meta(from, "anna")
	m.Session.ID = session
	a, err := r.policy.Command(r.Context(), &policy.Command{Meta: m, Verb: verb})
	if err != nil || (a.Verdict == policy.Deny) != (a.Code != 0) || (a.Text == "") != (a.Code == 0) {
		r.Fatalf("%+v, %v", a, err)
	}
	return a.Code
}

func TestCommands(t *testing.T) {
	r := newRig(t, antiflood.Config{SessionCommands: 3, AddressCommands: 100})
	for second := range 3 {
		for i, want := range []int{0, 0, 0, 450, 450, 450, 450, 450, 450, 450, 450, 450, 421, 421} {
			if got := r.command(1, "192.0.2.7", "NOOP"); got != want {
				t.Errorf("second %d, command %d: %d, want %d", second, i+1, got, want)
			}
		}
		r.want("QUIT", 0, r.command(1, "192.0.2.7", "QUIT"))
		r.want("ABOR", 0, r.command(1, "192.0.2.7", "ABOR"))
		r.want("another session", 0, r.command(2, "192.0.2.7", "NOOP"))
		r.want("login", 0, r.login("192.0.2.7", "anna"))
		r.wait(time.Second)
	}
}

func TestCommandsOfAnAddress(t *testing.T) {
	r := newRig(t, antiflood.Config{SessionCommands: -1, AddressCommands: 3, FloodBan: true})
	for i, want := range []int{0, 0, 0, 450, 450, 450, 450, 450, 450, 450, 450, 450, 421, 421} {
		if got := r.command(uint64(i), "2001:db8::1", "NOOP"); got != want {
			t.Errorf("command %d: %d, want %d", i+1, got, want)
		}
	}
	r.want("login", 421, r.login("2001:db8::2", "anna"))
	r.want("elsewhere", 0, r.login("2001:db8:0:1::2", "anna"))
	if len(r.bans) != 1 || !strings.HasSuffix(r.bans[0], ": a flood of commands") {
		t.Errorf("bans %q", r.bans)
	}
	for range 100 {
		r.want("of nowhere", 0, r.command(0, "", "NOOP"))
	}
}

// When there is no more room, what is known holds, and nobody else is shut out.
func TestFull(t *testing.T) {
	r := newRig(t, antiflood.Config{Failures: 1})
	r.want("guess", 0, r.login("192.0.2.7", "anna"))
	r.kv.MaxBytes = 1
	r.want("banned", 421, r.login("192.0.2.7", "anna"))
	m := r.meta("198.51.100.1", "bob")
	err := r.policy.Observe(t.Context(), &policy.Event{Meta: m, Kind: policy.EventLoginFailed, Text: "no policy has granted it"})
	if !errors.Is(err, policy.ErrKVFull) {
		t.Errorf("an event that is lost is said to be counted: %v", err)
	}
	if id, err := r.policy.Authenticate(t.Context(), &policy.Login{Meta: m}); err != nil || id.Verdict != policy.Pass {
		t.Errorf("%+v, %v", id, err)
	}
	for range 2000 {
		r.want("command", 0, r.command(9, "198.51.100.1", "NOOP"))
	}
}

// A network beyond its limit does not fill the space, whatever it makes up.
func TestNoise(t *testing.T) {
	r := newRig(t, antiflood.Config{})
	for i := range 20000 {
		r.login(fmt.Sprintf("2001:db8:0:%x::1", i), "user"+strconv.Itoa(i))
		r.wait(time.Millisecond)
	}
	if n := r.kv.Keys(); n > 3*antiflood.DefaultNetworkFailures+20 {
		t.Errorf("%d keys", n)
	}
}

// Of those that fail at one time, one begins the ban.
func TestTogether(t *testing.T) {
	kv := &policy.MemKV{}
	var mu sync.Mutex
	bans := 0
	p, err := antiflood.New(antiflood.Config{KV: kv, Failures: 5, Banned: func(netip.Prefix, time.Time, string) {
		mu.Lock()
		defer mu.Unlock()
		bans++
	}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			s := &policy.Session{Peer: netip.MustParseAddrPort("192.0.2.7:1"), User: "anna"}
			_ = p.Observe(t.Context(), &policy.Event{Meta: policy.Meta{Session: s, Time: noon}, Kind: policy.EventLoginFailed})
		})
	}
	all.Wait()
	if bans != 1 {
		t.Errorf("%d bans", bans)
	}
}

func TestNewRefuses(t *testing.T) {
	if p, err := antiflood.New(antiflood.Config{}); p != nil || err == nil {
		t.Errorf("without a KV: %v", p)
	}
}

func TestConformance(t *testing.T) {
	login := func(from string) *policy.Login {
		s := &policy.Session{ID: 1, User: "anna", Peer: netip.MustParseAddrPort(from)}
		return &policy.Login{Meta: policy.Meta{Session: s, Time: noon}}
	}
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
		r := newRig(t, antiflood.Config{Failures: 1})
		r.login("203.0.113.5", "x")
		return r.policy
	},
		policytest.Case{Name: "nobody", Login: &policy.Login{}, Want: policy.Pass},
		policytest.Case{Name: "anybody", Login: login("203.0.113.6:1"), Want: policy.Pass},
		policytest.Case{Name: "banned", Login: login("203.0.113.5:1"), Want: policy.Deny},
	)
}
