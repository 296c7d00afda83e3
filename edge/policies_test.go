package edge

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// TestTrials follows candidates through the server: observers and the program are
// told how a trial ended, and Status shows what is under way.
func TestTrials(t *testing.T) {
	log := &collector{got: make(chan policy.Event, 64)}
	var ended []PolicyChange
	srv, err := New(Config{FS: vfs.NewMem(), Listeners: []Listener{{Name: "l"}},
		Policies:      []Slot{{Name: "log", Policy: log}, {Name: "x", Policy: &collector{got: make(chan policy.Event, 64)}}},
		PolicyChanged: func(c PolicyChange) { ended = append(ended, c) }})
	if err != nil {
		t.Fatal(err)
	}
	next := func() policy.Policy { return &collector{got: make(chan policy.Event, 64)} }
	for i, end := range []func(string) (uint64, error){srv.Promote, srv.Rollback} {
		if n, err := srv.Canary("x", next(), Trial{Percent: 10}); n != uint64(i+2) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		if st := srv.Status().Policies[1].Trial; st == nil || st.Percent != 10 || st.Candidate.Generation != uint64(i+2) {
			t.Errorf("%+v", st)
		}
		if n, err := end("x"); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		want := []policy.EventKind{policy.EventPolicySwapped, policy.EventPolicyRolledBack}[i]
		if e := <-log.got; e.Kind != want || e.Policy != "x" || e.Generation != 2 || e.Text == "" {
			t.Errorf("%+v", e)
		}
		if len(ended) != i+1 || ended[i].Kind != want || ended[i].Candidate != uint64(i+2) {
			t.Errorf("%+v", ended)
		}
	}
	if err := srv.Shadow("x", next()); err != nil || srv.Status().Policies[1].Shadow == nil {
		t.Errorf("%v", err)
	}
	if st, err := srv.EndShadow("x"); err != nil || st.Compared != 0 || srv.Status().Policies[1].Shadow != nil {
		t.Errorf("%+v, %v", st, err)
	}
	if n, err := srv.SwapAll(Slot{Name: "x", Policy: next()}); err != nil || n[0] != 4 {
		t.Errorf("%v, %v", n, err)
	}
	if err := srv.ReplacePolicies(Slot{Name: "log", Policy: log}, Slot{Name: "y", Policy: next()}); err != nil {
		t.Error(err)
	}
	if st := srv.Status().Policies; len(st) != 2 || st[0].Generation != 1 || st[1].Name != "y" || st[0].Events.Added != 2 {
		t.Errorf("%+v", st)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}
