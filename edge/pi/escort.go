package pi

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// escort is what policies do with a transfer while it runs: those that look at its
// bytes, and those that set its rate. Nil, as it is where no policy does either,
// does nothing and costs nothing.
type escort struct {
	action *policy.Action // what the transfer is, with the number of its question
	view   *services
	log    *slog.Logger
	conf   *Config

	filter *chain.Filter
	ctx    context.Context // of the bytes' questions; from begin on

	rate     *chain.Throttle
	node     *throttle.Node // what the policies limit it to
	transfer policy.Transfer
	progress *dtp.Progress // from begin on
}

// escort returns that of a transfer that a question of this number has permitted.
// Size is how many bytes are to be moved, -1 if that is not known; from is where the
// first byte lies in the file.
func (s *Session) escort(a policy.Action, number uint64, size, from int64) *escort {
	bytes := a.Op != policy.OpList && s.lease.Asks(policy.StageData)
	if !bytes && !s.lease.Asks(policy.StageThrottle) {
		return nil
	}
	a.Meta = policy.Meta{Session: s.shown(), Request: number, Time: time.Now()}
	up := a.Op != policy.OpRead && a.Op != policy.OpList
	e := &escort{action: &a, log: s.log(), conf: s.conf, rate: s.lease.Throttle()}
	e.view = s.services(&a)
	if bytes {
		e.filter = s.lease.Filter(policy.Chunk{Meta: a.Meta, Op: a.Op, Path: a.Path, Upload: up, Offset: from, DataPeer: s.target()})
	}
	if e.rate != nil {
		e.node = new(throttle.Node)
		e.transfer = policy.Transfer{Meta: a.Meta, Op: a.Op, Path: a.Path, Upload: up, Size: size, DataPeer: s.target()}
	}
	return e
}

// limit is the node of the policies' rate, nil if there is none.
func (e *escort) limit() *throttle.Node {
	if e == nil {
		return nil
	}
	return e.node
}

// memory is how many bytes the policies' part of a transfer takes at most: a chunk, and
// what became of it.
func (e *escort) memory() int64 {
	if e == nil || e.filter == nil {
		return 0
	}
	return 3 * policy.MaxChunk
}

// send puts the filters between the file and the transfer.
func (e *escort) send(t *dtp.Transfer) {
	if e != nil && e.filter != nil {
		t.Send = &filteredReader{escort: e, from: t.Send, buf: make([]byte, policy.MaxChunk)}
	}
}

// receive puts the filters between the transfer and the file. What is stored is
// measured behind them.
func (e *escort) receive(t *dtp.Transfer) {
	if e != nil && e.filter != nil {
		t.Receive, t.MaxBytes = &filteredWriter{escort: e, to: t.Receive, most: t.MaxBytes}, 0
	}
}

// begin asks for the first rate and goes on asking beside the transfer. The function
// that it returns must be called when the bytes have ended.
func (e *escort) begin(ctx context.Context, p *dtp.Progress) (end func()) {
	if e == nil {
		return func() {}
	}
	e.ctx = policy.WithServices(ctx, e.view)
	e.progress = p
	if e.rate == nil {
		return func() {}
	}
	again := e.pace(e.ctx)
	if again.IsZero() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(e.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil { // the rate stays
				e.conf.panicked(e.log, p)
			}
		}()
		e.repeat(ctx, again)
	}()
	return func() {
		cancel()
		<-done
	}
}

// repeat asks for the rate whenever the last answer has expired.
func (e *escort) repeat(ctx context.Context, again time.Time) {
	timer := time.NewTimer(time.Until(again))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if again = e.pace(ctx); again.IsZero() {
			return
		}
		timer.Reset(time.Until(again))
	}
}

// pace asks for the rate, puts it in force, and returns when to ask again. The
// bytes go on meanwhile.
func (e *escort) pace(ctx context.Context) (again time.Time) {
	q := e.transfer
	q.Time, q.Moved, q.Took = time.Now(), e.progress.Bytes(), e.progress.Elapsed()
	if peer := e.progress.Peer(); peer.IsValid() {
		q.DataPeer = peer
	}
	limit, again := e.rate.Ask(ctx, &q)
	e.node.Set(throttle.Rates{Down: limit, Up: limit})
	return again
}

// put shows bytes to the filters.
func (e *escort) put(b []byte, last bool, out func([]byte) error) error {
	peer := e.progress.Peer()
	if peer.IsValid() {
		e.filter.With(peer)
	}
	err := e.filter.Put(e.ctx, b, last, out)
	if denial, ok := err.(*policy.Denial); ok {
		a := *e.action // others see it, too
		a.DataPeer = peer
		return &refused{action: &a, denial: denial, stage: policy.StageData}
	}
	return err
}

// last tells the filters of an upload that nothing follows, and lets out what they
// have held back.
func (e *escort) last(ctx context.Context, w io.Writer) error {
	f, ok := w.(*filteredWriter)
	if !ok {
		return nil
	}
	e.ctx = policy.WithServices(ctx, e.view)
	return e.put(nil, true, f.put)
}

// keeps reports whether what was stored so far is what the client has sent, so that
// the client can go on with it.
func (e *escort) keeps() bool { return e == nil || e.filter == nil || !e.filter.Rewrote }

// close tells those who only listen that the transfer has ended.
func (e *escort) close() {
	if e != nil {
		e.filter.Close()
	}
}

// filteredReader is a file as the filters let it pass.
type filteredReader struct {
	*escort
	from io.Reader
	buf  []byte // of the file
	out  []byte // what has passed
	left []byte // of out: not yet read
	err  error  // what comes after it
}

// Read implements io.Reader.
func (r *filteredReader) Read(b []byte) (int, error) {
	for len(r.left) == 0 && r.err == nil {
		r.next()
	}
	if len(r.left) == 0 && len(b) > 0 {
		return 0, r.err
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	return n, nil
}

// next lets one chunk pass. Of a refused one nothing is handed out.
func (r *filteredReader) next() {
	n, err := r.from.Read(r.buf)
	r.out, r.err = r.out[:0], err
	if n > 0 || err == io.EOF {
		if err := r.put(r.buf[:n], err == io.EOF, r.take); err != nil {
			r.out, r.err = nil, err
		}
	}
	r.left = r.out
}

func (r *filteredReader) take(b []byte) error {
	r.out = append(r.out, b...)
	return nil
}

// filteredWriter is a file that gets what the filters let pass.
type filteredWriter struct {
	*escort
	to     io.Writer
	most   int64 // bytes that may be stored; 0 is no limit
	stored int64
}

// Write implements io.Writer.
func (w *filteredWriter) Write(b []byte) (int, error) {
	if err := w.escort.put(b, false, w.put); err != nil {
		return 0, err
	}
	return len(b), nil
}

// put stores bytes.
func (w *filteredWriter) put(b []byte) error {
	if w.stored += int64(len(b)); w.most > 0 && w.stored > w.most {
		return dtp.ErrTooLarge
	}
	_, err := w.to.Write(b)
	return err
}
