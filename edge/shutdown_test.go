package edge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// mired is a policy that stays in those calls that it is told to, whatever its context
// says, until it is let go.
type mired struct {
	*keeper
	stage policy.Stage
	path  string // of questions; empty: all

	once sync.Once
	in   chan struct{} // closed when it is in a call
	out  chan struct{} // closed to let it go
}

func newMired(t *testing.T, stage policy.Stage, path string) *mired {
	t.Helper()
	m := &mired{keeper: newKeeper(), stage: stage, path: path, in: make(chan struct{}), out: make(chan struct{})}
	t.Cleanup(func() { close(m.out) })
	return m
}

func (m *mired) Hooks() policy.Hooks {
	h := policy.Hooks{Authenticator: m, Authorizer: m, Observer: m}
	if m.stage == policy.StageData {
		h.Filter = m
	}
	return h
}

func (m *mired) stay(stage policy.Stage, path string) {
	if m.stage != stage || m.path != "" && m.path != path {
		return
	}
	m.once.Do(func() { close(m.in) })
	<-m.out
}

func (m *mired) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	m.stay(policy.StageAuth, l.Session.User)
	return m.keeper.Authenticate(ctx, l)
}

func (m *mired) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	m.stay(policy.StageFS, a.Path)
	return m.keeper.Authorize(ctx, a)
}

func (m *mired) Observe(ctx context.Context, e *policy.Event) error {
	m.stay(policy.StageEvent, "")
	return m.keeper.Observe(ctx, e)
}

func (m *mired) Filter(context.Context, *policy.Chunk) (policy.Piece, error) {
	m.stay(policy.StageData, "")
	return policy.Piece{}, nil
}

func (m *mired) Close() error {
	if m.stage == policy.StageIdle { // no other call has this
		m.stay(policy.StageIdle, "")
	}
	return m.keeper.Close()
}

// startMired is start with a policy that stays in a call beside the keeper.
func startMired(t *testing.T, m *mired, set func(*Config)) *rig {
	t.Helper()
	r := start(t, func(c *Config) {
		c.Policies = append(c.Policies, Slot{Name: "mired", Policy: m})
		c.Limits.SessionsPerIP = -1
		if set != nil {
			set(c)
		}
	})
	t.Cleanup(r.cancel)
	return r
}

// shut shuts the server down and returns when Shutdown and Serve have returned.
func (r *rig) shut(limit time.Duration) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	begun := time.Now()
	err = r.srv.Shutdown(ctx)
	r.must(<-r.served)
	return time.Since(begun), err
}

// A call that does not come back holds the end of the server up by less than a second.
func TestShutdownWithMiredPolicies(t *testing.T) {
	const limit = 100 * time.Millisecond
	for _, c := range []struct {
		stage policy.Stage
		path  string
		begin func(r *rig)
	}{
		{policy.StageEvent, "", func(r *rig) { r.login() }},
		{policy.StageIdle, "", func(*rig) {}},
		{policy.StageAuth, "eve", func(r *rig) {
			c := r.dial()
			r.must(c.Send("USER eve"))
			r.must(c.Send("PASS secret"))
		}},
		{policy.StageFS, "/x", func(r *rig) { r.must(r.login().Send("MKD x")) }},
		{policy.StageFS, "/y", func(r *rig) { r.must(r.login().Send("STOR y")) }},
		{policy.StageData, "", func(r *rig) {
			conn := r.upload(r.login(), "z")
			_, err := conn.Write([]byte("bytes"))
			r.must(err)
			r.must(conn.Close()) // else it waits for more to fill a chunk
		}},
	} {
		t.Run(fmt.Sprint(c.stage, c.path), func(t *testing.T) {
			m := newMired(t, c.stage, c.path)
			r := startMired(t, m, nil)
			c.begin(r)
			if c.stage != policy.StageIdle {
				<-m.in
			}
			other := r.login()
			took, err := r.shut(limit)
			if !errors.Is(err, ErrLeft) {
				t.Errorf("Shutdown: %v", err)
			}
			if took > limit+time.Second {
				t.Errorf("it took %v", took)
			}
			r.expect(other, "the end", 421)
			if isClosed(m.closed) {
				t.Error("a policy was closed while it was in a call")
			}
			r.keeper.mu.Lock()
			if !slices.ContainsFunc(r.keeper.events, func(e policy.Event) bool { return e.Kind == policy.EventDisconnect }) {
				t.Error("the other policy was not told of the end")
			}
			r.keeper.mu.Unlock()
			again := time.Now()
			if err := r.srv.Shutdown(context.Background()); !errors.Is(err, ErrLeft) || time.Since(again) > 2*time.Second {
				t.Errorf("a second time: %v after %v", err, time.Since(again))
			}
		})
	}
}

// Nothing was aborted where only idle sessions were there: two signals right after each
// other are no reason to say so.
func TestShutdownAtOnceAbortsNothing(t *testing.T) {
	r := start(t, nil)
	defer r.cancel()
	c := r.login()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.must(r.srv.Shutdown(ctx))
	r.expect(c, "the end", 421)
	r.must(<-r.served)
}

// stages are what a client may be about when the server ends; each returns whether it is
// to be told 426.
func stages() map[string]func(r *rig, c *userpi.Client) bool {
	begin := func(line string, more func(w interface{ Write([]byte) (int, error) })) func(r *rig, c *userpi.Client) bool {
		return func(r *rig, c *userpi.Client) bool {
			conn, err := c.Begin(userpi.EPSV, line)
			r.must(err)
			r.t.Cleanup(func() { _ = conn.Close() })
			if more != nil {
				more(conn)
			}
			return true
		}
	}
	return map[string]func(r *rig, c *userpi.Client) bool{
		"upload begun": begin("STOR new", nil),
		"upload in the middle": begin("STOR new", func(w interface{ Write([]byte) (int, error) }) {
			_, _ = w.Write(make([]byte, 100<<10))
		}),
		"download unread":    begin("RETR big", nil),
		"listing":            func(r *rig, c *userpi.Client) bool { _ = begin("NLST", nil)(r, c); return false },
		"no data connection": func(r *rig, c *userpi.Client) bool { r.do(c, "EPSV", 229); r.must(c.Send("RETR big")); return false },
		"digest":             func(r *rig, c *userpi.Client) bool { r.must(c.Send("HASH big")); return false },
		"idle":               func(*rig, *userpi.Client) bool { return false },
		"commands unread": func(r *rig, c *userpi.Client) bool {
			r.must(c.Send(strings.Repeat("FEAT\r\n", 200)))
			return false
		},
	}
}

// patientRounds is how often everything is ended in the middle of everything.
func patientRounds() int {
	if os.Getenv("EDGEFTP_FULL") != "" {
		return 200
	}
	return 5
}

// Whatever a hundred clients are about, with an observer that has long stopped to take
// events, logins that wait for their turn to be verified, and a policy that does not come
// back, the server is gone a second after the limit, and who had a transfer is told.
func TestShutdownInTheMiddleOfEverything(t *testing.T) {
	hash, err := HashPassword("slow")
	if err != nil {
		t.Fatal(err)
	}
	var longest time.Duration
	for round := range patientRounds() {
		t.Run("", func(t *testing.T) {
			m := newMired(t, policy.StageEvent, "")
			if round%2 == 1 {
				m = newMired(t, policy.StageFS, "/swamp")
			}
			r := startMired(t, m, func(c *Config) {
				c.Logins.Parallel = 1
				c.Limits.SessionsPerIP = -1
				c.Policies = append(c.Policies, Slot{Name: "slow", Policy: hashed(hash)})
			})
			r.must(r.login().Close())
			big, err := r.login().Put(userpi.EPSV, "STOR big", strings.NewReader(strings.Repeat("x", 12<<20)))
			if r.must(err); big.Code != 226 {
				t.Fatal(big)
			}
			for range 9000 { // more than a queue holds
				r.srv.Tell(policy.Event{Kind: policy.EventCertRenewed})
			}
			all := stages()
			var names []string
			for name := range all {
				names = append(names, name)
			}
			slices.Sort(names)
			told := map[*userpi.Client]string{}
			for i := range 100 {
				name := names[(i+round)%len(names)]
				c := r.login()
				if all[name](r, c) {
					told[c] = name
				}
			}
			for range 10 {
				c := r.dial()
				r.must(c.Send("USER slow"))
				r.must(c.Send("PASS slow"))
			}
			if round%2 == 1 {
				r.must(r.login().Send("MKD swamp"))
				<-m.in
			}
			limit := time.Duration(round%3) * 50 * time.Millisecond
			took, err := r.shut(limit)
			longest = max(longest, took-limit)
			if took > limit+time.Second {
				t.Errorf("it took %v, the limit is %v", took, limit)
			}
			if !errors.Is(err, ErrLeft) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown: %v", err)
			}
			for c, name := range told {
				if err := aborted(c); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	t.Logf("the longest end came %v after its limit", longest)
}

// aborted reads to the end of a session, which must tell of an aborted transfer.
func aborted(c *userpi.Client) error {
	var codes []int
	for {
		r, err := c.Reply()
		if err != nil {
			if !slices.Contains(codes, 426) {
				return fmt.Errorf("the replies were %v", codes)
			}
			return nil
		}
		codes = append(codes, r.Code)
	}
}

// hashed is a policy that lets the user "slow" in by a hash.
type hashed string

func (h hashed) Name() string { return "slow" }

func (h hashed) Hooks() policy.Hooks { return policy.Hooks{Authenticator: h} }

func (h hashed) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.User != "slow" {
		return policy.Identity{}, nil
	}
	return policy.Identity{Verdict: policy.Allow, PasswordHash: string(h)}, nil
}
