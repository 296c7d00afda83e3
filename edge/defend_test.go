package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/defender"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

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
	inBubble(t, func(c *Config) { c.Defence.Score = 100 }, func(b *bubble) {
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

// Who is banned while he waits for his turn is not let in behind it.
func TestBannedInTurn(t *testing.T) {
	inBubble(t, func(c *Config) { c.Logins.FailDelay, c.Defence.Score = -1, 40 }, func(b *bubble) {
		for i := range 8 {
			b.try(fmt.Sprintf("10.0.%d.1", i), "dev", "x")
		}
		b.try("10.1.1.1", "dev", "x")
		go func() {
			<-time.After(time.Second)
			if _, err := b.Ban(netip.MustParsePrefix("10.1.1.0/24"), time.Hour, "test"); err != nil {
				b.Error(err)
			}
		}()
		if code, took := b.try("10.1.1.2", "dev", "secret"); code != 530 || took != 2*time.Second {
			b.Errorf("%d after %v", code, took)
		}
	})
}

// Only so many answers are held back at once: with more guessers the rest is shown out
// after the usual delay, so that guessing does not fill the server.
func TestHeld(t *testing.T) {
	inBubble(t, func(*Config) {}, func(b *bubble) {
		const guessers = mostHeld + 100
		var all sync.WaitGroup
		took := make([]time.Duration, guessers)
		for i := range guessers {
			all.Go(func() {
				began := time.Now()
				b.defence.Failed(context.Background(), netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), "dev", 0, time.Second)
				took[i] = time.Since(began)
			})
		}
		synctest.Wait()
		if n := b.Defence().Held; n < mostHeld || n > guessers {
			t.Errorf("%d are held", n)
		}
		all.Wait()
		long := 0
		for _, d := range took {
			if d > time.Second {
				long++
			}
			if d < time.Second || d > 15*time.Second {
				t.Errorf("answered after %v", d)
			}
		}
		if long != mostHeld || b.Defence().Held != 0 {
			t.Errorf("%d were held, %d still are", long, b.Defence().Held)
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
		inBubble(t, func(conf *Config) {
			conf.Listeners[0].TLS, conf.Defence.Within, conf.Defence.Score = server, time.Hour, 100
		}, func(b *bubble) {
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
		c.Policies, c.Defence.Score = []Slot{{Name: "moody", Policy: moody{newKeeper()}}}, 100
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
		inBubble(t, func(c *Config) { c.Limits.SessionsPerIP, c.Defence.Score = 1, 100 }, func(b *bubble) {
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

// A handshake for which the server has no certificate is not held against the client.
func TestLackingCertificate(t *testing.T) {
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	server.Certificates, server.GetCertificate = nil, func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return nil, errors.New("not yet")
	}
	inBubble(t, func(c *Config) { c.Listeners[0].TLS, c.Defence.Score = server, 1 }, func(b *bubble) {
		c := b.dial("192.0.2.1")
		says(c, "")
		if err := c.Protect(client); err == nil {
			t.Error("there was a certificate")
		}
		_ = c.Close()
		synctest.Wait()
		if bans := b.Bans(); len(bans) != 0 || b.Defence().Addresses != 0 {
			t.Errorf("%+v", bans)
		}
	})
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

// An endless ban has no date in the log and in events, and without a reason no colon.
func TestDescribed(t *testing.T) {
	b := defender.Ban{Who: netip.MustParsePrefix("192.0.2.0/24")}
	if got := described(b); got != "192.0.2.0/24 until lifted" {
		t.Error(got)
	}
	b.Until, b.Why = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "a test"
	if got := described(b); got != "192.0.2.0/24 until 2026-01-02T03:04:05Z: a test" {
		t.Error(got)
	}
}
