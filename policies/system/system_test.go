package system

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/policy/policytest"
)

// The policy is what it says it is.
var (
	_ policy.Policy        = (*Policy)(nil)
	_ policy.Authenticator = (*Policy)(nil)
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

const (
	bcryptHash = "$2b$10$abcdefghijklmnopqrstuuFaqwrJxC5z0Yb8fqEkr0nOkvhdcLuOm"
	argonHash  = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"
)

// passwd is a file of the usual mixture.
const passwd = `root:` + bcryptHash + `:0:0:root:/root:/bin/bash
daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin
# a comment

www:` + bcryptHash + `:33:33::/var/www:/bin/sh
anna:` + argonHash + `:1001:100:Anna,,,:/home/anna:/bin/bash
bob:x:1002:1002::/home/bob/:
carl:x:1003:100::/srv/carl:/usr/bin/rssh
dora:` + bcryptHash + `:1004:100::/home/dora:/usr/sbin/nologin
emil::1005:100::/home/emil:/bin/bash
fred:x:1006:100::/home/fred:/bin/bash
gone:x:1007:100::/home/gone:/bin/bash
+@netgroup::::::
`

const shadow = `root:!:19000:0:99999:7:::
bob:` + bcryptHash + `:20000:0:99999:7:::
carl:` + argonHash + `:20000:0:99999:7::20783:
fred:!$6$salt$hash:20000:0:99999:7:::
`

const group = "users:x:100:\nftp:x:50:anna,bob\nbob:x:1002:bob\nextra:x:50:anna\naudio:x:29:anna\n"

// files writes files into a directory of the test.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func usual(t *testing.T) Config {
	t.Helper()
	dir := files(t, map[string]string{"passwd": passwd, "shadow": shadow, "group": group, "shells": "# shells\n/bin/sh\n/bin/bash\n"})
	return Config{Passwd: dir + "/passwd", Shadow: dir + "/shadow", Group: dir + "/group"}
}

func must(t *testing.T, config Config) *Policy {
	t.Helper()
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func login(user string, at time.Time) *policy.Login {
	return &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: user, Root: "/"}, Time: at}}
}

// known lists those who may log in.
func known(p *Policy) string {
	var names []string
	for name := range p.table.Load().accounts {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestAccounts(t *testing.T) {
	p := must(t, usual(t))
	perms := policy.PermAll
	for _, c := range []struct {
		name string
		want policy.Identity
	}{
		{"anna", policy.Identity{Verdict: policy.Allow, PasswordHash: argonHash, Perms: &perms, Group: "users"}},
		{"bob", policy.Identity{Verdict: policy.Allow, PasswordHash: bcryptHash, Perms: &perms, Group: "bob"}},
		{"carl", policy.Identity{Verdict: policy.Allow, PasswordHash: argonHash, Perms: &perms, Group: "users", Expires: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)}},
	} {
		id, err := p.Authenticate(t.Context(), login(c.name, noon.Add(-13*time.Hour)))
		if diff := cmp.Diff(c.want, id); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	for _, name := range []string{"carl", "root", "daemon", "www", "dora", "emil", "fred", "gone", "", "Anna", "anna ", "# a comment", "+@netgroup"} {
		if id, err := p.Authenticate(t.Context(), login(name, noon)); err != nil || !cmp.Equal(id, policy.Identity{}) {
			t.Errorf("%q: %+v, %v", name, id, err)
		}
	}
	a, ok := p.Account("anna")
	if want := (Account{Name: "anna", UID: 1001, GID: 100, Groups: []uint32{29, 50}, Group: "users", Home: "/home/anna", Shell: "/bin/bash", hash: argonHash}); !ok || !cmp.Equal(a, want, cmp.AllowUnexported(Account{})) {
		t.Errorf("%+v", a)
	}
	a.Groups[0] = 0
	if again, _ := p.Account("anna"); again.Groups[0] != 29 {
		t.Error("one answer changes the next")
	}
}

func TestWhoMay(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"usual", func(*Config) {}, "anna bob carl"},
		{"shells", func(c *Config) { c.Shells = filepath.Dir(c.Passwd) + "/shells" }, "anna bob"},
		{"low numbers", func(c *Config) { c.MinUID = -1 }, "anna bob carl www"},
		{"high numbers", func(c *Config) { c.MinUID = 1002 }, "bob carl"},
		{"allowed", func(c *Config) { c.Allow = []string{"anna", "www", "nobody"} }, "anna"},
		{"denied", func(c *Config) { c.Deny = []string{"anna"} }, "bob carl"},
		{"no shadow", func(c *Config) { c.Shadow = "" }, "anna"},
		{"below home", func(c *Config) { c.Root = "/home/" }, "anna bob"},
		{"below all", func(c *Config) { c.Root = "/" }, "anna bob carl"},
	} {
		config := usual(t)
		c.change(&config)
		if got := known(must(t, config)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestHome(t *testing.T) {
	for root, want := range map[string]string{"": "", "/": "/home/bob", "/home": "/bob", "/home/bob": "/", "/home/bob/": "/"} {
		config := usual(t)
		config.Root = root
		id, err := must(t, config).Authenticate(t.Context(), login("bob", noon))
		if err != nil || id.Home != want {
			t.Errorf("below %q: %q, %v, want %q", root, id.Home, err, want)
		}
	}
	for _, c := range [][2]string{{"/home", "/homes/bob"}, {"/home", "/home/../etc"}, {"/home/bob", "/home"}} {
		if home, inside := below(c[0], c[1]); inside {
			t.Errorf("%s is %s below %s", c[1], home, c[0])
		}
	}
}

func TestExpiry(t *testing.T) {
	for _, c := range []struct {
		line string
		want int64 // day, -1 never
	}{
		{"a:h:::::::", -1},
		{"a:h:20000:0:99999:7:::", -1},
		{"a:h:20000:0:90:7:14::", 20105},
		{"a:h:20000:0:90:7:14:20100:", 20100},
		{"a:h:20000:0:90:7:14:30000:", 20105},
		{"a:h:20000:0:90:7:::", -1},
		{"a:h:20000:0:-1:7:14::", -1},
		{"a:h:0:0:99999:7:::", 0},
		{"a:h:::::::0", -1}, // the last field means nothing
		{"a:h::::::0:", 0},
		{"a:h:20000:0:9223372036854775807:7:9223372036854775807:9223372036854775807:", maxDay},
	} {
		all, err := parseShadow(c.line)
		want := time.Time{}
		if c.want >= 0 {
			want = time.Unix(c.want*86400, 0).UTC()
		}
		if err != nil || !all["a"].expires.Equal(want) {
			t.Errorf("%s: %v, %v, want %v", c.line, all["a"].expires, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	line := func(hash string) string {
		return "ok:*:1:1::/:/bin/sh\nanna:" + hash + ":1001:100::/home/anna:/bin/sh\n"
	}
	for _, c := range []struct{ passwd, shadow, group, want string }{
		{line("$6$salt$hash"), "", "", `passwd, line 2: user "anna": the password hash is of SHA-512 crypt, which the server cannot verify`},
		{line("$y$j9T$x$y"), "", "", "of yescrypt"},
		{line("$1$x$y"), "", "", "of MD5 crypt"},
		{line("$argon2i$x"), "", "", "of an unknown kind"},
		{line("ab1234567890."), "", "", "of an old form"},
		{line("x"), "\n\nanna:$6$a$b:::::::\n", "", `shadow, line 3: user "anna": the password hash is of SHA-512`},
		{line("$2b$broken"), "", "", "looked at: $2b$broken"},
		{"anna:*:1001:100::/home/anna\n", "", "", "passwd: line 1: 6 fields, not 7"},
		{":*:1001:100::/home/anna:/bin/sh", "", "", "line 1: no name"},
		{"an\xffna:*:1001:100::/home/anna:/bin/sh", "", "", "line 1: no name"},
		{"a\x00b:*:1001:100::/home/anna:/bin/sh", "", "", "line 1: no name"},
		{"a:*:-1:100::/home/anna:/bin/sh", "", "", `"-1" is no number of a user`},
		{"a:*:1:4294967295::/home/anna:/bin/sh", "", "", `"4294967295" is no number`},
		{"a:*:1:1::/:\na:*:2:2::/:", "", "", `line 2: "a" is there twice`},
		{line("x"), "anna:h:1:2:3\n", "", "shadow: line 1: 5 fields, not 9"},
		{line("x"), "anna:h:today::::::\n", "", `"today" is no number of days`},
		{line("x"), "a:*:::::::\na:*:::::::\n", "", `line 2: "a" is there twice`},
		{line("*"), "", "users:x\n", "group: line 1: 2 fields, not 4"},
		{line("*"), "", "users:x:-5:\n", `"-5" is no number of a user or group`},
	} {
		dir := files(t, map[string]string{"passwd": c.passwd, "shadow": c.shadow, "group": c.group})
		_, err := New(Config{Passwd: dir + "/passwd", Shadow: dir + "/shadow", Group: dir + "/group", Check: func(hash string) error {
			return fmt.Errorf("looked at: %s", hash)
		}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	dir := files(t, map[string]string{"open": passwd})
	if err := os.Chmod(dir+"/open", 0o666); err != nil {
		t.Fatal(err)
	}
	for want, config := range map[string]Config{
		"need a file":        {},
		"no such file":       {Passwd: dir + "/none"},
		"no regular file":    {Passwd: dir},
		"everybody may":      {Passwd: dir + "/open"},
		"an absolute path":   {Passwd: dir + "/open", Root: "home"},
		dir + "/none":        {Passwd: dir + "/none"},
		"account file: read": {Passwd: dir},
	} {
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A user whom nothing but the hash keeps out makes the file unusable; one who is
// kept out otherwise does not.
func TestOtherHashes(t *testing.T) {
	dir := files(t, map[string]string{"passwd": "root:$6$a$b:0:0::/root:/bin/sh\nanna:$6$a$b:1001:100::/home/anna:/bin/sh\nbob:" + bcryptHash + ":1002:100::/:/bin/sh\n"})
	if _, err := New(Config{Passwd: dir + "/passwd"}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Error(err)
	}
	if got := known(must(t, Config{Passwd: dir + "/passwd", Deny: []string{"anna"}})); got != "bob" {
		t.Errorf("%q", got)
	}
}

func TestReload(t *testing.T) {
	config := usual(t)
	var out bytes.Buffer
	config.Log = slog.New(slog.NewTextHandler(&out, nil))
	now := noon
	p, err := newPolicy(config, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	// write changes the file; the clock of files may be too coarse to show it.
	version := 0
	write := func(text string) {
		t.Helper()
		version++
		if err := os.WriteFile(config.Passwd, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(config.Passwd, time.Time{}, noon.Add(time.Duration(version)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	has := func(user string, want bool) {
		t.Helper()
		if _, got := p.Account(user); got != want {
			t.Errorf("%s is known: %v", user, got)
		}
	}
	hanna := strings.Replace(passwd, "anna", "hans", 1)
	write(hanna)
	has("hans", false) // the second is not over
	now = now.Add(lookEvery)
	has("hans", true)
	has("anna", false)
	write("broken")
	for range 5 {
		now = now.Add(lookEvery)
		has("hans", true)
	}
	if n := strings.Count(out.String(), "level=ERROR"); n != 1 || !strings.Contains(out.String(), "1 fields, not 7") {
		t.Errorf("it is said %d times:\n%s", n, &out)
	}
	if err := os.Remove(config.Passwd); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookEvery)
	has("hans", true)
	write(passwd)
	now = now.Add(lookEvery)
	has("hans", false)
	has("anna", true)
}

func FuzzFiles(f *testing.F) {
	f.Add(passwd, shadow, group)
	f.Add("a:x:1001:1::/:", "a:$2b$:1:2:3:4:5:6:", "g:x:1:a,,a")
	f.Fuzz(func(t *testing.T, passwd, shadow, group string) {
		users, err := parsePasswd(passwd)
		secrets, err2 := parseShadow(shadow)
		groups, err3 := parseGroup(group)
		if err != nil || err2 != nil || err3 != nil {
			return
		}
		for _, u := range users {
			groups.join(&u.Account)
			if u.Name == "" || strings.ContainsAny(u.Name, ":\n\r\x00") || u.Home[0] != '/' || u.Shell == "" ||
				!slices.IsSorted(u.Groups) || slices.Contains(u.Groups, u.GID) || u.UID == 1<<32-1 {
				t.Errorf("%+v", u)
			}
			if e := secrets[u.Name].expires; !e.IsZero() && (e.Year() < 1970 || e.Year() > 33000) {
				t.Errorf("%s ends at %v", u.Name, e)
			}
		}
	})
}

func TestConformance(t *testing.T) {
	policytest.TestPolicy(t, func(t *testing.T) policy.Policy {
		config := usual(t)
		config.Root, config.MaxSessions, config.Limits = "/home", 3, policy.Limits{RateUp: 5}
		return must(t, config)
	},
		policytest.Case{Name: "known", Login: login("anna", noon), Want: policy.Allow},
		policytest.Case{Name: "outside", Login: login("carl", noon), Want: policy.Pass},
		policytest.Case{Name: "unknown", Login: login("mallory", noon), Want: policy.Pass},
		policytest.Case{Name: "root", Login: login("root", noon), Want: policy.Pass},
	)
}
