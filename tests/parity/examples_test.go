package parity

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"context"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func examples() []line {
	return []line{
		{"example: basic setup", "a user with a home and all permissions, a banner, a timeout of 600", "users.User, edge.Listener.Banner, edge.Timeouts.Idle, edge.Config.Home",
			"users.list[].root, listeners[].banner, limits.timeouts.idle", same, "", testBasicExample},
		{"example: TLS server", "certfile and keyfile, TLS required on control and data connections", "edge.Listener.TLS, edge.TLSRequired", "certificates.files, listeners[].tls.control", same, "", testTLSExample},
		{"example: callbacks", "a handler that prints who connects, logs in, transfers and logs out", "policy.Observer, policy.Hooks.Observer", "events.file", different,
			"one observer gets the events as values, off the session's path, so that a slow one holds up nobody", testCallbackExample},
		{"example: performance", "sendfile, no delay, timeouts, and a throttled DTP handler", "edge.Config.Transfer, edge.Config.Timeouts, edge.Config.Logins, edge.Config.Bandwidth", "transfer, limits, bandwidth", same, "", testPerformanceExample},
	}
}

func moreExamples() []line {
	return []line{
		{"example: network", "masquerade address, range(50000, 50099), no foreign addresses, no privileged ports", "edge.Listener.Advertise, edge.Listener.Passive, edge.Listener.Active", "listeners[].passive, listeners[].active", same, "", testNetworkExample},
		{"example: logging", "a prefix with asctime, and process_command printing each command", "edge.Config.LogPrefix, pi.Table.Wrap", "telemetry.log.prefix", different,
			"it works as printed; in the library asctime is unknown and ends every session", testLoggingExample},
		{"example: SITE USAGE", "a command of one's own, whose entry does not say whether it takes an argument", "pi.Table.With, pi.Spec, pi.Say", "code", different,
			"it works as printed, with an optional argument; in the library the missing arg ends the session", testSiteUsageExample},
	}
}

func testBasicExample(t *testing.T) {
	home := t.TempDir()
	set := func(c *edge.Config) {
		c.Policies[0] = known(t, users.User{Name: "user", PasswordHash: hash(t), Perms: parsePerms(t, "elradfmwMT")})
		c.Listeners[0].Banner = "Welcome to my FTP server"
		c.Timeouts.Idle = 600 * time.Second
		disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: home})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = disk.Close() })
		c.Home = func(context.Context, policy.Session, policy.Identity) (vfs.FS, func(), error) { return disk, nil, nil }
	}
	f := file{listener: "banner: Welcome to my FTP server", top: fmt.Sprintf(
		"users: { list: [{ name: user, password_hash: @HASH@, root: %q, perm: elradfmwMT }] }\nlimits: { timeouts: { idle: 600s } }\n", home)}
	both(t, set, f, func(s *site) {
		c := s.dial()
		c.next("220 Welcome to my FTP server")
		c.must(c.Identify("user", password))
		c.put("STOR a", "content")
		if data, err := os.ReadFile(filepath.Join(home, "a")); string(data) != "content" {
			s.Errorf("the home holds %q, %v", data, err)
		}
		c.says("PWD", `257 "/" *`, "SITE CHMOD 600 a", "200", "MFMT 20200101000000 a", "213", "MKD d", "257", "RMD d", "250", "RNFR a", "350", "RNTO b", "250", "DELE b", "250")
	})
}

func testTLSExample(t *testing.T) {
	withTLS(t, edge.TLSRequired, "control: required, data: required", func(s *site) {
		c := s.greeted()
		c.says("USER dev", "550")
		c = s.secured()
		c.says("PROT C", "534")
		c.put("STOR a", "content")
		s.holds("a", "content")
	})
}

// printer says what the example prints.
type printer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *printer) Name() string        { return "printer" }
func (p *printer) Hooks() policy.Hooks { return policy.Hooks{Observer: p} }
func (p *printer) Observe(_ context.Context, e *policy.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch who := e.Session; e.Kind {
	case policy.EventConnect:
		fmt.Fprintf(&p.text, "Client connected from %s\n", who.Peer.Addr())
	case policy.EventLogin:
		fmt.Fprintf(&p.text, "User %s logged in successfully\n", who.User)
	case policy.EventFileSent:
		fmt.Fprintf(&p.text, "File %s sent to %s\n", e.Path, who.User)
	case policy.EventFileReceived:
		fmt.Fprintf(&p.text, "File %s received from %s\n", e.Path, who.User)
	case policy.EventLogout:
		fmt.Fprintf(&p.text, "User %s logged out\n", who.User)
	}
	return nil
}

func (p *printer) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func testCallbackExample(t *testing.T) {
	p := new(printer)
	s := serve(t, func(c *edge.Config) { c.Policies = append(c.Policies, edge.Slot{Name: "printer", Policy: p}) })
	c := s.binary()
	c.put("STOR a", "content")
	c.get("RETR a")
	c.says("QUIT", "221")
	const want = "Client connected from 127.0.0.1\nUser dev logged in successfully\nFile /a received from dev\nFile /a sent to dev\nUser dev logged out\n"
	until(t, "everything was told", func() bool { return len(p.said()) >= len(want) })
	if got := p.said(); got != want {
		t.Errorf("printed:\n%s", got)
	}
	prog := program(t, file{})
	c = prog.binary()
	c.put("STOR a", "content")
	c.get("RETR a")
	c.says("QUIT", "221")
	prog.told(1, "connect", "login", "file_received", "file_sent", "logout", "disconnect")
}

func testPerformanceExample(t *testing.T) {
	set := func(c *edge.Config) {
		c.Transfer.Copy, c.Transfer.Nagle = false, false
		c.Timeouts.Idle, c.Logins.FailDelay = 300*time.Second, time.Second
		c.Bandwidth.Transfer = edge.Rates{Up: 1024 * 100, Down: 1024 * 50} // the page's comments have them the wrong way round
	}
	f := file{top: `transfer: { sendfile: true, tcp_nodelay: true }
limits: { timeouts: { idle: 300s }, logins: { delay_after_failure: 1s } }
bandwidth: { transfer_default: { up: 100KiB, down: 50KiB } }
`}
	both(t, set, f, func(s *site) {
		c := s.greeted()
		took(s.T, "a failed login", time.Second, func() { c.says("USER dev", "331", "PASS wrong", "530") })
		c.enter()
		c.says("TYPE I", "200")
		took(s.T, "an upload", 400*time.Millisecond, func() { c.put("STOR a", strings.Repeat("x", 50<<10)) })
		took(s.T, "a download", 900*time.Millisecond, func() { c.get("RETR a") })
	})
}

func testNetworkExample(t *testing.T) {
	set := func(c *edge.Config) {
		l := &c.Listeners[0]
		l.Advertise.Address = "203.0.113.10"
		l.Passive.Ports = dtp.PortRange{{First: 50000, Last: 50098}} // range has no end
	}
	const passive = "passive: { advertise: 203.0.113.10, ports: 50000-50098, same_peer: true }, active: { enabled: true, foreign_addresses: false, privileged_ports: false }"
	both(t, set, file{listener: passive}, func(s *site) {
		c := s.login()
		if got := c.numbers(); got != "203.0.113.10" {
			s.Errorf("PASV tells %s", got)
		}
		for range 20 {
			if port := netip.MustParseAddrPort(c.passive("EPSV")).Port(); port < 50000 || port > 50098 {
				s.Errorf("the port is %d", port)
			}
		}
		c.says("PORT "+userpi.FormatPort(listen(s.T, "127.0.0.2").Addr()), "501", "PORT 127,0,0,1,0,80", "501")
	})
}

func testLoggingExample(t *testing.T) {
	const prefix = "[%(asctime)s] %(remote_ip)s:%(remote_port)s-[%(username)s]"
	var mu sync.Mutex
	var printed strings.Builder
	set := func(c *edge.Config) {
		c.LogPrefix = prefix
		c.Commands = pi.Standard().Wrap(func(row pi.Spec, next pi.Handler) pi.Handler {
			return func(s *pi.Session, a pi.Args) pi.Outcome {
				mu.Lock()
				fmt.Fprintf(&printed, "Command: %s %s\n", row.Verb, a.Text)
				mu.Unlock()
				return next(s, a)
			}
		})
	}
	both(t, set, file{top: "telemetry: { log: { prefix: '" + prefix + "' } }\n"}, func(s *site) {
		c := s.login()
		c.says("CWD /", "250")
		if line := s.noted(c.Raw().LocalAddr().String() + "-[dev] logged in"); !glob(`*"msg":"[????-??-?? ??:??:??] *`, digits(line)) {
			s.Errorf("the line is %s", line)
		}
	})
	if got := printed.String(); got != "Command: USER dev\nCommand: PASS "+password+"\nCommand: CWD /\n" {
		t.Errorf("printed:\n%s", got)
	}
}

// digits writes ? for each digit.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '?'
		}
		return r
	}, text)
}

func testSiteUsageExample(t *testing.T) {
	s := serve(t, func(c *edge.Config) {
		usage := func(*pi.Session, pi.Args) pi.Outcome { return pi.Say(200, "Disk usage: %d%% of 1TB", 50) }
		c.Commands = pi.Standard().With(pi.Spec{Verb: "SITE USAGE", Handler: usage, Help: ": show disk usage"})
	})
	c := s.greeted()
	c.says("SITE USAGE", "530")
	c.enter()
	c.says("SITE USAGE", "200 Disk usage: 50% of 1TB", "site usage now", "200 Disk usage: 50% of 1TB", "SITE HELP", "214 *USAGE*",
		"SITE HELP USAGE", "214 *show disk usage*", "NOOP", "200", "SITE CHMOD", "501")
}
