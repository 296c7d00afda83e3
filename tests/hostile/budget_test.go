//go:build unix

package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// What a child is.
const (
	modeFew     = "few"     // it has few descriptors, and does not know that
	modeCounted = "counted" // it knows
	modeMemory  = "memory"  // it has little memory
	modeStorm   = "storm"   // passwords cost 19 MiB each, and there is little memory
)

// childMode changes the configuration of a child for its mode, and returns how many
// descriptors it may have, beyond those of the beginning; 0 is no limit.
func childMode(mode string, conf *edge.Config) (few int) {
	within := func(bytes int64) {
		conf.Limits.Memory = bytes
		debug.SetMemoryLimit(bytes)
	}
	name, size, _ := strings.Cut(mode, ":")
	switch name {
	case modeFew:
		return fewDescriptors
	case modeCounted:
		conf.Limits.Descriptors = fewDescriptors - 12 // those that the runtime takes by itself
		return fewDescriptors
	case modeMemory:
		within(littleMiB << 20)
		if err := conf.FS.(*vfs.Mem).WriteFile("/big", noise(8<<20)); err != nil {
			panic(err)
		}
	case modeStorm:
		mib, err := strconv.Atoi(size)
		if err != nil {
			panic(err)
		}
		within(int64(mib) << 20)
		hash, err := edge.HashPassword(password)
		if err != nil {
			panic(err)
		}
		conf.Policies = []edge.Slot{{Name: "hashed", Policy: hashed{hash}}}
	}
	return 0
}

// hashed is a policy that knows everybody's hash.
type hashed struct{ hash string }

func (hashed) Name() string { return "hashed" }

func (h hashed) Hooks() policy.Hooks { return policy.Hooks{Authenticator: h} }

func (h hashed) Authenticate(context.Context, *policy.Login) (policy.Identity, error) {
	return policy.Identity{Verdict: policy.Allow, PasswordHash: h.hash}, nil
}

// noise is what no compressor makes small.
func noise(n int) []byte {
	b, x := make([]byte, n), uint32(1)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// countedDescriptors: a server that knows how few descriptors it has never comes to
// their end: whoever it lets in has all that a transfer needs.
func countedDescriptors(t *testing.T) {
	r := &rig{T: t}
	var warned atomic.Int64
	_, end := r.begin(modeCounted, counter{&warned})
	defer end()
	var in []*userpi.Client
	turned := 0
	for range 2 * fewDescriptors {
		c := userpi.New(r.dial(r.addrs[0]))
		c.Timeout = userpi.Timeout
		if r.expect(c, "a connection", 220, 421).Code == 421 {
			r.must(c.Closed())
			turned++
			continue
		}
		in = append(in, c)
	}
	if most := (fewDescriptors - 12) / edge.SessionDescriptors; len(in) != most || turned != 2*fewDescriptors-most {
		t.Errorf("%d were let in, %d turned away; %d have room", len(in), turned, most)
	}
	var conns []io.Closer
	for i, c := range in {
		r.must(c.Identify(user, password))
		conn, err := c.Begin(userpi.EPSV, fmt.Sprintf("STOR %d", i))
		r.must(err)
		_, err = conn.Write(make([]byte, 1<<20))
		r.must(err)
		conns = append(conns, conn)
	}
	for i, c := range in {
		r.must(conns[i].Close())
		r.expect(c, "an upload", 226)
		r.do(c, "EPSV", 229)
	}
	r.bounded("connections that could not be accepted", warned.Load(), 0)
}

// sessionTakes: a session in the middle of a transfer has no more descriptors than it
// is counted with.
func sessionTakes(t *testing.T) {
	r := serve(t, func(s *setup) { s.onDisk, s.unwatched = true, true })
	before := descriptors()
	const n = 10
	for _, sealed := range []bool{false, true} {
		var conns []io.Closer
		var all []*userpi.Client
		for i := range n {
			c := r.login()
			if sealed {
				c = r.protected(r.client)
			}
			conn, err := c.Begin(userpi.EPSV, fmt.Sprintf("STOR %v%d", sealed, i))
			r.must(err)
			_, err = conn.Write(make([]byte, 300<<10))
			r.must(err)
			conns, all = append(conns, conn), append(all, c)
		}
		r.until("all have come", func() bool { return r.srv.Status().Transfers == n })
		const ours = 2 // the client's ends
		per := float64(descriptors()-before)/n - ours
		t.Logf("an upload, protected %v: %.1f descriptors", sealed, per)
		if per > edge.SessionDescriptors {
			t.Errorf("%.1f descriptors, %d are counted", per, edge.SessionDescriptors)
		}
		for i, c := range all {
			r.must(conns[i].Close())
			r.expect(c, "an upload", 226)
			r.must(c.Quit())
		}
		r.hangUp()
		r.until("they have gone", func() bool { return r.srv.Status().Sessions == 0 })
	}
}

// littleMiB is what the child has in modeMemory.
const littleMiB = 96

// peak is the most memory that a process has had, in MiB; 0 where that is not known.
func peak(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n >> 10
		}
	}
	return 0
}

// littleMemory asks for transfers that take twice the memory that there is and more, and
// reads none of them: those that do not fit are refused, those who are in go on, and
// when the others have gone there is room again.
func littleMemory(t *testing.T) {
	r := &rig{T: t}
	pid, end := r.begin(modeMemory, io.Discard)
	defer end()
	first := r.login()
	r.do(first, "TYPE I", 200)
	var refused, begun int
	for range 130 {
		c := userpi.New(r.dial(r.addrs[0]))
		c.Timeout = 2 * userpi.Timeout
		if r.expect(c, "a connection", 220, 421).Code == 421 {
			refused++
			continue
		}
		r.must(c.Identify(user, password))
		for _, line := range []string{"TYPE I", "MODE Z"} {
			r.do(c, line, 200)
		}
		r.dial(r.dataAddr(c))
		if r.do(c, "RETR big", 125, 150, 425).Code == 425 {
			refused++
		} else {
			begun++
		}
	}
	t.Logf("%d begun, %d refused, at most %d MiB", begun, refused, peak(pid))
	if refused < 40 || begun < 10 {
		t.Errorf("%d transfers were begun and %d refused", begun, refused)
	}
	if !raceDetector {
		r.bounded("MiB at most", peak(pid), littleMiB+64) // the program itself, and its symbols
	}
	r.do(first, "NOOP", 200)
	r.do(first, "PWD", 257)
	r.mu.Lock()
	for _, c := range r.conns[1:] {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.until("there is room again", func() bool {
		c := userpi.New(r.dial(r.addrs[0]))
		c.Timeout = userpi.Timeout
		if reply, err := c.Reply(); err != nil || reply.Code != 220 {
			return false
		}
		r.must(c.Identify(user, password))
		_, err := c.Put(userpi.EPSV, "STOR again", strings.NewReader("x"))
		return err == nil
	})
	r.put(first, "STOR file", "x")
}

// loginStorm: many log in at once, and each password costs 19 MiB. They are served one
// after the other, or told to come back; nobody else waits for them. With EDGEFTP_FULL it is goal R6: 500 in
// 256 MiB.
func loginStorm(t *testing.T) {
	n, mib := 24, int64(96)
	if os.Getenv("EDGEFTP_FULL") != "" {
		n, mib = 500, 256
	}
	if raceDetector {
		n = 10
	}
	r := &rig{T: t}
	pid, end := r.begin(fmt.Sprintf("%s:%d", modeStorm, mib), io.Discard)
	defer end()
	other := r.login()
	var all []*userpi.Client
	for range n {
		c := r.meet()
		c.Timeout = 30 * userpi.Timeout
		all = append(all, c)
	}
	began := time.Now()
	var storm sync.WaitGroup
	var failed, late atomic.Int64
	for _, c := range all {
		storm.Go(func() {
			var other *userpi.Unexpected
			switch err := c.Identify(user, password); {
			case errors.As(err, &other) && other.Reply.Code == 421: // it waited for too long
				late.Add(1)
			case err != nil:
				failed.Add(1)
			}
		})
	}
	over := make(chan struct{})
	go func() { storm.Wait(); close(over) }()
	var took []time.Duration
	for done := false; !done; {
		at := time.Now()
		r.do(other, "NOOP", 200)
		took = append(took, time.Since(at))
		select {
		case <-over:
			done = true
		case <-time.After(5 * time.Millisecond):
		}
	}
	slices.Sort(took)
	t.Logf("%d logins in %d MiB, %d of them told to come back: %.1f s, at most %d MiB; NOOP meanwhile p50 %v, p99 %v (%d)", n, mib, late.Load(), time.Since(began).Seconds(), peak(pid),
		took[len(took)/2], took[len(took)*99/100], len(took))
	if failed.Load() > 0 || int(late.Load()) > n/2 {
		t.Errorf("%d logins failed, %d of %d waited for too long", failed.Load(), late.Load(), n)
	}
	if !raceDetector {
		r.bounded("MiB at most", peak(pid), mib+64)
	}
}
