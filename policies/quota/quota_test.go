package quota_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
	"github.com/edgeftp/edgeftp/policies/quota"
)

// The policy is what it says it is.
var (
	_ policy.Policy        = (*quota.Policy)(nil)
	_ policy.Authorizer    = (*quota.Policy)(nil)
	_ policy.Observer      = (*quota.Policy)(nil)
	_ policy.SiteCommander = (*quota.Policy)(nil)
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// rig is a policy with what asks it.
type rig struct {
	*testing.T
	policy  *quota.Policy
	kv      *policy.MemKV
	now     time.Time
	past    time.Duration // since noon, for what the space forgets
	session policy.Session
	request uint64
}

func newRig(t *testing.T, config quota.Config) *rig {
	t.Helper()
	r := &rig{T: t, now: noon, session: policy.Session{ID: 7, User: "anna", Group: "staff"}}
	r.kv = &policy.MemKV{Now: func() time.Time { return noon.Add(r.past) }}
	config.KV = r.kv
	p, err := quota.New(config)
	if err != nil {
		t.Fatal(err)
	}
	r.policy = p
	return r
}

func (r *rig) meta() policy.Meta {
	r.request++
	s := r.session
	return policy.Meta{Session: &s, Request: r.request, Time: r.now}
}

func (r *rig) ask(a policy.Action) policy.Answer {
	r.Helper()
	if a.Session == nil {
		a.Meta = r.meta()
	}
	answer, err := r.policy.Authorize(r.Context(), &a)
	if err != nil {
		r.Fatal(err)
	}
	return answer
}

func (r *rig) tell(e policy.Event) {
	r.Helper()
	if e.Session == nil {
		e.Meta = r.meta()
	}
	if err := r.policy.Observe(r.Context(), &e); err != nil {
		r.Fatal(err)
	}
}

// upload commits a file of size over one of old bytes, -1 for none, and ends it.
func (r *rig) upload(path string, size, old int64, end policy.EventKind) policy.Answer {
	r.Helper()
	m := r.meta()
	a := r.ask(policy.Action{Meta: m, Op: policy.OpCommit, Path: path, A: size, Exists: old >= 0, Size: max(old, 0)})
	if a.Verdict == policy.Deny {
		end = policy.EventIncompleteFileReceived
	}
	r.tell(policy.Event{Meta: m, Kind: end, Op: policy.OpWrite, Path: path, Size: size})
	return a
}

func (r *rig) site(want ...string) {
	r.Helper()
	reply, err := r.policy.CallSite(r.Context(), &policy.SiteCall{Meta: r.meta(), Verb: "QUOTA"})
	if diff := cmp.Diff(policy.SiteReply{Verdict: policy.Allow, Lines: want}, reply); err != nil || diff != "" {
		r.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

const received, broken = policy.EventFileReceived, policy.EventIncompleteFileReceived

func denied(text string) policy.Answer {
	return policy.Answer{Verdict: policy.Deny, Code: 552, Text: text}
}

func same(t *testing.T, what string, want, got policy.Answer) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestBytesAndFiles(t *testing.T) {
	r := newRig(t, quota.Config{Each: quota.Limits{Bytes: 100, Files: 3}})
	same(t, "60", policy.Answer{}, r.upload("/a", 60, -1, received))
	r.site("You have stored 60 of 100 bytes (40 left) and 1 of 3 files (2 left).")
	same(t, "41 more", denied("The file is too large: the quota leaves 40 bytes."), r.upload("/b", 41, -1, received))
	same(t, "60 to 100", policy.Answer{}, r.upload("/a", 100, 60, received))
	r.site("You have stored 100 of 100 bytes (0 left) and 1 of 3 files (2 left).")
	same(t, "1 more", denied("The quota is used up."), r.upload("/b", 1, -1, received))
	same(t, "nothing more", policy.Answer{}, r.upload("/b", 0, -1, received))
	same(t, "smaller", policy.Answer{}, r.upload("/a", 10, 100, received))
	r.site("You have stored 10 of 100 bytes (90 left) and 2 of 3 files (1 left).")
	same(t, "third", policy.Answer{}, r.upload("/c", 1, -1, received))
	same(t, "fourth", denied("The quota leaves no room for another file."), r.upload("/d", 1, -1, received))
	r.tell(policy.Event{Kind: policy.EventFileDeleted, Path: "/a", Size: 10})
	r.site("You have stored 1 of 100 bytes (99 left) and 2 of 3 files (1 left).")
	r.tell(policy.Event{Kind: policy.EventFileDeleted, Path: "/link", Size: 0}) // or an interrupted upload: neither was charged
	r.site("You have stored 1 of 100 bytes (99 left) and 2 of 3 files (1 left).")
	r.tell(policy.Event{Kind: policy.EventFileDeleted, Path: "/never counted", Size: math.MaxInt64})
	r.site("You have stored 0 of 100 bytes (100 left) and 1 of 3 files (2 left).")
}

// What could not be published was never stored, and a smaller file is smaller only
// once it is there.
func TestUnpublished(t *testing.T) {
	r := newRig(t, quota.Config{Each: quota.Limits{Bytes: 100, DayBytes: 150}})
	r.upload("/a", 100, -1, broken)
	r.site("You have stored 0 of 100 bytes (100 left) and 0 files.", "Added today (UTC): 0 of 150 bytes (150 left) and 0 files.")
	r.upload("/a", 100, -1, received)
	r.upload("/a", 10, 100, broken)
	r.site("You have stored 100 of 100 bytes (0 left) and 1 files.", "Added today (UTC): 100 of 150 bytes (50 left) and 1 files.")

	m := r.meta()
	r.ask(policy.Action{Meta: m, Op: policy.OpCommit, Path: "/a", A: 10, Exists: true, Size: 100})
	same(t, "before the end", denied("The quota is used up."), r.upload("/b", 1, -1, received))
	r.tell(policy.Event{Meta: m, Kind: received, Path: "/a"})
	r.tell(policy.Event{Meta: m, Kind: received, Path: "/a"}) // twice: there is nothing to settle any more
	r.site("You have stored 10 of 100 bytes (90 left) and 1 files.", "Added today (UTC): 100 of 150 bytes (50 left) and 1 files.")
	if n := r.kv.Keys(); n != 1 {
		t.Errorf("%d keys are left, want the account alone", n)
	}
}

// The event of an upload that was not charged settles nothing: another path, an
// upload that never came to the question, a charge of long ago.
func TestStrayEvents(t *testing.T) {
	r := newRig(t, quota.Config{Each: quota.Limits{Bytes: 100}})
	m := r.meta()
	r.ask(policy.Action{Meta: m, Op: policy.OpCommit, Path: "/a", A: 50})
	r.tell(policy.Event{Kind: broken, Path: "/a"})
	r.tell(policy.Event{Meta: m, Kind: broken, Path: "/b"})
	r.site("You have stored 50 of 100 bytes (50 left) and 1 files.")
	r.past += time.Hour
	r.tell(policy.Event{Meta: m, Kind: broken, Path: "/a"})
	r.site("You have stored 50 of 100 bytes (50 left) and 1 files.")
}

func TestAtTheStart(t *testing.T) {
	for _, c := range []struct {
		name   string
		used   int64 // of 100 bytes and 1 file
		action policy.Action
		want   policy.Answer
	}{
		{"new", -1, policy.Action{Op: policy.OpWrite, A: -1}, policy.Answer{Limits: policy.Limits{MaxFileSize: 100}}},
		{"announced", -1, policy.Action{Op: policy.OpWrite, A: 100}, policy.Answer{Limits: policy.Limits{MaxFileSize: 100}}},
		{"announced too much", -1, policy.Action{Op: policy.OpWrite, A: 101}, denied("The file is too large: the quota leaves 100 bytes.")},
		{"another file", 30, policy.Action{Op: policy.OpWrite, A: -1}, denied("The quota leaves no room for another file.")},
		{"over it", 30, policy.Action{Op: policy.OpWrite, A: -1, Exists: true, Size: 30}, policy.Answer{Limits: policy.Limits{MaxFileSize: 100}}},
		{"over what was not counted", 30, policy.Action{Op: policy.OpWrite, A: -1, Exists: true, Size: 500}, policy.Answer{Limits: policy.Limits{MaxFileSize: 570}}},
		{"appended", 30, policy.Action{Op: policy.OpAppend, A: -1, B: 30, Exists: true, Size: 30}, policy.Answer{Limits: policy.Limits{MaxFileSize: 100}}},
		{"appended when full", 100, policy.Action{Op: policy.OpAppend, A: -1, B: 100, Exists: true, Size: 100}, policy.Answer{Limits: policy.Limits{MaxFileSize: 100}}},
		{"an empty one when full", 100, policy.Action{Op: policy.OpAppend, A: -1, Exists: true}, denied("The quota is used up.")},
		{"unique in a directory", -1, policy.Action{Op: policy.OpUnique, A: -1, Exists: true, Dir: true, Size: 4096}, policy.Answer{Limits: policy.Limits{MaxFileSize: 100}}},
		{"huge", -1, policy.Action{Op: policy.OpWrite, A: -1, Exists: true, Size: math.MaxInt64}, policy.Answer{Limits: policy.Limits{MaxFileSize: math.MaxInt64}}},
		{"reading", -1, policy.Action{Op: policy.OpRead}, policy.Answer{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, quota.Config{Each: quota.Limits{Bytes: 100, Files: 1}})
			if c.used >= 0 {
				r.upload("/a", c.used, -1, received)
			}
			same(t, c.name, c.want, r.ask(c.action))
		})
	}
}

func TestPeriods(t *testing.T) {
	r := newRig(t, quota.Config{Each: quota.Limits{DayBytes: 10, DayFiles: 2, MonthBytes: 15, MonthFiles: 4}})
	r.now = time.Date(2026, 11, 26, 23, 59, 59, 0, time.UTC)
	same(t, "first", policy.Answer{}, r.upload("/a", 10, -1, received))
	same(t, "second", denied("The quota is used up."), r.upload("/b", 1, -1, received))
	r.tell(policy.Event{Kind: policy.EventFileDeleted, Path: "/a", Size: 10})
	same(t, "deletion gives no day back", denied("The quota is used up."), r.upload("/b", 1, -1, received))
	r.now = r.now.Add(time.Second).In(time.FixedZone("", -5*3600)) // midnight in UTC
	r.site("You have stored 0 bytes and 0 files.", "Added today (UTC): 0 of 10 bytes (10 left) and 0 of 2 files (2 left).",
		"Added this month (UTC): 10 of 15 bytes (5 left) and 1 of 4 files (3 left).")
	same(t, "the month", denied("The file is too large: the quota leaves 5 bytes."), r.upload("/b", 6, -1, received))
	same(t, "what it leaves", policy.Answer{}, r.upload("/b", 5, -1, received))
	r.now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	same(t, "the next one", policy.Answer{}, r.upload("/c", 10, -1, received))

	// A charge of yesterday that is given back is not today's.
	m := r.meta()
	m.Time = r.now.Add(24 * time.Hour)
	r.ask(policy.Action{Meta: m, Op: policy.OpCommit, Path: "/d", A: 5})
	r.now = m.Time.Add(24 * time.Hour)
	r.upload("/e", 0, -1, received)
	r.tell(policy.Event{Meta: m, Kind: broken, Path: "/d"})
	r.site("You have stored 15 bytes and 3 files.", "Added today (UTC): 0 of 10 bytes (10 left) and 1 of 2 files (1 left).",
		"Added this month (UTC): 10 of 15 bytes (5 left) and 2 of 4 files (2 left).")
	r.past += 400 * 24 * time.Hour
	r.site("You have stored 15 bytes and 3 files.", "Added today (UTC): 0 of 10 bytes (10 left) and 1 of 2 files (1 left).",
		"Added this month (UTC): 10 of 15 bytes (5 left) and 2 of 4 files (2 left).")
}

func TestUsersAndGroups(t *testing.T) {
	r := newRig(t, quota.Config{
		Each:   quota.Limits{Bytes: 100},
		Users:  map[string]quota.Limits{"bob": {Bytes: 1000}, "root": {}},
		Groups: map[string]quota.Limits{"staff": {Bytes: 150, Files: 2}},
	})
	same(t, "anna", policy.Answer{}, r.upload("/a", 100, -1, received))
	r.session.User = "bob"
	r.site("You have stored 0 of 1000 bytes (1000 left) and 0 files.", "Your group has stored 100 of 150 bytes (50 left) and 1 of 2 files (1 left).")
	same(t, "bob", denied("The file is too large: the quota leaves 50 bytes."), r.upload("/b", 51, -1, received))
	r.site("You have stored 0 of 1000 bytes (1000 left) and 0 files.", "Your group has stored 100 of 150 bytes (50 left) and 1 of 2 files (1 left).")
	same(t, "bob's 50", policy.Answer{}, r.upload("/b", 50, -1, received))
	same(t, "full", denied("The quota leaves no room for another file."), r.ask(policy.Action{Op: policy.OpWrite, A: -1}))
	r.session.Group = ""
	same(t, "of no group", policy.Answer{Limits: policy.Limits{MaxFileSize: 950}}, r.ask(policy.Action{Op: policy.OpWrite, A: -1}))
	r.session.User = "root"
	same(t, "freed", policy.Answer{}, r.ask(policy.Action{Op: policy.OpWrite, A: math.MaxInt64}))
	same(t, "freed", policy.Answer{}, r.upload("/x", math.MaxInt64, -1, received))
	r.site("There is no quota for you.")
	reply, err := r.policy.CallSite(t.Context(), &policy.SiteCall{Meta: r.meta(), Verb: "QUOTA", Arg: "bob"})
	if err != nil || reply.Verdict != policy.Deny || reply.Code != 501 {
		t.Errorf("with an argument: %+v, %v", reply, err)
	}
}

// Names are accounts of their own however long they are and whatever they look like.
func TestNames(t *testing.T) {
	long := strings.Repeat("x", 5000)
	r := newRig(t, quota.Config{Each: quota.Limits{Bytes: 10}})
	for _, name := range []string{"", "a", "#a", long, long + "y", "g/staff", "\xff"} {
		for _, host := range []string{"", "a", "b", long} { // and those of two hosts are two people's
			r.session.User, r.session.VHost = name, host
			same(t, name, policy.Answer{}, r.upload("/"+long, 10, -1, received))
			same(t, name, denied("The quota is used up."), r.upload("/b", 1, -1, received))
		}
	}
}

func TestShadow(t *testing.T) {
	r := newRig(t, quota.Config{Each: quota.Limits{Bytes: 10}})
	m := r.meta()
	m.Shadow = true
	same(t, "a trial", policy.Answer{}, r.ask(policy.Action{Meta: m, Op: policy.OpCommit, Path: "/a", A: 10}))
	same(t, "a trial", denied("The file is too large: the quota leaves 10 bytes."), r.ask(policy.Action{Meta: m, Op: policy.OpCommit, Path: "/a", A: 11}))
	r.tell(policy.Event{Meta: m, Kind: policy.EventFileDeleted, Size: 4})
	if n := r.kv.Keys(); n != 0 {
		t.Errorf("a trial has left %d keys", n)
	}
}

// full is a space in which nothing can be written.
type full struct{ *policy.MemKV }

func (full) Set(string, []byte, time.Duration) error { return policy.ErrKVFull }

// Whoever cannot count refuses, and what was charged before is given back.
func TestFaults(t *testing.T) {
	kv := &policy.MemKV{}
	p, err := quota.New(quota.Config{KV: full{kv}, Each: quota.Limits{Bytes: 100}})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, policy: p, kv: kv, now: noon, session: policy.Session{User: "anna"}}
	commit := policy.Action{Meta: r.meta(), Op: policy.OpCommit, Path: "/a", A: 10}
	if _, err := p.Authorize(t.Context(), &commit); !errors.Is(err, policy.ErrKVFull) {
		t.Errorf("no room: %v", err)
	}
	r.site("You have stored 0 of 100 bytes (100 left) and 0 files.")
	if err := kv.Set("u/anna", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if a, err := p.Authorize(t.Context(), &policy.Action{Meta: r.meta(), Op: policy.OpWrite}); err == nil {
		t.Errorf("damaged: %+v", a)
	}
	if a, err := p.Authorize(t.Context(), &commit); err == nil {
		t.Errorf("damaged: %+v", a)
	}
	if err := p.Observe(t.Context(), &policy.Event{Meta: r.meta(), Kind: policy.EventFileDeleted, Size: 1}); err == nil {
		t.Error("damaged, and not said")
	}
	if _, err := p.CallSite(t.Context(), &policy.SiteCall{Meta: r.meta(), Verb: quota.Verb}); err == nil {
		t.Error("damaged, and not said")
	}
}

func TestNewRefuses(t *testing.T) {
	for want, config := range map[string]quota.Config{
		"somewhere to keep":                {},
		"limit of bytes is -1":             {KV: &policy.MemKV{}, Each: quota.Limits{Bytes: -1}},
		`user "a": the limit of files`:     {KV: &policy.MemKV{}, Users: map[string]quota.Limits{"a": {Files: -1}}},
		`group "g": the limit of files of`: {KV: &policy.MemKV{}, Groups: map[string]quota.Limits{"g": {DayFiles: -1}}},
	} {
		if p, err := quota.New(config); p != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", want, p, err)
		}
	}
}

// TestTogether: however many upload at one time, what was published never exceeds
// the limit, and when all is over the counters are what is stored.
func TestTogether(t *testing.T) {
	const limit, parallel = 1000, 32
	for seed := range uint64(20) {
		kv := &policy.MemKV{}
		p, err := quota.New(quota.Config{KV: kv, Each: quota.Limits{Bytes: limit, Files: 40}, Groups: map[string]quota.Limits{"g": {Bytes: limit + 100}}})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var stored, files int64
		count := func(bytes, n int64) {
			mu.Lock()
			defer mu.Unlock()
			if stored, files = stored+bytes, files+n; stored > limit || files > 40 {
				t.Errorf("seed %d: %d bytes in %d files are stored", seed, stored, files)
			}
		}
		var all sync.WaitGroup
		for g := range uint64(parallel) {
			all.Go(func() {
				one(t, p, &policy.Session{ID: g + 1, User: "anna", Group: "g"}, rand.New(rand.NewPCG(seed, g)), count)
			})
		}
		all.Wait()
		reply, err := p.CallSite(t.Context(), &policy.SiteCall{Meta: policy.Meta{Session: &policy.Session{User: "anna"}, Time: noon}, Verb: quota.Verb})
		r := newRig(t, quota.Config{Each: quota.Limits{Bytes: limit, Files: 40}})
		for range files {
			r.upload("/x", 0, -1, received)
		}
		r.upload("/x", stored, 0, received)
		if err != nil {
			t.Fatal(err)
		}
		r.site(reply.Lines...)
	}
}

// one is one client: it uploads, sometimes in vain, and deletes.
func one(t *testing.T, p *quota.Policy, s *policy.Session, random *rand.Rand, count func(bytes, files int64)) {
	var mine []int64
	for request := range uint64(40) {
		m := policy.Meta{Session: s, Request: request, Time: noon}
		size := random.Int64N(200) + 1
		a, err := p.Authorize(context.Background(), &policy.Action{Meta: m, Op: policy.OpCommit, Path: "/x", A: size})
		if err != nil {
			t.Error(err)
			return
		}
		e := policy.Event{Meta: m, Kind: broken, Path: "/x", Size: size}
		if a.Verdict == policy.Pass && random.IntN(3) > 0 {
			e.Kind, mine = received, append(mine, size)
			count(size, 1)
		}
		if err := p.Observe(context.Background(), &e); err != nil {
			t.Error(err)
		}
		if len(mine) > 0 && random.IntN(3) == 0 {
			count(-mine[0], -1)
			m.Request += 1000
			if err := p.Observe(context.Background(), &policy.Event{Meta: m, Kind: policy.EventFileDeleted, Path: "/x", Size: mine[0]}); err != nil {
				t.Error(err)
			}
			mine = mine[1:]
		}
	}
}

// 8 parallel uploads of 100 bytes into 100: one is stored.
func TestEightIntoOne(t *testing.T) {
	r := newRig(t, quota.Config{Each: quota.Limits{Bytes: 100}})
	taken := make(chan bool, 8)
	for id := range uint64(8) {
		go func() {
			a, err := r.policy.Authorize(context.Background(), &policy.Action{Op: policy.OpCommit, Path: "/x", A: 100,
				Meta: policy.Meta{Session: &policy.Session{ID: id, User: "anna"}, Request: 1, Time: noon}})
			taken <- err == nil && a.Verdict != policy.Deny
		}()
	}
	n := 0
	for range 8 {
		if <-taken {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 8 were taken, want 1", n)
	}
}

func TestConformance(t *testing.T) {
	anna := policy.Meta{Session: &policy.Session{ID: 1, User: "anna"}, Time: noon}
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
		return newRig(t, quota.Config{Each: quota.Limits{Bytes: 100, Files: 1, MonthBytes: 1 << 40}}).policy
	},
		policytest.Case{Name: "fits", Action: &policy.Action{Meta: anna, Op: policy.OpWrite, Path: "/a", A: -1}, Want: policy.Pass},
		policytest.Case{Name: "too much", Action: &policy.Action{Meta: anna, Op: policy.OpWrite, Path: "/a", A: 101}, Want: policy.Deny},
		policytest.Case{Name: "commit", Action: &policy.Action{Meta: anna, Op: policy.OpCommit, Path: "/a", A: 100}, Want: policy.Pass},
		policytest.Case{Name: "commit of too much", Action: &policy.Action{Meta: anna, Op: policy.OpCommit, Path: "/a", A: 101}, Want: policy.Deny},
		policytest.Case{Name: "deleted", Event: &policy.Event{Meta: anna, Kind: policy.EventFileDeleted, Size: 5}},
	)
}

// Limits that are looked up hold at once, and what is used can be told.
func TestLookup(t *testing.T) {
	limits := map[string]quota.Limits{}
	r := newRig(t, quota.Config{Each: quota.Limits{Files: 1}, Users: map[string]quota.Limits{"bob": {Bytes: 7}},
		Lookup: func(user string) (quota.Limits, bool) { l, named := limits[user]; return l, named }})
	usage := func(user string, want quota.Usage) {
		t.Helper()
		got, err := r.policy.Usage(user, r.now)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", user, err, diff)
		}
	}
	usage("anna", quota.Usage{Limits: quota.Limits{Files: 1}})
	usage("bob", quota.Usage{Limits: quota.Limits{Bytes: 7}})
	limits["anna"], limits["bob"] = quota.Limits{Bytes: 100}, quota.Limits{Bytes: 1}
	same(t, "60", policy.Answer{}, r.upload("/a", 60, -1, received))
	same(t, "30", policy.Answer{}, r.upload("/b", 30, -1, received))
	same(t, "20", denied("The file is too large: the quota leaves 10 bytes."), r.upload("/c", 20, -1, received))
	used := quota.Limits{Bytes: 90, Files: 2, DayBytes: 90, DayFiles: 2, MonthBytes: 90, MonthFiles: 2}
	usage("anna", quota.Usage{Limits: limits["anna"], Used: used})
	usage("bob", quota.Usage{Limits: quota.Limits{Bytes: 7}})
	limits["anna"] = quota.Limits{}
	same(t, "freed", policy.Answer{}, r.upload("/c", 1000, -1, received))
	limits["anna"] = quota.Limits{Bytes: 95}
	same(t, "again", denied("The file is too large: the quota leaves 5 bytes."), r.upload("/d", 6, -1, received))
}

// TestUnlimited holds that a quota of nobody wants to be asked nothing, and one that may
// be somebody's does.
func TestUnlimited(t *testing.T) {
	some := quota.Limits{Bytes: 1}
	none := func(string) (quota.Limits, bool) { return quota.Limits{}, false }
	var nobody bool
	look := func() bool { return nobody }
	for _, c := range []struct {
		name   string
		config quota.Config
		nobody bool
		want   bool
	}{
		{"nobody", quota.Config{}, false, true},
		{"entries without limits", quota.Config{Users: map[string]quota.Limits{"a": {}}, Groups: map[string]quota.Limits{"g": {}}}, false, true},
		{"everybody", quota.Config{Each: some}, true, false},
		{"a user", quota.Config{Users: map[string]quota.Limits{"a": some}}, true, false},
		{"a group", quota.Config{Groups: map[string]quota.Limits{"g": some}}, true, false},
		{"somebody whom nobody knows", quota.Config{Lookup: none}, true, false},
		{"somebody now", quota.Config{Lookup: none, Unlimited: look}, false, false},
		{"nobody now", quota.Config{Lookup: none, Unlimited: look}, true, true},
		{"nobody now, but a group", quota.Config{Lookup: none, Unlimited: look, Groups: map[string]quota.Limits{"g": some}}, true, false},
	} {
		nobody = c.nobody
		if got := newRig(t, c.config).policy.Hooks().Dormant(); got != c.want {
			t.Errorf("%s: dormant is %v", c.name, got)
		}
	}
}
