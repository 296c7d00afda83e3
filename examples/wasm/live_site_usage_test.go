package wasm

import (
	"regexp"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

func liveSiteUsage(t *testing.T, dir string) {
	s := live.Start(t, live.Options{Users: []live.Account{{Name: "helper", Group: "support"}, {Name: "bob"}},
		Modules: []live.Module{{Name: "usage", Dir: dir, Grants: "kv: true", Settings: "{ group: support }"}}})
	s.Put(t, "/a.bin", "seven b").Want(t, live.OK)
	s.Get(t, "/a.bin").Want(t, live.OK)
	s.Get(t, "/a.bin").Want(t, live.OK)

	// Events come behind the reply of the transfer.
	usage := regexp.MustCompile(`< 211 all +1 +7 +2 +14`)
	asks := func(s *live.Server, command string, want *regexp.Regexp) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; {
			r := s.Do(t, command).Want(t, live.OK, "Usage of "+live.User)
			if want.MatchString(r.Stderr) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("no %q in\n%s", want, r.Stderr)
			}
		}
	}
	asks(s, "SITE USAGE", usage)
	asks(s.As("helper"), "SITE USAGE 3 "+live.User, usage)
	s.As("bob").Do(t, "SITE USAGE 3 "+live.User).Want(t, live.Refused, "550")
	s.As("bob").Do(t, "SITE USAGE").Want(t, live.OK, "Usage of bob")
	s.Do(t, "SITE HELP").Want(t, live.OK, "USAGE")
	s.Restart(t)
	asks(s, "SITE USAGE", usage)
	s.Stop(t)
}
