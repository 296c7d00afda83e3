package parity

import (
	"context"
	"io"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func handlerClass() []line {
	return []line{
		{"FTPHandler", "class: the protocol interpreter; set up by assigning to the class", "edge.Config, edge.New, pi.Session", "code", different,
			"settings are values of one server; assigning to the class changes every server of the process", testHandlerClass},
	}
}

func handlerParts() []line {
	return []line{
		{"FTPHandler.authorizer", "attribute = DummyAuthorizer(): who may log in and do what",
			"edge.Config.Policies, policy.Authenticator, users.New, anonymous.New", "users.list, users.anonymous", safer,
			"several are asked in turn, a refusal is the end, and passwords are stored as hashes that the core compares", testAuthorizer},
		{"FTPHandler.active_dtp", "attribute = ActiveDTP: the class that connects for PORT and EPRT", "pi.Active.Prepare, dtp.Port, dtp.NewActive", "code", same, "", testActiveClass},
		{"FTPHandler.passive_dtp", "attribute = PassiveDTP: the class that listens for PASV and EPSV", "pi.Passive.Listen, dtp.PassivePort, dtp.Listen", "code", same, "", testPassiveClass},
		{"FTPHandler.dtp_handler", "attribute = DTPHandler: the class that moves the bytes", "edge.Transfer.Run, dtp.Runner", "code", same, "", testTransferClass},
		{"FTPHandler.abstracted_fs", "attribute = AbstractedFS: the class that is made into a filesystem at each login", "edge.Config.Home, edge.Config.FS, vfs.FS, vfs.OpenDisk", "code", same, "", testFilesystemClass},
		{"FTPHandler.proto_cmds", "attribute: the commands, each with perm, auth, arg and help", "edge.Config.Commands, edge.Listener.Commands, pi.Table, pi.Spec",
			"listeners[].unlisted_commands, listeners[].optional_commands", safer,
			"what a row does not say is the careful choice: login needed, argument optional; in the model it ends the session with a KeyError", testCommandTable},
	}
}

// Two servers of one process do not share their settings.
func testHandlerClass(t *testing.T) {
	one := serve(t, func(c *edge.Config) { c.Listeners[0].Banner = "one"; c.Logins.Attempts = 1 })
	two := serve(t, func(c *edge.Config) { c.Listeners[0].Banner = "two" })
	a, b := one.dial(), two.dial()
	a.next("220 one")
	b.next("220 two")
	a.says("USER dev", "331", "PASS wrong", "530")
	a.closed()
	b.says("USER dev", "331", "PASS wrong", "530", "USER dev", "331", "PASS "+password, "230")
}

// door is an authorizer of one's own.
type door struct{}

func (door) Name() string          { return "door" }
func (d door) Hooks() policy.Hooks { return policy.Hooks{Authenticator: d} }
func (door) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	switch {
	case l.Session.User == "guest" && l.Password == "open":
		perms := policy.PermCwd | policy.PermList
		return policy.Identity{Verdict: policy.Allow, Perms: &perms}, nil
	case l.Session.User == "banned":
		return policy.Identity{Verdict: policy.Deny, Text: "The door stays shut."}, nil
	}
	return policy.Identity{}, nil
}

func testAuthorizer(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		s := serve(t, func(c *edge.Config) { c.Policies = append(c.Policies, edge.Slot{Name: "door", Policy: door{}}) })
		s.login() // the other one goes on to be asked
		c := s.greeted()
		c.says("USER banned", "331", "PASS x", "530 The door stays shut.", "USER guest", "331", "PASS shut", "530",
			"USER guest", "331", "PASS open", "230", "CWD /", "250", "MKD d", "550")
	})
	set := func(c *edge.Config) {
		c.Policies[0] = known(t, users.User{Name: user, PasswordHash: hash(t), Perms: policy.PermReadOnly})
	}
	both(t, set, file{top: "users: { list: [{ name: dev, password_hash: @HASH@, perm: elr }] }\n"}, func(s *site) {
		c := s.greeted()
		c.says("USER dev", "331", "PASS wrong", "530", "USER nobody", "331", "PASS "+password, "530",
			"USER dev", "331", "PASS "+password, "230", "CWD /", "250", "MKD d", "550")
		s.absent("d")
	})
}

func testActiveClass(t *testing.T) {
	var opened atomic.Int32
	s := serve(t, func(c *edge.Config) {
		c.Listeners[0].Active.Prepare = func(conf dtp.ActiveConfig, target netip.AddrPort) (dtp.Port, error) {
			opened.Add(1)
			return dtp.NewActive(conf, target)
		}
	})
	s.write("a", "content")
	c := s.binary()
	for i, mode := range []userpi.Mode{userpi.PORT, userpi.EPRT} {
		data, err := c.Get(mode, "RETR a")
		s.must(err)
		if string(data) != "content" || opened.Load() != int32(i+1) {
			t.Errorf("got %q, %d ports of its own", data, opened.Load())
		}
	}
}

func testPassiveClass(t *testing.T) {
	var opened atomic.Int32
	s := serve(t, func(c *edge.Config) {
		c.Listeners[0].Passive.Listen = func(ctx context.Context, conf dtp.PassiveConfig) (dtp.PassivePort, error) {
			opened.Add(1)
			return dtp.Listen(ctx, conf)
		}
	})
	s.write("a", "content")
	c := s.binary()
	for i, mode := range []userpi.Mode{userpi.PASV, userpi.EPSV} {
		data, err := c.Get(mode, "RETR a")
		s.must(err)
		if string(data) != "content" || opened.Load() != int32(i+1) {
			t.Errorf("got %q, %d ports of its own", data, opened.Load())
		}
	}
}

// A runner of one's own moves the bytes, here twice as many as there are.
func testTransferClass(t *testing.T) {
	s := serve(t, func(c *edge.Config) {
		c.Transfer.Run = func(ctx context.Context, tr *dtp.Transfer) dtp.Result {
			if tr.Send != nil {
				tr.Send = io.MultiReader(tr.Send, &pieces{text: []string{" and ", "more"}})
			}
			return tr.Run(ctx)
		}
	})
	s.write("a", "content")
	c := s.binary()
	if got := c.get("RETR a"); got != "content and more" {
		t.Errorf("got %q", got)
	}
	c.put("STOR b", "up")
	s.holds("b", "up")
}

// pieces is a reader that gives one piece a time.
type pieces struct{ text []string }

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.text[0])
	if p.text[0] = p.text[0][n:]; p.text[0] == "" {
		p.text = p.text[1:]
	}
	return n, nil
}

// Each login gets a filesystem, and gives it back.
func testFilesystemClass(t *testing.T) {
	var made, released atomic.Int32
	s := serve(t, func(c *edge.Config) {
		c.Home = func(_ context.Context, who policy.Session, id policy.Identity) (vfs.FS, func(), error) {
			if made.Add(1); who.User != user {
				t.Errorf("the filesystem is for %q", who.User)
			}
			return vfs.NewMem(), func() { released.Add(1) }, nil
		}
	})
	c := s.binary()
	c.put("STOR a", "own")
	other := s.binary()
	other.says("SIZE a", "550")
	c.says("SIZE a", "213 3")
	c.says("USER dev", "331", "PASS "+password, "230", "TYPE I", "200", "SIZE a", "550", "QUIT", "221")
	other.says("QUIT", "221")
	until(t, "all were given back", func() bool { return released.Load() == 3 })
	if made.Load() != 3 {
		t.Errorf("%d filesystems for three logins", made.Load())
	}
}

func testCommandTable(t *testing.T) {
	t.Run("row", func(t *testing.T) {
		s := serve(t, func(c *edge.Config) {
			say := func(_ *pi.Session, a pi.Args) pi.Outcome { return pi.Say(200, "said %q", a.Text) }
			c.Commands = pi.Standard().With(pi.Spec{Verb: "XSAY", Handler: say, Help: "[text]: say it"},
				pi.Spec{Verb: "XWRITE", Handler: say, Grammar: pi.Text, Perm: policy.PermWrite, Help: "text: write it"})
			c.Policies[0] = known(t, users.User{Name: user, PasswordHash: hash(t), Perms: policy.PermReadOnly})
		})
		c := s.greeted()
		c.says("XSAY a", "530", "XWRITE", "501")
		c.enter()
		c.says("XSAY", `200 said ""`, "xsay a b", `200 said "a b"`, "XWRITE", "501", "XWRITE a", "550", "HELP", "214 *XSAY*", "HELP XSAY", "214 *[text]: say it*")
	})
	set := func(c *edge.Config) {
		c.Commands = pi.Standard().Without("MFMT", "SITE CHMOD").With(pi.Optional()...)
	}
	both(t, set, file{listener: "unlisted_commands: [MFMT, site chmod], optional_commands: [SITE SYMLINK]"}, func(s *site) {
		s.write("a", "x")
		c := s.login()
		c.says("MFMT 20200101000000 a", "500", "SITE CHMOD 600 a", "500", "SITE SYMLINK a b", "200", "HELP MFMT", "501")
		if r := c.ask("FEAT"); is(r, "211 *MFMT*") {
			t.Errorf("FEAT tells of it: %s", r)
		}
	})
}
