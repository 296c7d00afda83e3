package edge

import (
	"bytes"
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
	r.guess(guesser, "dev", 15)
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
	r.guess("127.0.0.2", "dev", 16)
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
	r.guess("127.0.0.2", "dev", 16)
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
