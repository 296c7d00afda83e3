package dtp

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// tallied returns how many data connections a tally has of one kind.
func tallied(st TallyStatus, active bool, result string) uint64 {
	for _, d := range st.Data {
		if d.Active == active && d.Result == result {
			return d.Count
		}
	}
	return 1 << 63
}

// A port counts from when it is open until it is closed, however often that is; one that
// cannot be had counts as refused.
func TestTallyPorts(t *testing.T) {
	tally := new(Tally)
	p, err := Listen(within(t), PassiveConfig{Local: loopback, Tally: tally})
	if err != nil {
		t.Fatal(err)
	}
	if st := tally.Status(); st.PortsHeld != 1 || st.NoPort != 0 {
		t.Errorf("with one port: %+v", st)
	}
	p.Close()
	p.Close()
	if _, err := Listen(within(t), PassiveConfig{Local: loopback, Ports: occupied(t, 3), Tally: tally}); err == nil {
		t.Error("a port was opened that is taken")
	}
	if st := tally.Status(); st.PortsHeld != 0 || st.NoPort != 1 {
		t.Errorf("with none: %+v", st)
	}
}

// A spare socket holds its port while it listens.
func TestTallySpare(t *testing.T) {
	tally, spare := new(Tally), new(Spare)
	for range 3 {
		p, err := Listen(within(t), PassiveConfig{Local: loopback, Peer: loopback, Wait: patience, Spare: spare, Tally: tally})
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, loopback, p.Addr())
		own, err := p.Open(within(t))
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		own.Close()
		if n := tally.Status().PortsHeld; n != 0 {
			t.Errorf("%d ports are held by a spare that does not listen", n)
		}
	}
	spare.Close()
	if n := tally.Status().PortsHeld; n != 0 {
		t.Errorf("%d ports are held after the end", n)
	}
}

// Transfers count while they run; how their connections came to be, when the first byte
// moved, and how long they were held back, is summed up.
func TestTallyTransfers(t *testing.T) {
	tally := new(Tally)
	slow := throttle.NewLimiter(throttle.NewBucket(1 << 20))
	tr := &Transfer{Send: file(t, pattern(64<<10)), Limiter: slow, Tally: tally}
	c, done := begin(t, within(t), tr)
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if st := tally.Status(); st.Running != [3]int{1, 0, 0} {
		t.Errorf("while it runs: %v", st.Running)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Error(err)
	}
	if res := await(t, done); res.Err != nil {
		t.Error(res.Err)
	}
	st := tally.Status()
	if st.Running != [3]int{} || tallied(st, false, "ok") != 1 {
		t.Errorf("after it: %+v", st)
	}
	if first := st.FirstByte[Download]; first.Total != 1 || first.Sum <= 0 || first.Count[len(first.Count)-1] != 1 || len(first.Count) != len(first.UpTo) {
		t.Errorf("its first byte: %+v", first)
	}
	if st.Waited[Download] < 20*time.Millisecond || st.Waited[Download] > patience || st.Waited[Upload] != 0 {
		t.Errorf("64 KiB at 1 MiB/s were held back for %v", st.Waited)
	}
}

// A connection that never came is told by its reason.
func TestTallyNobody(t *testing.T) {
	tally := new(Tally)
	ctx, cancel := context.WithCancel(within(t))
	p, err := Listen(ctx, PassiveConfig{Local: loopback, Wait: time.Millisecond, Tally: tally})
	if err != nil {
		t.Fatal(err)
	}
	(&Transfer{Port: p, Receive: io.Discard, Tally: tally}).Run(ctx)
	cancel()
	p, err = Listen(within(t), PassiveConfig{Local: loopback, Wait: patience, Tally: tally})
	if err != nil {
		t.Fatal(err)
	}
	(&Transfer{Port: p, Send: file(t, nil), Listing: true, Tally: tally}).Run(ctx)
	a, err := NewActive(ActiveConfig{Local: loopback, Peer: loopback, Wait: patience}, deadPort(t))
	if err != nil {
		t.Fatal(err)
	}
	(&Transfer{Port: a, Send: file(t, nil), Tally: tally}).Run(within(t))
	st := tally.Status()
	if tallied(st, false, "nobody") != 1 || tallied(st, false, "aborted") != 1 || tallied(st, true, "unreached") != 1 || tallied(st, false, "ok") != 0 {
		t.Errorf("%+v", st.Data)
	}
	if st.PortsHeld != 0 || st.FirstByte[Listing].Total != 0 {
		t.Errorf("%+v", st)
	}
	if Listing.String() != "listing" || Upload.String() != "upload" {
		t.Error("the directions have other names")
	}
}

// Nil counts for nobody.
func TestTallyNil(t *testing.T) {
	var none *Tally
	if st := none.Status(); st.PortsHeld != 0 || st.Data != nil {
		t.Errorf("%+v", st)
	}
	tr := &Transfer{Send: file(t, pattern(10))}
	c, done := begin(t, within(t), tr)
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Error(err)
	}
	await(t, done)
}

// deadPort is an address on which nobody listens.
func deadPort(t *testing.T) netip.AddrPort {
	t.Helper()
	return netip.MustParseAddrPort(ports.Addr(t))
}
