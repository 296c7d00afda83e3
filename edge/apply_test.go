package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// again is the rig's configuration with changes.
func (r *rig) again(set func(*Config)) Config {
	conf := basic(r.keeper)
	conf.FS, conf.Log = r.fs, r.srv.log
	if set != nil {
		set(&conf)
	}
	return conf
}

func (r *rig) apply(set func(*Config)) {
	r.t.Helper()
	r.must(r.srv.Apply(r.t.Context(), r.again(set)))
}

// greeting connects and returns what a new session is greeted with.
func (r *rig) greeting(addr string) string {
	r.t.Helper()
	c, err := userpi.Dial(addr)
	r.must(err)
	defer c.Close()
	reply, err := c.Expect("greeting", 220)
	r.must(err)
	return reply.Text()
}

// A session goes on with what it began with, another one begins with what is new, and a
// transfer that runs follows the new rate.
func TestApply(t *testing.T) {
	other := vfs.NewMem()
	var retired atomic.Int32
	r := start(t, func(c *Config) {
		c.Listeners[0].Banner = "old"
		c.Bandwidth.Session.Down = 64 << 10
		c.Retired = func() { retired.Add(1) }
	})
	defer r.stop()
	r.must(errors.Join(r.fs.WriteFile("/a", make([]byte, 4<<20)), other.WriteFile("/b", []byte("new"))))
	c := r.login()
	conn, err := c.Begin(userpi.EPSV, "RETR a")
	r.must(err)
	r.srv.LimitUser("eve", Rates{Up: 7})
	before := r.srv.Status()
	r.apply(func(c *Config) {
		c.Listeners[0].Banner, c.FS = "new", other
		c.Bandwidth = Bandwidth{Server: Rates{Up: 1 << 40}}
	})
	began := time.Now()
	if n, err := io.Copy(io.Discard, conn); err != nil || n != 4<<20 {
		t.Errorf("the transfer brought %d bytes, %v", n, err)
	}
	if took := time.Since(began); took > 20*time.Second { // at the old rate it is 64
		t.Errorf("the transfer kept its rate: %v", took)
	}
	conn.Close()
	r.expect(c, "RETR", 226)
	if got := r.greeting(r.addr); !strings.Contains(got, "new") {
		t.Errorf("a new session is greeted with %q", got)
	}
	r.do(c, "SIZE a", 213)
	d := r.login()
	r.do(d, "SIZE b", 213)
	r.do(d, "SIZE a", 550)
	st, b := r.srv.Status(), r.srv.Bandwidth()
	if st.Generation != before.Generation+1 || !st.Since.After(before.Since) || st.OldSessions != 1 || b.Server.Up != 1<<40 || b.Session != (Rates{}) ||
		len(b.Users) != 1 || b.Users[0].Rates.Up != 7 {
		t.Errorf("status %+v, rates %+v", st, b)
	}
	if r.srv.Addresses()[0].String() != r.addr {
		t.Error("the port has changed")
	}
	if retired.Load() != 0 {
		t.Error("the old configuration was given up while a session has it")
	}
	r.must(c.Quit())
	r.until("the old configuration is given up", func() bool { return retired.Load() == 1 })
	if st := r.srv.Status(); st.OldSessions != 0 {
		t.Errorf("status %+v", st)
	}
}

// Listeners come and go; the sessions of one that has gone go on, under its rate.
func TestApplyListeners(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Bandwidth.Listeners = map[string]Rates{"main": {Down: 1 << 40}}
	})
	defer r.stop()
	c := r.login()
	r.apply(func(c *Config) {
		c.Listeners = []Listener{{Name: "two", Address: "127.0.0.2:0", Banner: "two"}, {Name: "main", Address: "127.0.0.1:0"}}
		c.Bandwidth.Listeners = map[string]Rates{"two": {Up: 3}, "main": {Down: 1 << 40}}
	})
	at := r.srv.Addresses()
	if len(at) != 2 || at[1].String() != r.addr {
		t.Fatalf("the listeners are at %v", at)
	}
	if got := r.greeting(at[0].String()); !strings.Contains(got, "two") {
		t.Errorf("a session of the new listener is greeted with %q", got)
	}
	given, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(err)
	r.apply(func(c *Config) { c.Listeners = []Listener{{Name: "given", Socket: given}} })
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("a listener that is no more accepts connections")
	}
	r.greeting(given.Addr().String())
	r.do(c, "NOOP", 200)
	if b := r.srv.Bandwidth(); len(b.Listeners) != 1 || b.Listeners[0].Name != "main" {
		t.Errorf("limits of listeners: %+v", b.Listeners)
	}
	r.must(c.Quit())
	r.until("the limit of the listener that has gone is forgotten", func() bool { return len(r.srv.Bandwidth().Listeners) == 0 })
	r.apply(func(c *Config) { c.Listeners = []Listener{{Name: "conn"}} }) // only ServeConn brings sessions
	client, _ := hand(t.Context(), r.srv, "conn")
	r.expect(client, "greeting", 220)
	r.must(client.Quit())
	if _, err := net.Dial("tcp", given.Addr().String()); err == nil {
		t.Error("a socket that is no listener's any more accepts connections")
	}
	r.apply(nil)
	r.greeting(r.srv.Addresses()[0].String())
}

// After an error nothing has changed.
func TestApplyRefused(t *testing.T) {
	r := start(t, nil)
	defer r.stop()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(err)
	defer taken.Close()
	free := ports.Addr(t)
	given, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(err)
	defer given.Close()
	fresh := newKeeper()
	was, status, rates := r.srv.now.Load(), r.srv.Status(), r.srv.Bandwidth()
	for name, set := range map[string]func(*Config){
		"no FS":            func(c *Config) { c.FS = nil },
		"no listener":      func(c *Config) { c.Listeners = nil },
		"TLS without one":  func(c *Config) { c.Listeners[0].Implicit = true },
		"defence":          func(c *Config) { c.Defence.Score = -1 },
		"another log":      func(c *Config) { c.Log = slog.New(slog.DiscardHandler) },
		"another memory":   func(c *Config) { c.Defence.Memory = &blob{} },
		"a spool":          func(c *Config) { c.Policies[0].Options.Spool = t.TempDir() },
		"no such name":     func(c *Config) { c.Listeners[0].Advertise.Address = "name.invalid" },
		"an address twice": func(c *Config) { c.Listeners = append(c.Listeners, Listener{Address: taken.Addr().String()}) },
		"bound after another": func(c *Config) {
			c.Listeners = []Listener{{Address: free}, {Socket: given}, {Address: taken.Addr().String()}}
		},
		"a policy without a name twice": func(c *Config) {
			c.Policies = []Slot{{Name: "a", Policy: fresh}, {Name: "a", Policy: newKeeper()}}
			c.Listeners = append(c.Listeners, Listener{Address: free}, Listener{Socket: given})
		},
	} {
		conf := r.again(set)
		conf.Bandwidth.Server.Down, conf.Limits.Sessions = 5, 1
		if err := r.srv.Apply(t.Context(), conf); err == nil {
			t.Errorf("%s: no error", name)
		}
		if l, err := net.Listen("tcp", free); err != nil {
			t.Errorf("%s: a port was left open: %v", name, err)
		} else {
			l.Close()
		}
		if r.srv.now.Load() != was || fmt.Sprint(r.srv.Bandwidth()) != fmt.Sprint(rates) || r.srv.gate.limits.Sessions == 1 || len(r.srv.names.all) > 1 {
			t.Errorf("%s: something has changed", name)
		}
	}
	if st := r.srv.Status(); st.Generation != 1 || st.Policies[0].Generation != status.Policies[0].Generation || r.srv.Addresses()[0].String() != r.addr {
		t.Errorf("the status is %+v", st)
	}
	for _, k := range []*keeper{fresh, r.keeper} {
		select {
		case <-k.closed:
			t.Error("a policy was closed")
		default:
		}
	}
	c, err := net.Dial("tcp", given.Addr().String()) // it is the caller's still
	r.must(err)
	c.Close()
	r.do(r.login(), "NOOP", 200)
}

// Policies are replaced in the same step: what stays keeps its counters, what is no more
// is closed. While a candidate is on trial the others may not change, but all else may.
func TestApplyPolicies(t *testing.T) {
	r := start(t, nil)
	defer r.stop()
	r.do(r.login(), "NOOP", 200)
	extra, next := newKeeper(), newKeeper()
	r.apply(func(c *Config) { c.Policies = append(c.Policies, Slot{Name: "extra", Policy: extra}) })
	st := r.srv.Status().Policies
	if len(st) != 2 || st[0].Generation != 1 || st[0].Calls == 0 {
		t.Errorf("the policies are %+v", st)
	}
	_, err := r.srv.Canary("keeper", next, Trial{})
	r.must(err)
	both := []Slot{{Name: "keeper", Policy: r.keeper}, {Name: "extra", Policy: extra}}
	if err := r.srv.Apply(t.Context(), r.again(nil)); err == nil || !strings.Contains(err.Error(), "trial") {
		t.Errorf("during a trial: %v", err)
	}
	r.apply(func(c *Config) { c.Policies, c.Listeners[0].Banner = both, "on trial" })
	if got := r.greeting(r.addr); !strings.Contains(got, "on trial") {
		t.Errorf("a new session is greeted with %q", got)
	}
	_, err = r.srv.Rollback("keeper")
	r.must(err)
	r.apply(nil)
	<-extra.closed
	<-next.closed
}

// blob is a memory of the defence.
type blob struct {
	mu    sync.Mutex
	saved []byte
	loads int
}

func (b *blob) Load() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads++
	return b.saved, nil
}

func (b *blob) Save(data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = bytes.Clone(data)
	return nil
}

// Limits and the defence hold for who is there, too.
func TestApplyLimits(t *testing.T) {
	memory := &blob{}
	keep := func(c *Config) { c.Defence.Memory = memory }
	r := start(t, func(c *Config) { keep(c); c.Defence.Off = true })
	defer r.stop()
	here := netip.MustParsePrefix("127.0.0.0/8")
	if _, err := r.srv.Ban(here, 0, ""); err == nil || memory.loads != 0 {
		t.Error("the defence is not off")
	}
	c := r.login()
	r.apply(func(c *Config) { keep(c); c.Limits.Sessions = 1 })
	_, err := r.srv.Ban(here, 0, "")
	r.must(err)
	if memory.loads != 1 {
		t.Errorf("what was known before was loaded %d times", memory.loads)
	}
	d := r.dial()
	r.expect(d, "a banned client's connection", 421)
	r.apply(func(c *Config) { keep(c); c.Limits.Sessions, c.Defence.Off = 1, true })
	d = r.dial()
	if reply, err := d.Expect("one too many", 421); err != nil || !strings.Contains(reply.Text(), "Too many sessions") {
		t.Errorf("%v, %v", reply, err)
	}
	r.apply(func(c *Config) { keep(c); c.Limits.Memory = 1 << 20 })
	if st := r.srv.Status().Budget; st.Memory != 1<<20 {
		t.Errorf("the budget is %+v", st)
	}
	r.expect(r.dial(), "no memory", 421)
	r.do(c, "NOOP", 200)
	r.apply(func(c *Config) { keep(c); c.Limits.Memory, c.Defence.Allow = -1, []netip.Prefix{here} })
	r.do(r.login(), "NOOP", 200)
	if len(r.srv.Bans()) != 1 || memory.loads != 1 {
		t.Errorf("bans %+v, loaded %d times", r.srv.Bans(), memory.loads)
	}
}

// What a user's logins have brought can change while he is there.
func TestLimitLogins(t *testing.T) {
	r := start(t, nil)
	defer r.stop()
	r.must(r.fs.WriteFile("/a", make([]byte, 1<<20)))
	c := r.login()
	r.srv.LimitDefaults(Rates{Down: 16 << 10}, Rates{})
	conn, err := c.Begin(userpi.EPSV, "RETR a")
	r.must(err)
	r.srv.LimitLogins("nobody", Rates{Down: 5})
	r.srv.LimitLogins("dev", Rates{Down: 1 << 40})
	if n, err := io.Copy(io.Discard, conn); err != nil || n != 1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	conn.Close()
	r.expect(c, "RETR", 226)
	if b := r.srv.Bandwidth(); len(b.Users) != 1 || b.Users[0].Rates.Down != 1<<40 {
		t.Errorf("users: %+v", b.Users)
	}
}

// A TLS session goes on with its own configuration and the keys of its tickets, also where
// its data connections have to prove that they belong to it.
func TestApplyTLS(t *testing.T) {
	secure := func(c *Config) *tls.Config {
		server, client, err := userpi.ThrowAway()
		if err != nil {
			t.Fatal(err)
		}
		c.Listeners[0].TLS, c.Listeners[0].Require, c.Listeners[0].Binding = server, TLSRequired, dtp.BindRequire
		return client
	}
	var first, second *tls.Config
	r := start(t, func(c *Config) { first = secure(c) })
	defer r.stop()
	r.must(r.fs.WriteFile("/a", []byte("hello")))
	enter := func(client *tls.Config) *userpi.Client {
		c := r.dial()
		r.expect(c, "greeting", 220)
		r.must(c.Protect(client))
		r.must(c.Identify("dev", "secret"))
		return c
	}
	c := enter(first)
	r.apply(func(c *Config) { second = secure(c) })
	d := enter(second)
	for _, c := range []*userpi.Client{c, d} {
		if got, err := c.Get(userpi.EPSV, "RETR a"); err != nil || string(got) != "hello" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// An address that stays is never without a listener, and nothing is left over from a
// hundred configurations while sessions and transfers go on.
func TestApplyAgainAndAgain(t *testing.T) {
	const times = 100
	var retired atomic.Int32
	set := func(c *Config) { c.Retired = func() { retired.Add(1) } }
	r := start(t, set)
	defer r.stop()
	r.must(r.fs.WriteFile("/a", make([]byte, 300<<10)))
	stop := make(chan struct{})
	var clients sync.WaitGroup
	busy := func(do func() error) {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := do(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	busy(func() error {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = io.ReadFull(conn, make([]byte, 4))
		return err
	})
	transfers := 0
	c := r.login() // of the first configuration, to the end
	busy(func() error {
		got, err := c.Get(userpi.EPSV, "RETR a")
		if transfers++; err == nil && len(got) != 300<<10 {
			err = fmt.Errorf("a transfer brought %d bytes", len(got))
		}
		return err
	})
	r.apply(set)
	goroutines, files := runtime.NumGoroutine(), descriptors()
	var extra string
	for i := range times {
		r.apply(func(c *Config) {
			set(c)
			c.Listeners[0].Banner = fmt.Sprint(i)
			c.Limits.Memory, c.Logins.Parallel, c.Timeouts.Awake = int64(i)<<32, i, time.Duration(i%3-1)*time.Millisecond
			if i%2 == 0 {
				c.Listeners = append(c.Listeners, Listener{Name: "extra", Address: "127.0.0.1:0"})
				c.Policies = append(c.Policies, Slot{Name: "extra", Policy: newKeeper()})
			}
		})
		if at := r.srv.Addresses(); len(at) > 1 {
			extra = at[1].String()
			r.greeting(extra)
		}
	}
	close(stop)
	clients.Wait()
	if _, err := net.Dial("tcp", extra); err == nil {
		t.Error("the last of the other listeners is open")
	}
	r.until("all but the first and the last are given up", func() bool { return retired.Load() == times })
	r.must(c.Quit())
	r.until("the first one is given up", func() bool { return retired.Load() == times+1 })
	r.free()
	r.until("no goroutine and no descriptor is left over", func() bool {
		runtime.GC() // pipes of the runtime, and connections that clients have just closed
		return runtime.NumGoroutine() <= goroutines && descriptors() <= files+1 && r.srv.chain.Draining() == 0
	})
	if st := r.srv.Status(); st.Generation != times+2 || len(r.srv.old) != 0 || transfers == 0 {
		t.Errorf("status %+v, %d transfers", st, transfers)
	}
}

// descriptors is how many this process has open, 0 where that is not known.
func descriptors() int {
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

// A configuration that comes while the server ends changes nothing, or is there at once;
// nothing of it stays either way.
func TestApplyWhileItEnds(t *testing.T) {
	for range 20 {
		r := start(t, nil)
		done := make(chan error, 1)
		go func() {
			var err error
			for i := 0; err == nil; i++ {
				err = r.srv.Apply(context.Background(), r.again(func(c *Config) {
					c.Listeners = append(c.Listeners, Listener{Name: fmt.Sprint(i), Address: "127.0.0.1:0"})
				}))
			}
			done <- err
		}()
		r.until("there is another one", func() bool { return r.srv.Status().Generation > 2 })
		at := r.srv.Addresses()
		r.stop()
		if err := <-done; err != errDraining && !strings.Contains(err.Error(), "closed") {
			t.Errorf("Apply: %v", err)
		}
		for _, a := range append(at, r.srv.Addresses()...) {
			if _, err := net.Dial("tcp", a.String()); err == nil {
				t.Errorf("%v is open", a)
			}
		}
	}
}
