package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// soon is how long a kicked session may take at most on a busy machine; on a quiet one it
// is kickGrace.
const soon = 8 * time.Second

// vast is more than the sockets between two ends hold.
const vast = 16 << 20

// asleep has sessions parked as soon as nothing waits to be read, where that can be.
func asleep(c *Config) {
	c.Timeouts.Awake = time.Nanosecond
	c.Limits.SessionsPerIP = -1
}

// slowly is the keeper whose logins take until their context ends, for the user "slow".
type slowly struct{ *keeper }

func (k slowly) Hooks() policy.Hooks { return policy.Hooks{Authenticator: k, Observer: k.keeper} }

func (k slowly) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.User == "slow" {
		<-ctx.Done()
	}
	return k.keeper.Authenticate(ctx, l)
}

// only returns what is told of the only session.
func (r *rig) only() SessionStatus {
	r.t.Helper()
	all := r.srv.Sessions()
	if len(all) != 1 {
		r.t.Fatalf("there are %d sessions", len(all))
	}
	return all[0]
}

// transfer waits until a transfer is told of, and returns it.
func (r *rig) transfer() TransferStatus {
	r.t.Helper()
	var all []TransferStatus
	r.until("there is a transfer", func() bool { all = r.srv.Transfers(); return len(all) == 1 })
	return all[0]
}

// situation is one in which a session may be.
type situation struct {
	name  string
	reach func(r *rig, c *userpi.Client) // after the connection
	is    func(s SessionStatus) bool
	hears []int // of the client, when it is kicked
}

// situations are all that there are. conf is the client's for TLS.
func situations(conf *tls.Config) []situation {
	login := func(r *rig, c *userpi.Client) { r.must(c.Login("dev", "secret")); r.do(c, "TYPE I", 200) }
	return []situation{
		{"connected", func(r *rig, c *userpi.Client) { r.expect(c, "greeting", 220) },
			func(s SessionStatus) bool { return !s.LoggedIn && s.User == "" }, []int{421}},
		{"in login", func(r *rig, c *userpi.Client) {
			r.expect(c, "greeting", 220)
			r.do(c, "USER slow", 331)
			r.must(c.Send("PASS secret"))
		}, func(s SessionStatus) bool { return s.User == "slow" && !s.LoggedIn && s.Command == "PASS" }, nil},
		{"parked", login, func(s SessionStatus) bool {
			return s.User == "dev" && s.LoggedIn && s.Parked && s.Command == "" && s.Dir == "/"
		}, []int{421}},
		{"awake", login, func(s SessionStatus) bool { return s.User == "dev" && s.LoggedIn && !s.Parked && s.Command == "" }, []int{421}},
		{"prepared", func(r *rig, c *userpi.Client) { login(r, c); r.do(c, "EPSV", 229) },
			func(s SessionStatus) bool { return s.User == "dev" && s.Transfer == nil }, []int{421}},
		{"waiting for the client's connection", func(r *rig, c *userpi.Client) {
			login(r, c)
			r.do(c, "EPSV", 229)
			r.do(c, "RETR big", 150)
		}, func(s SessionStatus) bool {
			t := s.Transfer
			return t != nil && t.Command == "RETR" && t.Bytes == 0 && t.Took == 0 && t.Data
		}, []int{426, 421}},
		{"download", func(r *rig, c *userpi.Client) { login(r, c); r.begin(c, "RETR big") },
			func(s SessionStatus) bool {
				t := s.Transfer
				return t != nil && t.Path == "/big" && !t.Up && t.Bytes > 0 && t.Size == vast && s.Command == "RETR"
			}, []int{426, 421}},
		{"upload", func(r *rig, c *userpi.Client) { login(r, c); r.begin(c, "STOR new") },
			func(s SessionStatus) bool {
				t := s.Transfer
				return t != nil && t.Path == "/new" && t.Up && t.Bytes == 4 && t.Size == -1
			}, []int{426, 421}},
		{"with lines that are held", func(r *rig, c *userpi.Client) {
			login(r, c)
			r.begin(c, "RETR big")
			for range 40 { // more than are read
				r.must(c.Send("MKD never"))
			}
		}, func(s SessionStatus) bool { return s.Transfer != nil }, []int{426, 421}},
		{"under TLS", func(r *rig, c *userpi.Client) {
			r.expect(c, "greeting", 220)
			r.must(c.Protect(conf))
			r.must(c.Identify("dev", "secret"))
			r.must(c.Private())
			r.begin(c, "RETR big")
		}, func(s SessionStatus) bool {
			t := s.Transfer
			return t != nil && s.TLS == "1.3" && s.Cipher != "" && t.TLS == "1.3" && t.Resumed && t.Bytes > 0
		}, []int{426, 421}},
	}
}

// begin begins a transfer whose data connection stays open until the test ends.
func (r *rig) begin(c *userpi.Client, line string) {
	r.t.Helper()
	conn, err := c.Begin(userpi.EPSV, line)
	r.must(err)
	r.t.Cleanup(func() { _ = conn.Close() })
	if strings.HasPrefix(line, "STOR") {
		_, err = conn.Write([]byte("some"))
		r.must(err)
	}
}

// A session is seen in each of its states, and ends within a second in each of them,
// with what its client may be told, while another one goes on.
func TestKickInEveryState(t *testing.T) {
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range situations(client) {
		t.Run(st.name, func(t *testing.T) {
			r := start(t, func(c *Config) {
				if asleep(c); st.name == "awake" {
					c.Timeouts.Awake = -1
				}
				c.Listeners[0].TLS = server
				c.Policies = []Slot{{Name: "slow", Policy: slowly{newKeeper()}}}
			})
			defer r.stop()
			r.must(r.fs.WriteFile("/big", make([]byte, vast)))
			c, err := userpi.Dial(r.addr)
			r.must(err)
			defer c.Close()
			st.reach(r, c)
			var seen SessionStatus
			r.until("it is seen as "+st.name, func() bool { seen = r.only(); return st.is(seen) })
			if at := seen.Peer.String(); at != c.Raw().LocalAddr().String() || seen.Local.String() != r.addr || seen.Listener != "main" || seen.Since.IsZero() {
				t.Errorf("its ends are %+v", seen)
			}
			other := r.login()
			began := time.Now()
			r.must(r.srv.Kick(seen.ID, "for\r\nyour own good"))
			for _, code := range st.hears {
				reply, err := c.Expect("after the kick", code)
				r.must(err)
				if code == 421 && !strings.Contains(reply.Text(), "for  your own good") {
					t.Errorf("the reason is not told: %v", reply)
				}
			}
			if st.hears == nil { // whatever it says, it closes
				_ = c.Raw().SetReadDeadline(time.Now().Add(soon))
				_, err = io.Copy(io.Discard, c.Raw())
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the connection was not closed")
				}
			}
			r.until("it has ended", func() bool { _, err := r.srv.Session(seen.ID); return errors.Is(err, ErrNoSession) })
			if took := time.Since(began); took > soon {
				t.Errorf("that took %v", took)
			}
			r.do(other, "NOOP", 200)
			if err := r.srv.Kick(seen.ID, ""); !errors.Is(err, ErrNoSession) {
				t.Errorf("a second time: %v", err)
			}
			if _, err := r.fs.Stat("/never"); err == nil {
				t.Error("a line that was held was carried out")
			}
		})
	}
}

// Who only begins a handshake listens to nothing, and loses the connection.
func TestKickInHandshake(t *testing.T) {
	server, _, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(c *Config) { c.Listeners[0].TLS, c.Listeners[0].Implicit = server, true })
	defer r.stop()
	conn, err := net.Dial("tcp", r.addr)
	r.must(err)
	defer conn.Close()
	r.until("there is a session", func() bool { return len(r.srv.Sessions()) == 1 })
	r.must(r.srv.Kick(r.only().ID, ""))
	_ = conn.SetReadDeadline(time.Now().Add(soon))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection was not closed")
	}
	r.free()
}

// A transfer ends with 426 and its session goes on; what was uploaded is kept to be gone on
// with, as after ABOR.
func TestAbort(t *testing.T) {
	r := start(t, asleep)
	defer r.stop()
	r.must(r.fs.WriteFile("/big", make([]byte, vast)))
	c := r.login()
	for _, line := range []string{"RETR big", "STOR new"} {
		r.begin(c, line)
		at := r.transfer()
		if want := fmt.Sprintf("%d-", r.only().ID); !strings.HasPrefix(at.ID, want) || at.Session != r.only().ID {
			t.Errorf("the transfer is %+v", at)
		}
		r.until("bytes have moved", func() bool { return r.transfer().Bytes > 0 })
		for _, wrong := range []string{"", "x", "1", at.ID + "0", "0-" + at.ID, "99-1"} {
			if err := r.srv.Abort(wrong); !errors.Is(err, ErrNoTransfer) {
				t.Errorf("Abort(%q): %v", wrong, err)
			}
		}
		r.must(r.srv.Abort(at.ID))
		r.expect(c, line, 426)
		r.do(c, "NOOP", 200)
		if err := r.srv.Abort(at.ID); !errors.Is(err, ErrNoTransfer) {
			t.Errorf("a second time: %v", err)
		}
	}
	if reply := r.do(c, "SIZE new", 213); reply.Text() != "4" {
		t.Errorf("of the upload is kept %v", reply)
	}
}

// A transfer that began without any limit, by whatever way its bytes go, is held to one
// within a second, and lets go again. Seconds are judged from above alone: a busy machine
// is only slower.
func TestLiveThrottle(t *testing.T) {
	const fast, slow = 10 << 20, 1 << 20
	r := start(t, asleep)
	defer r.stop()
	c := r.login()
	conn, err := c.Begin(userpi.EPSV, "STOR new")
	r.must(err)
	go func() {
		block := make([]byte, 64<<10)
		for err := error(nil); err == nil; _, err = conn.Write(block) {
		}
	}()
	at := r.transfer()
	if at.Limit != 0 {
		t.Errorf("it begins with a limit: %+v", at)
	}
	r.must(r.srv.LimitTransfer(at.ID, Rates{Up: fast}))
	r.until("5 MiB have moved", func() bool { return r.transfer().Bytes > 5<<20 })
	r.must(r.srv.LimitTransfer(at.ID, Rates{Up: slow}))
	<-time.After(time.Second)
	from, began := r.transfer().Bytes, time.Now()
	<-time.After(2 * time.Second)
	now := r.transfer()
	moved, took := now.Bytes-from, time.Since(began)
	t.Logf("%d KiB in %v at 1 MiB/s; rate %d KiB/s, average %d KiB/s", moved>>10, took, now.Rate>>10, now.Average>>10)
	if most := int64(1.25*took.Seconds()*slow) + 128<<10; moved > most || moved == 0 {
		t.Errorf("%d bytes moved in %v, at most %d are right", moved, took, most)
	}
	if now.Limit != slow || now.Rate > 3*slow {
		t.Errorf("it is told of as %+v", now)
	}
	r.must(r.srv.LimitSession(at.Session, Rates{Up: slow / 2}))
	if now := r.transfer(); now.Limit != slow/2 || !r.only().Limited || r.only().Limit.Up != slow/2 {
		t.Errorf("under its session's limit it is %+v", now)
	}
	r.must(r.srv.FreeSession(at.Session))
	r.must(r.srv.LimitTransfer(at.ID, Rates{}))
	if now := r.transfer(); now.Limit != 0 {
		t.Errorf("without a limit it is %+v", now)
	}
	r.until("24 MiB more have moved", func() bool { return r.transfer().Bytes > now.Bytes+24<<20 }) // more than there would in time
	r.must(r.srv.Abort(at.ID))
	r.expect(c, "STOR", 426)
	_ = conn.Close()
}

// The limit of a session waits for its first transfer, holds for each, and is forgotten
// with it.
func TestLimitSession(t *testing.T) {
	r := start(t, asleep)
	defer r.stop()
	r.must(r.fs.WriteFile("/big", make([]byte, vast)))
	c := r.login()
	id := r.only().ID
	r.must(r.srv.LimitSession(id, Rates{Down: 1 << 20}))
	for range 2 {
		r.begin(c, "RETR big")
		if at := r.transfer(); at.Limit != 1<<20 {
			t.Errorf("the limit is %d", at.Limit)
		}
		r.must(r.srv.Abort(r.transfer().ID))
		r.expect(c, "RETR", 426)
	}
	r.must(c.Quit())
	r.free()
	r.until("the limit is forgotten", func() bool { return len(r.srv.tree.SetSessions()) == 0 })
	for _, err := range []error{r.srv.LimitSession(id, Rates{}), r.srv.FreeSession(id)} {
		if !errors.Is(err, ErrNoSession) {
			t.Errorf("of a session that has ended: %v", err)
		}
	}
}

// Who is logged in as a user, or is about to be, and who comes from a network.
func TestKickMany(t *testing.T) {
	k := newKeeper()
	r := start(t, func(c *Config) { asleep(c); c.Policies = []Slot{{Name: "slow", Policy: slowly{k}}} })
	defer r.stop()
	devs := []*userpi.Client{r.login(), r.login()}
	slow, stranger := r.dial(), r.dial()
	r.expect(slow, "greeting", 220)
	r.expect(stranger, "greeting", 220)
	r.do(slow, "USER slow", 331)
	r.must(slow.Send("PASS secret"))
	r.until("somebody logs in", func() bool { return r.srv.Sessions()[2].Command == "PASS" })
	if n := r.srv.KickUser("nobody", ""); n != 0 {
		t.Errorf("%d sessions of nobody", n)
	}
	if n := r.srv.KickUser("dev", "disabled"); n != 2 {
		t.Errorf("%d sessions of dev", n)
	}
	for _, c := range devs {
		r.expect(c, "after the kick", 421)
	}
	r.do(stranger, "NOOP", 200)
	r.do(stranger, "USER dev", 331) // who was there already gets in no more
	r.must(stranger.Send("PASS secret"))
	if reply, err := stranger.Reply(); err == nil && reply.Code == 230 {
		r.expect(stranger, "after the login", 421)
	}
	if n := r.srv.KickUser("slow", ""); n != 1 {
		t.Errorf("%d sessions of slow", n)
	}
	r.free()
	last := r.login()
	if n := r.srv.KickNetwork(netip.MustParsePrefix("192.0.2.0/24"), ""); n != 0 {
		t.Errorf("%d sessions from elsewhere", n)
	}
	if n := r.srv.KickNetwork(netip.MustParsePrefix("::ffff:127.0.0.0/104"), ""); n > 1 {
		t.Errorf("%d sessions from here", n)
	}
	if n := r.srv.KickNetwork(netip.MustParsePrefix("127.0.0.0/8"), "banned"); n > 1 {
		t.Errorf("%d sessions from here", n)
	}
	r.expect(last, "after the kick", 421)
}
