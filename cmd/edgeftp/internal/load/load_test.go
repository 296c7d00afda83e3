package load

import (
	"bytes"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPercentiles(t *testing.T) {
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i)*time.Second)
	}
	if got, want := percentiles(all), (Times{1, 50, 90, 99, 100}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := percentiles([]time.Duration{time.Second}), (Times{1, 1, 1, 1, 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := percentiles(nil); got != (Times{}) {
		t.Errorf("%+v", got)
	}
}

func TestBounds(t *testing.T) {
	good := Plan{Connections: 1, Size: 1, Duration: time.Second, Up: true}
	for name, change := range map[string]func(*Plan){
		"no connection": func(p *Plan) { p.Connections = 0 }, "too many": func(p *Plan) { p.Connections = MaxConnections + 1 },
		"too large": func(p *Plan) { p.Size = MaxSize + 1 }, "too long": func(p *Plan) { p.Duration = MaxDuration + 1 },
		"no time": func(p *Plan) { p.Duration = 0 }, "no direction": func(p *Plan) { p.Up = false },
	} {
		p := good
		change(&p)
		if _, err := Run(t.Context(), p); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestNoise(t *testing.T) {
	one, err := io.ReadAll(io.LimitReader(noise(1), 200_000))
	if err != nil || len(one) != 200_000 {
		t.Fatal(len(one), err)
	}
	other, _ := io.ReadAll(io.LimitReader(noise(2), 200_000)) // as above
	if bytes.Equal(one, other) || bytes.Count(one[:1000], []byte{0}) > 50 {
		t.Error("it is no noise")
	}
}
