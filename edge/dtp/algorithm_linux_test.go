package dtp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
)

// TestCongestion: data connections, passive and active, have the congestion control that
// was asked for, and one that the kernel does not have is an error.
func TestCongestion(t *testing.T) {
	all := ReadAlgorithms()
	plain, _ := pair(t)
	usual := CongestionOf(plain)
	at := slices.IndexFunc(all.Known, func(name string) bool { return name != usual && slices.Contains(all.Free, name) })
	if at < 0 { // then what is asked for cannot be told from what there is
		t.Fatalf("the kernel has %v, of which %v may be chosen, and uses %s", all.Known, all.Free, usual)
	}
	want, local := all.Known[at], netip.MustParseAddr("127.0.0.1")

	p, err := Listen(context.Background(), PassiveConfig{Local: local, Congestion: want})
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := p.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if got := CongestionOf(TCP(server)); got != want {
		t.Errorf("a passive data connection has %s, not %s", got, want)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := NewActive(ActiveConfig{Local: local, Peer: local, Congestion: want}, l.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	active, err := a.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer active.Close()
	if got := CongestionOf(TCP(active)); got != want {
		t.Errorf("an active data connection has %s, not %s", got, want)
	}

	if p, err := Listen(context.Background(), PassiveConfig{Local: local, Congestion: "nosuch"}); !errors.Is(err, ErrCongestion) {
		t.Errorf("a control that nobody has: %v", err)
		if err == nil {
			p.Close()
		}
	}
}
