package edge

import (
	"bytes"
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
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// from connects to the server from an address of the loopback network.
func (r *rig) from(ip string) *userpi.Client {
	r.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: userpi.Timeout}
	conn, err := d.DialContext(r.t.Context(), "tcp", r.addr)
	r.must(err)
	c := userpi.New(conn)
	c.Timeout = userpi.Timeout
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// guess fails to log in so often, as if each connection was good for three tries.
func (r *rig) guess(ip, user string, times int) {
	r.t.Helper()
	var c *userpi.Client
	for i := range times {
		if i%3 == 0 {
			c = r.from(ip)
			r.expect(c, "a guesser's connection", 220)
		}
		r.do(c, "USER "+user, 331)
		r.do(c, fmt.Sprint("PASS guess ", i), 530)
		if i%3 == 2 || i == times-1 {
			r.must(c.Close())
		}
	}
}

// told returns the texts of the events of a kind.
func (k *keeper) told(kind policy.EventKind) (texts []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.events {
		if e.Kind == kind {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// Threats 26 and 27: whoever guesses is banned, across connections, and nobody else.
func TestBruteForce(t *testing.T) {
	const guesser, honest = "127.0.0.2", "127.0.0.3"
	r := start(t, nil)
	defer r.stop()
	working, waiting := r.from(guesser), r.from(guesser)
	r.must(working.Login("dev", "secret"))
	r.expect(waiting, "the connection", 220)
	r.do(waiting, "USER dev", 331)
	r.guess(guesser, "dev", 10)
	r.until("the ban holds", func() bool { return len(r.srv.Bans()) == 1 })
	b := r.srv.Bans()[0]
	if b.Who != netip.MustParsePrefix("127.0.0.2/32") || b.By != "score" || b.Times != 1 || b.Until.Sub(b.Since).Round(time.Second) != 15*time.Minute {
		t.Errorf("%+v", b)
	}
	for range 3 {
		c := r.from(guesser)
		r.expect(c, "a banned connection", 421)
		r.must(c.Closed())
	}
	r.do(waiting, "PASS secret", 421)
	r.must(waiting.Closed())
	r.do(working, "NOOP", 200)
	c := r.from(honest)
	r.must(c.Login("dev", "secret"))
	if st := r.srv.Defence(); st.Bans != 1 || st.Banned != 1 || st.TurnedAway != 4 || st.Off {
		t.Errorf("%+v", st)
	}
	r.until("only the two sessions are left", func() bool { return r.srv.Status().Sessions == 2 })
	if !r.srv.Unban(b.Who) || r.srv.Unban(b.Who) {
		t.Error("Unban does not say what it did")
	}
	r.must(r.from(guesser).Login("dev", "secret"))
	for kind, want := range map[policy.EventKind]string{policy.EventBanAdded: "127.0.0.2/32 until ", policy.EventBanExpired: "127.0.0.2/32 until "} {
		r.until("observers are told", func() bool { return len(r.keeper.told(kind)) == 1 })
		if got := r.keeper.told(kind)[0]; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "at last for a failed login") {
			t.Errorf("%v: %q", kind, got)
		}
	}
}

// Three slips of the finger of somebody who develops on this machine cost nothing.
func TestThreeSlips(t *testing.T) {
	r := start(t, nil)
	defer r.stop()
	r.guess("127.0.0.1", "dev", 3)
	r.must(r.dial().Login("dev", "secret"))
	if b := r.srv.Bans(); len(b) != 0 {
		t.Errorf("%+v", b)
	}
}

// Threat 28: guesses from everywhere at one user do not lock him out.
func TestOwnerServed(t *testing.T) {
	r := start(t, func(c *Config) { c.Defence.Score = 40 }) // four failures
	defer r.stop()
	r.must(r.from("127.0.0.3").Login("dev", "secret"))
	for i := range 9 {
		r.guess(fmt.Sprintf("127.0.%d.1", 10+i), "dev", 1)
	}
	for range 3 {
		r.must(r.from("127.0.0.3").Login("dev", "secret"))
	}
	r.must(r.from("127.0.99.1").Login("dev", "secret")) // abroad, for the first time
	st := r.srv.Defence()
	if st.Waited != 0 || st.Refused != 0 || len(st.Guessed) != 1 || st.Guessed[0] != (SlowedUser{"dev", 9}) || st.Bans != 0 {
		t.Errorf("%+v", st)
	}
}

// keptBlob is a DefenceMemory in memory.
type keptBlob struct {
	mu    sync.Mutex
	blob  []byte
	saves int
	err   error
}

func (k *keptBlob) Load() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.blob, k.err
}

func (k *keptBlob) Save(b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saves++
	if k.err == nil {
		k.blob = bytes.Clone(b)
	}
	return k.err
}

func (k *keptBlob) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.saves
}

// Threat 29: a restart forgets no ban; what cannot be read is told of and forgotten.
func TestDefenceRestart(t *testing.T) {
	kept := &keptBlob{}
	conf := func(c *Config) { c.Defence.Memory, c.Defence.Score = kept, 20 }
	r := start(t, conf)
	r.guess("127.0.0.2", "dev", 2)
	if _, err := r.srv.Ban(netip.MustParsePrefix("127.0.7.0/24"), 0, "by hand"); err != nil {
		t.Error(err)
	}
	r.until("the ban holds", func() bool { return len(r.srv.Bans()) == 2 })
	r.stop()
	r = start(t, conf)
	for _, ip := range []string{"127.0.0.2", "127.0.7.9"} {
		r.expect(r.from(ip), "who was banned", 421)
	}
	r.must(r.from("127.0.0.3").Login("dev", "secret"))
	r.stop()
	for _, bad := range []*keptBlob{{blob: []byte("not what it should be, however long it is")}, {err: errors.New("no such disk")}} {
		var said bytes.Buffer
		r = start(t, func(c *Config) {
			c.Defence.Memory = bad
			c.Log = slog.New(slog.NewTextHandler(&said, nil))
		})
		r.must(r.from("127.0.0.2").Login("dev", "secret"))
		r.stop()
		if !strings.Contains(said.String(), "the defence begins anew") {
			t.Errorf("%s", said.String())
		}
	}
}

func TestDefenceLists(t *testing.T) {
	server, _, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	p := netip.MustParsePrefix
	r := start(t, func(c *Config) {
		c.Defence = Defence{Deny: []netip.Prefix{p("127.0.0.0/8")}, Allow: []netip.Prefix{p("127.0.0.2/32")}}
		c.Listeners = append(c.Listeners, Listener{Name: "implicit", Address: "127.0.0.1:0", TLS: server, Implicit: true})
	})
	defer r.stop()
	r.guess("127.0.0.2", "dev", 11)
	r.must(r.from("127.0.0.2").Login("dev", "secret"))
	r.expect(r.from("127.0.0.3"), "who is denied", 421)
	conn, err := tls.Dial("tcp", r.srv.Addresses()[1].String(), &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		_ = conn.Close()
		t.Error("who is denied may shake hands")
	}
	if st := r.srv.Defence(); st.Denied != 2 || st.Highest != nil || st.Users != 0 {
		t.Errorf("%+v", st)
	}
	if _, err := r.srv.Ban(p("127.0.0.2/32"), time.Hour, ""); err == nil {
		t.Error("who is allowed can be banned")
	}
}

func TestDefenceOff(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Defence = Defence{Off: true, Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Memory: &keptBlob{}}
	})
	defer r.stop()
	r.guess("127.0.0.2", "dev", 11)
	r.must(r.from("127.0.0.2").Login("dev", "secret"))
	any := netip.MustParsePrefix("127.0.0.2/32")
	if _, err := r.srv.Ban(any, time.Hour, ""); err == nil || r.srv.Unban(any) || r.srv.Bans() != nil || !r.srv.Defence().Off {
		t.Errorf("it is not off: %v", err)
	}
}

func TestDefenceCheck(t *testing.T) {
	for _, bad := range []Defence{{Score: -1}, {Score: 50_001}, {Within: -time.Second}, {Ban: time.Hour, MostBan: time.Minute}, {Ban: time.Millisecond},
		{Within: 100 * 365 * 24 * time.Hour}, {Deny: []netip.Prefix{{}}}} {
		conf := basic(newKeeper())
		conf.Defence = bad
		if _, err := New(conf); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	short := Defence{MostBan: time.Minute}
	if err := short.check(); err != nil || short.Ban != time.Minute {
		t.Errorf("%+v, %v", short, err)
	}
}

// faraway is a connection in memory that comes from somewhere.
type faraway struct {
	net.Conn
	peer net.Addr
}

func (f faraway) RemoteAddr() net.Addr { return f.peer }

// bubble is a server in fake time, without a network.
type bubble struct {
	*testing.T
	*Server
	keeper *keeper
}

func inBubble(t *testing.T, set func(*Config), do func(*bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{T: t, keeper: newKeeper()}
		conf := basic(b.keeper)
		conf.Listeners[0].Address = ""
		conf.Logins.FailDelay = 3 * time.Second
		set(&conf)
		var err error
		if b.Server, err = New(conf); err != nil {
			t.Fatal(err)
		}
		do(b)
		if err := b.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func (b *bubble) dial(ip string) *userpi.Client {
	ours, theirs := net.Pipe()
	go func() {
		_ = b.ServeConn(context.Background(), faraway{ours, &net.TCPAddr{IP: net.ParseIP(ip), Port: 5}}, "main")
	}()
	return userpi.New(theirs)
}

// says sends a line, where there is one, and returns the reply's code, 0 for a closed
// connection, and how long it took.
func says(c *userpi.Client, line string) (int, time.Duration) {
	began := time.Now()
	if line != "" && c.Send(line) != nil {
		return 0, time.Since(began)
	}
	reply, err := c.Reply()
	if err != nil {
		return 0, time.Since(began)
	}
	return int(reply.Code), time.Since(began)
}

// try makes one login on a connection of its own.
func (b *bubble) try(ip, user, password string) (int, time.Duration) {
	c := b.dial(ip)
	defer c.Close()
	if code, _ := says(c, ""); code != 220 {
		return code, 0
	}
	says(c, "USER "+user)
	return says(c, "PASS "+password)
}

// Threat 27: each three failures are answered later, the tenth makes a ban, which ends
// in its time and is told of as it does.
func TestTarpit(t *testing.T) {
	inBubble(t, func(c *Config) {}, func(b *bubble) {
		for i := range 10 {
			code, took := b.try("192.0.2.1", "dev", "x")
			if want := []time.Duration{3, 6, 12, 3}[i/3] * time.Second; code != 530 || took != want {
				t.Errorf("failure %d: %d after %v", i+1, code, took)
			}
		}
		began := time.Now()
		if code, _ := b.try("192.0.2.1", "dev", "secret"); code != 421 {
			t.Errorf("the banned one hears %d", code)
		}
		if code, took := b.try("192.0.2.2", "dev", "secret"); code != 230 || took != 0 {
			t.Errorf("the neighbour hears %d after %v", code, took)
		}
		<-time.After(15*time.Minute - 4*time.Second) // the ban began 3 s before its answer
		synctest.Wait()
		if len(b.keeper.told(policy.EventBanExpired)) != 0 {
			t.Error("the ban has ended too early")
		}
		<-time.After(time.Second)
		synctest.Wait()
		if len(b.keeper.told(policy.EventBanExpired)) != 1 {
			t.Errorf("nobody is told of the end after %v", time.Since(began))
		}
		if code, _ := b.try("192.0.2.1", "dev", "secret"); code != 230 {
			t.Errorf("after the ban: %d", code)
		}
	})
}

// Logins of a user at whom many guess go one at a time from each network, and are told
// to come back where too many wait.
func TestTurns(t *testing.T) {
	inBubble(t, func(c *Config) { c.Logins.FailDelay, c.Defence.Score = -1, 40 }, func(b *bubble) {
		for i := range 8 {
			b.try(fmt.Sprintf("10.0.%d.1", i), "dev", "x")
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		heard := map[string]int{}
		for i := range 8 {
			all.Go(func() {
				code, took := b.try(fmt.Sprintf("10.1.1.%d", i), "dev", "y")
				mu.Lock()
				defer mu.Unlock()
				heard[fmt.Sprint(code, " after ", took)]++
			})
		}
		all.Wait()
		for _, want := range []string{"530 after 0s", "530 after 2s", "530 after 4s", "530 after 6s", "530 after 8s", "530 after 10s"} {
			if heard[want] != 1 || heard["421 after 0s"] != 2 {
				t.Errorf("%v", heard)
			}
		}
		if code, took := b.try("10.2.2.2", "dev", "secret"); code != 230 || took != 0 {
			t.Errorf("the user, from elsewhere: %d after %v", code, took)
		}
		if st := b.Defence(); st.Waited != 5 || st.Refused != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// What is no login counts too, each as often as it takes to be banned.
func TestOffencesCount(t *testing.T) {
	server, _, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		times int
		do    func(*userpi.Client)
	}{
		"HTTP": {20, func(c *userpi.Client) { _ = c.Send("GET / HTTP/1.1") }},
		"senseless": {5, func(c *userpi.Client) {
			for range 10 {
				says(c, "XYZZY")
			}
		}},
		"endless": {5, func(c *userpi.Client) { _, _ = c.Write(bytes.Repeat([]byte("x"), 1<<20)) }},
		"silent":  {20, func(c *userpi.Client) { <-time.After(31 * time.Second) }},
		"TLS": {100, func(c *userpi.Client) {
			says(c, "AUTH TLS")
			_, _ = c.Write([]byte("this is no handshake at all"))
		}},
	} {
		inBubble(t, func(conf *Config) { conf.Listeners[0].TLS, conf.Defence.Within = server, time.Hour }, func(b *bubble) {
			for i := range c.times {
				if n := len(b.Bans()); n != 0 {
					t.Fatalf("%s: banned after %d", name, i)
				}
				client := b.dial("192.0.2.1")
				if code, _ := says(client, ""); code != 220 {
					t.Fatalf("%s: %d", name, code)
				}
				c.do(client)
				_ = client.Close()
				synctest.Wait()
			}
			if n := len(b.Bans()); n != 1 {
				t.Errorf("%s: %d bans after %d: %+v", name, n, c.times, b.Defence())
			}
		})
	}
}

// A login that goes well, one that a policy's failure ended, and a mere look at the port
// cost nothing; a policy's 421 costs more.
func TestWhatCosts(t *testing.T) {
	inBubble(t, func(c *Config) {
		c.Policies = []Slot{{Name: "moody", Policy: moody{newKeeper()}}}
	}, func(b *bubble) {
		for range 15 {
			b.try("192.0.2.1", "dev", "secret")
			b.try("192.0.2.1", "broken", "x")
		}
		for range 150 {
			_ = b.dial("192.0.2.1").Close()
			synctest.Wait()
		}
		if st := b.Defence(); len(st.Highest) != 0 || st.Bans != 0 {
			t.Errorf("%+v", st)
		}
		for range 4 {
			if code, _ := b.try("192.0.2.1", "hated", "x"); code != 421 {
				t.Errorf("%d", code)
			}
		}
		if bans := b.Bans(); len(bans) != 1 || !strings.HasSuffix(bans[0].Why, "a login that a policy turned away") {
			t.Errorf("%+v", bans)
		}
	})
}

// Whoever goes on to connect beyond Limits.SessionsPerIP is banned, unless he has logged in.
func TestCrowding(t *testing.T) {
	for name, friend := range map[string]bool{"a stranger": false, "a friend": true} {
		inBubble(t, func(c *Config) { c.Limits.SessionsPerIP = 1 }, func(b *bubble) {
			first := b.dial("192.0.2.1")
			says(first, "")
			if friend {
				says(first, "USER dev")
				says(first, "PASS secret")
			}
			for range 120 {
				c := b.dial("192.0.2.1")
				if code, _ := says(c, ""); code != 421 {
					t.Errorf("%s: %d", name, code)
				}
				_ = c.Close()
			}
			if banned := len(b.Bans()) == 1; banned == friend {
				t.Errorf("%s is banned: %v", name, banned)
			}
			_ = first.Close()
		})
	}
}

// moody is a policy that fails, and has had enough of somebody.
type moody struct{ *keeper }

func (m moody) Hooks() policy.Hooks { return policy.Hooks{Authenticator: m} }

func (m moody) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	switch l.Session.User {
	case "broken":
		return policy.Identity{}, errors.New("it is broken")
	case "hated":
		return policy.Identity{Verdict: policy.Deny, Code: 421, Text: "Enough."}, nil
	}
	return m.keeper.Authenticate(ctx, l)
}

// A ban is kept within a second, other changes within half a minute, both not more
// often; a memory that fails is tried again.
func TestKeeping(t *testing.T) {
	kept := &keptBlob{}
	inBubble(t, func(c *Config) { c.Defence.Memory, c.Defence.Score, c.Logins.FailDelay = kept, 40, -1 }, func(b *bubble) {
		b.try("192.0.2.1", "dev", "x")
		<-time.After(29 * time.Second)
		b.try("192.0.2.1", "dev", "x")
		if kept.count() != 0 {
			t.Error("a failure is kept at once")
		}
		<-time.After(time.Second)
		synctest.Wait()
		if kept.count() != 1 {
			t.Errorf("kept %d times after 30 s", kept.count())
		}
		for range 2 {
			b.try("192.0.2.1", "dev", "x")
		}
		<-time.After(time.Second)
		synctest.Wait()
		if kept.count() != 2 || len(b.Bans()) != 1 {
			t.Errorf("kept %d times, %d bans", kept.count(), len(b.Bans()))
		}
		kept.mu.Lock()
		kept.err = errors.New("the disk is full")
		kept.mu.Unlock()
		b.Unban(b.Bans()[0].Who)
		<-time.After(time.Minute)
		synctest.Wait()
		if kept.count() < 3 {
			t.Error("the end of a ban is not kept")
		}
		kept.mu.Lock()
		before := kept.saves
		kept.err = nil
		kept.mu.Unlock()
		<-time.After(31 * time.Second)
		synctest.Wait()
		if kept.count() == before {
			t.Error("a memory that failed is given up")
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if n := kept.count(); n != before+1 {
			t.Errorf("nothing happens, and it is kept %d times", n-before)
		}
	})
	if kept.count() == 0 || len(kept.blob) == 0 {
		t.Error("nothing is kept")
	}
}
