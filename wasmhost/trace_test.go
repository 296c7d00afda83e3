package wasmhost

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// named gives a module names: those of functions from index 0 on, "" for none.
func named(code []byte, names ...string) []byte {
	c := module.NameCustom("guest", names)
	return append(code, custom(c.Name, string(c.Data))...)
}

// tell writes a tree, one function a line.
func tell(b *strings.Builder, s *Span, depth int) string {
	fmt.Fprintf(b, "%s%s %dx\n", strings.Repeat("  ", depth), s.Name, s.Calls)
	for _, below := range s.Below {
		tell(b, below, depth+1)
	}
	return b.String()
}

// own adds up what the functions of a tree have used themselves.
func own(s *Span) int64 {
	n := s.Fuel
	for _, b := range s.Below {
		n += own(b)
	}
	return n
}

// TestTrace follows a call through the guest's functions, by their names, and into the
// host and back. It costs the same fuel as without.
func TestTrace(t *testing.T) {
	var names []string
	for i := range 40 {
		names = append(names, map[int]string{13: "int", 21: "is", 23: "run", 25: "edgeftp_fs"}[i])
	}
	fuel := map[bool]int64{}
	for _, traced := range []bool{true, false} {
		o := LoadOptions{Traced: traced, Grant: allGranted(new(policy.MemKV), nowhere{})}
		o.Limits.Instances = 1
		p := loadModule(t, newHost(t, Config{CacheDir: t.TempDir()}), named(declaring(testModule(t, "imports"), everything()), names...), o)
		trial := p.Trial(new(cases.Set))
		defer trial.Close()
		c := &tried{&caller{t, trial.policy}, trial, nil}
		at, n := c.give("a line")
		_, got := c.ask(aFile, fnLog, 1, at, n)
		fuel[traced] = got.Fuel()
		root := got.Calls[0].Trace
		if !traced {
			if root != nil {
				t.Errorf("%+v", root)
			}
			continue
		}
		const want = "fs 1x\n  edgeftp_fs 1x\n    run 1x\n      is 11x\n      $15 1x\n        int 1x\n      $16 1x\n        int 1x\n      $17 1x\n        int 1x\n      edgeftp.log 1x\n"
		if text := tell(new(strings.Builder), root, 0); text != want {
			t.Errorf("got\n%swant\n%s", text, want)
		}
		if root.Total != got.Fuel() || own(root) != got.Fuel() || root.Below[0].Total != root.Total-root.Fuel {
			t.Errorf("the tree has %d, its functions %d, the call %d", root.Total, own(root), got.Fuel())
		}
		run := root.Below[0].Below[0]
		if host := run.Below[len(run.Below)-1]; host.Fuel < costKV || run.Fuel <= 0 || run.Below[0].Fuel <= 0 {
			t.Errorf("%+v, %+v", host, run)
		}
	}
	if fuel[true] != fuel[false] {
		t.Errorf("traced it costs %d, else %d", fuel[true], fuel[false])
	}
}

// TestTraceOfFailures ends the tree where the guest ended.
func TestTraceOfFailures(t *testing.T) {
	for _, name := range []string{"trap", "loop", "fail", "fine"} {
		p := loadModule(t, newHost(t, Config{}), testModule(t, "moody"), LoadOptions{Traced: true})
		trial := p.Trial(new(cases.Set))
		q, err := cases.ParseQuestion([]byte(`{"hook":"fs","op":"write","path":"/a/` + name + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		got := trial.Ask(t.Context(), q)
		x := got.Calls[0]
		if x.Trace == nil || x.Trace.Total != x.Fuel || own(x.Trace) != x.Fuel || x.Fuel == 0 || len(x.Trace.Below) != 1 {
			t.Errorf("%s: %+v of %+v", name, x.Trace, x)
		}
		trial.Close()
	}
}

func TestTracerIsBounded(t *testing.T) {
	tr := new(tracer)
	tr.begin()
	for i := range 2 * maxSpans {
		tr.enter(fmt.Sprint(i), int64(i))
	}
	tr.enter("edgeftp.__charge", 2*maxSpans)
	for i := range 2*maxSpans + 1 {
		tr.leave(int64(2*maxSpans + i))
	}
	tr.leave(4 * maxSpans) // one too many changes nothing
	if tr.spans != maxSpans || len(tr.stack) != 1 {
		t.Errorf("%d spans, a stack of %d", tr.spans, len(tr.stack))
	}
	if root := tr.finish(5 * maxSpans); root.Total != 5*maxSpans {
		t.Errorf("%d of %d units are there", root.Total, 5*maxSpans)
	}
}
