package throttle_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// kernel sends what it is given at the rate that it was told, in packets, and notes when.
type kernel struct {
	packet int
	late   time.Duration // how late a transfer is woken
	room   time.Duration // how much it holds that is not sent; 0 is everything
	sent   *record
	free   time.Duration // when everything that it was given has gone
	most   time.Duration // what was left to send after a wait
}

func (k *kernel) send(n int, rate int64) {
	now := time.Since(k.sent.start)
	k.free = max(k.free, now)
	for n > 0 {
		part := min(n, k.packet)
		k.sent.moved = append(k.sent.moved, piece{k.free, part})
		if n -= part; rate > 0 {
			k.free += time.Duration(float64(part) / float64(rate) * float64(time.Second))
		}
	}
}

// spread moves pieces for d as a transfer does whose kernel spreads them, in parts if
// part is set, and returns how many waits there were.
func spread(ctx context.Context, l *throttle.Limiter, k *kernel, part int) (waits int) {
	if l.Wait(ctx, 0) != nil {
		return 0
	}
	for {
		n, rate := l.Spread()
		if part > 0 {
			n = min(n, part)
		}
		k.send(n, rate)
		if wait := k.free - k.room - time.Since(k.sent.start); k.room > 0 && wait > 0 {
			<-time.After(wait)
		}
		before := time.Now()
		if l.Wait(ctx, n) != nil {
			return waits
		}
		if time.Now().After(before) {
			waits++
			<-time.After(k.late)
			k.most = max(k.most, k.free-time.Since(k.sent.start))
		}
	}
}

// Pieces that the kernel spreads keep to the limit as exactly as others, in each tenth of
// a second too, with ten waits in one.
func TestSpread(t *testing.T) {
	for _, rate := range []int64{5e6, 10 << 20, 40e6} {
		for _, part := range []int{0, 48 << 10, 48<<10 + 1, 16 << 20} { // the last ones into a small socket
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				k := &kernel{packet: 16 << 10, sent: begin()}
				if part > 48<<10 {
					k.room = 20 * time.Millisecond
				}
				equal, wider := throttle.NewBucket(rate), throttle.NewBucket(rate*2)
				waits := spread(ctx, throttle.NewLimiter(throttle.NewBucket(0), throttle.NewBucket(rate), equal, wider), k, part)
				what := fmt.Sprintf("%d B/s in parts of %d", rate, part)
				within(t, what+": ten seconds", k.sent.sum(0, 10*time.Second), 10*float64(rate), 0.001)
				within(t, what+": the first second", k.sent.sum(0, time.Second), float64(rate), 0.005)
				for at := time.Duration(0); at < 9900*time.Millisecond; at += 7 * time.Millisecond {
					within(t, fmt.Sprint(what, ": from ", at), k.sent.sum(at, at+100*time.Millisecond), float64(rate)/10, 0.08)
				}
				if most := 10 * int(max(10, rate>>20)) * 8 / 7; waits > most {
					t.Errorf("%s: %d waits, want %d", what, waits, most)
				}
				if k.most > 0 {
					t.Errorf("%s: %v of a piece was not sent when the next one came", what, k.most)
				}
			})
		}
	}
}

// Somebody who is always woken late loses nothing, and makes up for it in no burst.
func TestSpreadLate(t *testing.T) {
	for _, late := range []time.Duration{time.Millisecond, 7 * time.Millisecond, 12 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			const rate = 10e6
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			k := &kernel{packet: 8 << 10, sent: begin(), late: late}
			spread(ctx, throttle.NewLimiter(throttle.NewBucket(rate)), k, 0)
			within(t, fmt.Sprint(late, " late: ten seconds"), k.sent.sum(0, 10*time.Second), 10*rate, 0.002)
			if most := k.sent.fullest(0); most > 1.06*rate/10 {
				t.Errorf("%v late: %.3f times its share in 100 ms", late, most/rate*10)
			}
			if k.most > 10*time.Millisecond {
				t.Errorf("%v late: %v of a piece was not sent when the next one came", late, k.most)
			}
		})
	}
}

// Only a limit that one transfer has for itself is spread, if it is not too low, and
// others have room below theirs.
func TestSpreadOrNot(t *testing.T) {
	const rate = 10e6
	for _, c := range []struct {
		name    string
		buckets []int64
		shared  int64 // with another transfer
		want    int64
	}{
		{"nothing", nil, 0, 0},
		{"no limit", []int64{0}, 0, 0},
		{"low", []int64{3e6}, 0, 0},
		{"alone", []int64{rate}, 0, rate * 21 / 20},
		{"narrowest", []int64{2 * rate, rate, 3 * rate}, 0, rate * 21 / 20},
		{"fast", []int64{100e6}, 0, 105e6},
		{"shared", []int64{0}, rate, 0},
		{"wide enough", []int64{rate}, 4 * rate, rate * 21 / 20},
		{"not wide enough", []int64{rate}, 3 * rate, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			shared := throttle.NewBucket(c.shared)
			buckets := []*throttle.Bucket{shared}
			for _, r := range c.buckets {
				buckets = append(buckets, throttle.NewBucket(r))
			}
			other, l := throttle.NewLimiter(shared), throttle.NewLimiter(buckets...)
			if err := other.Wait(t.Context(), other.Slice()); err != nil {
				t.Fatal(err)
			}
			n, rate := l.Spread()
			if rate != c.want || rate == 0 && n != l.Slice() || rate > 0 && n != int(min(1<<20, rate*20/21/10)) {
				t.Errorf("%s: %d bytes at %d, want %d", c.name, n, rate, c.want)
			}
		})
	}
	if n, rate := (*throttle.Limiter)(nil).Spread(); n != 1<<20 || rate != 0 {
		t.Errorf("nil: %d bytes at %d", n, rate)
	}
}

// A change of the limit, and a second transfer, are in force a tenth of a second later.
func TestSpreadChanges(t *testing.T) {
	for _, to := range []int64{1e6, 5e6, 40e6} {
		synctest.Test(t, func(t *testing.T) {
			const rate = 10e6
			user := throttle.NewBucket(rate)
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			const at = 2030 * time.Millisecond
			time.AfterFunc(at, func() { user.SetRate(to) })
			k := &kernel{packet: 8 << 10, sent: begin()}
			spread(ctx, throttle.NewLimiter(user), k, 0)
			within(t, "before", k.sent.sum(time.Second, 2*time.Second), rate, 0.01)
			within(t, fmt.Sprint("after, at ", to), k.sent.sum(at+100*time.Millisecond, at+600*time.Millisecond), float64(to)/2, 0.1)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		const rate = 10e6
		user := throttle.NewBucket(rate)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		first, second := &kernel{packet: 8 << 10, sent: begin()}, &kernel{packet: 8 << 10, sent: begin()}
		ended := make(chan int)
		go func() { ended <- spread(ctx, throttle.NewLimiter(user), first, 0) }()
		<-time.After(2030 * time.Millisecond)
		began := time.Since(second.sent.start)
		spread(ctx, throttle.NewLimiter(user), second, 0)
		<-ended
		if late := second.sent.moved[0].at - began; late > 100*time.Millisecond {
			t.Errorf("the second began after %v", late)
		}
		for _, k := range []*kernel{first, second} {
			within(t, "half", k.sent.sum(2200*time.Millisecond, 3200*time.Millisecond), rate/2, 0.03)
		}
	})
}

// A piece that takes its time, because of the kernel or of the client, is spread, and so is
// the next; but a change does not wait for it longer than a tenth of a second.
func TestSpreadTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user := throttle.NewBucket(10e6)
		l := throttle.NewLimiter(user)
		move := func(part int, took time.Duration, want int64) {
			t.Helper()
			n, rate := l.Spread()
			if rate != want {
				t.Fatalf("%d bytes at %d, want %d", n, rate, want)
			}
			<-time.After(took)
			if err := l.Wait(t.Context(), min(n, part)); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			move(1<<20, 150*time.Millisecond, 10.5e6)
		}
		for range 100 {
			move(48<<10, 3*time.Millisecond, 10.5e6)
		}
		for range 3 {
			move(8<<10, 60*time.Millisecond, 10.5e6)
		}
		move(1<<20, 0, 10.5e6)
		move(8<<10, 60*time.Millisecond, 10.5e6)
		user.SetRate(20e6)
		move(8<<10, 60*time.Millisecond, 10.5e6)
		move(8<<10, 0, 21e6)
	})
}
