// Package load puts a bounded load on a server and measures how it copes: how long
// logins and transfers take, and how many bytes flow.
package load

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ftpclient"
)

// The bounds of a Plan.
const (
	MaxConnections = 256
	MaxSize        = 1 << 30
	MaxDuration    = 10 * time.Minute
)

// cleaning bounds how long it may take to remove what a run has left.
const cleaning = 30 * time.Second

// Plan says what load there is to be.
type Plan struct {
	// Dial logs in.
	Dial func(context.Context) (*ftpclient.Session, error)
	// Dir is a directory of the server's, in which one of a random name is made for the
	// run, and removed.
	Dir string
	// File, if it is not empty, is a file that is there already: it is read, and nothing
	// is written.
	File string
	// Connections is how many work at once, 1 to MaxConnections.
	Connections int
	// Size is how long files are, in bytes, at most MaxSize.
	Size int64
	// Duration is how long new transfers begin, at most MaxDuration.
	Duration time.Duration
	// Up and Down are the directions; with both each connection does one after the other.
	Up, Down bool
	// Moved, if set, is told of bytes as they flow, by several goroutines.
	Moved func(n int)
}

// Report is what a run has measured.
type Report struct {
	// Seconds is from the first login to the end of the last transfer.
	Seconds float64 `json:"seconds"`
	// Connections is how many were logged in.
	Connections int `json:"connections"`
	// Login is the time of connecting, TLS and login.
	Login Times `json:"login_seconds"`
	// Up and Down are whole transfers, from the command to the final reply.
	Up   *Direction `json:"up,omitempty"`
	Down *Direction `json:"down,omitempty"`
	// Resumed is how many transfers' data connections resumed a TLS session.
	Resumed int `json:"tls_resumed"`
	// Errors are failures by what they say, at most 20 different ones.
	Errors map[string]int `json:"errors,omitempty"`
	// Failed is how many there were.
	Failed int `json:"failed"`
}

// Direction is what was measured in one direction.
type Direction struct {
	Transfers int   `json:"transfers"`
	Bytes     int64 `json:"bytes"`
	// Rate is bytes a second, of all connections over the whole run.
	Rate float64 `json:"bytes_per_second"`
	// PerSecond is how many transfers ended in a second.
	PerSecond float64 `json:"transfers_per_second"`
	Time      Times   `json:"transfer_seconds"`
}

// Times are percentiles, in seconds; all are 0 if nothing was measured.
type Times struct {
	Min float64 `json:"min"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// percentiles reads times, each of which it moves.
func percentiles(all []time.Duration) Times {
	if len(all) == 0 {
		return Times{}
	}
	slices.Sort(all)
	at := func(p float64) float64 { // the nearest rank
		return all[min(max(int(math.Ceil(p*float64(len(all))))-1, 0), len(all)-1)].Seconds()
	}
	return Times{Min: at(0), P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: at(1)}
}

// run is a Plan that is carried out.
type run struct {
	Plan
	dir string // of this run

	mu     sync.Mutex
	logins []time.Duration
	took   map[bool][]time.Duration // by whether it went up
	bytes  map[bool]int64
	report Report
}

// Run carries a plan out. It ends early with ctx, and removes what it has made in any
// case. An error is that the load could not begin at all.
func Run(ctx context.Context, p Plan) (*Report, error) {
	if p.Connections < 1 || p.Connections > MaxConnections || p.Size < 0 || p.Size > MaxSize || p.Duration <= 0 || p.Duration > MaxDuration || !p.Up && !p.Down {
		return nil, errors.New("load: the plan is beyond its bounds")
	}
	r := &run{Plan: p, took: map[bool][]time.Duration{}, bytes: map[bool]int64{}, report: Report{Errors: map[string]int{}}}
	first, err := p.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.prepare(first); err != nil {
		first.Quit()
		r.clean(ctx)
		return nil, err
	}
	first.Quit()
	defer r.clean(ctx)
	began := time.Now()
	until, cancel := context.WithDeadline(ctx, began.Add(p.Duration))
	defer cancel()
	var wait sync.WaitGroup
	for i := range p.Connections {
		wait.Go(func() { r.work(ctx, until, i) })
	}
	wait.Wait()
	return r.finish(time.Since(began)), nil
}

// prepare makes the run's directory, and the file that is loaded from it.
func (r *run) prepare(s *ftpclient.Session) error {
	if r.File != "" {
		size, err := s.Size(s.Path(r.File))
		if err != nil {
			return err
		}
		r.Size = size
		return nil
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // it does not fail
	dir := ftpclient.Join(s.Path(r.Dir), "edgeftp-bench-"+hex.EncodeToString(b[:]))
	if err := s.MakeDir(dir); err != nil {
		return err
	}
	r.dir = dir
	if !r.Down {
		return nil
	}
	r.File = ftpclient.Join(dir, "down")
	_, err := s.Store(r.File, false, io.LimitReader(noise(0), r.Size))
	return err
}

// clean removes the run's directory, also when ctx has ended.
func (r *run) clean(ctx context.Context) {
	if r.dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	s, err := r.Dial(ctx)
	if err == nil {
		defer s.Quit()
		var entries []ftpclient.Entry
		if entries, _, err = s.List(r.dir); err == nil {
			for i := range entries {
				err = errors.Join(err, s.Remove(ftpclient.Join(r.dir, entries[i].Name)))
			}
			err = errors.Join(err, s.RemoveDir(r.dir))
		}
	}
	if err != nil {
		r.fail("the directory " + escape.Text(r.dir) + " could not be removed: " + err.Error())
	}
}

// work is one connection.
func (r *run) work(ctx, until context.Context, number int) {
	var s *ftpclient.Session
	defer func() {
		if s != nil {
			s.Quit()
		}
	}()
	for i, misses := 0, 0; until.Err() == nil && misses < 3; i++ {
		if s == nil || s.Lost() != nil {
			began := time.Now()
			var err error
			if s, err = r.Dial(ctx); err != nil {
				s = nil
				misses++
				r.note(ctx, err)
				r.pause(until)
				continue
			}
			r.loggedIn(time.Since(began))
		}
		up := r.Up && (!r.Down || i%2 == number%2)
		if err := r.transfer(s, up, number); err != nil {
			misses++
			r.note(ctx, err)
			continue
		}
		misses = 0
	}
}

// pause waits a moment behind a login that failed.
func (r *run) pause(until context.Context) {
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-until.Done():
	}
}

func (r *run) transfer(s *ftpclient.Session, up bool, number int) (err error) {
	began := time.Now()
	n := int64(0)
	if up {
		n, err = s.Store(ftpclient.Join(r.dir, "up-"+hex.EncodeToString([]byte{byte(number)})), false, &counted{r: r, from: io.LimitReader(noise(number), r.Size)})
	} else {
		n, err = s.Retrieve(s.Path(r.File), 0, r.Size, &counted{r: r})
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took[up] = append(r.took[up], time.Since(began))
	r.bytes[up] += n
	if s.Resumed {
		r.report.Resumed++
	}
	return nil
}

func (r *run) loggedIn(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logins = append(r.logins, d)
}

// note counts an error, unless it is the end of all.
func (r *run) note(ctx context.Context, err error) {
	if ctx.Err() == nil {
		r.fail(err.Error())
	}
}

func (r *run) fail(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Failed++
	if len(r.report.Errors) >= 20 && r.report.Errors[text] == 0 {
		text = "others"
	}
	r.report.Errors[text]++
}

func (r *run) finish(took time.Duration) *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	rep := &r.report
	rep.Seconds, rep.Connections, rep.Login = took.Seconds(), len(r.logins), percentiles(r.logins)
	direction := func(up bool) *Direction {
		return &Direction{Transfers: len(r.took[up]), Bytes: r.bytes[up], Rate: float64(r.bytes[up]) / took.Seconds(),
			PerSecond: float64(len(r.took[up])) / took.Seconds(), Time: percentiles(r.took[up])}
	}
	if r.Up {
		rep.Up = direction(true)
	}
	if r.Down {
		rep.Down = direction(false)
	}
	return rep
}

// counted tells of bytes that pass.
type counted struct {
	r    *run
	from io.Reader
}

// Read implements io.Reader.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.tell(n)
	return n, err
}

// Write implements io.Writer.
func (c *counted) Write(b []byte) (int, error) {
	c.tell(len(b))
	return len(b), nil
}

func (c *counted) tell(n int) {
	if c.r.Moved != nil && n > 0 {
		c.r.Moved(n)
	}
}

// noise has no end, and looks different for each number; what is sent is not to be
// compressible to nothing, and not to cost more than sending it.
func noise(number int) io.Reader {
	block := make([]byte, 64<<10)
	x := uint64(number)*0x9e3779b97f4a7c15 + 1
	for i := range block {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		block[i] = byte(x >> 32)
	}
	return &repeated{block: block}
}

// repeated is a block over and over again.
type repeated struct {
	block []byte
	at    int
}

// Read implements io.Reader.
func (r *repeated) Read(b []byte) (int, error) {
	n := copy(b, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}
