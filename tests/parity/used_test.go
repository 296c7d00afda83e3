package parity

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
	"github.com/edgeftp/edgeftp/policies/users"
)

func usedUsers() []line {
	return []line{
		{"DummyAuthorizer", "class: users in memory", "users.Policy, users.New, policy.Authenticator", "users.list", safer,
			"it holds hashes and never sees a password; unknown names cost as much time as wrong passwords", testDummyAuthorizer},
		{"DummyAuthorizer.add_user", "method (username, password, homedir, perm): one more user; ValueError for a second one or a wrong letter", "users.Config.Users, users.User, edge.HashPassword",
			"users.list[].name, users.list[].password_hash, users.list[].root, users.list[].perm", different,
			"the users are given together and replaced together, also while the server runs (edge.Server.Swap)", testAddUser},
		{"perm letters", "elradfmwMT: what a user may do", "policy.Perms, policy.ParsePerms, policy.PermAll", "users.list[].perm", same, "", testLetters},
	}
}

func usedSession() []line {
	return []line{
		{"FTPHandler.remote_ip", "attribute: the client's address", "policy.Session.Peer", "events.file", same, "", testRemote},
		{"FTPHandler.remote_port", "attribute: the client's port", "policy.Session.Peer", "events.file", same, "", testRemote},
		{"FTPHandler.username", "attribute: the name that the client gave", "policy.Session.User, pi.Session.Who", "events.file", same, "", testUsername},
		{"FTPHandler.respond", "method (text): sends a reply", "pi.Say, pi.Outcome.Reply, wire.Multi", "code", different,
			"a handler returns its reply and the session's owner sends it, so that two never write at once", testRespond},
		{"proto_cmds: perm", "entry of a command: the letter that it needs, or None", "pi.Spec.Perm", "code", same, "", testEntryPerm},
		{"proto_cmds: auth", "entry of a command: whether it needs a login", "pi.Spec.State, pi.LoggedIn, pi.Anyone", "code", same, "", testEntryAuth},
		{"proto_cmds: arg", "entry of a command: an argument is needed, forbidden or optional", "pi.Spec.Grammar, pi.Text, pi.NoArg, pi.FreeText", "code", safer,
			"optional where it is not said", testEntryArg},
		{"proto_cmds: help", "entry of a command: its line in HELP", "pi.Spec.Help", "code", same, "", testEntryHelp},
		{"log_prefix: asctime", "a name in the prefix of the page's example, which the library does not know", "pi.PrefixNames, pi.ParsePrefix", "telemetry.log.prefix", different,
			"it is known", testLoggingExample},
	}
}

func testDummyAuthorizer(t *testing.T) {
	p := known(t, dev(t)).Policy
	id, err := p.Hooks().Authenticator.Authenticate(t.Context(), &policy.Login{Meta: policy.Meta{Session: &policy.Session{User: user}}, Password: "wrong"})
	if err != nil || id.Verdict != policy.Allow || !strings.HasPrefix(id.PasswordHash, "$2a$") || *id.Perms != policy.PermAll {
		t.Errorf("the answer is %+v, %v", id, err)
	}
	id, err = p.Hooks().Authenticator.Authenticate(t.Context(), &policy.Login{Meta: policy.Meta{Session: &policy.Session{User: "nobody"}}})
	if err != nil || id.Verdict != policy.Pass {
		t.Errorf("of nobody: %+v, %v", id, err)
	}
	both(t, nil, file{}, func(s *site) {
		s.greeted().says("USER dev", "331", "PASS wrong", "530", "USER nobody", "331", "PASS "+password, "530", "USER dev", "331", "PASS "+password, "230")
	})
}

func testAddUser(t *testing.T) {
	if _, err := users.New(users.Config{Users: []users.User{dev(t), dev(t)}}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a second user of that name: %v", err)
	}
	if _, err := policy.ParsePerms("elx"); err == nil {
		t.Error("the letter x is taken")
	}
	if h, err := edge.HashPassword("pass"); err != nil || edge.CheckHash(h) != nil {
		t.Errorf("%q is no hash: %v", h, err)
	}
	for _, list := range []string{
		"{ name: dev, password_hash: @HASH@, perm: elx }", "{ name: dev, password_hash: plain }",
		"{ name: dev, password_hash: @HASH@ }, { name: dev, password_hash: @HASH@ }", "{ name: dev, password_hash: @HASH@, root: missing }",
	} {
		refuses(t, file{top: "users: { list: [" + list + "] }\n"})
	}
	s := serve(t, nil)
	s.greeted().says("USER new", "331", "PASS "+password, "530")
	added := dev(t)
	added.Name = "new"
	if _, err := s.srv.Swap("users", known(t, dev(t), added).Policy); err != nil {
		t.Fatal(err)
	}
	s.greeted().says("USER new", "331", "PASS "+password, "230")
}

// letterOf is, for each letter, a command that needs it and no other, and what it
// is answered with it.
func letterOf() map[string][]string {
	return map[string][]string{
		"e": {"CWD d", "250", "CDUP", "250"}, "l": {"SIZE a", "213", "MDTM a", "213", "MLST a", "250", "STAT d", "212", "LIST", "150", "NLST", "150", "MLSD", "150"},
		"r": {"RETR a", "150"}, "a": {"APPE a", "150"}, "d": {"DELE b", "250", "RMD empty", "250"}, "f": {"RNFR a", "350"}, "m": {"MKD made", "257"},
		"w": {"STOR new", "150", "STOU", "150"}, "M": {"SITE CHMOD 644 a", "200"}, "T": {"MFMT 20200101000000 a", "213"},
	}
}

func testLetters(t *testing.T) {
	var list []users.User
	var lines []string
	letters := strings.Split("elradfmwMT", "")
	for _, l := range letters {
		without := strings.ReplaceAll("elradfmwMT", l, "")
		list = append(list, users.User{Name: "with-" + l, PasswordHash: hash(t), Perms: parsePerms(t, l)},
			users.User{Name: "without-" + l, PasswordHash: hash(t), Perms: parsePerms(t, without)})
		lines = append(lines, "{ name: with-"+l+", password_hash: @HASH@, perm: "+l+" }", "{ name: without-"+l+", password_hash: @HASH@, perm: "+without+" }")
	}
	f := file{top: "users: { list: [" + strings.Join(lines, ", ") + "] }\nlimits: { sessions: { per_ip: 0 } }\n"}
	both(t, func(c *edge.Config) { c.Policies[0], c.Limits.SessionsPerIP = known(t, list...), -1 }, f, func(s *site) {
		for _, l := range letters {
			s.write("a", "x")
			s.write("b", "x")
			s.mkdir("d")
			s.mkdir("empty")
			for _, u := range []string{"without-", "with-"} {
				c := s.greeted()
				c.must(c.Identify(u+l, password))
				c.says("TYPE I", "200")
				s.asks(c, letterOf()[l], u == "with-")
			}
		}
	})
	if policy.PermAll.String() != "elradfmwMT" {
		t.Errorf("all letters are %s", policy.PermAll)
	}
}

// asks sends commands, each with a data port, and compares the replies with what
// is expected of those who may, or else with 550.
func (s *site) asks(c *client, pairs []string, may bool) {
	s.Helper()
	for i := 0; i < len(pairs); i += 2 {
		want := pairs[i+1]
		if !may {
			want = "550"
		}
		c.says("EPSV", "229", pairs[i], want)
		if want == "150" {
			c.says("ABOR", "426")
			c.next("226")
		}
	}
}

func testRemote(t *testing.T) {
	var seen atomic.Pointer[netip.AddrPort]
	s := serve(t, func(c *edge.Config) {
		c.Commands = pi.Standard().With(pi.Spec{Verb: "XWHO", State: pi.Anyone, Help: ": who I am", Handler: func(s *pi.Session, _ pi.Args) pi.Outcome {
			who := s.Who()
			seen.Store(&who.Peer)
			return pi.Say(200, "%s %d", who.Peer.Addr(), who.Peer.Port())
		}})
	})
	c := s.greeted()
	me := netip.MustParseAddrPort(c.Raw().LocalAddr().String())
	c.says("XWHO", "200 127.0.0.1 "+strings.TrimPrefix(me.String(), "127.0.0.1:"))
	if *seen.Load() != me {
		t.Errorf("the peer is %v", seen.Load())
	}
	if e := s.event("connect"); e.Remote != me.String() {
		t.Errorf("connect: %+v", e)
	}
}

func testUsername(t *testing.T) {
	s := serve(t, func(c *edge.Config) {
		c.Commands = pi.Standard().With(pi.Spec{Verb: "XWHO", State: pi.Anyone, Help: ": who I am", Handler: func(s *pi.Session, _ pi.Args) pi.Outcome {
			return pi.Say(200, "%q %v", s.Who().User, s.LoggedIn())
		}})
	})
	c := s.greeted()
	c.says("XWHO", `200 "" false`)
	c.enter()
	c.says("XWHO", `200 "dev" true`, "REIN", "220", "XWHO", `200 "" false`)
}

func testRespond(t *testing.T) {
	s := serve(t, func(c *edge.Config) {
		c.Commands = pi.Standard().With(
			pi.Spec{Verb: "XONE", Help: ": one line", Handler: func(*pi.Session, pi.Args) pi.Outcome { return pi.Say(200, "one\r\n500 line") }},
			pi.Spec{Verb: "XTWO", Help: ": two lines", Handler: func(*pi.Session, pi.Args) pi.Outcome {
				return pi.Outcome{Reply: wire.Multi(211, "one", "211 is not the end", "two"), Close: true}
			}})
	})
	c := s.login()
	if r := c.ask("XONE"); r.Code != 200 || len(r.Lines) != 1 {
		t.Errorf("a reply with a line end in it: %q", r)
	}
	r := c.ask("XTWO")
	if r.Code != 211 || !slices.Equal(r.Lines, []string{"one", " 211 is not the end", "two"}) {
		t.Errorf("a reply of several lines: %q", r.Lines)
	}
	c.closed()
}

// entry is a server with one more command, whose user may only read.
func entry(t *testing.T, row pi.Spec) *site {
	t.Helper()
	row.Verb, row.Handler = "XNEW", func(_ *pi.Session, a pi.Args) pi.Outcome { return pi.Say(200, "done %q", a.Text) }
	return serve(t, func(c *edge.Config) {
		c.Commands = pi.Standard().With(row)
		c.Policies[0] = known(t, users.User{Name: user, PasswordHash: hash(t), Perms: policy.PermReadOnly})
	})
}

func testEntryPerm(t *testing.T) {
	entry(t, pi.Spec{Perm: policy.PermRead}).login().says("XNEW", "200")
	entry(t, pi.Spec{Perm: policy.PermDelete}).login().says("XNEW", "550", "xnew a", "550")
	entry(t, pi.Spec{}).login().says("XNEW", "200")
}

func testEntryAuth(t *testing.T) {
	entry(t, pi.Spec{State: pi.Anyone}).greeted().says("XNEW", "200")
	entry(t, pi.Spec{State: pi.LoggedIn}).greeted().says("XNEW", "530")
	entry(t, pi.Spec{}).greeted().says("XNEW", "530")
}

func testEntryArg(t *testing.T) {
	entry(t, pi.Spec{Grammar: pi.Text}).login().says("XNEW", "501", "XNEW a b", `200 done "a b"`)
	entry(t, pi.Spec{Grammar: pi.NoArg}).login().says("XNEW", "200", "XNEW a", "501")
	entry(t, pi.Spec{}).login().says("XNEW", `200 done ""`, "XNEW a", `200 done "a"`)
}

func testEntryHelp(t *testing.T) {
	c := entry(t, pi.Spec{Help: "[text]: something new", RFC: "RFC 959 §4.1.3"}).greeted()
	c.says("HELP", "214 *XNEW*", "HELP XNEW", "214 XNEW [text]: something new*")
}
