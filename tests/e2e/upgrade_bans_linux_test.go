package e2e

import (
	"os"
	"strings"
	"testing"
)

// Whom a server bans that has been replaced is banned by the one that serves, also where another one came in
// between, and by the one after that.
func TestUpgradeBans(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	path := p.file(t, plain()+"limits: { logins: { attempts: 0, delay_after_failure: 0 } }\ndefender: { score: 30, ban: 1h }\n")
	text := string(must(os.ReadFile(path))(t))
	ok(t, os.WriteFile(path, []byte(strings.Replace(text, "drain_timeout: 5s", "drain_timeout: 1m", 1)), 0o600))
	upgraded := func() *server {
		s := p.upgraded(t, path)
		s.plain = true
		return s
	}
	first := startServer(t, p, "--config", path)
	first.plain, first.user, first.password = true, "dev", secret
	guesser, _ := first.from(t, "127.0.7.1")
	stays := first.login(t)
	second := upgraded()
	other, _ := second.from(t, "127.0.7.2")
	remains := second.login(t)
	third := upgraded()
	known := func(s *server, who string) func() bool {
		return func() bool {
			for _, b := range s.defence(t, "list").Bans {
				if b.Who == who+"/32" && b.By == "score" && b.Times == 1 {
					return true
				}
			}
			return false
		}
	}
	for who, c := range map[string]*session{"127.0.7.1": guesser, "127.0.7.2": other} {
		c.guess(t, 3)
		until(t, "who guesses at a server that was replaced is known to the one that serves", known(third, who))
		if _, r := third.from(t, who); !r.Is(421) {
			t.Errorf("he is told %v", r)
		}
	}
	if _, r := third.from(t, "127.0.7.3"); !r.Is(220) {
		t.Errorf("somebody else is told %v", r)
	}
	for _, c := range []*session{stays, remains} {
		c.want(t, "NOOP", 200)
		c.want(t, "QUIT", 221)
	}
	for _, s := range []*server{first, second} {
		if code := s.wait(t, stopWithin); code != 0 {
			t.Errorf("a server that was replaced ended with %d", code)
		}
	}
	fourth := upgraded()
	if !known(fourth, "127.0.7.1")() || !known(fourth, "127.0.7.2")() {
		t.Errorf("the next server knows of %+v", fourth.defence(t, "list").Bans)
	}
	fourth.stop(t)
}
