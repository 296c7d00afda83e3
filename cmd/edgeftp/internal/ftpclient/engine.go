package ftpclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// Job is one file that is to be moved.
type Job struct {
	// Upload is the direction.
	Upload bool
	// Remote is the server's path.
	Remote string
	// Local is the path below the Engine's Root, with slashes.
	Local string
	// Size is the source's length; Unknown if nobody has told.
	Size int64
	// ModTime is when the source was changed; zero if nobody has told.
	ModTime time.Time
}

// The ways in which a Job, or another change of a mirror, ends.
const (
	Done    = "done"    // it was moved
	Same    = "same"    // it was there already
	Deleted = "deleted" // it was taken away, because the source does not have it
	Planned = "planned" // it would be moved or deleted, without --dry-run
	Skipped = "skipped" // it is neither file nor directory, or has a name that no file may have
	Failed  = "failed"  // Error says why
)

// Result is what came of one file.
type Result struct {
	Op       string  `json:"op"` // get, put, delete, mkdir
	Remote   string  `json:"remote,omitempty"`
	Local    string  `json:"local,omitempty"`
	Status   string  `json:"status"` // done, same, deleted, planned, skipped, failed
	Bytes    int64   `json:"bytes"`  // moved by this command
	Size     int64   `json:"size"`   // of the whole file
	Resumed  int64   `json:"resumed_from,omitempty"`
	Seconds  float64 `json:"seconds"`
	Attempts int     `json:"attempts,omitempty"`
	Verified string  `json:"verified,omitempty"` // sha256, size
	Error    string  `json:"error,omitempty"`
	Err      error   `json:"-"`
}

// Watch is told how it goes. Its methods are called by several goroutines at once.
type Watch interface {
	// Began tells of a file whose transfer begins.
	Began(Job)
	// Moved tells of bytes that went over a data connection.
	Moved(n int)
	// Ended tells what came of a file.
	Ended(Result)
}

// Engine moves files between a server and a directory.
type Engine struct {
	// Dial logs in.
	Dial func(context.Context) (*Session, error)
	// Root is the local directory, which nothing leaves.
	Root *os.Root
	// Parallel is how many sessions work at once; less than 1 is 1.
	Parallel int
	// Retries is how often a file is tried again after an error that may pass.
	Retries int
	// Wait waits in front of the attempt of that number, 2 for the second one; nil waits
	// 1 s and doubles it up to 30 s, less a random quarter.
	Wait func(ctx context.Context, attempt int) error
	// Limit bounds all sessions together in bytes a second; nil does not. Its burst is at
	// least 1 KiB.
	Limit *rate.Limiter
	// Resume continues what an earlier run has left.
	Resume bool
	// Verify compares SHA-256 sums, or sizes where the server has no sums.
	Verify bool
	// Times gives the copy the time of its source.
	Times bool
	// Watch may be nil.
	Watch Watch
}

// Run does all jobs and returns what came of them, in their order. It goes on after a
// failure, and ends early with ctx, after a login that was refused, or when the disk does
// not take more. First, if it is not nil, is a session that is used and closed.
func (e *Engine) Run(ctx context.Context, first *Session, jobs []Job) []Result {
	results := make([]Result, len(jobs))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wait sync.WaitGroup
	for n := range min(max(e.Parallel, 1), max(len(jobs), 1)) {
		w := &worker{e: e, ctx: ctx, session: first}
		first = nil
		wait.Go(func() {
			defer w.quit()
			if n > 0 && w.unwanted() {
				return // those that are in do the work
			}
			for i := range next {
				results[i] = w.run(jobs[i])
				if hopeless(results[i].Err) {
					cancel(results[i].Err)
				}
			}
		})
	}
	for i := range jobs {
		if ctx.Err() == nil {
			select {
			case next <- i:
				continue
			case <-ctx.Done():
			}
		}
		err := context.Cause(ctx)
		results[i] = Result{Op: jobs[i].op(), Remote: jobs[i].Remote, Local: jobs[i].Local, Size: jobs[i].Size,
			Status: Failed, Err: err, Error: "not begun: " + err.Error()}
	}
	close(next)
	wait.Wait()
	return results
}

func (j *Job) op() string {
	if j.Upload {
		return "put"
	}
	return "get"
}

// hopeless errors would come again with every other file.
func hopeless(err error) bool {
	var login *LoginError
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &login) || errors.As(err, &certificate) || noSpace(err)
}

// Passing reports whether an error may be gone when the same is tried again.
func Passing(err error) bool {
	var refusal *Refusal
	var local *Local
	var reply *ReplyError
	var path *fs.PathError
	var mismatch *Mismatch
	switch {
	case err == nil, hopeless(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &refusal), errors.As(err, &local), errors.As(err, &path), errors.As(err, &mismatch):
		return false
	case errors.As(err, &reply):
		return reply.Reply.Code < 500
	}
	return true
}

// Mismatch is a copy that differs from its source.
type Mismatch struct {
	// Path is the server's.
	Path string
	// Kind is what differs: "sha256" or "size".
	Kind string
	// Here and There are the values.
	Here, There string
}

// Error tells both values.
func (m *Mismatch) Error() string {
	return fmt.Sprintf("%s differs from its copy: %s %s here, %s at the server", escape.Text(m.Path), m.Kind, m.Here, m.There)
}

// worker has a session of its own.
type worker struct {
	e       *Engine
	ctx     context.Context
	session *Session
}

func (w *worker) quit() {
	if w.session != nil {
		w.session.Quit()
	}
}

// unwanted logs in, and reports whether the server takes no more sessions.
func (w *worker) unwanted() bool {
	_, err := w.ready()
	var full *ReplyError
	return errors.As(err, &full) && full.Reply.Code == 421
}

// ready returns a session that can be used.
func (w *worker) ready() (*Session, error) {
	if w.session != nil && w.session.Lost() == nil {
		return w.session, nil
	}
	if w.session != nil {
		w.session.Close()
		w.session = nil
	}
	s, err := w.e.Dial(w.ctx)
	if err != nil {
		return nil, err
	}
	w.session = s
	return s, nil
}

// run does one job, again if it has to be.
func (w *worker) run(j Job) Result {
	if w.e.Watch != nil {
		w.e.Watch.Began(j)
	}
	began := time.Now()
	r := Result{Op: j.op(), Remote: j.Remote, Local: j.Local, Size: j.Size, Status: Done}
	move := w.download
	if j.Upload {
		move = w.upload
	}
	for {
		r.Attempts++
		r.Err = move(&j, &r)
		if !Passing(r.Err) || r.Attempts > w.e.Retries {
			break
		}
		if err := w.e.wait(w.ctx, r.Attempts+1); err != nil {
			break
		}
	}
	if r.Err != nil {
		r.Status, r.Error = Failed, r.Err.Error()
	}
	r.Seconds = time.Since(began).Seconds()
	if w.e.Watch != nil {
		w.e.Watch.Ended(r)
	}
	return r
}

func (e *Engine) wait(ctx context.Context, attempt int) error {
	if e.Wait != nil {
		return e.Wait(ctx, attempt)
	}
	pause := min(time.Second<<min(attempt-2, 5), 30*time.Second)
	t := time.NewTimer(pause - rand.N(pause/4))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// paced moves bytes by the limit, and tells of them.
type paced struct {
	w     *worker
	rw    io.ReadWriter
	moved *int64
}

// admit waits for the rate. After the end of a run it lets nothing through: what closes the
// connection then comes from elsewhere, and may be late.
func (p paced) admit(n int) error {
	if err := p.w.ctx.Err(); err != nil {
		return err
	}
	limit := p.w.e.Limit
	for limit != nil && n > 0 {
		part := min(n, limit.Burst())
		if err := limit.WaitN(p.w.ctx, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

func (p paced) note(n int) {
	*p.moved += int64(n)
	if p.w.e.Watch != nil && n > 0 {
		p.w.e.Watch.Moved(n)
	}
}

// Write writes what came, and then waits, so that the next read comes late.
func (p paced) Write(b []byte) (int, error) {
	n, err := p.rw.Write(b)
	p.note(n)
	if err == nil {
		err = p.admit(n)
	}
	return n, err
}

// Read reads no more than a tenth of a second may send.
func (p paced) Read(b []byte) (int, error) {
	if limit := p.w.e.Limit; limit != nil {
		b = b[:min(len(b), limit.Burst())]
	}
	n, err := p.rw.Read(b)
	if n > 0 {
		if late := p.admit(n); late != nil {
			return 0, late
		}
		p.note(n)
	}
	return n, err
}

// Paced is rw by the Engine's limit, and tells its Watch of what moves: for a stream that
// is no Job.
func (e *Engine) Paced(ctx context.Context, r io.Reader, w io.Writer) io.ReadWriter {
	return paced{&worker{e: e, ctx: ctx}, struct {
		io.Reader
		io.Writer
	}{r, w}, new(int64)}
}

// Limiter is a limit of so many bytes a second, in pieces of a tenth of a second.
func Limiter(perSecond int64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(min(max(perSecond/10, 1<<10), 1<<20)))
}

// NoServer reports whether an error is that nobody takes connections there.
func NoServer(err error) bool {
	var unreachable *Unreachable
	var dns *net.DNSError
	return errors.As(err, &unreachable) || errors.As(err, &dns)
}
