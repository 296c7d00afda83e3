package pi

import (
	"context"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// run makes the outcome of a data command: the mark, and a job that runs the
// transfer under its escort and then finish, which is told how it went.
func (s *Session) run(t *dtp.Transfer, e *escort, mark string, title wire.Text, subject string, c cargo, finish func(ctx context.Context, r dtp.Result) Settle) Outcome {
	leave, ok := s.conf.room(t.Memory() + e.memory())
	if !ok {
		e.close()
		return finish(context.Background(), dtp.Result{Err: errNoRoom})(s) // the port stays, see refuse
	}
	reply := s.mark(mark)
	t.Port = s.takePort()
	t.Least, t.LeastWindow = s.conf.Least.Up, s.conf.LeastWindow
	if t.Send != nil {
		t.Least = s.conf.Least.Down
	}
	s.lade(&c, t, subject)
	conf, who := s.conf, s.whose()
	return Outcome{Reply: reply, Job: &Job{Title: title, Subject: subject, Progress: t.Progress, who: who, cargo: c, Run: func(ctx context.Context) Settle {
		defer leave()
		defer e.close()
		r := conf.carry(ctx, who, t, e)
		settle := conf.finish(ctx, who, finish, r)
		return func(s *Session) Outcome {
			s.sealed(t.Protect, r)
			return settle(s)
		}
	}}}
}

// carry runs a transfer under its escort. A panic is an error of it, so that all that
// follows gives back what the transfer has.
func (c *Config) carry(ctx context.Context, who *policy.Session, t *dtp.Transfer, e *escort) (r dtp.Result) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(c.logOf(who), p)
			t.Port.Close()
			r = dtp.Result{Err: errPanicked}
		}
	}()
	defer e.begin(ctx, t.Progress)()
	if c.Runner != nil {
		return c.Runner(ctx, t)
	}
	return t.Run(ctx)
}

// finish calls a transfer's finish; one that panics is called again, for a transfer that
// has failed.
func (c *Config) finish(ctx context.Context, who *policy.Session, finish func(context.Context, dtp.Result) Settle, r dtp.Result) (settle Settle) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(c.logOf(who), p)
			r.Err = errPanicked
			settle = finish(ctx, r)
		}
	}()
	return finish(ctx, r)
}

// errNoRoom refuses a transfer whose buffers do not fit into what memory is left.
var errNoRoom = fmt.Errorf("%w: the memory has no room for the transfer", LimitBudget)

// room takes n bytes of the memory budget, if it has them.
func (c *Config) room(n int64) (leave func(), ok bool) {
	switch {
	case c.Memory == nil:
		return func() {}, true
	case !c.Memory.Take(n):
		return nil, false
	}
	return func() { c.Memory.Give(n) }, true
}
