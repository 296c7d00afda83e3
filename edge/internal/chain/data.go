package chain

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

type dataStage struct {
	*module
	hook policy.Filter
}

// Filter is one transfer's way through the policies that look at its bytes. It is
// used by one goroutine.
type Filter struct {
	lease Lease
	chunk policy.Chunk // what all questions have in common
	way   []*pass
	begun int64 // offset behind the bytes that were put in
	ended bool  // the last chunk was put in
	// Rewrote is set as soon as a policy has replaced bytes: then what came out is
	// not what went in.
	Rewrote bool
}

// pass is one policy on the way.
type pass struct {
	dataStage
	asked policy.Chunk // the last question; not of one that only listens
	carry []byte       // what its answer to the last chunk left
	tap   *tapped      // nil for one whose answers count
}

// Filter begins a transfer's way. What the questions have in common, and where the
// first byte lies in the file, is taken from q. It is nil where no policy wants to
// see the bytes.
func (l Lease) Filter(q policy.Chunk) *Filter {
	if l.gen == nil || len(l.mine().data) == 0 {
		return nil
	}
	f := &Filter{lease: l, chunk: q, begun: q.Offset}
	for _, st := range l.mine().data {
		if !st.interest.wants(q.Session, q.Path, "") {
			continue
		}
		p := &pass{dataStage: st}
		if st.tap != nil {
			p.tap = &tapped{}
		}
		f.way = append(f.way, p)
	}
	if len(f.way) == 0 {
		return nil
	}
	return f
}

// With says who is at the other end of the data connection, once that is known.
func (f *Filter) With(peer netip.AddrPort) { f.chunk.DataPeer = peer }

// Put puts bytes in, in chunks; out is given what comes out, which may be less or
// more, and which is valid until it returns. With last, nothing may be put in any
// more. The error is a refusal (*policy.Denial), or that of out.
func (f *Filter) Put(ctx context.Context, data []byte, last bool, out func([]byte) error) error {
	if f.ended {
		return errors.New("bytes behind the last chunk of a transfer")
	}
	g := f.lease.enter()
	if g == nil {
		return refusal()
	}
	defer f.lease.leave(g)
	if g != f.lease.gen {
		return &policy.Denial{Failed: true, Cause: errors.New("the policies of this transfer were replaced while it ran")}
	}
	f.ended = last
	for {
		n := min(len(data), policy.MaxChunk)
		at := f.begun
		f.begun += int64(n)
		end := last && n == len(data)
		if n > 0 || end {
			if err := f.step(ctx, 0, at, data[:n], end, out); err != nil {
				return err
			}
		}
		if data = data[n:]; len(data) == 0 {
			return nil
		}
	}
}

// step shows one chunk to a policy, and what it makes of it to the next.
func (f *Filter) step(ctx context.Context, i int, at int64, data []byte, last bool, out func([]byte) error) error {
	if i == len(f.way) {
		if len(data) == 0 {
			return nil
		}
		return out(data)
	}
	p := f.way[i]
	if p.tap != nil {
		q := f.ask(at, data, last)
		p.module.tap.add(&q, p.tap)
		return f.step(ctx, i+1, at, data, last, out)
	}
	p.asked = f.ask(at, data, last)
	made, denial := p.show(ctx)
	if denial != nil {
		return denial
	}
	if made.Verdict != policy.Rewrite {
		return f.step(ctx, i+1, at, data, last, out)
	}
	f.Rewrote = true
	for data = made.Data; ; {
		n := min(len(data), policy.MaxChunk)
		end := last && n == len(data)
		if n > 0 || end {
			if err := f.step(ctx, i+1, at, data[:n], end, out); err != nil {
				return err
			}
		}
		if data = data[n:]; len(data) == 0 {
			return nil
		}
	}
}

// ask makes the question about one chunk.
func (f *Filter) ask(at int64, data []byte, last bool) policy.Chunk {
	q := f.chunk
	q.Time = time.Now()
	q.Offset, q.Data, q.Last = at, data, last
	return q
}

// show asks one policy about one chunk.
func (p *pass) show(ctx context.Context) (policy.Piece, *policy.Denial) {
	p.asked.Carry = p.carry
	made, err := p.ask(ctx, &p.asked)
	if err != nil {
		return policy.Piece{}, p.fault(policy.StageData, err)
	}
	if made.Verdict == policy.Deny || made.Verdict == policy.Hide {
		return made, p.denies(false, made.Code, made.Text)
	}
	if made.Carry == nil {
		p.carry = nil
	} else {
		p.carry = append(p.carry[:0], made.Carry...) // a copy: it is the policy's until its next call
	}
	return made, nil
}

// ask puts the question to one policy.
func (st dataStage) ask(ctx context.Context, q *policy.Chunk) (policy.Piece, error) {
	c, err := st.begin(policy.StageData)
	if err != nil {
		return policy.Piece{}, err
	}
	made, err := st.hook.Filter(ctx, q)
	switch {
	case err != nil:
	case len(made.Carry) > policy.MaxCarry:
		err = fmt.Errorf("%d bytes to carry, at most %d fit", len(made.Carry), policy.MaxCarry)
	case made.Verdict != policy.Rewrite:
		err = meant(made.Verdict, policy.StageData)
	}
	st.end(ctx, policy.StageData, c, q.Session.ID, made.Verdict, err)
	return made, err
}

// Close ends the way, of a transfer that broke off too: who only listens is told
// that nothing follows.
func (f *Filter) Close() {
	if f == nil {
		return
	}
	for _, p := range f.way {
		if p.tap != nil && !p.tap.told {
			q := f.ask(f.begun, nil, true)
			p.module.tap.add(&q, p.tap)
		}
	}
}
