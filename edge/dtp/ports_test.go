package dtp

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
)

// ephemeral is a range of one's own.
func ephemeral(spans ...PortSpan) *Ephemeral { return &Ephemeral{ports: spans} }

func TestEphemeralIsRandom(t *testing.T) {
	e := ephemeral(PortSpan{40000, 40999}, PortSpan{50000, 50999})
	seen := map[uint16]bool{}
	for range 200 {
		p := e.ports.random()
		if p < 40000 || p > 50999 || p > 40999 && p < 50000 {
			t.Fatalf("port %d", p)
		}
		seen[p] = true
	}
	if len(seen) < 150 {
		t.Errorf("200 ports are %d different ones", len(seen))
	}
}

func TestEphemeralPart(t *testing.T) {
	e := ephemeral(PortSpan{100, 109}, PortSpan{200, 299})
	starts := map[uint16]bool{}
	for range 100 {
		got := e.Part(50).Ports()
		if len(got) != 1 || got.Len() != 50 || got[0].First < 200 || got[0].Last > 299 {
			t.Fatalf("a part is %v", got)
		}
		starts[got[0].First] = true
	}
	if len(starts) < 10 {
		t.Errorf("parts begin at %d places", len(starts))
	}
	if got := e.Part(1000).Ports(); !slices.Equal(got, e.ports) {
		t.Errorf("more than there are: %v", got)
	}
	if e.Part(0) != nil || (*Ephemeral)(nil).Part(5) != nil || (*Ephemeral)(nil).Ports() != nil {
		t.Error("nothing has parts")
	}
}

// TestEphemeralTaken: where all of the range is taken, and where single ports must not be
// bound, the kernel chooses.
func TestEphemeralTaken(t *testing.T) {
	e := &Ephemeral{ports: occupied(t, 1)}
	p, err := Listen(within(t), PassiveConfig{Local: loopback, Ephemeral: e})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if has(e.ports, p.Addr().Port()) || e.barred.Load() {
		t.Errorf("the port is %v", p.Addr())
	}
	e = ephemeral(PortSpan{40000, 40000})
	var asked []uint16
	try := func(port uint16) (*net.TCPListener, error) {
		if asked = append(asked, port); port > 0 {
			return nil, &net.OpError{Op: "listen", Err: syscall.EACCES}
		}
		return new(net.TCPListener), nil
	}
	for range 2 {
		if _, fixed, err := e.choose(try); fixed || err != nil {
			t.Errorf("the kernel's choice: fixed %v, %v", fixed, err)
		}
	}
	if !slices.Equal(asked, []uint16{40000, 0, 0}) {
		t.Errorf("ports %v were tried", asked)
	}
}

// TestRangeNearlyTaken: the one free port is found, wherever it is, and an error that is
// not about the port ends the search.
func TestRangeNearlyTaken(t *testing.T) {
	for _, local := range []netip.Addr{loopback, netip.IPv6Loopback()} {
		span := vacant(t, 40)
		var held []*Passive
		for port := span.First; port <= span.Last; port++ {
			p, err := Listen(within(t), PassiveConfig{Local: local, Ports: PortRange{{port, port}}})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			held = append(held, p)
		}
		conf := PassiveConfig{Local: local, Ports: PortRange{{span.First, span.First + 9}, {span.First + 10, span.Last}}}
		if p, err := Listen(within(t), conf); !errors.Is(err, ErrNoPort) {
			t.Errorf("of none that are free: %v, %v", p, err)
		}
		for _, free := range []int{0, 9, 10, 39} {
			held[free].Close()
			p, err := Listen(within(t), conf)
			if err != nil {
				t.Fatal(err)
			}
			if p.Addr() != held[free].Addr() {
				t.Errorf("the port is %v, and %v was free", p.Addr(), held[free].Addr())
			}
			defer p.Close()
		}
	}
	other := errors.New("other")
	if _, err := (PortRange{vacant(t, 20)}).choose(loopback, func(uint16) (*net.TCPListener, error) { return nil, other }); err != other {
		t.Error(err)
	}
}

func has(r PortRange, port uint16) bool {
	return slices.ContainsFunc(r, func(s PortSpan) bool { return s.First <= port && port <= s.Last })
}

// BenchmarkRangeTaken is a search through 1,000 ports of which none is free.
func BenchmarkRangeTaken(b *testing.B) {
	r := PortRange{vacant(b, 1000)}
	for port := r[0].First; port <= r[0].Last; port++ {
		p, err := Listen(b.Context(), PassiveConfig{Local: loopback, Ports: PortRange{{port, port}}})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
	}
	for b.Loop() {
		if _, err := Listen(b.Context(), PassiveConfig{Local: loopback, Ports: r}); !errors.Is(err, ErrNoPort) {
			b.Fatal(err)
		}
	}
}
