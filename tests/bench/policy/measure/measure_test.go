package measure

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	values := make([]int, 100)
	for i := range values {
		values[i] = 100 - i
	}
	for q, want := range map[float64]int{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := Quantile(values, q); got != want {
			t.Errorf("%v of 1 to 100 is %d, want %d", q, got, want)
		}
	}
	if got := Quantile[float64](nil, 0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestCompare(t *testing.T) {
	var kept [][]byte
	calls := 0
	busy := &Subject{Name: "allocates", Batch: 10, Call: func() error {
		kept = append(kept[:0], make([]byte, 4096), make([]byte, 4096))
		return nil
	}}
	idle := &Subject{Name: "counts", Call: func() error { calls++; return nil }}
	if err := Compare([]*Subject{busy, idle}, 2, 3, 5); err != nil {
		t.Fatal(err)
	}
	if f := idle.Figures(); f.Measured != 600 || f.Allocs != 0 || f.P50 <= 0 || f.P99 < f.P50 {
		t.Errorf("%+v", f)
	}
	if calls != 2000+2*(100+300+5) {
		t.Errorf("%d calls", calls)
	}
	if f := busy.Figures(); f.Allocs != 2 || f.Measured != 60 {
		t.Errorf("%+v", f)
	}
	broken := errors.New("broken")
	err := Compare([]*Subject{{Name: "fails", Call: func() error { return broken }}}, 1, 1, 1)
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestStopTimes(t *testing.T) {
	before := StopTimes()
	for range 5 {
		runtime.GC()
	}
	p := StopTimes().Since(before)
	if p.Count() < 5 || p.Quantile(0.5) <= 0 || p.Quantile(1) < p.Quantile(0.5) || p.Quantile(1) > time.Minute {
		t.Errorf("%d stops, median %v, longest %v", p.Count(), p.Quantile(0.5), p.Quantile(1))
	}
	if n := (Pauses{}).With(p).With(p).Count(); n != 2*p.Count() {
		t.Errorf("twice %d stops are %d", p.Count(), n)
	}
}

func TestPeak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	if err := ResetPeak(); err != nil {
		t.Fatal(err)
	}
	before := Peak()
	b := make([]byte, 64<<20)
	for i := range b {
		b[i] = 1
	}
	if grown := Peak() - before; grown < 60<<20 || Resident() < 60<<20 {
		t.Errorf("64 MiB more are %d bytes", grown)
	}
	runtime.KeepAlive(b)
}
