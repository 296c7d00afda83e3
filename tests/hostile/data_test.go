package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// trap is a listener of somebody who must not be connected to.
type trap struct {
	net.Listener
	port uint16
}

// trap opens a listener on an address of this machine.
func (r *rig) trap(addr string) trap {
	r.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		r.cannot(addr + " cannot be used here: " + err.Error())
	}
	r.Cleanup(func() { l.Close() })
	return trap{l, netip.MustParseAddrPort(l.Addr().String()).Port()}
}

// accepts reports whether somebody connects within a short time.
func (l trap) accepts(wait time.Duration) bool {
	_ = l.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(wait))
	c, err := l.Accept()
	if err == nil {
		c.Close()
	}
	return err == nil
}

// bounce names addresses that are not the client's. Where private ones are led to
// the client itself, nothing else is.
func bounce(t *testing.T) {
	r := serve(t, func(s *setup) { s.Listeners[0].Active.Unmask = true })
	mine, other := r.trap("127.0.0.1:0"), r.trap("127.0.0.2:0")
	c := r.login()
	r.put(c, "STOR file", "x")
	p := int(mine.port)
	at := func(ip string, port int) string {
		return fmt.Sprintf("PORT %s,%d,%d", strings.ReplaceAll(ip, ".", ","), port>>8, port&255)
	}
	eprt := func(family int, ip string) string { return fmt.Sprintf("EPRT |%d|%s|%d|", family, ip, p) }
	for _, line := range []string{at("10.0.0.1", p), at("172.16.0.1", p), at("192.168.255.255", p), at("127.0.0.1", p),
		eprt(1, "10.0.0.1"), eprt(1, "127.0.0.1"), eprt(2, "::ffff:10.0.0.1"), eprt(2, "::ffff:127.0.0.1"), eprt(2, "::ffff:7f00:1")} {
		r.do(c, line, 200)
		r.do(c, "RETR file", 150)
		if !mine.accepts(userpi.Timeout) {
			t.Errorf("%s does not lead to the client", line)
		}
		r.expect(c, line, 226, 426)
	}
	for _, line := range []string{
		at("127.0.0.2", int(other.port)), at("0.0.0.0", p), at("224.0.0.1", p), at("239.255.255.255", p), at("255.255.255.255", p),
		at("169.254.169.254", 8080), at("192.0.2.1", p), at("127.0.0.0", p), at("172.15.255.255", p), at("10.0.0.1", 22), at("192.168.0.1", 1023),
		at("10.0.0.1", 0), fmt.Sprintf("EPRT |1|127.0.0.2|%d|", other.port), fmt.Sprintf("EPRT |2|::ffff:127.0.0.2|%d|", other.port),
		eprt(1, "0.0.0.0"), eprt(1, "224.0.0.1"), eprt(2, "::ffff:0.0.0.0"), eprt(2, "::ffff:224.0.0.1"), eprt(2, "::1"), eprt(2, "::"),
		eprt(2, "ff02::1"), eprt(2, "fd00::1"), eprt(2, "fe80::1"), eprt(2, "fe80::1%lo"), eprt(2, "::127.0.0.1"), eprt(2, "64:ff9b::7f00:1"),
		eprt(2, "::ffff:0:127.0.0.1"), eprt(1, "127.1"), eprt(1, "0177.0.0.1"), eprt(1, "2130706433"), eprt(1, "127.0.0.1%lo"), eprt(3, "127.0.0.1"),
		eprt(2, "127.0.0.1"), eprt(1, "::ffff:127.0.0.1"), eprt(1, "localhost"),
	} {
		reply, err := c.Do(line)
		r.must(err)
		if reply.Code < 500 {
			t.Errorf("%s: %q", line, reply)
		}
		r.do(c, "RETR file", 425)
	}
	if other.accepts(50*time.Millisecond) || mine.accepts(50*time.Millisecond) {
		t.Error("somebody was connected to")
	}
}

// bounceSix is bounce over IPv6.
func bounceSix(t *testing.T) {
	r := serve(t, func(s *setup) {
		s.Listeners[0].Active.Unmask, s.Listeners[0].Address, s.unwatched = true, "[::1]:0", true
	})
	mine := r.trap("[::1]:0")
	c := r.login()
	r.put(c, "STOR file", "x")
	p := int(mine.port)
	r.do(c, fmt.Sprintf("EPRT |2|fd00::1|%d|", p), 200)
	r.do(c, "RETR file", 150)
	if !mine.accepts(userpi.Timeout) {
		t.Error("a private address does not lead to the client")
	}
	r.expect(c, "RETR", 226, 426)
	for _, line := range []string{"EPRT |1|10.0.0.1|%d|", "EPRT |2|::ffff:10.0.0.1|%d|", "EPRT |2|::ffff:127.0.0.1|%d|", "EPRT |2|fe80::1|%d|",
		"EPRT |2|2001:db8::1|%d|", "EPRT |2|ff02::1|%d|", "EPRT |2|::|%d|", "EPRT |2|::1%%lo|%d|"} {
		r.do(c, fmt.Sprintf(line, p), 501, 522)
	}
	r.do(c, fmt.Sprintf("PORT 10,0,0,1,%d,%d", p>>8, p&255), 501)
	r.do(c, fmt.Sprintf("PORT 127,0,0,1,%d,%d", p>>8, p&255), 501)
	if mine.accepts(50 * time.Millisecond) {
		t.Error("somebody was connected to")
	}
}

// bounceToItself sends the server a file of commands on its own control ports.
func bounceToItself(t *testing.T) {
	for name, set := range map[string]func(*setup){
		"as it comes": func(*setup) {},
		"foreign addresses permitted": func(s *setup) {
			s.Listeners[0].Active.Foreign, s.Listeners[0].Active.Privileged, s.Listeners[0].Address = true, true, "0.0.0.0:0"
		},
		"private addresses led to the client": func(s *setup) { s.Listeners[0].Active.Unmask = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, func(s *setup) {
				s.Listeners = append(s.Listeners, s.Listeners[0])
				s.Listeners[1].Name = "other"
				set(s)
			})
			c := r.login()
			r.put(c, "STOR evil", "USER "+user+"\r\nPASS "+password+"\r\nMKD /made\r\nQUIT\r\n")
			for _, addr := range r.addrs {
				port := int(netip.MustParseAddrPort(addr).Port())
				for _, line := range []string{"PORT 10,0,0,1,%[1]d,%[2]d", "PORT 127,0,0,1,%[1]d,%[2]d", "EPRT |1|127.0.0.1|%[3]d|", "EPRT |2|::ffff:127.0.0.1|%[3]d|"} {
					line = fmt.Sprintf(line, port>>8, port&255, port)
					reply, err := c.Do(line)
					r.must(err)
					if reply.Code == 200 && !strings.HasPrefix(line, "PORT 10,") {
						t.Errorf("%s to the server's own port: %q", line, reply)
					}
				}
			}
			r.do(c, "RETR evil", 425, 550)
			r.do(c, "CWD /made", 550)
		})
	}
}

// portState: a PORT or EPRT that is refused, for whatever reason, takes the port of
// before away.
func portState(t *testing.T) {
	r := serve(t, plain)
	c := r.login()
	r.put(c, "STOR file", "x")
	for _, bad := range []string{"PORT 1,2,3", "PORT x", "PORT 127,0,0,1,0,21", "PORT 10,0,0,1,200,0", "EPRT x", "EPRT |1|127.0.0.1|21|", "EPRT |3|x|1|", "EPRT |2|::1|50000|"} {
		for _, good := range []string{"EPSV", "PASV"} {
			r.do(c, good, 227, 229)
			r.do(c, bad, 501, 522)
			r.do(c, "RETR file", 425)
		}
	}
}

// unforetold: nobody can tell the next passive port from those before.
func unforetold(t *testing.T) {
	first := uint16(ports.Row(t, 400))
	for name, choice := range map[string]dtp.PortRange{"the kernel's choice": nil, "a range": {{First: first, Last: first + 399}}} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, func(s *setup) { s.Listeners[0].Passive.Ports = choice })
			c := r.login()
			steps, seen := map[int]int{}, map[uint16]bool{}
			var last uint16
			const n = 100
			for range n {
				port := netip.MustParseAddrPort(r.dataAddr(c)).Port()
				seen[port] = true
				steps[int(port)-int(last)]++
				last = port
			}
			if len(seen) < n/2 {
				t.Errorf("%d ports of %d are different", len(seen), n)
			}
			for step, k := range steps {
				if k > n/10 {
					t.Errorf("%d times of %d the next port was %+d", k, n, step)
				}
			}
		})
	}
}

// hoarded: one session holds one passive port, however often it asks. When all are
// held, there is a reply, and afterwards a port again.
func hoarded(t *testing.T) {
	const n = 4
	first := uint16(ports.Row(t, n))
	r := serve(t, func(s *setup) {
		s.Listeners[0].Passive.Ports = dtp.PortRange{{First: first, Last: first + n - 1}}
		s.unwatched = true
	})
	greedy, other := r.login(), r.login()
	fds := descriptors()
	for i := range 1000 {
		r.do(greedy, []string{"PASV", "EPSV", "EPSV 1"}[i%3], 227, 229)
		if i%100 == 0 {
			r.do(other, "EPSV", 229)
			r.do(other, "ABOR", 225)
		}
	}
	r.bounded("descriptors that a thousand PASV hold", int64(descriptors()-fds), 1)
	hoarders := []*userpi.Client{greedy}
	for range n - 1 {
		c := r.login()
		r.do(c, "PASV", 227)
		hoarders = append(hoarders, c)
	}
	r.do(other, "PASV", 425)
	r.do(other, "EPSV", 425)
	r.do(other, "NOOP", 200)
	r.do(hoarders[1], "PASV", 227) // its own port is given back first
	reset(hoarders[2].Raw())
	r.until("a port is free again", func() bool { return r.do(other, "EPSV", 229, 425).Code == 229 })
	for _, c := range hoarders[3:] {
		r.must(c.Quit())
	}
	r.put(other, "STOR file", "x")
}

// neverOpened asks for transfers, does not open their data connections, and goes.
func neverOpened(t *testing.T) {
	r := serve(t, plain)
	r.put(r.login(), "STOR file", "x")
	silent := r.trap("127.0.0.1:0")
	base, sessions := descriptors(), r.srv.Status().Sessions
	for i := range 40 {
		c := r.login()
		if i%2 == 0 {
			r.do(c, "EPSV", 229)
			r.do(c, []string{"RETR file", "STOR x", "LIST", "MLSD"}[i/2%4], 150)
			r.do(c, "NOOP", 200)
		} else { // an active connection that is accepted by the kernel alone
			r.do(c, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", silent.port), 200)
			r.do(c, "STOR x", 150)
		}
		if i%4 < 2 {
			reset(c.Raw())
		} else {
			_ = c.Close()
		}
	}
	began := time.Now()
	r.until("all sessions have ended", func() bool { return r.srv.Status().Sessions <= sessions+1 })
	r.until("their descriptors are closed", func() bool { return descriptors() <= base+4 })
	if took := time.Since(began); took > dtp.WaitDefault*5/6 { // nobody has waited for a data connection
		t.Errorf("that took %v", took)
	}
}

// foreign: transfers between two servers are not to be had by default, and not to
// every address where they are.
func foreign(t *testing.T) {
	r := serve(t, func(s *setup) {
		s.Listeners = append(s.Listeners, s.Listeners[0])
		s.Listeners[1].Name, s.Listeners[1].Active.Foreign = "fxp", true
	})
	other := r.trap("127.0.0.2:0")
	line := fmt.Sprintf("EPRT |1|127.0.0.2|%d|", other.port)
	c := r.login()
	r.put(c, "STOR file", "x")
	r.do(c, line, 501)
	addr := r.dataAddr(c)
	r.must(c.Send("RETR file"))
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: userpi.Timeout}
	server, err := d.Dial("tcp", addr)
	r.must(err)
	_ = r.keep(server).SetDeadline(time.Now().Add(userpi.Timeout))
	if got, _ := io.ReadAll(server); len(got) > 0 {
		t.Errorf("the other server got %q", got)
	}
	r.expect(c, "RETR", 125, 150)
	r.do(c, "ABOR", 426)
	r.expect(c, "ABOR", 226)

	c = userpi.New(r.dial(r.addrs[1]))
	c.Timeout = userpi.Timeout
	r.must(c.Login(user, password))
	for _, bad := range []string{"EPRT |1|0.0.0.0|50000|", "EPRT |1|224.0.0.1|50000|", "EPRT |1|127.0.0.2|22|", "EPRT |1|192.0.2.1|1023|"} {
		r.do(c, bad, 501)
	}
	r.do(c, line, 200)
	r.do(c, "RETR file", 150)
	if !other.accepts(userpi.Timeout) {
		t.Error("the other server was not connected to, where that is permitted")
	}
	r.expect(c, "RETR", 226, 426)
}

// aside is a policy that lets data connections go to one address beside the client's.
type aside struct{ prefix string }

func (aside) Name() string { return "ports" }

func (p aside) Hooks() policy.Hooks { return policy.Hooks{Commander: p} }

// Command refuses what names another port. It sees the argument as it was sent, for
// every command that names one; PASV and EPSV take the choice back.
func (p aside) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	named := c.Verb == "PORT" || c.Verb == "EPRT" || c.Verb == "LPRT"
	if named && !strings.HasPrefix(c.Arg, p.prefix) && !strings.Contains(c.Arg, c.Session.Peer.Addr().String()) {
		return policy.Answer{Verdict: policy.Deny, Text: "Not to there."}, nil
	}
	return policy.Answer{}, nil
}

// judgedPorts: where transfers between two servers are on, a policy can say with which
// servers: it judges the command that names the port, and a refused one leaves none
// behind.
func judgedPorts(t *testing.T) {
	r := serve(t, func(s *setup) {
		s.Listeners[0].Active.Foreign = true
		s.Policies = append(s.Policies, edge.Slot{Name: "ports", Policy: aside{"|1|127.0.0.2|"}})
	})
	friend, foe := r.trap("127.0.0.2:0"), r.trap("127.0.0.3:0")
	c := r.login()
	r.put(c, "STOR file", "x")
	to := func(ip string, port int) string { return fmt.Sprintf("EPRT |1|%s|%d|", ip, port) }
	r.do(c, to("127.0.0.2", int(friend.port)), 200)
	for _, line := range []string{to("127.0.0.3", int(foe.port)), fmt.Sprintf("PORT 127,0,0,3,%d,%d", foe.port>>8, foe.port&255), fmt.Sprintf("port 127,0,0,3,%d,%d", foe.port>>8, foe.port&255)} {
		r.do(c, line, 550)
	}
	r.do(c, "RETR file", 150) // to the last one that was permitted
	if !friend.accepts(userpi.Timeout) {
		t.Error("the friend was not connected to")
	}
	r.expect(c, "RETR", 226, 426)
	r.do(c, "RETR file", 425)
	if foe.accepts(100 * time.Millisecond) {
		t.Error("the foe was connected to")
	}
}

// borders is a policy that lets some files go to the client alone, and asks of all others
// that they go nowhere but to the friend. It writes down where bytes went and came from.
type borders struct {
	friend netip.Addr

	mu   sync.Mutex
	seen map[string]netip.AddrPort // by what was asked or told, and the path
}

func (*borders) Name() string { return "borders" }

func (b *borders) Hooks() policy.Hooks {
	return policy.Hooks{Authorizer: b, Throttler: b, Filter: b, Observer: b}
}

func (b *borders) note(what string, op policy.Op, path string, peer netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[what+" "+op.String()+" "+path] = peer
}

// where is what was noted of a path, and whether there was anything.
func (b *borders) where(what string) (netip.AddrPort, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	peer, ok := b.seen[what]
	return peer, ok
}

func (b *borders) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	b.note("fs", a.Op, a.Path, a.DataPeer)
	to := a.DataPeer.Addr()
	if !to.IsValid() || to == a.Session.Peer.Addr() || to == b.friend && !strings.HasPrefix(a.Path, "/own") {
		return policy.Answer{}, nil
	}
	return policy.Answer{Verdict: policy.Deny, Text: "Not to there."}, nil
}

func (b *borders) Throttle(_ context.Context, t *policy.Transfer) (policy.Rate, error) {
	b.note("throttle", t.Op, t.Path, t.DataPeer)
	return policy.Rate{}, nil
}

func (b *borders) Filter(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
	b.note("data", c.Op, c.Path, c.DataPeer)
	return policy.Piece{}, nil
}

func (b *borders) Observe(_ context.Context, e *policy.Event) error {
	b.note(e.Kind.String(), e.Op, e.Path, e.DataPeer)
	return nil
}

// judgedTransfers: where transfers between two servers are on, a policy can say which files
// go to which of them: it is shown where the data connection is to go before anything is
// connected to, and by whom it was made before a byte moves.
func judgedTransfers(t *testing.T) {
	b := &borders{friend: netip.MustParseAddr("127.0.0.2"), seen: map[string]netip.AddrPort{}}
	r := serve(t, func(s *setup) {
		s.Listeners[0].Active.Foreign = true
		s.Policies = append(s.Policies, edge.Slot{Name: "borders", Policy: b})
	})
	friend, foe := r.trap("127.0.0.2:0"), r.trap("127.0.0.3:0")
	to := func(l trap) string {
		return fmt.Sprintf("EPRT |1|%s|%d|", l.Addr().(*net.TCPAddr).IP, l.port)
	}
	c := r.login()
	r.put(c, "STOR own", "x")
	r.put(c, "STOR free", "x")
	self, _ := b.where("data write /own")
	if before, asked := b.where("fs write /own"); !asked || before.IsValid() || self.Addr().String() != "127.0.0.1" || self.Port() == 0 {
		t.Errorf("of a passive port: before %v, then %v", before, self)
	}
	if at, _ := b.where("fs commit /own"); at != self {
		t.Errorf("what is published came from %v, not from %v", at, self)
	}
	for _, line := range []string{"RETR own", "RETR free", "STOR new", "APPE own", "STOU", "LIST", "NLST", "MLSD"} {
		r.do(c, to(foe), 200)
		r.do(c, line, 550)
	}
	for _, line := range []string{"RETR own", "APPE own"} {
		r.do(c, to(friend), 200)
		r.do(c, line, 550)
	}
	r.do(c, to(friend), 200)
	r.do(c, "RETR free", 150)
	if !friend.accepts(userpi.Timeout) {
		t.Error("the friend was not connected to")
	}
	r.expect(c, "RETR", 226, 426)
	for _, what := range []string{"fs", "throttle", "data"} {
		if at, _ := b.where(what + " read /free"); at != netip.AddrPortFrom(b.friend, friend.port) {
			t.Errorf("%s: the bytes went to %v", what, at)
		}
	}
	r.until("observers are told whereto", func() bool {
		for _, kind := range []string{"file_sent", "incomplete_file_sent"} {
			if at, ok := b.where(kind + " read /free"); ok && at == netip.AddrPortFrom(b.friend, friend.port) {
				at, ok = b.where("denied append /own")
				return ok && at == netip.AddrPortFrom(b.friend, friend.port)
			}
		}
		return false
	})
	for _, what := range []string{"throttle", "data"} {
		if at, asked := b.where(what + " write /new"); asked {
			t.Errorf("%s: a refused transfer has begun, with %v", what, at)
		}
	}
	if got := r.get(c, "RETR own"); got != "x" {
		t.Errorf("the client itself got %q", got)
	}
}

// besieged: strangers connect to the owner's port without end, before and while it is
// waited for, and fill the queue in front of it.
func besieged(t *testing.T) {
	r := serve(t, func(s *setup) { s.Listeners[0].Passive.Backlog = 4 })
	r.put(r.login(), "STOR file", "for the owner")
	stranger := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: userpi.Timeout}
	var siege sync.WaitGroup
	defer siege.Wait()
	for range 5 {
		c := r.login()
		addr := r.dataAddr(c)
		for range 8 {
			siege.Go(func() {
				for range 20 {
					conn, err := stranger.Dial("tcp", addr)
					if err != nil {
						return // the port is closed
					}
					got, _ := io.ReadAll(conn)
					if len(got) > 0 {
						t.Errorf("a stranger got %q", got)
					}
					conn.Close()
				}
			})
		}
		r.must(c.Send("RETR file"))
		conn := r.dial(addr)
		_ = conn.SetDeadline(deadline())
		r.expect(c, "RETR", 125, 150)
		if got := told(conn); got != "for the owner" {
			t.Errorf("the owner got %q", got)
		}
		r.expect(c, "RETR", 226)
	}
}
