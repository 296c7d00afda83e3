package parity

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
)

func handlerText() []line {
	return []line{
		{"FTPHandler.encoding", "attribute = utf8: of commands, replies and listings", "edge.Encoding.Name, edge.Listener.Encoding", "listeners[].encoding.name=utf-8", same, "", testEncoding},
		{"FTPHandler.unicode_errors", "attribute = replace: what becomes of bytes that are not of the encoding", "edge.Encoding.OnError", "listeners[].encoding.on_error", safer,
			"by default UTF-8 lets them pass and other encodings refuse them (501), so that no file is out of reach and two names never become one; replace can be had", testUnicodeErrors},
		{"FTPHandler.log_prefix", "attribute: a template before the messages about a session", "edge.Config.LogPrefix, pi.ParsePrefix, pi.PrefixNames", "telemetry.log.prefix", different,
			"empty by default, because address and user are fields of every record", testLogPrefix},
		{"FTPHandler.auth_failed_timeout", "attribute = 3: seconds before the reply to a failed login", "edge.Logins.FailDelay", "limits.logins.delay_after_failure=3s", same, "", testFailDelay},
	}
}

func testEncoding(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		s.write("grüße", "x")
		c := s.login()
		c.says("FEAT", "211  UTF8", "SIZE grüße", "550", "TYPE I", "200", "SIZE grüße", "213 1")
	})
	set := func(c *edge.Config) { c.Listeners[0].Encoding.Name = "ISO-8859-1" }
	t.Run("latin", func(t *testing.T) {
		both(t, set, file{listener: "encoding: { name: iso-8859-1 }"}, func(s *site) {
			c := s.binary()
			c.put("STOR gr\xfc\xdfe", "x")
			s.holds("grüße", "x")
			if got := c.lines("NLST"); len(got) != 1 || got[0] != "gr\xfc\xdfe" {
				s.Errorf("NLST: %q", got)
			}
			c.says("MKD \xfc", "257 \"/\xfc\" *")
			if r := c.ask("FEAT"); is(r, "211  UTF8") {
				s.Errorf("FEAT tells UTF8: %s", r)
			}
		})
	})
}

func testUnicodeErrors(t *testing.T) {
	both(t, nil, file{}, func(s *site) {
		s.binary().put("STOR a\xfc", "x")
		s.holds("a\xfc", "x")
	})
	for mode, stored := range map[string]string{"replace": "a\uFFFD", "ignore": "a", "strict": ""} {
		set := func(c *edge.Config) { c.Listeners[0].Encoding.OnError = mode }
		t.Run(mode, func(t *testing.T) {
			both(t, set, file{listener: "encoding: { on_error: " + mode + " }"}, func(s *site) {
				c := s.binary()
				if stored == "" {
					c.says("SIZE a\xfc", "501", "NOOP", "200")
					return
				}
				c.put("STOR a\xfc", "x")
				s.holds(stored, "x")
			})
		})
	}
}

func testLogPrefix(t *testing.T) {
	const seed = "%(remote_ip)s:%(remote_port)s-[%(username)s]"
	both(t, nil, file{}, func(s *site) {
		c := s.login()
		s.noted(`"msg":"logged in"`, `"user":"dev"`, `"remote":"`+c.Raw().LocalAddr().String()+`"`)
	})
	t.Run("own", func(t *testing.T) {
		both(t, func(c *edge.Config) { c.LogPrefix = seed }, file{top: "telemetry: { log: { prefix: '" + seed + "' } }\n"}, func(s *site) {
			c := s.login()
			s.noted(`"msg":"` + c.Raw().LocalAddr().String() + `-[dev] logged in"`)
		})
	})
	said := refuses(t, file{top: "telemetry: { log: { prefix: '%(nonsense)s' } }\n"})
	if !strings.Contains(said, "nonsense") || !strings.Contains(said, "remote_ip") {
		t.Errorf("a wrong prefix: %s", said)
	}
}

func testFailDelay(t *testing.T) {
	const delay = time.Second
	set := func(c *edge.Config) { c.Logins.FailDelay = delay }
	both(t, set, file{top: "limits: { logins: { delay_after_failure: 1s } }\n"}, func(s *site) {
		c, other := s.greeted(), s.login()
		took(s.T, "a failed login", delay, func() {
			c.says("USER dev", "331")
			c.must(c.Send("PASS wrong\r\nNOOP"))
			other.says("NOOP", "200") // nobody else waits
			s.never("login_failed")
			c.next("530")
		})
		c.next("200") // what was sent meanwhile was not read
	})
	t.Run("none", func(t *testing.T) {
		both(t, nil, file{}, func(s *site) {
			began := time.Now()
			s.greeted().says("USER dev", "331", "PASS wrong", "530")
			if d := time.Since(began); d > 2*time.Second {
				s.Errorf("no delay took %v", d)
			}
		})
	})
}
