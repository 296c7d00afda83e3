package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/machine"
	"github.com/edgeftp/edgeftp/edge"
)

// budgets are what the server may use, and where that is from.
type budgets struct {
	memory      int64 // bytes; 0 without a budget
	memoryFrom  string
	policies    int64 // bytes that the instances of modules may take, of memory
	descriptors int   // for sessions; 0 without a budget
	limit       int   // descriptors of the process
	restore     func()
	before      int64 // the runtime's limit before ours
}

// What the process itself needs, whatever it serves.
const (
	// Descriptors beside those that are open when it begins: the admin socket and who
	// speaks to it, metrics, orders of certificates, files of state and logs.
	ownDescriptors      = 64
	listenerDescriptors = 2 // and a connection that is about to be turned away
	moduleDescriptors   = 9 // eight fetches, a spool
	ownMemory           = 32 << 20
)

// memoryBudget finds out how much memory there is to use, and holds the runtime to it.
func memoryBudget(conf *config.Config, root machine.Memory, env string) *budgets {
	b := findBudget(conf, root, env)
	b.before, b.restore = debug.SetMemoryLimit(-1), func() {}
	if b.memory > 0 && env == "" {
		b.hold(env)
		b.restore = func() { debug.SetMemoryLimit(b.before) }
	}
	return b
}

// hold holds the runtime to the budget, or to what it was held to before where there is
// none; not where GOMEMLIMIT says what it is held to.
func (b *budgets) hold(env string) {
	switch {
	case env != "":
	case b.memory > 0:
		debug.SetMemoryLimit(b.memory)
	default:
		debug.SetMemoryLimit(b.before)
	}
}

// findBudget finds out how much memory there is to use.
func findBudget(conf *config.Config, root machine.Memory, env string) *budgets {
	b := &budgets{memory: conf.Limits.Memory, memoryFrom: "limits.memory"}
	if b.memory == config.Auto {
		b.memory, b.memoryFrom = autoMemory(root, env)
	}
	if b.memory == 0 {
		b.memoryFrom = "none"
	}
	for i := range conf.Policies.Modules {
		l := &conf.Policies.Modules[i].Limits
		b.policies += cmp.Or(l.Memory, usualMemory) * int64(cmp.Or(l.Instances, usualInstances()))
	}
	return b
}

// autoMemory is the runtime's own limit, or a share of what the system permits: of a
// control group the rest is for what is not the runtime's, such as compiled modules, of
// a machine also for others.
func autoMemory(m machine.Memory, env string) (int64, string) {
	if most := debug.SetMemoryLimit(-1); env != "" && most < math.MaxInt64 {
		return most, "GOMEMLIMIT"
	}
	switch {
	case m.Bytes == 0:
		return 0, ""
	case m.Group:
		return m.Bytes / 10 * 9, "control group"
	}
	return m.Bytes / 4 * 3, "machine"
}

// divide sets aside what the process itself needs of its descriptors.
func (b *budgets) divide(conf *config.Config, d machine.Descriptors) {
	if b.limit = conf.Limits.Descriptors; b.limit == config.Auto || d.Limit > 0 && b.limit > d.Limit {
		b.limit = d.Limit // more than the system permits cannot be had
	}
	if b.limit == 0 || conf.Limits.Descriptors == 0 {
		return
	}
	b.descriptors = max(1, b.limit-b.reserved(conf, d))
}

func (b *budgets) reserved(conf *config.Config, d machine.Descriptors) int {
	n := d.Open + ownDescriptors + moduleDescriptors*len(conf.Policies.Modules)
	for i := range conf.Listeners {
		n += listenerDescriptors * len(conf.Listeners[i].Addresses)
	}
	return n
}

// tell logs the budgets in one line, and warns of what does not go together. Who has
// only given flags has configured no sessions, and is not bothered.
func (b *budgets) tell(log *slog.Logger, conf *config.Config, st edge.BudgetStatus) {
	info, warn := slog.LevelInfo, slog.LevelWarn
	if conf.Password != "" || conf.PasswordFile != "" {
		info, warn = slog.LevelDebug, slog.LevelDebug
	}
	ctx := context.Background()
	log.Log(ctx, info, "budgets", "memory", b.memory, "memory_from", b.memoryFrom, "memory_at_worst", st.Worst+b.policies+ownMemory, "policies_at_worst", b.policies,
		"descriptors", b.limit, "descriptors_of_sessions", b.descriptors, "sessions", st.Sessions)
	want := conf.Limits.Sessions
	if b.descriptors > 0 && want > st.Sessions {
		need := want*edge.SessionDescriptors + b.limit - b.descriptors
		how := "LimitNOFILE= in its unit, or ulimit -n"
		if conf.Limits.Descriptors != config.Auto {
			how = "limits.descriptors, and " + how
		}
		log.Log(ctx, warn, fmt.Sprintf("limits.sessions.total is %d, but the descriptors are enough for %d at once; those beyond are turned away", want, st.Sessions),
			"help", fmt.Sprintf("let the process have %d: %s; or lower limits.sessions.total", need, how))
	}
	if fixed := b.policies + ownMemory; b.memory > 0 && fixed > b.memory/2 {
		log.Log(ctx, slog.LevelWarn, fmt.Sprintf("the server and its policy modules may take %d MiB before anybody has logged in, and the memory budget is %d MiB", fixed>>20, b.memory>>20),
			"help", "give it more (MemoryMax=, limits.memory), or the modules less: limits.memory and limits.instances of each")
	}
}

// findMemory finds out how much memory there is.
func (in *generation) findMemory() {
	in.machine = machine.ReadMemory(os.DirFS("/"))
	in.budgets = memoryBudget(in.conf, in.machine, os.Getenv("GOMEMLIMIT"))
	limit, garbage := in.budgets.restore, letGarbageLie(os.Getenv("GOGC"))
	in.restore = func() { limit(); garbage() }
}
