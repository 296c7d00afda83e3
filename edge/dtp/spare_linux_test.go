package dtp

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// eachWay calls f with each way in which a port is chosen; fixed says whether a spare
// socket keeps it.
func eachWay(t *testing.T, f func(t *testing.T, conf PassiveConfig, fixed bool)) {
	t.Helper()
	barred := ReadEphemeral()
	barred.barred.Store(true)
	for _, way := range []struct {
		name  string
		conf  PassiveConfig
		fixed bool
	}{
		{"the system's range", PassiveConfig{Ephemeral: ReadEphemeral()}, true},
		{"a part of it", PassiveConfig{Ephemeral: ReadEphemeral().Part(1000)}, true},
		{"confined", PassiveConfig{Ephemeral: barred}, false},
		{"the kernel's choice", PassiveConfig{}, false},
		{"a range", PassiveConfig{Ports: PortRange{vacant(t, 200)}}, true},
		{"IPv6", PassiveConfig{Local: netip.IPv6Loopback(), Ephemeral: ReadEphemeral()}, true},
		{"IPv6, a range", PassiveConfig{Local: netip.IPv6Loopback(), Ports: PortRange{vacant(t, 200)}}, true},
	} {
		t.Run(way.name, func(t *testing.T) {
			if !way.conf.Local.IsValid() {
				way.conf.Local = loopback
			}
			spare := new(Spare)
			t.Cleanup(spare.Close)
			way.conf.Peer, way.conf.Wait, way.conf.Spare = way.conf.Local, patience, spare
			f(t, way.conf, way.fixed)
		})
	}
}

// use opens a port and lets its client have its connection. Meanwhile, and after it,
// nobody else gets one.
func use(t *testing.T, conf PassiveConfig) netip.AddrPort {
	t.Helper()
	p, err := Listen(within(t), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Ready() {
		t.Error("somebody is there before the port is told")
	}
	c := dial(t, conf.Local, p.Addr())
	s, err := p.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nobody(t, p.Addr())
	if _, err := s.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("the client reads %d bytes, %v", n, err)
	}
	c.Close()
	return p.Addr()
}

// nobody looks that nobody listens.
func nobody(t *testing.T, at netip.AddrPort) {
	t.Helper()
	if c, err := net.DialTimeout("tcp", at.String(), patience); err == nil {
		c.Close()
		t.Errorf("somebody can connect to %v", at)
	}
}

// kept returns the socket that is kept.
func kept(s *Spare) *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept
}

func TestSpareIsUsedAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, conf PassiveConfig, fixed bool) {
		first := use(t, conf)
		socket := kept(conf.Spare)
		if socket == nil || socket.fixed != fixed {
			t.Fatalf("what is kept: %+v", socket)
		}
		ports := map[uint16]bool{first.Port(): true}
		for range spareUses - 1 {
			at := use(t, conf)
			ports[at.Port()] = true
			if kept(conf.Spare) != socket {
				t.Fatal("it is another socket")
			}
			if at.Addr() != conf.Local {
				t.Errorf("it is at %v", at)
			}
		}
		if fixed != (len(ports) == 1) {
			t.Errorf("the ports were %v", ports)
		}
		if at := use(t, conf); fixed == (kept(conf.Spare) == socket) {
			t.Errorf("after %d uses: kept is %v, port %v of %v", spareUses, kept(conf.Spare) == socket, at, ports)
		}
	})
}

// TestSpareIsForTheSame: what a socket was made for is what it is used for.
func TestSpareIsForTheSame(t *testing.T) {
	other := PortRange{vacant(t, 20)}
	for name, change := range map[string]func(*PassiveConfig){
		"peer":      func(c *PassiveConfig) { c.Peer = elsewhere },
		"any peer":  func(c *PassiveConfig) { c.Peer = netip.Addr{} },
		"address":   func(c *PassiveConfig) { c.Local = elsewhere },
		"family":    func(c *PassiveConfig) { c.Local = netip.IPv6Loopback() },
		"ports":     func(c *PassiveConfig) { c.Ports = other },
		"backlog":   func(c *PassiveConfig) { c.Backlog = 2 },
		"ephemeral": func(c *PassiveConfig) { c.Ephemeral = nil },
	} {
		t.Run(name, func(t *testing.T) {
			spare := new(Spare)
			defer spare.Close()
			conf := PassiveConfig{Local: loopback, Peer: loopback, Wait: patience, Spare: spare, Ephemeral: ReadEphemeral()}
			use(t, conf)
			old := kept(spare)
			change(&conf)
			p, err := Listen(within(t), conf)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if p.socket.Load() == old || kept(spare) != nil {
				t.Error("the old socket is used")
			}
			if old.SetDeadline(time.Time{}) == nil {
				t.Error("the old socket is open")
			}
			if p.Addr().Addr() != conf.Local || len(conf.Ports) > 0 && (p.Addr().Port() < other[0].First || p.Addr().Port() > other[0].Last) {
				t.Errorf("it listens on %v", p.Addr())
			}
		})
	}
}

// TestSpareAfterTwo: where two have connected, one of them perhaps knows the port without
// having been told it.
func TestSpareAfterTwo(t *testing.T) {
	eachWay(t, func(t *testing.T, conf PassiveConfig, _ bool) {
		p, err := Listen(within(t), conf)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		dial(t, conf.Local, p.Addr())
		second := dial(t, conf.Local, p.Addr())
		c, err := p.Open(within(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if kept(conf.Spare) != nil {
			t.Error("the socket is kept")
		}
		if n, err := second.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("the second reads %d bytes, %v", n, err)
		}
		nobody(t, p.Addr())
	})
}

func TestSpareAfterForeigner(t *testing.T) {
	spare := new(Spare)
	defer spare.Close()
	p, err := Listen(within(t), PassiveConfig{Local: loopback, Peer: loopback, Wait: patience, Spare: spare})
	if err != nil {
		t.Fatal(err)
	}
	dial(t, elsewhere, p.Addr())
	dial(t, loopback, p.Addr())
	c, err := p.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if kept(spare) != nil {
		t.Error("the socket is kept")
	}
}

// TestSpareUnused: a port that nobody came to, or that was given up, is closed.
func TestSpareUnused(t *testing.T) {
	eachWay(t, func(t *testing.T, conf PassiveConfig, _ bool) {
		use(t, conf)
		conf.Wait = 20 * time.Millisecond
		p, err := Listen(within(t), conf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Open(within(t)); err != ErrNobody {
			t.Errorf("nobody came: %v", err)
		}
		nobody(t, p.Addr())
		if p, err = Listen(within(t), conf); err != nil {
			t.Fatal(err)
		}
		p.Close()
		nobody(t, p.Addr())
		if kept(conf.Spare) != nil {
			t.Error("the socket is kept")
		}
	})
}

// TestSpareTaken: the port of a socket that does not listen may become somebody else's.
func TestSpareTaken(t *testing.T) {
	eachWay(t, func(t *testing.T, conf PassiveConfig, _ bool) {
		at := use(t, conf)
		l, err := net.Listen("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if again := use(t, PassiveConfig{Local: conf.Local, Peer: conf.Peer, Wait: conf.Wait, Spare: conf.Spare, Ephemeral: conf.Ephemeral, Ports: conf.Ports}); again == at {
			t.Error("two listen on one port")
		}
		l.Close()
		c, err := net.Dial("tcp", at.String())
		if err == nil {
			c.Close()
			t.Errorf("somebody listens on %v still", at)
		}
	})
}

func TestSpareClosed(t *testing.T) {
	spare := new(Spare)
	conf := PassiveConfig{Local: loopback, Peer: loopback, Wait: patience, Spare: spare, Ephemeral: ReadEphemeral()}
	use(t, conf)
	old := kept(spare)
	spare.Close()
	if old.SetDeadline(time.Time{}) == nil {
		t.Error("the socket is open")
	}
	use(t, conf)
	if kept(spare) != nil {
		t.Error("a spare that is closed keeps a socket")
	}
	spare.Close()
}

// TestSpareAge: a fixed port is not used for long.
func TestSpareAge(t *testing.T) {
	eachWay(t, func(t *testing.T, conf PassiveConfig, fixed bool) {
		use(t, conf)
		old := kept(conf.Spare)
		old.born = old.born.Add(-spareTime)
		use(t, conf)
		if fixed == (kept(conf.Spare) == old) {
			t.Errorf("used after its time: %v", !fixed)
		}
	})
}
