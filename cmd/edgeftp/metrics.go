package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// listenMetrics binds the address at which the figures are shown, if there is one, or takes
// that of the generation before.
func (in *generation) listenMetrics(ctx context.Context) error {
	in.metrics, _ = in.natives["metrics"].policy.(*metrics.Policy)
	if in.metrics == nil {
		return nil
	}
	if b := in.before; b != nil && b.scraped != nil && b.metrics == in.metrics && b.conf.Metrics == in.conf.Metrics {
		in.scraped, in.figuresAt = b.scraped, b.figuresAt
		return nil
	}
	l, err := in.listenAt(ctx, in.metricsAt())
	if err != nil {
		return fmt.Errorf("the figures cannot be shown: %w\n   = help: free the port, or choose another telemetry.metrics.listen", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+in.conf.Metrics.Path, in.metrics.Handler())
	in.probes(mux)
	in.scraped = &http.Server{Handler: control.Recovering(mux, in.server.Panicked), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	in.figuresAt = l
	return nil
}

// showMetrics begins to answer at the address that listenMetrics has bound, if there is
// one, and ends to at another one of the generation before.
func (in *generation) showMetrics(before *generation) {
	if before != nil && before.scraped == in.scraped {
		return
	}
	if before != nil {
		before.hideMetrics()
	}
	if in.scraped == nil {
		return
	}
	in.log.Info("figures are shown", "url", "http://"+in.figuresAt.Addr().String()+in.conf.Metrics.Path)
	go func() {
		if err := in.scraped.Serve(in.figuresAt); !errors.Is(err, http.ErrServerClosed) {
			in.log.Error("the figures are not shown any more", "error", err)
		}
	}()
}

// hideMetrics ends to show the figures.
func (in *generation) hideMetrics() {
	if in.scraped != nil {
		_ = in.scraped.Close() // what is being read is lost, and asked for again
		_ = in.figuresAt.Close()
	}
}

// guard calls fn, and tells of its panic: what it was about is given up.
func (in *instance) guard(fn func()) {
	defer func() {
		if p := recover(); p != nil {
			in.server.Panicked(p)
		}
	}()
	fn()
}

// collect tells what no event holds. The library runs it in a goroutine of its own.
func (in *instance) collect(tell func(metrics.Sample)) { in.guard(func() { in.tell(tell) }) }

// tell tells what no event holds. Numbers of a policy are those of its generation,
// so that none ever falls.
func (in *instance) tell(tell func(metrics.Sample)) {
	st := in.modules.Status()
	gauge := func(name, help string, value float64, labels ...metrics.Label) {
		tell(metrics.Sample{Name: name, Help: help, Value: value, Labels: labels})
	}
	gauge("edgeftp_build_info", "The program; its value is 1.", 1, metrics.Label{Name: "version", Value: st.Version}, metrics.Label{Name: "goversion", Value: runtime.Version()})
	tell(metrics.Sample{Name: "edgeftp_panics_total", Help: "Mistakes of the server that were recovered, at the cost of a session at most.", Kind: metrics.Counter, Value: float64(st.Panics)})
	now := in.now.Load()
	gauge("edgeftp_config_generation", "The number of the configuration in force, as edgeftp config history has it.", float64(now.number))
	gauge("edgeftp_draining", "1 while the server ends.", flag(st.Draining))
	gauge("edgeftp_policy_generations_draining", "Replaced policy generations that transfers hold.", float64(st.OldGenerations))
	gauge("edgeftp_policy_instances_draining", "Instances of replaced modules.", float64(st.OldInstances))
	tellBudget(tell, &st.Budget)
	tellCounts(tell, in.server.Counts())
	tellOperations(tell, in.server.Operations())
	tellCompilations(tell, in.host.Compilations())
	in.answered.tell(tell)
	now.tellPorts(tell)
	limits := in.server.Bandwidth()
	tellLimits(tell, &limits)
	now.tellDisks(tell)
	in.requests.tell(tell)
	now.tellHooks(tell)
	tellLatencies(tell, in.server.Status().Policies)
	for i := range st.Policies {
		p := &st.Policies[i]
		tellPolicy(tell, p, "active")
		if p.Trial != nil {
			tellPolicy(tell, &p.Trial.Candidate, "candidate")
		}
		if p.Shadow != nil {
			tellShadow(tell, p)
		}
	}
	tellDefence(tell, in.server.Defence())
	for _, c := range now.readiness().Components {
		gauge("edgeftp_component_ready", "0 while a component has failed that clients need, as GET /readyz has it.", flag(c.State != control.ComponentFailed), metrics.Label{Name: "component", Value: c.Name})
	}
	in.logs.tell(tell)
	in.modules.guests.tell(tell)
	tellCertificates(tell, now.certs.list())
	tellOrders(tell, now.certs.sources)
	kv := in.store.Stats()
	for _, s := range kv.Spaces {
		space := metrics.Label{Name: "space", Value: s.Name}
		gauge("edgeftp_kv_keys", "Keys that policies remember.", float64(s.Keys), space)
		gauge("edgeftp_kv_bytes", "Bytes that those keys take.", float64(s.Bytes), space)
	}
	gauge("edgeftp_kv_unwritten", "Changed keys that are not on disk yet.", float64(kv.Unwritten))
	tell(metrics.Sample{Name: "edgeftp_kv_write_failures_total", Help: "Writes to disk that failed.", Kind: metrics.Counter, Value: float64(kv.Failures)})
}

func tellBudget(tell func(metrics.Sample), b *control.Budget) {
	for _, s := range []metrics.Sample{
		{Name: "edgeftp_memory_budget_bytes", Help: "What the process may use; 0 is no budget.", Value: float64(b.Memory)},
		{Name: "edgeftp_memory_used_bytes", Help: "What is in use or reserved of the memory budget.", Value: float64(b.MemoryUsed)},
		{Name: "edgeftp_memory_full", Help: "1 while connections are turned away for want of memory.", Value: flag(b.MemoryFull)},
		{Name: "edgeftp_sessions_limit", Help: "Sessions that there may be at once; 0 is no limit.", Value: float64(b.MostSessions)},
	} {
		tell(s)
	}
	for budget, n := range map[string]uint64{"memory": b.NoMemory, "descriptors": b.NoDescriptors} {
		tell(metrics.Sample{Name: "edgeftp_budget_rejected_total", Help: "Connections that were turned away, by the budget.", Kind: metrics.Counter,
			Value: float64(n), Labels: []metrics.Label{{Name: "budget", Value: budget}}})
	}
	tell(metrics.Sample{Name: "edgeftp_budget_transfers_refused_total", Help: "Transfers that were refused for want of memory.", Kind: metrics.Counter, Value: float64(b.NoTransfer)})
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// teller tells numbers of one policy.
type teller struct {
	tell func(metrics.Sample)
	own  []metrics.Label
}

func (t teller) number(kind metrics.Kind, name, help string, value float64, labels ...metrics.Label) {
	t.tell(metrics.Sample{Name: "edgeftp_policy_" + name, Help: help, Kind: kind, Value: value, Labels: append(t.own[:len(t.own):len(t.own)], labels...)})
}

func tellPolicy(tell func(metrics.Sample), p *control.Policy, state string) {
	t := tellerOf(tell, p.Name, p.Generation)
	t.number(metrics.Gauge, "info", "A policy; its value is 1.", 1, metrics.Label{Name: "state", Value: state}, metrics.Label{Name: "kind", Value: p.Kind},
		metrics.Label{Name: "version", Value: p.Version}, metrics.Label{Name: "digest", Value: p.Digest})
	if state == "active" {
		tell(metrics.Sample{Name: "edgeftp_policy_generation", Help: "The generation of a policy that decides; each swap has a higher one.", Value: float64(p.Generation), Labels: t.own[:1]})
	}
	for _, s := range p.Stages {
		hook := metrics.Label{Name: "hook", Value: s.Stage}
		for verdict, n := range s.Verdicts {
			t.number(metrics.Counter, "calls_total", "Calls by what came of them.", float64(n), hook, metrics.Label{Name: "decision", Value: verdict})
		}
		for what, n := range map[string]uint64{"failed": s.Failed, "aborted": s.Aborted, "skipped": s.Skipped} {
			t.number(metrics.Counter, "calls_total", "Calls by what came of them.", float64(n), hook, metrics.Label{Name: "decision", Value: what})
		}
	}
	t.number(metrics.Gauge, "breaker_open", "1 while the policy is not called because it only fails.", flag(p.Breaker.Open))
	if e := p.Events; e != nil {
		t.number(metrics.Gauge, "events_queued", "Events that wait in memory.", float64(e.Queued))
		t.number(metrics.Gauge, "events_waiting", "Events that wait in files.", float64(e.Waiting))
		for what, n := range map[string]uint64{"delivered": e.Delivered, "lost": e.Lost, "dropped": e.Dropped} {
			t.number(metrics.Counter, "events_total", "Events by what became of them.", float64(n), metrics.Label{Name: "result", Value: what})
		}
	}
	if s := p.Sandbox; s != nil {
		t.sandbox(s)
	}
}

func (t teller) sandbox(s *control.Sandbox) {
	for kind, n := range s.Faults {
		t.number(metrics.Counter, "errors_total", "Failed calls of a module by cause.", float64(n), metrics.Label{Name: "kind", Value: kind})
	}
	t.number(metrics.Counter, "fuel_total", "Units of work of a module.", float64(s.Fuel))
	t.number(metrics.Gauge, "instances", "Instances of a module.", float64(s.Idle), metrics.Label{Name: "state", Value: "idle"})
	t.number(metrics.Gauge, "instances", "Instances of a module.", float64(max(s.Instances-s.Idle, 0)), metrics.Label{Name: "state", Value: "busy"})
	waits := metrics.Sample{Name: "edgeftp_policy_instance_wait_seconds", Kind: metrics.Histogram, Labels: t.own, Help: "How long calls that had to wait for an instance have waited."}
	waits.Count, _, waits.Buckets = powers(s.WaitTimes)
	waits.Sum = s.Waited
	t.tell(waits)
	t.number(metrics.Gauge, "compile_seconds", "How long the module took to compile; little if it was in the cache.", s.Compile)
	t.number(metrics.Gauge, "memory_bytes", "Memory of the idle instances.", float64(s.Memory))
	t.number(metrics.Counter, "cache_hits_total", "Questions that a kept answer answered.", float64(s.CacheHits))
	t.number(metrics.Counter, "log_dropped_total", "Lines of a module that were over its rate.", float64(s.LogDropped))
}

// tellLatencies tells how long the calls of the policies in force took.
func tellLatencies(tell func(metrics.Sample), all []edge.PolicyStatus) {
	for i := range all {
		t := tellerOf(tell, all[i].Name, all[i].Generation)
		for j := range all[i].Stages {
			s := &all[i].Stages[j]
			t.tellLatency(metrics.Label{Name: "hook", Value: s.Stage.String()}, &s.Latency)
		}
	}
}

func tellerOf(tell func(metrics.Sample), name string, generation uint64) teller {
	return teller{tell, []metrics.Label{{Name: "policy", Value: name}, {Name: "generation", Value: strconv.FormatUint(generation, 10)}}}
}

func tellShadow(tell func(metrics.Sample), p *control.Policy) {
	t := teller{tell, []metrics.Label{{Name: "policy", Value: p.Name}, {Name: "digest", Value: p.Shadow.Digest}}}
	for what, n := range map[string]uint64{"compared": p.Shadow.Compared, "differed": p.Shadow.Differed, "failed": p.Shadow.Failed, "dropped": p.Shadow.Dropped} {
		t.number(metrics.Counter, "shadow_total", "Questions to a shadow by what came of them.", float64(n), metrics.Label{Name: "result", Value: what})
	}
}

// tell tells what modules count themselves.
func (n *numbers) tell(tell func(metrics.Sample)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for policy, own := range n.all {
		for name, v := range own {
			s := metrics.Sample{Name: "edgeftp_guest", Help: "What modules measure themselves.", Value: v.value,
				Labels: []metrics.Label{{Name: "policy", Value: policy}, {Name: "name", Value: name}}}
			if v.counter {
				s.Name, s.Help, s.Kind = "edgeftp_guest_total", "What modules count themselves.", metrics.Counter
			}
			tell(s)
		}
	}
}
