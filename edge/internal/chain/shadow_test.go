package chain_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// shadowed makes a chain of one policy with a candidate beside it.
func shadowed(t testing.TB, p, candidate policy.Policy) *chain.Chain {
	t.Helper()
	c := start(t, p)
	if err := c.Shadow("a", candidate); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestShadow holds that the candidate is asked the same, marked as a trial, that its
// answers have no effect, and that exactly what differs is told.
func TestShadow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &fake{fs: func(q *policy.Action) (policy.Answer, error) {
			switch {
			case !q.Shadow:
				t.Error("the question is not marked")
			case q.Op == policy.OpDelete:
				return policy.Answer{Verdict: policy.Deny, Code: 553, Text: "No."}, nil
			case q.Op == policy.OpMkdir:
				return policy.Answer{}, errTrap
			case q.Op == policy.OpRename:
				return policy.Answer{Verdict: policy.Rewrite, Path: q.Path2, Path2: "x"}, nil
			}
			return policy.Answer{Label: "next"}, nil
		}}
		c := shadowed(t, labelled("old"), next)
		l := c.Lease(7)
		for n, op := range []policy.Op{policy.OpRead, policy.OpDelete, policy.OpMkdir, policy.OpRename, policy.OpStat} {
			q := of(7, op, "/p")
			q.Session.User, q.Request, q.Path2 = "joe", uint64(n+1), "/q"
			if g, d := l.Authorize(t.Context(), q); d != nil || g.Labels[0] != "old" || g.Path != "/p" {
				t.Errorf("%v: %+v, %v", op, g, d)
			}
			q.Session.User = "nobody" // the session goes on
		}
		l.Release()
		synctest.Wait()
		st := c.Status()[0].Shadow
		if st.Compared != 5 || st.Differed != 3 || st.Failed != 1 || st.Dropped != 0 || st.Queued != 0 || len(st.Differences) != 3 {
			t.Fatalf("%+v", st)
		}
		for i, want := range []struct {
			op   policy.Op
			next chain.Outcome
		}{
			{policy.OpDelete, chain.Outcome{Verdict: policy.Deny, Code: 553, Text: "No."}},
			{policy.OpMkdir, chain.Outcome{Failed: true, Text: "trapped"}},
			{policy.OpRename, chain.Outcome{Verdict: policy.Rewrite, Path: "/q", Path2: "/x"}},
		} {
			d := st.Differences[i]
			if d.Op != want.op || d.Stage != policy.StageFS || d.Path != "/p" || d.User != "joe" || d.Session != 7 ||
				d.Request != uint64(i+2) || d.Main != (chain.Outcome{}) || d.Candidate != want.next {
				t.Errorf("%+v", d)
			}
		}
		end, err := c.EndShadow("a")
		if err != nil || end.Differed != 3 || next.closed.Load() != 1 || next.late.Load() != 0 {
			t.Errorf("%+v, %v", end, err)
		}
		asked := next.asked.Load()
		label(t, c, 1)
		synctest.Wait()
		if next.asked.Load() != asked || c.Status()[0].Shadow != nil {
			t.Error("the shadow goes on")
		}
	})
}

// TestShadowStages covers the other stages, and those that must not be copied.
func TestShadowStages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var password *string
		old, next := &stages{}, &stages{}
		oldP := &custom{&fake{}, old.hooks}
		nextP := &custom{&fake{}, next.hooks}
		next.login = func(q *policy.Login) { password = &q.Password }
		next.answer = policy.Answer{Verdict: policy.Deny, Text: "No."}
		next.hidden.Set(3)
		next.limit = 100
		c := shadowed(t, oldP, nextP)
		l := c.Lease(1)
		q := login("joe")
		q.Password = "secret"
		_, _ = l.Authenticate(t.Context(), q)
		meta := q.Meta
		_, _ = l.List(t.Context(), &policy.Listing{Meta: meta, Path: "/d", Entries: make([]policy.Entry, 4)})
		_ = l.Command(t.Context(), &policy.Command{Meta: meta, Verb: "DELE", Arg: "x"})
		_, _ = l.Throttle().Ask(t.Context(), &policy.Transfer{Meta: meta, Op: policy.OpRead, Path: "/f"})
		_, _ = l.CallSite(t.Context(), &policy.SiteCall{Meta: meta, Verb: "DO"})
		f := l.Filter(policy.Chunk{Meta: meta, Op: policy.OpRead, Path: "/f"})
		_ = f.Put(t.Context(), []byte("x"), true, func([]byte) error { return nil })
		f.Close()
		_ = l.Certify(t.Context(), &policy.CertRequest{Meta: meta, Name: "x"})
		l.Release()
		synctest.Wait()
		if old.asked != 7 || next.asked != 4 {
			t.Errorf("the policy was asked %d times, its shadow %d times", old.asked, next.asked)
		}
		if password == nil || *password != "" || q.Password != "secret" {
			t.Error("the candidate saw a password, or the policy in force none")
		}
		st := c.Status()[0]
		var got []policy.Stage
		for _, d := range st.Shadow.Differences {
			got = append(got, d.Stage)
		}
		if len(got) != 4 || got[0] != policy.StageAuth || got[1] != policy.StageList || got[2] != policy.StageCmd || got[3] != policy.StageThrottle {
			t.Errorf("differences at %v", got)
		}
		if st.Calls != 7 || len(st.Stages) != 8 {
			t.Errorf("%+v", st)
		}
	})
}

// stages takes part in all of them but fs.
type stages struct {
	asked  int
	login  func(*policy.Login)
	answer policy.Answer
	hidden policy.Bits
	limit  int64
}

func (s *stages) hooks(h *policy.Hooks) {
	h.Authenticator, h.Lister, h.Commander, h.Site = s, s, s, s
	h.Throttler, h.Filter, h.Certifier = s, s, s
	h.Observer = s
}

func (s *stages) Authenticate(_ context.Context, q *policy.Login) (policy.Identity, error) {
	s.asked++
	if s.login != nil {
		s.login(q)
	}
	return policy.Identity{Verdict: s.answer.Verdict, Text: s.answer.Text}, nil
}

func (s *stages) List(context.Context, *policy.Listing) (policy.View, error) {
	s.asked++
	return policy.View{Hidden: s.hidden}, nil
}

func (s *stages) Command(context.Context, *policy.Command) (policy.Answer, error) {
	s.asked++
	return s.answer, nil
}

func (s *stages) SiteCommands() []policy.SiteCommand { return []policy.SiteCommand{{Verb: "DO"}} }

func (s *stages) CallSite(context.Context, *policy.SiteCall) (policy.SiteReply, error) {
	s.asked++
	return policy.SiteReply{Verdict: policy.Allow}, nil
}

func (s *stages) Throttle(context.Context, *policy.Transfer) (policy.Rate, error) {
	s.asked++
	return policy.Rate{Limit: s.limit}, nil
}

func (s *stages) Filter(context.Context, *policy.Chunk) (policy.Piece, error) {
	s.asked++
	return policy.Piece{}, nil
}

func (s *stages) Certify(context.Context, *policy.CertRequest) (policy.Answer, error) {
	s.asked++
	return s.answer, nil
}

func (s *stages) Observe(context.Context, *policy.Event) error { return nil }

// TestShadowNeverWaits blocks the candidate: no session waits, and what does not fit
// the queue is counted. Only the last differences are kept, in order.
func TestShadowNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		next := &fake{fs: func(*policy.Action) (policy.Answer, error) {
			<-goOn
			return policy.Answer{Verdict: policy.Deny}, nil
		}}
		c := shadowed(t, labelled("old"), next)
		label(t, c, 1)
		synctest.Wait() // the candidate holds this one
		for n := range uint64(1500) {
			q := of(1, policy.OpRead, "/p")
			q.Request = n
			l := c.Lease(1)
			if _, d := l.Authorize(t.Context(), q); d != nil {
				t.Fatal(d)
			}
			l.Release()
		}
		if st := c.Status()[0].Shadow; st.Dropped != 1500-1024 || st.Queued != 1024 || st.Compared != 0 {
			t.Errorf("%+v", st)
		}
		close(goOn)
		synctest.Wait()
		st := c.Status()[0].Shadow
		if st.Compared != 1025 || st.Differed != 1025 || len(st.Differences) != 256 {
			t.Fatalf("%+v", st)
		}
		for i, d := range st.Differences {
			if d.Request != uint64(1024-256+i) {
				t.Fatalf("difference %d is of request %d", i, d.Request)
			}
		}
	})
}

// TestShadowFollows holds that a swap of the slot leaves the shadow beside the new
// policy, a promotion too, and that it ends with its slot and with the chain.
func TestShadowFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, labelled("1"), labelled("b"))
		one, two := labelled("one"), labelled("two")
		if err := errors.Join(c.Shadow("a", one), c.Shadow("b", two)); err != nil {
			t.Fatal(err)
		}
		compared := func(slot int, want uint64) {
			t.Helper()
			label(t, c, 1)
			synctest.Wait()
			if st := c.Status()[slot].Shadow; st == nil || st.Compared != want {
				t.Errorf("%+v", st)
			}
		}
		compared(0, 1)
		swap(t, c, "a", labelled("2"))
		compared(0, 2)
		canary(t, c, labelled("3"), chain.Trial{})
		compared(0, 2) // all sessions are the candidate's, which nobody compares
		if _, err := c.Promote("a"); err != nil {
			t.Fatal(err)
		}
		compared(0, 3)
		compared(1, 5)
		for name, err := range map[string]error{
			"a second one":         c.Shadow("a", labelled("x")),
			"none to end":          func() error { _, err := c.EndShadow("z"); return err }(),
			"no such slot":         c.Shadow("z", labelled("x")),
			"a shadow's value":     func() error { _, err := c.Swap("a", one); return err }(),
			"a value of a slot":    c.Shadow("b", c.Status()[0].Policy),
			"a shadow's, on trial": func() error { _, err := c.Canary("a", two, chain.Trial{}); return err }(),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if err := c.Replace(chain.Slot{Name: "b", Policy: labelled("b2")}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if one.closed.Load() != 1 || two.closed.Load() != 0 {
			t.Error("a shadow outlived its slot, or another ended with it")
		}
		c.Close()
		if two.closed.Load() != 1 {
			t.Error("a shadow outlived the chain")
		}
		if err := c.Shadow("b", one); !errors.Is(err, chain.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

var _ io.Closer = (*fake)(nil)

// BenchmarkShadow is what a question costs while a candidate is asked it too.
func BenchmarkShadow(b *testing.B) {
	c := start(b, noop{})
	if err := c.Shadow("a", noop{}); err != nil {
		b.Fatal(err)
	}
	l := c.Lease(1)
	defer l.Release()
	q := action(policy.OpRead, "/dir/file")
	ctx, worst := b.Context(), newSpread()
	for b.Loop() {
		began := time.Now()
		_, _ = l.Authorize(ctx, q)
		worst.add(time.Since(began))
	}
	b.ReportMetric(float64(worst.p99()), "p99-ns")
	b.ReportMetric(float64(c.Status()[0].Shadow.Dropped), "dropped")
}
