package dtp

import (
	"bytes"
	"io"
	"runtime"
	"testing"
	"time"
)

// spreader is a meter that permits larger slices where the kernel spreads them.
type spreader struct {
	*meter
	large int
	rate  int64
	asked int
}

func (s *spreader) Spread() (n int, rate int64) {
	s.asked++
	return s.large, s.rate
}

// Every byte is paid for in large slices too, whatever moves them; where the kernel does
// not pace, they are those of Slice.
func TestSpreadCountsAll(t *testing.T) {
	ways(t, func(t *testing.T, tr *Transfer, send bool) {
		for _, bursts := range []bool{false, true} {
			for _, size := range []int{0, 1, 700, 100_000} {
				tr, limit := *tr, &spreader{meter: &meter{slice: 1000}, large: 9000, rate: 1 << 30}
				tr.Limiter, tr.bursts = limit, bursts
				res, wire := carry(t, &tr, bytes.Repeat([]byte("x"), size))
				well(t, res, &tr, size, wire)
				most := int64(9000)
				if bursts || !send || runtime.GOOS != "linux" {
					most = 1000
				}
				if limit.total.Load() != int64(wire) || limit.most.Load() > most {
					t.Errorf("%d bytes paid for in pieces of up to %d, %d on the wire", limit.total.Load(), limit.most.Load(), wire)
				}
				if used := limit.asked > 0; used != (send && !bursts) {
					t.Errorf("asked for a large slice: %v", used)
				}
			}
		}
	})
}

// The kernel spreads a large slice, and sends the next one as fast as it can if it is
// told to.
func TestKernelSpreads(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // only Linux is asked to
	}
	for _, way := range []string{"file", "copy", "tls"} {
		for _, rate := range []int64{8 << 20, 0} {
			t.Run(way, func(t *testing.T) {
				content := pattern(3 << 20)
				limit := &spreader{meter: new(meter), large: 1 << 20, rate: rate}
				tr := &Transfer{Send: file(t, content), Limiter: limit, Copy: way == "copy"}
				if way == "tls" {
					tr.Protect = new(Protection)
				}
				conn, done := start(t, tr)
				began := time.Now()
				got, err := io.ReadAll(conn)
				took := time.Since(began)
				if res := await(t, done); err != nil || res.Err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %v, %+v", len(got), err, res)
				}
				// The first ten packets, of 64 KiB here, are never paced.
				if least := time.Second * 3 / 16; rate > 0 && took < least {
					t.Errorf("took %v at %d bytes a second, want %v", took, rate, least)
				}
				if rate == 0 && took > patience/4 {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

// A rate may be lifted while the transfer runs. A client that has to take half as much as
// the limit at least is not blamed for what the kernel holds back.
func TestSpreadEnds(t *testing.T) {
	for name, tr := range map[string]*Transfer{"lifted": {}, "least": {Least: 600 << 10}} {
		server, _ := pair(t)
		tr.Limiter = &spreader{meter: &meter{slice: 1000}, large: 9000, rate: 1 << 20}
		m := mover{Transfer: tr, conn: server, wire: server}
		m.even()
		first := m.slice()
		tr.Limiter.(*spreader).rate = 0
		then := m.slice()
		want := [2]int{9000, 9000}
		if name == "least" || runtime.GOOS != "linux" {
			want = [2]int{1000, 1000}
		}
		if [2]int{first, then} != want || m.rate != 0 {
			t.Errorf("%s: slices of %d and %d bytes, at last at %d", name, first, then, m.rate)
		}
	}
}

// A client that takes nothing has stalled, however large the slice.
func TestSpreadStalls(t *testing.T) {
	const size = 64 << 20
	tr := &Transfer{Send: file(t, make([]byte, size)), Stall: 150 * time.Millisecond}
	tr.Limiter = &spreader{meter: &meter{slice: 1000}, large: size, rate: 1 << 30}
	_, done := start(t, tr)
	wantErr(t, await(t, done).Err, ErrStalled)
	if n := tr.Progress.Bytes(); n <= 0 || n >= size {
		t.Errorf("%d bytes have moved", n)
	}
}
