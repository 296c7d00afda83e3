package pi

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// witness is a Defence that writes down what it is told.
type witness struct {
	turn   wire.Reply // the answer to each Attempt
	banned bool       // the answer to each Failed
	// meanwhile the address was banned
	meanwhile bool

	mu   sync.Mutex
	told []string
}

func (w *witness) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

func (w *witness) Attempt(_ context.Context, peer netip.Addr, user string) wire.Reply {
	w.note("attempt %v %s", peer, user)
	return w.turn
}

func (w *witness) Failed(_ context.Context, _ netip.Addr, user string, code int, delay time.Duration) bool {
	w.note("failed %s %d %v", user, code, delay)
	return w.banned
}

func (w *witness) Welcome(netip.Addr) bool               { return !w.meanwhile }
func (w *witness) Entered(_ netip.Addr, user string)     { w.note("entered %q", user) }
func (w *witness) Offence(peer netip.Addr, what Offence) { w.note("offence %d", what) }

// The defence is told of each login once, and of what else goes wrong before one.
func TestDefenceIsTold(t *testing.T) {
	p := &warden{login: func(_ context.Context, q *policy.Login) (policy.Identity, error) {
		switch q.Session.User {
		case "broken":
			return policy.Identity{}, errors.New("it is broken")
		case "hated":
			return policy.Identity{Verdict: policy.Deny, Code: 421}, nil
		}
		return policy.Identity{Verdict: policy.Allow, Anonymous: q.Session.User == "ftp"}, nil
	}}
	w := &witness{}
	set := wardens(t, p)
	b := newBench(t, func(c *Config) { set(c); c.Defence, c.FailDelay, c.Attempts = w, time.Nanosecond, 0 }).own()
	b.expect("the greeting", 220)
	for user, code := range map[string]int{"broken": 530, "hated": 421, "ftp": 230, "dev": 230} {
		before := len(w.told)
		b.do("USER "+user, 331)
		b.do("PASS x", code)
		want := map[string][]string{"broken": nil, "hated": {"failed hated 421 1ns"}, "ftp": {`entered ""`}, "dev": {`entered "dev"`}}[user]
		if got := w.told[before:]; !slices.Equal(got, append([]string{"attempt 127.0.0.1 " + user}, want...)) {
			t.Errorf("%s: %q", user, got)
		}
	}
	b.do("USER dev", 331)
	b.do("PASS x", 230)
	before := len(w.told)
	b.must(b.client.Send("GET / HTTP/1.1")) // of somebody who has logged in
	b.must(b.client.Closed())
	b.close()
	if len(w.told) != before {
		t.Errorf("%q", w.told[before:])
	}
}

// A login whose turn does not come is not looked at, and ends the session.
func TestNoTurn(t *testing.T) {
	p := &warden{login: func(context.Context, *policy.Login) (policy.Identity, error) {
		t.Error("a policy is asked")
		return policy.Identity{Verdict: policy.Allow}, nil
	}}
	set := wardens(t, p)
	b := newBench(t, func(c *Config) { set(c); c.Defence = &witness{turn: wire.Say(421, "Not now.")} }).own()
	b.expect("the greeting", 220)
	b.do("USER dev", 331)
	b.do("PASS secret", 421)
	b.must(b.client.Closed())
	b.close()
}

// Whoever is banned by a failure hears what anybody hears, and no more.
func TestBannedByFailure(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Defence = &witness{banned: true} }).own()
	b.expect("the greeting", 220)
	b.do("USER dev", 331)
	b.do("PASS wrong", 530)
	b.must(b.client.Closed())
	b.close()
}

// A guess that was right is answered like a wrong one if its address was banned meanwhile:
// guesses on many connections at once are no more than those that make the ban.
func TestBannedMeanwhile(t *testing.T) {
	p := &warden{login: func(_ context.Context, q *policy.Login) (policy.Identity, error) {
		return policy.Identity{Verdict: map[bool]policy.Verdict{true: policy.Allow, false: policy.Deny}[q.Password == "right"]}, nil
	}}
	w := &witness{meanwhile: true}
	set := wardens(t, p)
	b := newBench(t, func(c *Config) { set(c); c.Defence, c.FailDelay, c.Attempts = w, time.Nanosecond, 0 }).own()
	b.expect("the greeting", 220)
	var said []string
	for _, password := range []string{"wrong", "right"} {
		b.do("USER dev", 331)
		said = append(said, b.do("PASS "+password, 530).Lines[0])
	}
	b.do("PWD", 530)
	b.close()
	if said[0] != said[1] || strings.Contains(strings.Join(w.told, " "), "entered") || strings.Count(strings.Join(w.told, " "), "failed dev") != 2 {
		t.Errorf("%q, %q", said, w.told)
	}
}

// overrun is a Verifier for which too many wait.
type overrun struct{}

func (overrun) Verify(context.Context, string, string) (bool, error) {
	return false, fmt.Errorf("test: %w", ErrBusy)
}
func (overrun) VerifyNobody(context.Context, string) error { return fmt.Errorf("test: %w", ErrBusy) }

// Threat 33: where too many passwords wait, the client is told to come back (421),
// whoever asked for the verification, and nothing is held against it.
func TestBusy(t *testing.T) {
	for name, login := range map[string]func(context.Context) (policy.Identity, error){
		"nobody": func(context.Context) (policy.Identity, error) { return policy.Identity{}, nil },
		"a stored hash": func(context.Context) (policy.Identity, error) {
			return policy.Identity{Verdict: policy.Allow, PasswordHash: "x"}, nil
		},
		"a policy's, which fails": func(ctx context.Context) (policy.Identity, error) {
			_, err := policy.ServicesOf(ctx).Verify(ctx, "x")
			return policy.Identity{}, errors.Unwrap(err)
		},
		"a policy's, swallowed": func(ctx context.Context) (policy.Identity, error) {
			_, _ = policy.ServicesOf(ctx).Verify(ctx, "x")
			return policy.Identity{Verdict: policy.Deny}, nil
		},
	} {
		w := &witness{}
		set := wardens(t, &warden{login: func(ctx context.Context, _ *policy.Login) (policy.Identity, error) { return login(ctx) }})
		b := newBench(t, func(c *Config) { set(c); c.Defence, c.Verifier = w, overrun{} }).own()
		b.expect("the greeting", 220)
		b.do("USER dev", 331)
		r := b.do("PASS secret", 421)
		if r.Lines[0] != busy().Lines[0] {
			t.Errorf("%s: %v", name, r)
		}
		b.must(b.client.Closed())
		b.close()
		if len(w.told) != 1 {
			t.Errorf("%s: %q", name, w.told)
		}
	}
}

// forgetful is a Verifier that knows the password without the work.
type forgetful struct {
	oneHash
	paid int
}

func (v *forgetful) Pay(_ context.Context, password string) error {
	v.paid++
	return nil
}

// A right password that is of no use takes the time of a wrong one, also where it was known
// without the work: with an address that was banned meanwhile, and with a policy that has
// looked at the password and refuses.
func TestRefusedThoughRight(t *testing.T) {
	for _, c := range []struct {
		user, password string
		meanwhile      bool
		code, paid     int
	}{{"dev", "right", false, 230, 0}, {"dev", "wrong", true, 530, 0}, {"dev", "right", true, 530, 1}, {"gone", "right", false, 530, 1}} {
		p := &warden{login: func(ctx context.Context, q *policy.Login) (policy.Identity, error) {
			if q.Session.User == "gone" {
				_, err := policy.ServicesOf(ctx).Verify(ctx, "right")
				return policy.Identity{Verdict: policy.Deny}, err
			}
			return policy.Identity{Verdict: policy.Allow, PasswordHash: "right"}, nil
		}}
		v := &forgetful{}
		set := wardens(t, p)
		b := newBench(t, func(conf *Config) {
			set(conf)
			conf.Verifier, conf.Defence, conf.FailDelay = v, &witness{meanwhile: c.meanwhile}, time.Nanosecond
		}).own()
		b.expect("the greeting", 220)
		b.do("USER "+c.user, 331)
		b.do("PASS "+c.password, c.code)
		b.close()
		if v.paid != c.paid || v.nobodys != 0 {
			t.Errorf("%+v: paid %d times, %d for nobody", c, v.paid, v.nobodys)
		}
	}
}
