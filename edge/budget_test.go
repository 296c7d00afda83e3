package edge

import (
	"bytes"
	"log/slog"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/budget"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// turned returns the reasons of the connections that were turned away.
func (k *keeper) turned() (why []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.events {
		if e := &k.events[i]; e.Kind == policy.EventMaxCons {
			why = append(why, e.Text)
		}
	}
	return why
}

// TestDescriptorBudget: a session that cannot have what it may need does not begin.
func TestDescriptorBudget(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits = Limits{Descriptors: 2*SessionDescriptors + 1, SessionsPerIP: -1} })
	defer r.stop()
	first, second := r.login(), r.login()
	third := r.dial()
	reply, err := third.Expect("the third connection", 421)
	r.must(err)
	r.must(third.Closed())
	if !strings.Contains(reply.Text(), busy) {
		t.Errorf("421 says %q", reply)
	}
	r.do(first, "NOOP", 200)
	if got := r.srv.Status().Budget; got.Sessions != 2 || got.NoDescriptors != 1 || got.Descriptors != 17 || got.NoMemory != 0 {
		t.Errorf("%+v", got)
	}
	r.until("the event", func() bool { return strings.Join(r.keeper.turned(), ",") == "descriptors" })
	r.must(first.Quit())
	r.must(second.Quit())
	r.free()
	r.must(r.login().Quit())
}

func TestDescriptorsAndSessions(t *testing.T) {
	for _, c := range []struct{ sessions, descriptors, most int }{
		{5000, 0, 5000}, {0, 0, 0}, {0, 80, 10}, {5, 80, 5}, {10, 80, 10}, {11, 80, 10}, {5000, 3, 1},
	} {
		l := Limits{Sessions: c.sessions, Descriptors: c.descriptors}
		if got := l.most(); got != c.most {
			t.Errorf("%+v: %d", l, got)
		}
	}
	// Where both say the same it is the configured limit that is named.
	here := netip.MustParseAddr("192.0.2.1")
	g := gate{limits: Limits{Sessions: 1, Descriptors: SessionDescriptors}}
	if a, b := g.enter(&g.sessions, here), g.enter(&g.sessions, here); a != admitted || b != tooMany {
		t.Errorf("%v, %v", a, b)
	}
}

// TestWorst: what may be needed is told, in whole mebibytes of a few kinds.
func TestWorst(t *testing.T) {
	worst := func(set func(*Config)) int64 {
		conf := basic(newKeeper())
		conf.Logins.Parallel, conf.Limits.Memory = 2, -1
		set(&conf)
		srv, err := New(conf)
		if err != nil {
			t.Fatal(err)
		}
		defer srv.chain.Close()
		return srv.Status().Budget.Worst >> 20
	}
	for name, c := range map[string]struct {
		set  func(*Config)
		want int64
	}{
		"no limit":    {func(c *Config) { c.Limits.Sessions = -1 }, 0},
		"one":         {func(c *Config) { c.Limits.Sessions = 1 }, 12 + 28},
		"thousand":    {func(c *Config) { c.Limits.Sessions = 1000 }, 2450},
		"descriptors": {func(c *Config) { c.Limits.Descriptors = 8 }, 12 + 28},
		"unsorted":    {func(c *Config) { c.Limits.Sessions, c.Listing.Limits.Sorted = 10, -1 }, 62},
		"no MODE Z":   {func(c *Config) { c.Limits.Sessions, c.Listing.Limits.Sorted, c.Transfer.NoDeflate = 10, -1, true }, 46},
	} {
		if got := worst(c.set); got != c.want {
			t.Errorf("%s: %d MiB", name, got)
		}
	}
}

// lines is a log that a test may read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), what)
}

// TestMemoryBudget: near its end nobody new is let in; whoever is in goes on, but for
// transfers that do not fit; and all is well again when there is room.
func TestMemoryBudget(t *testing.T) {
	const room = 96 << 20
	log := &lines{}
	runtime.GC()
	limit := budget.New(1<<40, nil).State().Used + room
	r := start(t, func(c *Config) { c.Limits.Memory, c.Log = limit, slog.New(slog.NewTextHandler(log, nil)) })
	defer r.stop()
	c := r.login()
	put := func(name string) {
		t.Helper()
		_, err := c.Put(userpi.EPSV, "STOR "+name, strings.NewReader("x"))
		r.must(err)
	}
	put("a")
	if got := r.srv.Status().Budget; got.Memory != limit || got.MemoryUsed <= 0 || got.MemoryUsed > limit || got.MemoryFull {
		t.Fatalf("%+v", got)
	}
	ballast := make([]byte, limit)
	runtime.GC()
	tell := func(what string, want int) {
		t.Helper()
		if got := log.count(what); got != want {
			t.Errorf("the log says %d times %q", got, what)
		}
	}
	for range 3 {
		// The last reading may be some milliseconds old.
		r.until("the budget is used up", func() bool { return r.srv.Status().Budget.MemoryUsed > limit })
		d := r.dial()
		r.expect(d, "a connection", 421)
		r.must(d.Closed())
	}
	tell("nearly used up", 1)
	r.do(c, "NOOP", 200)
	got := r.srv.Status().Budget
	if !got.MemoryFull || got.NoMemory != 3 {
		t.Errorf("%+v", got)
	}
	r.do(c, "EPSV", 229)
	r.do(c, "STOR b", 425)
	runtime.KeepAlive(ballast)
	ballast = nil
	// Nothing but a refusal makes the runtime look: the server does that by itself.
	deadline := time.Now().Add(20 * time.Second)
	for {
		d := r.dial()
		reply, err := d.Reply()
		r.must(err)
		if reply.Code == 220 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %q", reply)
		}
		r.must(d.Closed())
		<-time.After(50 * time.Millisecond)
	}
	tell("has room again", 1)
	put("b")
	if got := r.srv.Status().Budget; got.MemoryFull || got.NoTransfer == 0 {
		t.Errorf("%+v", got)
	}
}

// TestMemoryByDefault: the runtime's own limit is the budget's.
func TestMemoryByDefault(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(8 << 30))
	for given, want := range map[int64]int64{0: 8 << 30, -1: 0, 5 << 30: 5 << 30} {
		conf := basic(newKeeper())
		conf.Limits.Memory = given
		got, err := conf.check()
		if err != nil || got.Limits.Memory != want {
			t.Errorf("%d: %d, %v", given, got.Limits.Memory, err)
		}
	}
}

// BenchmarkGate is what it costs to let a session in and out.
func BenchmarkGate(b *testing.B) {
	for name, l := range map[string]Limits{"no budget": {Sessions: 5000, SessionsPerIP: 20}, "budgets": {Sessions: 5000, SessionsPerIP: 20, Memory: 1 << 40, Descriptors: 1 << 20}} {
		b.Run(name, func(b *testing.B) {
			here := netip.MustParseAddr("192.0.2.1")
			g := gate{limits: l, memory: budget.New(l.Memory, nil)}
			for b.Loop() {
				if g.enter(&g.sessions, here) != admitted {
					b.Fatal("not let in")
				}
				g.leave(&g.sessions, here)
			}
		})
	}
}
