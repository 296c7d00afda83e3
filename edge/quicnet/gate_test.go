package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

func TestGateClients(t *testing.T) {
	g := newGate(Limits{ConnectionsPerAddress: 2, HandshakesPerSecond: 1000})
	now := time.Now()
	one, mapped, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	if g.doubts(one, now) || !g.enter(one) || !g.doubts(one, now) || g.doubts(other, now) {
		t.Error("half of what a client may have is not where doubt begins")
	}
	if !g.enter(mapped) || g.enter(one) || !g.enter(other) {
		t.Error("an address is not what counts")
	}
	six, near, far := netip.MustParseAddr("2001:db8::1%eth0"), netip.MustParseAddr("2001:db8::ffff:0:0:1"), netip.MustParseAddr("2001:db8:0:1::1")
	if !g.enter(six) || !g.enter(near) || g.enter(six) || !g.enter(far) {
		t.Error("a /64 is not what counts")
	}
	for _, a := range []netip.Addr{one, mapped, other, six, near, far} {
		g.leave(a)
	}
	if len(g.held) != 0 {
		t.Errorf("%v are counted", g.held)
	}
	free := newGate(Limits{ConnectionsPerAddress: -1, HandshakesPerSecond: 1000})
	for range 100 {
		if !free.enter(one) || free.doubts(one, now) {
			t.Fatal("there is a limit where there is none")
		}
	}
}

func TestGateRate(t *testing.T) {
	g := newGate(Limits{ConnectionsPerAddress: 20, HandshakesPerSecond: 3})
	now := time.Now()
	for second := range 3 {
		for i := range 6 {
			a := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
			if got := g.doubts(a, now.Add(time.Duration(second)*time.Second+time.Duration(i))); got != (i >= 3) {
				t.Errorf("second %d, handshake %d: %v", second, i, got)
			}
		}
	}
	always := newGate(Limits{ConnectionsPerAddress: 20, HandshakesPerSecond: -1})
	if !always.doubts(netip.MustParseAddr("192.0.2.1"), now) {
		t.Error("less than zero does not validate every address")
	}
}

// Who has too many connections is refused, and is let in again when one has ended.
func TestConnectionsPerAddress(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.ConnectionsPerAddress = 2 })
	first := s.dial(t)
	s.dial(t)
	if _, err := Dial(within(t), s.dialConfig()); !errors.Is(err, ErrRefused) {
		t.Errorf("the third: %v", err)
	}
	await(t, func() bool { return s.Stats().Handshakes == 2 })
	if st := s.Stats(); st.Refused[RefusedAddress] == 0 || st.Retries < 2 { // a hello may be of two datagrams
		t.Errorf("%+v", st)
	}
	_ = first.Close()
	await(t, func() bool { return s.Stats().FTP == 1 })
	s.dial(t)
}

// await waits until something is so that nothing tells of.
func await(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-within(t).Done():
			t.Fatal("it does not come to be")
		}
	}
}

// The caller's gate is asked for each connection, and told of its end once.
func TestAdmit(t *testing.T) {
	var mu sync.Mutex
	var in, out int
	ban := false
	s := listen(t, func(c *Config) {
		c.Admit = func(netip.Addr) bool { mu.Lock(); defer mu.Unlock(); in++; return !ban }
		c.Leave = func(netip.Addr) { mu.Lock(); defer mu.Unlock(); out++ }
	})
	c := s.dial(t)
	mu.Lock()
	ban = true
	mu.Unlock()
	if _, err := Dial(within(t), s.dialConfig()); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	_, err := s.raw(t, func(c *tls.Config, _ *quic.Config) { c.NextProtos = []string{"h3"} })
	if err == nil {
		t.Error("a banned client is let in")
	}
	mu.Lock()
	ban = false
	mu.Unlock()
	if _, err := s.raw(t, func(c *tls.Config, _ *quic.Config) { c.NextProtos = []string{"h3"} }); err == nil {
		t.Error("a wrong protocol")
	}
	_ = c.Close()
	await(t, func() bool { mu.Lock(); defer mu.Unlock(); return out == 2 })
	if st := s.Stats(); in != 2+int(st.Refused[RefusedAdmission]) || st.Refused[RefusedAdmission] < 2 || st.Failed != 1 {
		t.Errorf("%d asked, %+v", in, st)
	}
}

// Above the rate, a client shows where it is by one more round trip.
func TestRetry(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.HandshakesPerSecond = -1 })
	far, near := s.session(t, s.dial(t))
	writes(t, far, "220 \r\n")
	reads(t, near, "220 \r\n")
	if st := s.Stats(); st.Retries == 0 || st.Handshakes != 1 {
		t.Errorf("%+v", st)
	}
}

// heavy is a configuration whose certificate is larger than what one datagram permits to
// be answered with.
func heavy(t *testing.T, c *tls.Config) {
	t.Helper()
	fat := c.Certificates[0].Certificate[0]
	for range 20 {
		c.Certificates[0].Certificate = append(c.Certificates[0].Certificate, fat)
	}
}

// Who has not shown where he is gets no more than three times the bytes that he has sent
// (RFC 9000 §8.1), and a part of one datagram: the library looks at what it has sent before
// each, and not at how large the next will be.
func TestAmplification(t *testing.T) {
	for _, retry := range []int{64, -1} {
		t.Run(fmt.Sprintf("handshakes per second %d", retry), func(t *testing.T) {
			t.Parallel()
			s := listen(t, func(c *Config) {
				heavy(t, c.TLS)
				c.Limits.Handshake, c.Limits.HandshakesPerSecond = 2*time.Second, retry
			})
			first := hello(t, s.client)
			victim, err := net.DialUDP("udp", nil, s.Addr().(*net.UDPAddr))
			if err != nil {
				t.Fatal(err)
			}
			defer victim.Close()
			sent := 0
			for _, b := range first {
				if _, err := victim.Write(b); err != nil {
					t.Fatal(err)
				}
				sent += len(b)
			}
			await(t, func() bool { st := s.Stats(); return st.Failed+st.Retries > 0 }) // a handshake has begun
			_ = victim.SetReadDeadline(time.Now().Add(2500 * time.Millisecond))
			got, b := 0, make([]byte, 64<<10)
			for {
				n, err := victim.Read(b)
				if err != nil {
					break
				}
				got += n
			}
			t.Logf("%d bytes sent, %d received: %.2f times", sent, got, float64(got)/float64(sent))
			if len(first) == 0 || got == 0 || got >= 3*sent+1280 {
				t.Error("too much, or nothing at all")
			}
			if retry < 0 && got > sent {
				t.Error("a Retry is larger than what it answers")
			}
			if st := s.Stats(); retry > 0 && st.Failed != 1 || retry < 0 && st.Retries == 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// hello is what a client says first: some datagrams.
func hello(t *testing.T, conf *tls.Config) (out [][]byte) {
	t.Helper()
	nobody := udp(t)
	defer nobody.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = Dial(ctx, DialConfig{Addr: nobody.LocalAddr().String(), ServerName: hostName, TLS: conf})
	}()
	b := make([]byte, 2000)
	_ = nobody.SetReadDeadline(time.Now().Add(patience))
	for {
		n, _, err := nobody.ReadFrom(b)
		if err != nil {
			break
		}
		if out = append(out, append([]byte(nil), b[:n]...)); len(out) == 1 {
			_ = nobody.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // before it repeats itself
		}
	}
	cancel()
	<-done
	return out
}

// A mistake of the caller's costs the connection at most.
func TestPanics(t *testing.T) {
	log := make(lines, 8)
	s := listen(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(log, nil))
		c.Leave = func(netip.Addr) { panic("one mistake") }
	})
	c := s.dial(t)
	far, _ := s.session(t, c)
	s.guard(far.link, func() { panic("another mistake") })
	<-c.Done()
	if e, ok := errors.AsType[*Error](c.Err()); !ok || e.Code != CodeInternal {
		t.Error(c.Err())
	}
	s.session(t, s.dial(t))
	if err := s.Shutdown(over()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if all := <-log + <-log + <-log; strings.Count(all, "another mistake") != 1 || strings.Count(all, "one mistake") != 2 {
		t.Errorf("the log has %q", all)
	}
}

// over is a context that has ended.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// lines are those of a log.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}
