package hostile

import (
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
)

// oddNames logs in with names and passwords that mean something to some program:
// formats, queries, commands, templates, paths. None gets in, none changes the words
// of the refusal, and none comes back.
func oddNames(t *testing.T) {
	r := serve(t, func(s *setup) {
		s.Logins = edge.Logins{Attempts: -1, FailDelay: -1}
	})
	c := r.meet()
	r.do(c, "USER nobody", 331)
	want := r.do(c, "PASS wrong", 530).Text()
	for _, odd := range []string{"%n%n%s%x", "%{1}d", "' OR '1'='1' --", `"; DROP TABLE users; --`, "*)(uid=*))(|(uid=*", "$(id)", "`id`", "; id |",
		"${jndi:ldap://127.0.0.1/x}", "{{7*7}}", "<%= 7*7 %>", "../../etc/passwd", "/etc/passwd", "dev/..", "dev ", "DEV", "root:0:0", "\\\\host\\share",
		"dev\t", "\u0000x"[1:], strings.Repeat("a", 4000), "-oProxyCommand=id", "~root", "dev@localhost", "\u202evede"} {
		for _, pair := range [][2]string{{odd, password + "x"}, {odd + "x", odd}} {
			r.do(c, "USER "+pair[0], 331)
			got := r.do(c, "PASS "+pair[1], 530).Text()
			if got != want {
				t.Errorf("USER %.40q is told %q, nobody is told %q", pair[0], got, want)
			}
		}
	}
	r.do(c, "NOOP", 200)
}
