package main

import (
	"bytes"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/machine"
	"github.com/edgeftp/edgeftp/edge"
)

func TestMemoryBudget(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	for name, c := range map[string]struct {
		given   int64
		machine machine.Memory
		env     string
		runtime int64 // the runtime's limit before
		want    int64
		from    string
		after   int64 // the runtime's limit while it serves
	}{
		"a control group":   {config.Auto, machine.Memory{Bytes: 1000, Group: true}, "", math.MaxInt64, 900, "control group", 900},
		"a machine":         {config.Auto, machine.Memory{Bytes: 1000}, "", math.MaxInt64, 750, "machine", 750},
		"nothing is known":  {config.Auto, machine.Memory{}, "", math.MaxInt64, 0, "none", math.MaxInt64},
		"by the file":       {700, machine.Memory{Bytes: 1000}, "", math.MaxInt64, 700, "limits.memory", 700},
		"none":              {0, machine.Memory{Bytes: 1000}, "", math.MaxInt64, 0, "none", math.MaxInt64},
		"GOMEMLIMIT":        {config.Auto, machine.Memory{Bytes: 1000}, "500", 500, 500, "GOMEMLIMIT", 500},
		"GOMEMLIMIT is off": {config.Auto, machine.Memory{Bytes: 1000}, "off", math.MaxInt64, 750, "machine", math.MaxInt64},
		"both":              {700, machine.Memory{Bytes: 1000}, "500", 500, 700, "limits.memory", 500},
	} {
		// So small a limit would have the collector run all the time.
		const scale = 1 << 22
		times := func(n int64) int64 {
			if n <= 0 || n == math.MaxInt64 {
				return n
			}
			return n * scale
		}
		debug.SetMemoryLimit(times(c.runtime))
		conf := &config.Config{Limits: config.Limits{Memory: times(c.given)}}
		b := memoryBudget(conf, machine.Memory{Bytes: times(c.machine.Bytes), Group: c.machine.Group}, c.env)
		if b.memory/100*100 != times(c.want)/100*100 && b.memory != times(c.want) || b.memoryFrom != c.from {
			t.Errorf("%s: %d by %q, want %d", name, b.memory, b.memoryFrom, times(c.want))
		}
		if got := debug.SetMemoryLimit(-1); got/1000 != times(c.after)/1000 {
			t.Errorf("%s: the runtime's limit is %d", name, got)
		}
		b.restore()
		if got := debug.SetMemoryLimit(-1); got != times(c.runtime) {
			t.Errorf("%s: the runtime's limit stays at %d", name, got)
		}
	}
}

func TestDescriptorBudget(t *testing.T) {
	conf := &config.Config{Listeners: []config.Listener{{Addresses: []string{":21", ":990"}}, {Addresses: []string{":2121"}}}}
	conf.Policies.Modules = make([]config.Module, 2)
	const own = 10 + ownDescriptors + 3*listenerDescriptors + 2*moduleDescriptors
	for _, c := range []struct{ given, limit, want int }{
		{config.Auto, 1000, 1000 - own}, {500, 1000, 500 - own}, {5000, 1000, 1000 - own}, {0, 1000, 0},
		{config.Auto, 0, 0}, {500, 0, 500 - own}, {config.Auto, 50, 1},
	} {
		conf.Limits.Descriptors = c.given
		b := &budgets{}
		if b.divide(conf, machine.Descriptors{Limit: c.limit, Open: 10}); b.descriptors != c.want {
			t.Errorf("%d of %d: %d for sessions, want %d", c.given, c.limit, b.descriptors, c.want)
		}
	}
}

func TestBudgetsAreTold(t *testing.T) {
	var conf config.Config
	tell := func(b *budgets, sessions int, st edge.BudgetStatus) string {
		var out bytes.Buffer
		conf := conf
		conf.Limits.Sessions = sessions
		b.tell(slog.New(slog.NewTextHandler(&out, nil)), &conf, st)
		return out.String()
	}
	quiet := tell(&budgets{memory: 1 << 30, memoryFrom: "machine", descriptors: 1000, limit: 1100}, 100, edge.BudgetStatus{Sessions: 100, Worst: 5})
	if strings.Count(quiet, "\n") != 1 || !strings.Contains(quiet, "msg=budgets memory=1073741824 memory_from=machine memory_at_worst=33554437") {
		t.Error(quiet)
	}
	few := tell(&budgets{descriptors: 80, limit: 180}, 5000, edge.BudgetStatus{Sessions: 10})
	for _, want := range []string{"level=WARN", "is 5000", "for 10 at once", `help="let the process have 40100: limits.descriptors, and LimitNOFILE=`} {
		if !strings.Contains(few, want) {
			t.Errorf("%q is not in %s", want, few)
		}
	}
	conf.Password = "made up" // of the flags
	if got := tell(&budgets{descriptors: 80, limit: 180}, 5000, edge.BudgetStatus{Sessions: 10}); got != "" {
		t.Error(got)
	}
	conf.Password = ""
	little := tell(&budgets{memory: 128 << 20, policies: 96 << 20}, 100, edge.BudgetStatus{Sessions: 100})
	for _, want := range []string{"level=WARN", "128 MiB before anybody", "budget is 128 MiB", `help="give it more (MemoryMax=`} {
		if !strings.Contains(little, want) {
			t.Errorf("%q is not in %s", want, little)
		}
	}
}

func TestPrintBudget(t *testing.T) {
	for want, b := range map[string]control.Budget{
		"": {},
		"  memory     3 of 256 MiB\n  room       for 20 sessions, with 160 descriptors\n": {Memory: 256 << 20, MemoryUsed: 3 << 20, Descriptors: 160, MostSessions: 20},
		"  memory     250 of 256 MiB, full: new connections are turned away\n" +
			"  refused    7 connections for want of memory, 0 of descriptors; 2 transfers\n": {Memory: 256 << 20, MemoryUsed: 250 << 20, MemoryFull: true, NoMemory: 7, NoTransfer: 2},
	} {
		var out strings.Builder
		if printBudget(&out, &b); out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
