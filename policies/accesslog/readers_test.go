package accesslog_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/accesslog"
)

// xferlogLine are the 14 fields of xferlog(5), of which the first one is five words.
var xferlogLine = regexp.MustCompile(`^((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] [0-9]{4}) ` +
	`([0-9]+) (\S+) ([0-9]+) (\S+) ([ab]) ([CUT_]) ([oi]) ([agr]) (\S+) (\S+) ([01]) (\S+) ([ci])$`)

// clfLine is the Common Log Format: host, identity, user, time, request, status, bytes.
var clfLine = regexp.MustCompile(`^(\S+) (\S+) (\S+) \[([^\]]+)\] "(GET|PUT) (\S+) (FTPS?)" ([0-9]{3}) ([0-9]+|-)$`)

// oddity is a name as nobody should choose one.
func oddity(r *rand.Rand) string {
	pieces := []string{" ", "%", "%20", `"`, `\`, "\n", "\t", "ä", "日本", "\x1b[2J", "\u202e", "\xff", "a", "b.txt", "] ", "é", "+", "?x=1&y", "#"}
	name := "/"
	for range 1 + r.IntN(8) {
		name += pieces[r.IntN(len(pieces))]
	}
	return name
}

// transfers are events of all kinds, with the sum of the bytes of the downloads.
func transfers(n int) (list []*policy.Event, down int64) {
	r := rand.New(rand.NewPCG(7, 7))
	kinds := []policy.EventKind{policy.EventFileSent, policy.EventFileReceived, policy.EventIncompleteFileSent, policy.EventIncompleteFileReceived}
	for i := range n {
		e := event(kinds[i%len(kinds)])
		s := *e.Session
		s.User, s.Anon, s.ASCII = oddity(r)[1:], i%3 == 0, i%5 == 0
		if i%2 == 0 {
			s.Peer = netip.MustParseAddrPort("[2001:db8::7]:40001")
		}
		e.Session, e.Path, e.Size, e.Took = &s, oddity(r), r.Int64N(1<<40), time.Duration(r.Int64N(int64(time.Hour)))
		if i%len(kinds) == 0 {
			down += e.Size
		}
		list = append(list, e)
	}
	return list, down
}

// Whoever reads xferlog by its documentation finds each of the 14 fields, whatever the
// names are.
func TestXferlogIsXferlog(t *testing.T) {
	list, _ := transfers(2000)
	for _, e := range list {
		line, _ := accesslog.Xferlog.Append(nil, e)
		m := xferlogLine.FindStringSubmatch(string(line))
		if m == nil {
			t.Fatalf("no xferlog: %s", line)
		}
		at, err := time.Parse("Mon Jan _2 15:04:05 2006", m[1])
		seconds, _ := strconv.ParseInt(m[2], 10, 64)
		if err != nil || !at.Equal(e.Time) || seconds < 1 || time.Duration(seconds)*time.Second-e.Took > time.Second {
			t.Errorf("time %q, %s seconds of %v: %v", m[1], m[2], e.Took, err)
		}
		_, err = netip.ParseAddr(m[3])
		in := e.Kind == policy.EventFileReceived || e.Kind == policy.EventIncompleteFileReceived
		whole := e.Kind == policy.EventFileReceived || e.Kind == policy.EventFileSent
		if err != nil || m[4] != fmt.Sprint(e.Size) || (m[6] == "a") != e.Session.ASCII || (m[8] == "i") != in || (m[9] == "a") != e.Session.Anon || (m[14] == "c") != whole {
			t.Errorf("%+v is %q", e, m)
		}
	}
}

// Whoever reads the Common Log Format finds its fields, and the path as it was.
func TestCommonIsCommon(t *testing.T) {
	list, _ := transfers(2000)
	for _, e := range list {
		line, _ := accesslog.Common.Append(nil, e)
		m := clfLine.FindStringSubmatch(string(line))
		if m == nil {
			t.Fatalf("no line of the Common Log Format: %s", line)
		}
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[4])
		path, pathErr := url.PathUnescape(m[6])
		if err != nil || pathErr != nil || !at.Equal(e.Time) || path != e.Path || m[8] != fmt.Sprint(e.Code) || m[9] != fmt.Sprint(e.Size) {
			t.Errorf("%q is %q: %v, %v", e.Path, m, err, pathErr)
		}
	}
}

// The one-liners that operators have read these logs with for decades.
func TestOneLiners(t *testing.T) {
	list, down := transfers(400)
	dir := t.TempDir()
	for _, format := range []accesslog.Format{accesslog.Xferlog, accesslog.Common} {
		l, err := accesslog.Open(filepath.Join(dir, string(format)), accesslog.Config{Format: format})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if err := l.Observe(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sum := strconv.FormatInt(down, 10)
	for _, c := range []struct{ tool, script, file, want string }{
		{"awk", `$12 == "o" && $18 == "c" { n += $8 } END { printf "%.0f", n }`, "xferlog", sum},
		{"awk", `NF != 18 { bad++ } END { print NR, bad + 0 }`, "xferlog", "400 0"},
		{"awk", `{ host[$7]++ } END { print host["192.0.2.7"], host["2001:db8::7"] }`, "xferlog", "200 200"},
		{"awk", `$6 == "\"GET" && $9 == 226 { hits++ } END { print hits }`, "common", "200"},
		{"python3", "import sys,re\nprint(sum(int(w[7]) for w in map(str.split, open(sys.argv[1])) if w[11]=='o' and w[17]=='c'))", "xferlog", sum},
		{"python3", "import sys,re,urllib.parse as u\nr=re.compile(r'(\\S+) (\\S+) (\\S+) \\[(.*?)\\] \"(\\S+) (\\S+) (\\S+)\" (\\d+) (\\d+|-)$')\n" +
			"print(len([u.unquote(r.match(l)[6], errors='surrogateescape') for l in open(sys.argv[1])]))", "common", "400"},
	} {
		path, err := exec.LookPath(c.tool)
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed", c.tool)
			}
			t.Skipf("%s is not installed: apt-get install %s", c.tool, c.tool)
		}
		args := []string{c.script, filepath.Join(dir, c.file)}
		if c.tool == "python3" {
			args = append([]string{"-c"}, args...)
		}
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s %q says %q (%v), not %q", c.tool, c.script, got, err, c.want)
		}
	}
}
