package edge

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// register knows one user of a host by a stored hash, and writes down whose sessions it
// was asked about or told of.
type register struct {
	hash string

	mu   sync.Mutex
	seen map[string]int // by the host of the session
}

func newRegister(t *testing.T, password string) *register {
	t.Helper()
	hash, err := HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	return &register{hash: hash, seen: map[string]int{}}
}

func (r *register) Name() string { return "register" }

func (r *register) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: r, Authorizer: r, Observer: r, Commander: r}
}

func (r *register) note(s *policy.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[s.VHost]++
}

func (r *register) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	r.note(l.Session)
	if l.Session.User != "anna" {
		return policy.Identity{}, nil
	}
	all := policy.Perms(policy.PermAll)
	return policy.Identity{Verdict: policy.Allow, PasswordHash: r.hash, Perms: &all}, nil
}

func (r *register) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	r.note(a.Session)
	return policy.Answer{}, nil
}

func (r *register) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	r.note(c.Session)
	return policy.Answer{}, nil
}

func (r *register) Observe(_ context.Context, e *policy.Event) error {
	r.note(e.Session)
	return nil
}

// saw is whose sessions the register has seen.
func (r *register) saw() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var hosts []string
	for h := range r.seen {
		hosts = append(hosts, h)
	}
	slices.Sort(hosts)
	return hosts
}

// town is a server with two virtual hosts, a and b, and what belongs to neither. Each has
// a listener, a file /which that tells its name, and a user anna with a password of her
// own: pw-a, pw-b, and pw- of neither.
type town struct {
	*rig
	at     map[string]string // by listener
	known  map[string]*register
	client *tls.Config
	log    *ledger
	conf   Config
}

func newTown(t *testing.T, set func(*Config)) *town {
	t.Helper()
	v := &town{at: map[string]string{}, known: map[string]*register{}, log: new(ledger)}
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	v.client = client
	v.client.InsecureSkipVerify = true // one certificate serves all names here
	tree := func(name string) vfs.FS {
		fs := vfs.NewMem()
		if err := fs.WriteFile("/which", []byte(name)); err != nil {
			t.Fatal(err)
		}
		return fs
	}
	v.rig = start(t, func(c *Config) {
		c.FS, c.Policies, c.Log = tree(""), nil, slog.New(slog.NewTextHandler(v.log, nil))
		c.Limits, c.Defence.Off = Limits{SessionsPerIP: -1}, true
		c.Hosts = []Host{{Name: "a", Names: []string{"A.example.test.", "*.example.org"}, FS: tree("a"), Banner: "This is a."},
			{Name: "b", Names: []string{"b.example.test", "*.b.example.org", "bücher.example.test"}, FS: tree("b")}}
		c.Listeners = nil
		for _, host := range []string{"", "a", "b"} {
			c.Listeners = append(c.Listeners, Listener{Name: "at" + host, Address: "127.0.0.1:0", Host: host, TLS: server})
			v.known[host] = newRegister(t, "pw-"+host)
			c.Policies = append(c.Policies, Slot{Name: "users-" + host, Policy: v.known[host], Options: Options{Hosts: []string{host}}})
		}
		if set != nil {
			set(c)
		}
		v.conf = *c
	})
	for i, host := range []string{"", "a", "b"} {
		v.at[host] = v.srv.Addresses()[i].String()
	}
	return v
}

// visit is a way to a host. Its client has read the greeting and said what it had to.
type visit struct {
	name string
	host string
	to   func(*testing.T) *userpi.Client
}

func (v *town) meet(t *testing.T, listener string) *userpi.Client {
	t.Helper()
	c, err := userpi.Dial(v.at[listener])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Expect("the greeting", 220); err != nil {
		t.Fatal(err)
	}
	return c
}

// under is a client's configuration for a server's name; for an empty one its handshake
// names none, as of an address.
func (v *town) under(name string) *tls.Config {
	conf := v.client.Clone()
	conf.ServerName = cmp.Or(name, "127.0.0.1")
	return conf
}

// ways are all ways to a host: by address, SNI and HOST, in the clear and under TLS, each
// by every listener.
func (v *town) ways(host, name string) (all []visit) {
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	add := func(way string, to func(*testing.T) *userpi.Client) { all = append(all, visit{way, host, to}) }
	add("address", func(t *testing.T) *userpi.Client { return v.meet(t, host) })
	add("address under TLS", func(t *testing.T) *userpi.Client {
		c := v.meet(t, host)
		must(t, c.Protect(v.under("")))
		return c
	})
	for _, by := range []string{"", "a", "b"} {
		if name == "" {
			continue
		}
		add("HOST by at"+by, func(t *testing.T) *userpi.Client {
			c := v.meet(t, by)
			_, err := c.Must("HOST "+name, 220)
			must(t, err)
			return c
		})
		add("SNI by at"+by, func(t *testing.T) *userpi.Client {
			c := v.meet(t, by)
			must(t, c.Protect(v.under(name)))
			return c
		})
		add("HOST and TLS without a name by at"+by, func(t *testing.T) *userpi.Client {
			c := v.meet(t, by)
			_, err := c.Must("HOST "+name, 220)
			must(t, err)
			must(t, c.Protect(v.under("")))
			return c
		})
		add("SNI over HOST of another by at"+by, func(t *testing.T) *userpi.Client {
			c := v.meet(t, by)
			other := map[string]string{"a": "b.example.test", "b": "a.example.test"}[host]
			_, err := c.Must("HOST "+other, 220)
			must(t, err)
			must(t, c.Protect(v.under(name)))
			return c
		})
	}
	return all
}

// The whole product of hosts, ways to them and passwords: the user of one name is another
// at each host, and nobody gets in by a password of the wrong one, nor learns that there
// is a right one; nobody's policies see anybody else's sessions.
func TestHostsLogins(t *testing.T) {
	v := newTown(t, nil)
	defer v.stop()
	ways := slices.Concat(v.ways("", ""), v.ways("a", "a.example.test"), v.ways("b", "b.example.test"))
	for _, way := range ways {
		for _, password := range []string{"pw-", "pw-a", "pw-b", "nonsense"} {
			t.Run(fmt.Sprintf("%q by %s with %s", way.host, way.name, password), func(t *testing.T) {
				c := way.to(t)
				if _, err := c.Must("USER anna", 331); err != nil {
					t.Fatal(err)
				}
				reply, err := c.Do("PASS " + password)
				if err != nil {
					t.Fatal(err)
				}
				if password != "pw-"+way.host {
					if want := "That name and password do not go together."; reply.Code != 530 || reply.Text() != want {
						t.Errorf("a wrong password is answered %v", reply)
					}
					return
				}
				if reply.Code != 230 {
					t.Fatalf("the right password is answered %v", reply)
				}
				if got, err := c.Get(userpi.EPSV, "RETR /which"); err != nil || string(got) != way.host {
					t.Errorf("the files are those of %q (%v)", got, err)
				}
				_ = c.Quit()
			})
		}
	}
	v.free()
	for host, r := range v.known {
		if got := r.saw(); !slices.Equal(got, []string{host}) {
			t.Errorf("the policies of %q have seen sessions of %q", host, got)
		}
	}
	for _, line := range strings.Split(v.log.String(), "\n") {
		if strings.Contains(line, "logged in") && strings.Contains(line, "host=") == strings.HasSuffix(line, "by=users-") {
			t.Errorf("whose login is that? %s", line)
		}
	}
}

// HOST changes nothing once somebody is logged in; REIN leads back to what address and
// SNI say, and a user who was named for one host is none at the next.
func TestHostsOrder(t *testing.T) {
	v := newTown(t, nil)
	defer v.stop()
	c := v.meet(t, "")
	v.do(c, "USER anna", 331)
	v.do(c, "HOST a.example.test", 220)
	v.do(c, "PASS pw-a", 503)
	v.do(c, "HOST nonesuch.example", 504)
	v.must(c.Identify("anna", "pw-a"))
	v.do(c, "HOST b.example.test", 503)
	v.do(c, "REIN", 220)
	v.do(c, "USER anna", 331)
	v.do(c, "PASS pw-a", 530)
	v.must(c.Identify("anna", "pw-"))
	v.do(c, "REIN", 220)
	v.must(c.Protect(v.under("x.b.example.org")))
	v.do(c, "HOST a.example.test", 504)
	v.must(c.Identify("anna", "pw-b"))
	v.do(c, "REIN", 220)
	v.must(c.Identify("anna", "pw-b"))
	v.do(c, "QUIT", 221)

	c = v.meet(t, "")
	if r := v.do(c, "HOST deep.below.EXAMPLE.org.", 220); r.Text() != "This is a." {
		t.Errorf("the banner of a is %q", r.Text())
	}
	v.do(c, "HOST bücher.example.test", 220)
	v.do(c, "HOST xn--bcher-kva.example.test", 220)
	v.must(c.Identify("anna", "pw-b"))

	c = v.meet(t, "a") // an address is the listener's own host
	v.do(c, "HOST b.example.test", 220)
	v.do(c, "HOST 127.0.0.1", 220)
	v.must(c.Identify("anna", "pw-a"))
	v.do(c, "QUIT", 221)
}

// A handshake for a name that nobody has is one for the listener's own host, or refused
// where that is said.
func TestHostsUnknownNames(t *testing.T) {
	v := newTown(t, func(c *Config) { c.Listeners[1].StrictHosts, c.Listeners[1].Hosts = true, []string{"old.example.test"} })
	defer v.stop()
	c := v.meet(t, "b")
	v.must(c.Protect(v.under("nonesuch.example")))
	v.must(c.Identify("anna", "pw-b"))
	c = v.meet(t, "a")
	v.do(c, "AUTH TLS", 234)
	if err := c.StartTLS(v.under("nonesuch.example")); err == nil {
		t.Error("a handshake for an unknown name was done")
	}
	for _, name := range []string{"old.example.test", "", "a.example.test"} {
		c = v.meet(t, "a")
		v.must(c.Protect(v.under(name)))
		v.must(c.Identify("anna", "pw-a"))
	}
	c = v.meet(t, "a")
	v.do(c, "HOST old.example.test", 220)
	v.must(c.Identify("anna", "pw-a"))
}

// A session of TLS is one host's: a ticket of a's control connection is worth nothing on
// a data connection of b's, nor is b's data port anything to a's session.
func TestHostsTickets(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		v := newTown(t, func(c *Config) {
			for i := range c.Listeners {
				c.Listeners[i].Binding = dtp.BindRequire
			}
		})
		cache := func(name string) *tls.Config {
			conf := v.under(name)
			conf.MaxVersion, conf.ClientSessionCache = version, tls.NewLRUClientSessionCache(8)
			return conf
		}
		mine, theirs := cache("a.example.test"), cache("b.example.test")
		anna, other := v.meet(t, ""), v.meet(t, "")
		v.must(anna.Protect(mine))
		v.must(anna.Identify("anna", "pw-a"))
		if _, err := anna.Get(userpi.EPSV, "RETR /which"); err != nil {
			t.Fatal(err) // by which the client has a ticket for sure
		}
		v.must(other.Protect(theirs))
		v.must(other.Identify("anna", "pw-b"))
		port, err := other.Prepare(userpi.EPSV)
		v.must(err)
		conn, err := port.Open()
		v.must(err)
		v.do(other, "RETR /which", 125, 150)
		stolen := mine.Clone()
		tc := tls.Client(conn, stolen)
		if err := tc.Handshake(); err == nil {
			if tc.ConnectionState().DidResume {
				t.Errorf("%x: a ticket of a's was taken on a data connection of b's", version)
			}
			if data, _ := io.ReadAll(tc); len(data) > 0 {
				t.Errorf("%x: a's session was given %q of b's", version, data)
			}
		}
		_ = conn.Close()
		port.Close()
		v.expect(other, "a transfer by a stranger", 425, 426, 522)
		if got, err := other.Get(userpi.EPSV, "RETR /which"); err != nil || string(got) != "b" {
			t.Errorf("%x: b's own transfer: %q, %v", version, got, err)
		}
		v.stop()
	}
}

// What is counted by user is counted for each host's; a host has a number of its own.
func TestHostsLimits(t *testing.T) {
	v := newTown(t, func(c *Config) {
		c.Limits.SessionsPerUser = 1
		c.Hosts[0].Limits = HostLimits{Sessions: 2, SessionsPerUser: -1}
		c.Hosts[1].Bandwidth = Rates{Down: 1000}
	})
	defer v.stop()
	in := func(host string, code int) *userpi.Client {
		c := v.meet(t, host)
		v.do(c, "USER anna", 331)
		v.do(c, "PASS pw-"+host, code)
		return c
	}
	last := in("a", 230)
	in("a", 230)
	in("a", 421)
	for _, host := range []string{"", "b"} {
		in(host, 230)
		in(host, 421)
	}
	v.do(last, "REIN", 220)
	in("a", 230)
	in("a", 421)

	v.srv.LimitUser("anna@b", Rates{Up: 7})
	v.srv.LimitUser("anna@nowhere", Rates{Up: 8})
	v.srv.LimitHost("a", Rates{Up: 9})
	got := v.srv.Bandwidth()
	if want := []BandwidthLimit{{Name: "a", Rates: Rates{Up: 9}}, {Name: "b", Rates: Rates{Down: 1000}}}; !slices.Equal(got.Hosts, want) || len(got.Listeners) > 0 {
		t.Errorf("the hosts' limits are %+v, the listeners' %+v", got.Hosts, got.Listeners)
	}
	users := []BandwidthLimit{{Name: "anna@b", Rates: Rates{Up: 7}, Set: true}, {Name: "anna@nowhere", Rates: Rates{Up: 8}, Set: true}}
	if slices.SortFunc(got.Users, func(a, b BandwidthLimit) int { return strings.Compare(a.Name, b.Name) }); !slices.Equal(got.Users, users) {
		t.Errorf("the users' limits are %+v", got.Users)
	}
	v.srv.FreeUser("anna@b")
	if got := v.srv.Bandwidth(); len(got.Users) != 1 {
		t.Errorf("%+v after the limit was lifted", got.Users)
	}
}

// Interrupted uploads and the defence know the users of two hosts apart.
func TestHostsApart(t *testing.T) {
	shared := vfs.NewMem()
	v := newTown(t, func(c *Config) {
		c.Hosts[0].FS, c.Hosts[1].FS = shared, shared
		c.Defence = Defence{Score: 50000}
	})
	defer v.stop()
	of := func(host string) *userpi.Client {
		c := v.meet(t, host)
		v.must(c.Identify("anna", "pw-"+host))
		v.do(c, "TYPE I", 200)
		return c
	}
	a, b := of("a"), of("b")
	conn, err := a.Begin(userpi.EPSV, "STOR part")
	v.must(err)
	_, err = conn.Write(bytes.Repeat([]byte("x"), 100000))
	v.must(err)
	v.must(userpi.Reset(conn))
	v.expect(a, "an upload that was cut off", 426)
	v.do(a, "SIZE part", 213)
	v.do(b, "SIZE part", 550)

	c := v.meet(t, "a")
	v.do(c, "USER anna", 331)
	v.do(c, "PASS wrong", 530)
	if got := v.srv.Defence().Users; got != 1 {
		t.Errorf("the defence has %d users with failed logins", got)
	}
	c = v.meet(t, "b")
	v.do(c, "USER anna", 331)
	v.do(c, "PASS wrong", 530)
	if got := v.srv.Defence().Users; got != 2 {
		t.Errorf("the defence has %d users with failed logins, where two people of one name have been guessed at", got)
	}
}

// Another configuration gives new sessions other hosts; those that run stay with theirs,
// and are counted on.
func TestHostsApply(t *testing.T) {
	v := newTown(t, func(c *Config) { c.Hosts[0].Limits.Sessions, c.Hosts[1].Bandwidth = 1, Rates{Up: 5} })
	defer v.stop()
	in := func(host string) *userpi.Client {
		c := v.meet(t, host)
		v.must(c.Identify("anna", "pw-"+host))
		return c
	}
	a, b := in("a"), in("b")
	conf := v.conf
	conf.Hosts = []Host{conf.Hosts[0]}
	conf.Hosts[0].Names, conf.Hosts[0].Bandwidth = []string{"new.example.test"}, Rates{Down: 9}
	conf.Listeners = slices.Clone(conf.Listeners)
	conf.Listeners[2].Host = ""
	conf.Policies = conf.Policies[:2]
	v.must(v.srv.Apply(t.Context(), conf))
	if got := v.srv.Hosts(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the hosts are %q", got)
	}
	for host, c := range map[string]*userpi.Client{"a": a, "b": b} {
		if got, err := c.Get(userpi.EPSV, "RETR /which"); err != nil || string(got) != host {
			t.Errorf("a session of %q has the files of %q (%v)", host, got, err)
		}
	}
	c := v.meet(t, "b")
	v.do(c, "HOST b.example.test", 504)
	v.do(c, "HOST a.example.test", 504)
	v.must(c.Identify("anna", "pw-"))
	c = v.meet(t, "")
	v.do(c, "HOST new.example.test", 220)
	v.do(c, "USER anna", 331)
	v.do(c, "PASS pw-a", 421) // the one of before is counted
	v.do(a, "REIN", 220)
	v.do(c, "USER anna", 331)
	v.do(c, "PASS pw-a", 230)
	v.do(b, "REIN", 220)
	v.do(b, "USER anna", 331)
	v.do(b, "PASS pw-b", 530) // nobody's policies are b's any more
	v.must(b.Quit())
	v.must(a.Quit())
	v.until("the rates of b are forgotten", func() bool {
		return slices.Equal(v.srv.Bandwidth().Hosts, []BandwidthLimit{{Name: "a", Rates: Rates{Down: 9}}})
	})
}

func TestHostsConfig(t *testing.T) {
	fs := vfs.NewMem()
	for name, set := range map[string]func(*Config){
		"has no name":                func(c *Config) { c.Hosts = []Host{{FS: fs, Names: []string{"x"}}} },
		"two hosts are named":        func(c *Config) { c.Hosts = []Host{{Name: "a", FS: fs, Names: []string{"x"}}, {Name: "a", FS: fs}} },
		"FS is missing":              func(c *Config) { c.Hosts = []Host{{Name: "a", Names: []string{"x"}}} },
		"no client can get it":       func(c *Config) { c.Hosts = []Host{{Name: "a", FS: fs}} },
		"there is no listener":       func(c *Config) { c.Hosts = []Host{{Name: "a", FS: fs, Names: []string{"x"}, Listeners: []string{"y"}}} },
		`there is no host "z"`:       func(c *Config) { c.Listeners[0].Host = "z" },
		"that is no host name":       func(c *Config) { c.Hosts = []Host{{Name: "a", FS: fs, Names: []string{"-x"}}} },
		"StrictHosts, where no host": func(c *Config) { c.Listeners[0].StrictHosts = true },
		`(main) is "xn--bcher-kva" too`: func(c *Config) {
			c.Hosts = []Host{{Name: "a", FS: fs, Names: []string{"Bücher"}}, {Name: "b", FS: fs, Names: []string{"xn--bcher-kva."}}}
		},
	} {
		conf := basic(newKeeper())
		set(&conf)
		if _, err := New(conf); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
