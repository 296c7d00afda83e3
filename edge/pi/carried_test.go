package pi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// carried is a control connection of another kind than TCP, whose data connections are
// pipes.
type carried struct {
	net.Conn
	peer atomic.Pointer[net.UDPAddr]
	sent chan net.Conn // the client's ends
	tell func(netip.AddrPort)
}

func (c *carried) Moved(f func(netip.AddrPort)) { c.tell = f }

// move has the client go on from another address.
func (c *carried) move(to string) {
	at := netip.MustParseAddrPort(to)
	c.peer.Store(net.UDPAddrFromAddrPort(at))
	c.tell(at)
	synctest.Wait()
}

func (c *carried) Protocol() string          { return "ftpq/1" }
func (c *carried) TLS() *tls.ConnectionState { return &tls.ConnectionState{Version: tls.VersionTLS13} }
func (c *carried) RemoteAddr() net.Addr      { return c.peer.Load() }
func (c *carried) Binding() []byte           { return []byte("bound") }
func (c *carried) Port(token string) (dtp.Port, string, error) {
	switch token {
	case "BAD":
		return nil, "", errors.New("it has no 26 characters")
	case "":
		token = "MADE"
	}
	here, there := net.Pipe()
	c.sent <- there
	return &handed{conn: here}, token, nil
}

// binder lets in whoever says "secret", and keeps what a login could be bound to.
type binder struct {
	admitAll
	told []byte
}

func (p *binder) Hooks() policy.Hooks { return policy.Hooks{Authenticator: p} }

func (p *binder) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	p.told = l.Binding
	return p.admitAll.Authenticate(ctx, l)
}

// handed is a port whose connection is there.
type handed struct {
	conn net.Conn
}

func (h *handed) Open(context.Context) (net.Conn, error) { return h.conn, nil }
func (h *handed) Close() error                           { return nil }

// aboard is a bench whose control connection is carried.
func aboard(t *testing.T, set func(*Config)) (*bench, *carried) {
	b := newBench(t, set)
	c := &carried{Conn: b.sess.raw, sent: make(chan net.Conn, 4)}
	at := netip.MustParseAddrPort("192.0.2.7:4000")
	c.peer.Store(net.UDPAddrFromAddrPort(at))
	b.sess = NewSession(b.conf, 1, c, netip.MustParseAddrPort("192.0.2.1:990"), at)
	return b, c
}

// On a control connection that something else than TCP carries there is protection from
// the beginning, and no port: data connections are asked for by QDAT.
func TestCarried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bound binder
		b, c := aboard(t, func(conf *Config) { conf.TLSControl, conf.TLSData = true, true })
		ch, err := chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }}, chain.Slot{Name: "binder", Policy: &bound})
		b.must(err)
		b.conf.Chain.Close()
		b.conf.Chain = ch
		b.own()
		defer b.close()
		b.expect("the greeting", 220)
		for _, step := range []struct {
			line string
			code int
		}{
			{"AUTH TLS", 503}, {"CCC", 534}, {"QDAT", 530}, {"USER dev", 331}, {"PASS secret", 230}, {"PBSZ 0", 200}, {"PROT P", 200}, {"PROT C", 534},
			{"PASV", 522}, {"EPSV", 522}, {"PORT 127,0,0,1,4,1", 522}, {"EPRT |1|127.0.0.1|1025|", 522}, {"RETR /a", 550},
			{"NLST", 425}, {"QDAT bad", 501},
		} {
			b.do(step.line, step.code)
		}
		if string(bound.told) != "bound" {
			t.Errorf("the authorizer was told %q", bound.told)
		}
		if r := b.do("FEAT", 211); !strings.Contains(strings.Join(r.Lines, "\n"), "FTPQ 1") {
			t.Errorf("%q", r.Lines)
		}
		if r := b.do("QDAT", 200); !strings.HasPrefix(r.Lines[0], "MADE ") {
			t.Errorf("%q", r.Lines)
		}
		data := <-c.sent
		go func() { _, _ = io.WriteString(data, "text"); _ = data.Close() }()
		b.do("STOR /f", 150)
		b.expect("the end", 226)
		if who := b.sess.Seen(); who.Protocol != "ftpq/1" || who.TLS.Version != "1.3" || who.User != "dev" {
			t.Errorf("%+v", who)
		}
		b.do("QUIT", 221)
	})
}

// A client that goes on from another address is told of, and may stay only where it might
// come from.
func TestCarriedMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var moves []string
		w := &warden{}
		w.login = func(ctx context.Context, q *policy.Login) (policy.Identity, error) {
			id, err := w.admitAll.Authenticate(ctx, q)
			id.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
			id.DenyNetworks = []netip.Prefix{netip.MustParsePrefix("192.0.2.64/26")}
			return id, err
		}
		b, c := aboard(t, func(conf *Config) {
			wardens(t, w)(conf)
			conf.Moved = func(from, to netip.Addr) { moves = append(moves, from.String()+" "+to.String()) }
		})
		b.own()
		defer b.close()
		b.expect("the greeting", 220)
		b.do("USER dev", 331)
		b.do("PASS secret", 230)
		synctest.Wait()
		c.move("192.0.2.8:4000")
		if got := b.sess.Seen().Peer.Addr().String(); got != "192.0.2.8" {
			t.Errorf("the peer is %s", got)
		}
		b.do("QDAT", 200)
		data := <-c.sent
		b.do("STOR /f", 150)
		after(time.Second) // until somebody attends to it
		c.move("192.0.2.9:4000")
		if got := b.sess.Seen().Peer.Addr().String(); got != "192.0.2.9" {
			t.Errorf("in a transfer the peer is %s", got)
		}
		_ = data.Close()
		b.expect("the end", 226)
		synctest.Wait()
		c.move("198.51.100.1:4000")
		b.expect("the end of the session", 421)
		if len(moves) != 3 || moves[2] != "192.0.2.9 198.51.100.1" {
			t.Errorf("%q", moves)
		}
		b.conf.Chain.Close()
		if e := w.event(policy.EventClientMoved); e.Session == nil || e.Session.Peer.String() != "198.51.100.1:4000" || e.Text != "192.0.2.9:4000" {
			t.Errorf("the last move: %+v", e)
		}
	})
}

// A client that moves while its login is under way is held to the networks of that login.
func TestMovesWhileItLogsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := make(chan struct{}), make(chan struct{})
		w := &warden{}
		w.login = func(context.Context, *policy.Login) (policy.Identity, error) {
			close(asked)
			<-answer
			return policy.Identity{Verdict: policy.Allow, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, nil
		}
		b, c := aboard(t, wardens(t, w))
		b.own()
		defer b.close()
		b.expect("the greeting", 220)
		b.do("USER dev", 331)
		b.must(b.client.Send("PASS secret"))
		<-asked
		after(time.Second) // until somebody attends to it
		c.move("198.51.100.1:4000")
		close(answer)
		b.expect("the end of the session", 421)
	})
}

// Who comes from elsewhere than a policy says is not let in, in the words of a wrong
// password, whether he needs one or not; observers are told why.
func TestNetworksAtLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &warden{}
		w.login = func(context.Context, *policy.Login) (policy.Identity, error) {
			return policy.Identity{Verdict: policy.Allow, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, nil
		}
		b, _ := aboard(t, wardens(t, w))
		b.own()
		b.expect("the greeting", 220)
		b.sess.who.TLS.ClientSHA256 = "00ff" // which would do for a login from inside
		b.do("USER dev", 331)
		if r := b.do("PASS secret", 530); r.Lines[0] != "That name and password do not go together." {
			t.Errorf("%q", r.Lines)
		}
		b.do("QUIT", 221)
		b.close()
		if e := w.event(policy.EventLoginFailed); e.Policy != "a" || e.Text != `a refused: the user "dev" may not log in from 192.0.2.7: it is in none of his networks` {
			t.Errorf("%+v", e)
		}
	})
}

// QDAT is not for sessions over TCP.
func TestNoStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own()
		defer b.close()
		b.expect("the greeting", 220)
		b.do("USER dev", 331)
		b.do("PASS secret", 230)
		b.do("QDAT", 502)
		b.do("QUIT", 221)
	})
}
