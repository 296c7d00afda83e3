package chain_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

func TestInterest(t *testing.T) {
	archive := policy.Interest{Paths: []string{"/archive", "/a/b"}}
	for _, c := range []struct {
		name        string
		in          policy.Interest
		op          policy.Op
		path, path2 string
		group       string
		want        bool
	}{
		{name: "everything", op: policy.OpRead, path: "/x", want: true},
		{name: "at the directory", in: archive, op: policy.OpRead, path: "/archive", want: true},
		{name: "in it", in: archive, op: policy.OpRead, path: "/archive/x/y", want: true},
		{name: "beside it", in: archive, op: policy.OpRead, path: "/archives"},
		{name: "above it", in: archive, op: policy.OpRead, path: "/a"},
		{name: "the other one", in: archive, op: policy.OpRead, path: "/a/b/c", want: true},
		{name: "the second path", in: archive, op: policy.OpRename, path: "/x", path2: "/archive/x", want: true},
		{name: "neither path", in: archive, op: policy.OpRename, path: "/x", path2: "/y"},
		{name: "the root", in: policy.Interest{Paths: []string{"/"}}, op: policy.OpRead, path: "/x/y", want: true},
		{name: "the operation", in: policy.Interest{Ops: []policy.Op{policy.OpRead, policy.OpSymlink}}, op: policy.OpSymlink, path: "/x", want: true},
		{name: "another operation", in: policy.Interest{Ops: []policy.Op{policy.OpRead}}, op: policy.OpWrite, path: "/x"},
		{name: "no operation at all", in: policy.Interest{Ops: []policy.Op{}}, op: policy.OpWrite, path: "/x"},
		{name: "the group", in: policy.Interest{Groups: []string{"staff", "guests"}}, op: policy.OpRead, path: "/x", group: "guests", want: true},
		{name: "another group", in: policy.Interest{Groups: []string{"staff"}}, op: policy.OpRead, path: "/x", group: "guests"},
		{name: "without a group", in: policy.Interest{Groups: []string{"staff"}}, op: policy.OpRead, path: "/x"},
		{name: "events are another matter", in: policy.Interest{Events: []policy.EventKind{policy.EventLogin}}, op: policy.OpRead, path: "/x", want: true},
	} {
		p := caring(c.in, policy.Answer{Label: "x"})
		ch := start(t, p)
		l := ch.Lease(1)
		q := action(c.op, c.path)
		q.Path2, q.Session.Group = c.path2, c.group
		if g, d := l.Authorize(t.Context(), q); d != nil || (p.asked.Load() == 1) != c.want || (len(g.Labels) == 1) != c.want {
			t.Errorf("%s: asked %d times; %+v, %v", c.name, p.asked.Load(), g, d)
		}
		l.Release()
	}
}

// TestInterestAfterRewrite holds that a policy is asked by what the path has become.
func TestInterestAfterRewrite(t *testing.T) {
	in := policy.Interest{Paths: []string{"/inbox"}}
	p := caring(in, policy.Answer{Verdict: policy.Deny})
	c := start(t, caring(in, policy.Answer{Verdict: policy.Deny}), rewriteTo("/inbox/p"), p)
	if _, d := ask(c, 1); d == nil || d.Policy != "c" {
		t.Errorf("%v", d)
	}
}

func TestInterestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &custom{&fake{observe: func(context.Context, *policy.Event) error { return nil }},
			func(h *policy.Hooks) {
				h.Interest.Events = []policy.EventKind{policy.EventLogin, policy.EventDraining}
			}}
		c := start(t, p)
		l := c.Lease(1)
		defer l.Release()
		for k := range policy.EventDraining + 2 {
			e := event(1)
			e.Kind = k
			l.Observe(e)
		}
		<-time.After(2 * time.Millisecond) // the last ones may have gathered
		synctest.Wait()
		if st := c.Status()[0].Events; st.Added != 2 || st.Delivered != 2 || p.asked.Load() != 2 {
			t.Errorf("%+v", st)
		}
	})
}

func TestInterestInvalid(t *testing.T) {
	c := start(t, labelled("old"))
	for name, in := range map[string]policy.Interest{
		"no operation":    {Ops: []policy.Op{policy.OpRead, 0}},
		"no such op":      {Ops: []policy.Op{policy.OpSymlink + 1}},
		"no event":        {Events: []policy.EventKind{0}},
		"no such event":   {Events: []policy.EventKind{policy.EventClientMoved + 1}},
		"relative":        {Paths: []string{"archive"}},
		"empty":           {Paths: []string{""}},
		"dots":            {Paths: []string{"/a/../b"}},
		"slash":           {Paths: []string{"/a/"}},
		"line break":      {Paths: []string{"/a\nb"}},
		"small verb":      {Verbs: []string{"stor"}},
		"empty verb":      {Verbs: []string{"SITE "}},
		"nameless group":  {Groups: []string{"staff", ""}},
		"verb and a path": {Verbs: []string{"STOR /x"}},
	} {
		p := caring(in, policy.Answer{Label: "new"})
		if _, err := chain.New(chain.Config{Clean: clean}, slots(p)...); err == nil {
			t.Errorf("%s: New took it", name)
		}
		if _, err := c.Swap("a", p); err == nil || label(t, c, 1) != "old" {
			t.Errorf("%s: Swap took it", name)
		}
		if err := c.Shadow("a", p); err == nil {
			t.Errorf("%s: Shadow took it", name)
		}
		if p.closed.Load() != 0 {
			t.Errorf("%s: a policy that was not taken was closed", name)
		}
	}
	if _, err := c.Swap("a", caring(policy.Interest{Verbs: []string{"STOR", "SITE CHMOD"}}, policy.Answer{})); err != nil {
		t.Error(err)
	}
}

// BenchmarkInterest is what a policy costs that is not interested in the path.
func BenchmarkInterest(b *testing.B) {
	for name, in := range map[string]policy.Interest{
		"op":   {Ops: []policy.Op{policy.OpWrite}},
		"path": {Paths: []string{"/archive", "/archive2"}},
	} {
		b.Run(name, func(b *testing.B) {
			c := start(b, caring(in, policy.Answer{}))
			l := c.Lease(1)
			defer l.Release()
			q := action(policy.OpRead, "/dir/file")
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				_, _ = l.Authorize(ctx, q)
			}
		})
	}
}

// TestNobodyCares: where no policy cares for an operation or an event, that is known before
// a question or an event is made; where another generation may answer, somebody always does.
func TestNobodyCares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := policy.Interest{Ops: []policy.Op{policy.OpRead}, Events: []policy.EventKind{policy.EventLogin}}
		p := caring(in, policy.Answer{})
		p.fake.observe = func(context.Context, *policy.Event) error { return nil }
		c := start(t, p)
		l := c.Lease(1)
		asked := func(l chain.Lease, read, write, login, logout bool) {
			t.Helper()
			got := [4]bool{l.Authorizes(policy.OpRead), l.Authorizes(policy.OpWrite), l.Observed(policy.EventLogin), l.Observed(policy.EventLogout)}
			if got != [4]bool{read, write, login, logout} {
				t.Errorf("%v", got)
			}
		}
		asked(l, true, false, true, false)
		asked(chain.Lease{}, true, true, false, false)
		if !c.Observed(1, "", policy.EventLogin) || c.Observed(1, "", policy.EventLogout) || c.Observed(1, "", 250) || l.Authorizes(250) {
			t.Error("without a lease, or of what there is not")
		}
		swap(t, c, "a", says(policy.Answer{}))
		asked(l, true, false, true, false)
		<-time.After(time.Minute)
		synctest.Wait()
		asked(l, true, true, true, true) // it has lost its generation
		l.Release()
		c.Close()
	})
}
