package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/tests/userpi"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// soak is a server whose policy changes all the time while sessions use it.
type soak struct {
	*world
	*judge
	sum       uint32 // of the file that is downloaded
	size      int64
	reference *regexp.Regexp

	host    *wasmhost.Host
	old     []*wasmhost.Policy // replaced, and not seen closed yet
	closed  int                // replaced, and seen closed without an instance
	faults  uint64             // of policies that were seen closed
	swaps   []span             // of calls of Swap
	took    []float64
	over    atomic.Bool
	down    atomic.Int64 // transfers that were whole
	up      atomic.Int64
	mu      sync.Mutex
	asked   []span // of refused commands
	started time.Time
}

// span is a time within the measurement.
type span struct{ from, to time.Duration }

// swap swaps policies under load.
func swap(ctx context.Context, flags *flag.FlagSet, args []string) error {
	swaps := flags.Int("swaps", 1000, "how often the policy is swapped")
	sessions := flags.Int("sessions", 64, "half of them download, half upload; all ask to make directories in between")
	limit := flags.Duration("time", 100*time.Second, "over which the swaps are spread")
	size := flags.Int64("size", 16<<20, "bytes of the file that is downloaded; uploads are a quarter of it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := &soak{judge: &judge{lines: map[string]refusal{}}, size: *size, reference: regexp.MustCompile(`\(ref ([0-9-]+)\)`)}
	return s.run(ctx, *swaps, *sessions, *limit)
}

func (s *soak) run(ctx context.Context, swaps, sessions int, limit time.Duration) (err error) {
	cache, err := os.MkdirTemp("", "cache")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	if s.host, err = wasmhost.New(ctx, wasmhost.Config{CacheDir: filepath.Join(cache, "code")}); err != nil {
		return err
	}
	first, err := s.load(ctx, 1)
	if err != nil {
		return err
	}
	s.begun.Store(1)
	s.done.Store(1)
	if s.world, err = open(s.judge, edge.Slot{Name: "version", Policy: first}, edge.Slot{Name: "judge", Policy: s.judge}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.fill(); err != nil {
		return err
	}
	s.asked = make([]span, 0, 1<<20) // so that the measurement's own growth is no figure
	clients := make([]*userpi.Client, sessions)
	for i := range clients {
		if clients[i], err = s.connect(); err != nil {
			return err
		}
		defer clients[i].Close()
	}
	memory, failed, err := s.soak(ctx, clients, swaps, limit)
	if err != nil {
		return err
	}
	return s.report(memory, failed, sessions)
}

// soak runs the sessions until the swaps are done. It returns the memory after a tenth
// of the swaps, when caches and pools have most of what they need, after just over half
// and at the end, and what failed.
func (s *soak) soak(ctx context.Context, clients []*userpi.Client, swaps int, limit time.Duration) (memory []int64, failed []error, err error) {
	s.started = time.Now()
	errs := make([]error, len(clients))
	first := max(swaps/10, 1)
	second := (swaps - first) / 2
	for _, n := range []int{first, second, swaps - first - second} {
		s.over.Store(false)
		var wg sync.WaitGroup
		for i, c := range clients {
			wg.Go(func() { errs[i] = errors.Join(errs[i], s.session(c, i)) })
		}
		err := s.change(ctx, n, limit*time.Duration(n)/time.Duration(swaps))
		s.over.Store(true)
		wg.Wait()
		if err != nil {
			return nil, nil, err
		}
		s.settle(ctx)
		memory = append(memory, measure.Resident())
	}
	for _, err := range errs {
		if err != nil {
			failed = append(failed, err)
		}
	}
	return memory, failed, nil
}

// settle waits until no transfer holds a generation any more.
func (s *soak) settle(ctx context.Context) {
	for s.Status().OldGenerations > 0 && ctx.Err() == nil {
		wait(ctx, 10*time.Millisecond)
	}
	wait(ctx, 100*time.Millisecond) // what ended is closed off the sessions' path
	measure.Settle()
}

func (s *soak) load(ctx context.Context, n uint64) (*wasmhost.Policy, error) {
	module, err := guests.Version("BA"[n%2])
	if err != nil {
		return nil, err
	}
	return s.host.Load(ctx, "version", module, wasmhost.LoadOptions{})
}

// fill makes the file that is downloaded.
func (s *soak) fill() error {
	b := make([]byte, s.size)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	s.sum = crc32.ChecksumIEEE(b)
	return os.WriteFile(filepath.Join(s.root, "file"), b, 0o644)
}

// change swaps n times.
func (s *soak) change(ctx context.Context, n int, limit time.Duration) error {
	pause := max(limit/time.Duration(max(n, 1)), 4*time.Microsecond)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for range n {
		next := s.done.Load() + 1
		wait(ctx, pause/4) // so that compiling is neither at a swap nor half-way to the next
		p, err := s.load(ctx, next)
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.Close())
		}
		s.sweep()
		s.old = append(s.old, s.Status().Policies[1].Policy.(*wasmhost.Policy))
		from := time.Since(s.started)
		s.begun.Store(next)
		got, err := s.Swap("version", p)
		if err != nil {
			return err
		}
		if got != next {
			return fmt.Errorf("swap number %d made generation %d", next-1, got)
		}
		s.done.Store(next)
		s.swaps = append(s.swaps, span{from, time.Since(s.started)})
		s.took = append(s.took, us(time.Since(s.started)-from))
	}
	return nil
}

// sweep lets go of replaced policies that have no instances any more: those that were
// swapped out and are used by nobody.
func (s *soak) sweep() {
	var held []*wasmhost.Policy
	for _, p := range s.old {
		st := p.Stats()
		if st.Instances > 0 {
			held = append(held, p)
			continue
		}
		s.closed++
		for _, n := range st.Faults {
			s.faults += n
		}
	}
	s.old = held
}

// session transfers and asks until the swaps are over.
func (s *soak) session(c *userpi.Client, i int) error {
	upload := make([]byte, s.size/4)
	var asked []span
	defer func() {
		s.mu.Lock()
		s.asked = append(s.asked, asked...)
		s.mu.Unlock()
	}()
	for n := 0; !s.over.Load(); n++ {
		var err error
		if i%2 == 0 {
			err = s.download(c)
		} else {
			err = s.upload(c, fmt.Sprint("up", i), upload)
		}
		if err != nil {
			return fmt.Errorf("session %d, transfer %d: %w", i, n, err)
		}
		for range 10 {
			low, from := s.done.Load(), time.Since(s.started)
			r, err := c.Do(fmt.Sprintf("MKD dir%d", i))
			if err != nil {
				return fmt.Errorf("session %d: MKD: %w", i, err)
			}
			asked = append(asked, span{from, time.Since(s.started)})
			s.check(r, low, s.reference)
		}
		if _, err := c.Must("RNFR file", 350); err != nil {
			return err
		}
		if _, err := c.Must("NOOP", 200); err != nil {
			return err
		}
	}
	return nil
}

func (s *soak) download(c *userpi.Client) error {
	conn, err := c.Begin(userpi.EPSV, "RETR file")
	if err != nil {
		return err
	}
	defer conn.Close()
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, conn)
	if err != nil || n != s.size || sum.Sum32() != s.sum {
		return fmt.Errorf("%d of %d bytes, checksum %08x of %08x: %w", n, s.size, sum.Sum32(), s.sum, err)
	}
	if _, err := c.Expect("the end of RETR", 226); err != nil {
		return err
	}
	s.down.Add(1)
	return nil
}

func (s *soak) upload(c *userpi.Client, name string, b []byte) error {
	conn, err := c.Begin(userpi.EPSV, "STOR "+name)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(b); err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	if _, err := c.Expect("the end of STOR", 226); err != nil {
		return err
	}
	r, err := c.Must("SIZE "+name, 213)
	if err == nil && r.Text() != fmt.Sprint(len(b)) {
		err = fmt.Errorf("%s has %s bytes, not %d", name, r.Text(), len(b))
	}
	s.up.Add(1)
	return err
}
