package record

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Answer answers calls of the host with what a recorded exchange was told then. It is
// the wasmhost.LoadOptions.Intercept of modules that are replayed. A module that starts
// finds no values, and gets zeros for random bytes.
func Answer(ctx context.Context, c *wasmhost.HostCall) bool {
	switch c.Import {
	case abi.ImportLog, abi.ImportMetric:
		return true // told to nobody
	}
	var t *told
	if ctx != nil {
		t, _ = ctx.Value(toldKey{}).(*told)
	}
	if t == nil || !t.find(c) {
		t.miss(c)
	}
	return true
}

type toldKey struct{}

// told is what the host said in an exchange.
type told struct {
	calls  []wasmhost.HostCall
	used   []bool
	missed int
}

func (t *told) reset(calls []wasmhost.HostCall) {
	t.calls, t.missed = calls, 0
	t.used = append(t.used[:0], make([]bool, len(calls))...)
}

// find answers with the first call of then that was the same and has not answered yet.
// Arguments that were not kept are those of any call.
func (t *told) find(c *wasmhost.HostCall) bool {
	for i := range t.calls {
		then := &t.calls[i]
		if t.used[i] || then.Import != c.Import || then.In != nil && !bytes.Equal(then.In, c.In) {
			continue
		}
		t.used[i] = true
		if then.In == nil && then.Out == nil && then.Result > 0 && then.Import == abi.ImportFetch {
			return false // what it was told was not kept either
		}
		c.Result, c.Out = then.Result, then.Out
		return true
	}
	return false
}

// miss answers a call that was not made then.
func (t *told) miss(c *wasmhost.HostCall) {
	if t != nil {
		t.missed++
	}
	switch c.Import {
	case abi.ImportKVGet:
		c.Result = int64(abi.ErrnoNotFound)
	case abi.ImportRandom:
		n := 0
		if len(c.In) == 8 {
			n = int(c.In[0]) | int(c.In[1])<<8
		}
		c.Out = make([]byte, min(n, abi.MaxRandom))
	default:
		c.Result = int64(abi.ErrnoIO)
	}
}

// Options say how a recording is replayed.
type Options struct {
	// Old is asked each question too, and New is compared with it. Nil compares with
	// the answers of the recording.
	Old *wasmhost.Policy
	New *wasmhost.Policy
	// Workers is how many questions are asked at a time, 0 for one on each processor.
	Workers int
}

// Replay asks the questions of a recording and tells what would be answered otherwise.
// The policies were loaded with [Answer] as their Intercept. It fails with ctx's error
// alone: what a policy fails at is in the report.
func Replay(ctx context.Context, list []*Exchange, o Options) (*Report, error) {
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	start := time.Now()
	var next batches
	parts := make([]*Report, workers)
	var wg sync.WaitGroup
	for i := range parts {
		parts[i] = newReport()
		wg.Go(func() {
			r := newReplayer(ctx, o, parts[i])
			for {
				from, to := next.take(len(list))
				if from == to || ctx.Err() != nil {
					return
				}
				for _, x := range list[from:to] {
					r.exchange(x)
				}
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all := newReport()
	for _, p := range parts {
		all.merge(p)
	}
	all.Took = time.Since(start)
	all.finish()
	return all, nil
}

// batches hands out pieces of a list.
type batches struct {
	mu   sync.Mutex
	next int
}

func (b *batches) take(n int) (from, to int) {
	const piece = 256
	b.mu.Lock()
	defer b.mu.Unlock()
	from = b.next
	b.next = min(from+piece, n)
	return from, b.next
}

// replayer is one worker.
type replayer struct {
	o        Options
	ctx      context.Context
	told     *told
	old, new wasmhost.Exchange
	report   *Report
}

func newReplayer(ctx context.Context, o Options, report *Report) *replayer {
	t := new(told)
	return &replayer{o: o, ctx: context.WithValue(ctx, toldKey{}, t), told: t, report: report}
}

// exchange asks one question again.
func (r *replayer) exchange(x *Exchange) {
	h := abi.KindOf(x.Record)
	was := &x.Exchange
	if r.o.Old != nil {
		was = &r.old
		r.ask(r.o.Old, h, x, was)
	}
	missed := r.ask(r.o.New, h, x, &r.new)
	r.report.count(x, was, &r.new, missed)
}

func (r *replayer) ask(p *wasmhost.Policy, h abi.Hook, x *Exchange, into *wasmhost.Exchange) (missed int) {
	r.told.reset(x.Host)
	_ = p.Ask(r.ctx, h, x.Record, into) // the exchange has the error
	return r.told.missed
}
