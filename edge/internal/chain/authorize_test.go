package chain_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// rewriteTo answers every question with another path.
func rewriteTo(paths ...string) *fake {
	a := policy.Answer{Verdict: policy.Rewrite, Path: paths[0]}
	if len(paths) > 1 {
		a.Path2 = paths[1]
	}
	return says(a)
}

func TestAuthorize(t *testing.T) {
	broken := errors.New("broken")
	allow := says(policy.Answer{Verdict: policy.Allow})
	for _, c := range []struct {
		name   string
		chain  []policy.Policy
		grant  policy.Grant
		denial *policy.Denial
	}{
		{name: "nobody is asked", grant: policy.Grant{Path: "/p", Path2: "/q"}},
		{name: "nobody takes part", chain: []policy.Policy{&fake{}}, grant: policy.Grant{Path: "/p", Path2: "/q"}},
		{name: "all pass", chain: []policy.Policy{says(policy.Answer{}), says(policy.Answer{})},
			grant: policy.Grant{Path: "/p", Path2: "/q"}},
		{name: "one allows", chain: []policy.Policy{says(policy.Answer{}), allow},
			grant: policy.Grant{Path: "/p", Path2: "/q"}},
		{name: "deny after allow", chain: []policy.Policy{allow, says(policy.Answer{Verdict: policy.Deny, Code: 553, Text: "No."}), fails(broken)},
			denial: &policy.Denial{Policy: "b", Generation: 1, Code: 553, Text: "No."}},
		{name: "the first deny ends", chain: []policy.Policy{says(policy.Answer{Verdict: policy.Deny, Text: "1"}), says(policy.Answer{Verdict: policy.Deny, Text: "2"})},
			denial: &policy.Denial{Policy: "a", Generation: 1, Text: "1"}},
		{name: "hide", chain: []policy.Policy{says(policy.Answer{Verdict: policy.Hide, Text: "x"})},
			denial: &policy.Denial{Policy: "a", Generation: 1, Hidden: true, Text: "x"}},
		{name: "a refusal with a success's code", chain: []policy.Policy{says(policy.Answer{Verdict: policy.Deny, Code: 226})},
			denial: &policy.Denial{Policy: "a", Generation: 1}},
		{name: "a refusal with no code at all", chain: []policy.Policy{says(policy.Answer{Verdict: policy.Deny, Code: 600})},
			denial: &policy.Denial{Policy: "a", Generation: 1}},
		{name: "an error refuses", chain: []policy.Policy{allow, fails(broken)},
			denial: &policy.Denial{Policy: "b", Generation: 1, Failed: true, Cause: broken}},
		{name: "final keeps a later deny away", chain: []policy.Policy{says(policy.Answer{Verdict: policy.Allow, Final: true, Label: "l"}), says(policy.Answer{Verdict: policy.Deny})},
			grant: policy.Grant{Path: "/p", Path2: "/q", Labels: []string{"l"}}},
		{name: "final means nothing beside pass", chain: []policy.Policy{says(policy.Answer{Final: true}), says(policy.Answer{Verdict: policy.Deny})},
			denial: &policy.Denial{Policy: "b", Generation: 1}},
		{name: "final rewrite", chain: []policy.Policy{says(policy.Answer{Verdict: policy.Rewrite, Path: "x", Final: true}), fails(broken)},
			grant: policy.Grant{Path: "/x", Path2: "/q"}},
		{name: "labels in order", chain: []policy.Policy{says(policy.Answer{Label: "1"}), says(policy.Answer{}), says(policy.Answer{Verdict: policy.Allow, Label: "2"})},
			grant: policy.Grant{Path: "/p", Path2: "/q", Labels: []string{"1", "2"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, c.chain...).Lease(1)
			defer l.Release()
			q := action(policy.OpRename, "/p")
			q.Path2 = "/q"
			grant, denial := l.Authorize(t.Context(), q)
			if !reflect.DeepEqual(denial, c.denial) || !reflect.DeepEqual(grant, c.grant) {
				t.Errorf("grant %+v, denial %+v", grant, denial)
			}
			if q.Path != "/p" || q.Path2 != "/q" {
				t.Error("the question was changed")
			}
		})
	}
}

func TestAuthorizeUnknownVerdict(t *testing.T) {
	l := start(t, says(policy.Answer{Verdict: policy.Hide + 1})).Lease(1)
	defer l.Release()
	if _, d := l.Authorize(t.Context(), action(policy.OpRead, "/p")); d == nil || !d.Failed || d.Cause == nil {
		t.Errorf("%+v", d)
	}
}

func TestAuthorizeLimits(t *testing.T) {
	l := start(t,
		says(policy.Answer{Verdict: policy.Allow, Limits: policy.Limits{RateDown: 100, MaxFileSize: 5}}),
		says(policy.Answer{Limits: policy.Limits{RateDown: 200, RateUp: 7}}),
		says(policy.Answer{Verdict: policy.Rewrite, Limits: policy.Limits{RateDown: 50, RateUp: -1, MaxFileSize: 9, DataTLS: true}}),
		says(policy.Answer{}),
	).Lease(1)
	defer l.Release()
	g, d := l.Authorize(t.Context(), action(policy.OpRead, "/p"))
	want := policy.Limits{RateDown: 50, RateUp: 7, MaxFileSize: 5, DataTLS: true}
	if d != nil || g.Limits != want || g.Path != "/p" {
		t.Errorf("%+v, %v; want %+v", g, d, want)
	}
}

func TestAuthorizeRewrite(t *testing.T) {
	for _, c := range []struct {
		name  string
		chain []policy.Policy
		path  string // "" for a failure
		path2 string
	}{
		{"one", []policy.Policy{rewriteTo("/x")}, "/x", "/q"},
		{"it is made canonical", []policy.Policy{rewriteTo("a/../../b//c/.")}, "/b/c", "/q"},
		{"both paths", []policy.Policy{rewriteTo("/x", "y/")}, "/x", "/y"},
		{"the second alone", []policy.Policy{rewriteTo("", "/y")}, "/p", "/y"},
		{"neither", []policy.Policy{rewriteTo("")}, "/p", "/q"},
		{"four", []policy.Policy{rewriteTo("/1"), rewriteTo("/2"), rewriteTo("/3"), rewriteTo("/4")}, "/4", "/q"},
		{"five", []policy.Policy{rewriteTo("/1"), rewriteTo("/2"), rewriteTo("/3"), rewriteTo("/4"), rewriteTo("/5")}, "", ""},
		{"no path at all", []policy.Policy{rewriteTo("/a\nb")}, "", ""},
		{"no second path at all", []policy.Policy{rewriteTo("/a", "/b\x00")}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var shown string
			last := &fake{fs: func(q *policy.Action) (policy.Answer, error) {
				shown = q.Path + " " + q.Path2
				return policy.Answer{}, nil
			}}
			l := start(t, append(c.chain, last)...).Lease(1)
			defer l.Release()
			q := action(policy.OpRename, "/p")
			q.Path2 = "/q"
			g, d := l.Authorize(t.Context(), q)
			switch {
			case c.path == "" && (d == nil || !d.Failed || g.Path != "" || shown != ""):
				t.Errorf("not refused: %+v, %+v, shown %q", g, d, shown)
			case c.path != "" && (d != nil || g.Path != c.path || g.Path2 != c.path2):
				t.Errorf("%+v, %v", g, d)
			case c.path != "" && shown != c.path+" "+c.path2:
				t.Errorf("the next policy was shown %q", shown)
			}
		})
	}
}

func TestAuthorizeCounts(t *testing.T) {
	answers := []policy.Answer{{}, {Verdict: policy.Allow}, {Verdict: policy.Deny}, {Verdict: policy.Hide}, {Verdict: 99}}
	n := 0
	c := start(t, &fake{fs: func(*policy.Action) (policy.Answer, error) { n++; return answers[n-1], nil }}, says(policy.Answer{}))
	l := c.Lease(1)
	defer l.Release()
	for range answers {
		_, _ = l.Authorize(t.Context(), action(policy.OpRead, "/p"))
	}
	st := c.Status()
	if len(st) != 2 || st[0].Name != "a" || st[0].Generation != 1 || st[0].Calls != 5 || st[0].Denied != 2 || st[0].Failed != 1 {
		t.Errorf("%+v", st)
	}
	if st[1].Calls != 2 || st[1].Denied+st[1].Failed != 0 {
		t.Errorf("the second policy was called %d times", st[1].Calls)
	}
}
