package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// account is what edgeftp user tells of a user, as far as it matters here.
type account struct {
	Name      string    `json:"name"`
	Source    string    `json:"source"`
	Perm      string    `json:"perm"`
	Disabled  bool      `json:"disabled"`
	Expired   bool      `json:"expired"`
	Shadowed  bool      `json:"shadowed"`
	Problem   string    `json:"problem"`
	LastLogin time.Time `json:"last_login"`
	Ended     int       `json:"ended"`
	Password  string    `json:"generated_password"`
	Quota     *struct {
		Bytes struct{ Used, Limit int64 } `json:"bytes"`
	} `json:"quota"`
}

// user runs edgeftp user, on the server of this place or on its store.
func (p place) user(t *testing.T, args ...string) result {
	t.Helper()
	return edgeftp(t, append([]string{"user", "--state-dir", p.state}, args...)...)
}

// changed is user for what has to work, and what it tells of the user.
func (p place) changed(t *testing.T, args ...string) (a account) {
	t.Helper()
	r := p.user(t, append(args, "-o", "json")...)
	if r.code != 0 {
		t.Fatalf("user %q: exit code %d\n%s", args, r.code, r.both())
	}
	ok(t, json.Unmarshal([]byte(r.stdout), &a))
	return a
}

// known are the names and sources of all users.
func (p place) known(t *testing.T) string {
	t.Helper()
	r := p.user(t, "list", "-o", "json")
	var all []account
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || r.code != 0 {
		t.Fatalf("user list: exit code %d, %v\n%s", r.code, err, r.both())
	}
	var names []string
	for _, a := range all {
		names = append(names, a.Name+"/"+a.Source)
	}
	return strings.Join(names, " ")
}

// secretFile writes a password.
func (p place) secretFile(t *testing.T, password string) string {
	t.Helper()
	path := p.out("password")
	ok(t, os.WriteFile(path, []byte(password+"\n"), 0o600))
	return path
}

// tries to log in, and returns the reply.
func (s *server) tries(t *testing.T, user, password string) userpi.Reply {
	t.Helper()
	c := s.dial(t)
	defer c.Close()
	c.want(t, "USER "+user, 331)
	return c.want(t, "PASS "+password, 230, 530)
}

// unhurried is a server of the given users, which does not delay after failures.
func unhurried() string {
	return plain() + "limits: { logins: { attempts: 0, delay_after_failure: 0 } }\ndefender: { enabled: false }\n"
}

// A user's life: made, logged in, changed, disabled, removed, each at once; and all of it
// is there after a restart.
func TestUserStore(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ok(t, os.Mkdir(p.in("anna"), 0o755))
	s := p.serve(t, unhurried())
	if got := p.known(t); got != "dev/list" {
		t.Errorf("at first: %s", got)
	}
	p.changed(t, "add", "anna", "--password-file", p.secretFile(t, "first"), "--root", p.in("anna"), "--perm", "elrw", "--quota", "1KB")
	if r := s.tries(t, "anna", "first"); !r.Is(230) {
		t.Errorf("at once: %v", r)
	}
	c := s.loginAs(t, "anna", "first")
	c.put(t, "STOR file", strings.NewReader(strings.Repeat("x", 600)))
	p.holds(t, "anna", "anna/file")
	c.refused(t, "MKD dir", 550)
	if a := p.changed(t, "show", "anna"); a.Quota == nil || a.Quota.Bytes.Used != 600 || a.Quota.Bytes.Limit != 1000 || a.LastLogin.IsZero() || a.Source != "store" {
		t.Errorf("show: %+v", a)
	}
	// The session goes on with what it had, the next one has what is new.
	p.changed(t, "set", "anna", "--perm", "elrwm", "--quota", "")
	c.refused(t, "MKD dir", 550)
	p.changed(t, "passwd", "anna", "--password-file", p.secretFile(t, "second"))
	c.want(t, "NOOP", 200)
	wrong := s.tries(t, "anna", "first")
	if !wrong.Is(530) {
		t.Errorf("the old password: %v", wrong)
	}
	s.loginAs(t, "anna", "second").want(t, "MKD dir", 257)
	p.changed(t, "disable", "anna")
	if r := s.tries(t, "anna", "second"); r.String() != wrong.String() {
		t.Errorf("disabled: %v, a wrong password: %v", r, wrong)
	}
	if r := s.tries(t, "nobody", "second"); r.String() != wrong.String() {
		t.Errorf("a stranger: %v, a wrong password: %v", r, wrong)
	}
	s.stop(t)

	// Without a server the store itself is opened.
	p.changed(t, "enable", "anna")
	bob := p.changed(t, "add", "bob", "--generate", "--expires", "2099-01-01")
	if got := p.known(t); got != "anna/store bob/store" {
		t.Errorf("in the store: %s", got)
	}
	s = p.serve(t, unhurried())
	s.loginAs(t, "anna", "second")
	s.loginAs(t, "bob", bob.Password)
	if a := p.changed(t, "show", "anna"); a.Perm != "elrmw" && a.Perm != "elrwm" || a.Disabled {
		t.Errorf("after a restart: %+v", a)
	}
	p.changed(t, "set", "bob", "--expires", "2020-01-01")
	if r := s.tries(t, "bob", bob.Password); !r.Is(530) {
		t.Errorf("expired: %v", r)
	}
	p.changed(t, "rm", "anna")
	if r := s.tries(t, "anna", "second"); !r.Is(530) {
		t.Errorf("removed: %v", r)
	}
	s.kill() // what was told is on the disk
	if got := p.known(t); got != "bob/store" {
		t.Errorf("after kill -9: %s", got)
	}
}

// What cannot be done is said, and changes nothing.
func TestUserRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if r := p.user(t, "list"); r.code != 4 || !strings.Contains(r.stderr, "mkdir") {
		t.Errorf("no state: %d\n%s", r.code, r.both())
	}
	s := p.serve(t, unhurried())
	pw := p.secretFile(t, "x")
	beside := p.state + "-beside"
	ok(t, os.Mkdir(beside, 0o755))
	p.changed(t, "add", "anna", "--password-file", pw)
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "already", []string{"add", "anna", "--password-file", pw}},
		{1, "comes first", []string{"add", "dev", "--password-file", pw}},
		{1, "no such file", []string{"add", "x", "--root", p.in("none"), "--password-file", pw}},
		{1, "files lie in it", []string{"add", "x", "--root", filepath.Dir(p.state), "--password-file", pw}},
		{1, "outside of the sandbox", []string{"add", "x", "--root", beside, "--password-file", pw}},
		{1, "permission letter", []string{"add", "x", "--perm", "xyz", "--password-file", pw}},
		{1, `unknown key "rule"`, []string{"set", "anna", "--settings", `{"rule": []}`}},
		{1, "cannot be among the settings", []string{"set", "anna", "--settings", `{"name": "x"}`}},
		{2, "no JSON", []string{"set", "anna", "--settings", `{`}},
		{2, "nothing is to be changed", []string{"set", "anna"}},
		{1, "users.list of the configuration", []string{"rm", "dev"}},
		{1, "no user", []string{"rm", "nobody"}},
		{1, "no user", []string{"show", "nobody"}},
		{1, "first line", []string{"add", "x", "--password-file", os.DevNull}},
		{2, "exclude each other", []string{"add", "x", "--generate", "--password-file", pw}},
		{2, "no file of that format", []string{"import", "--from", "sftpgo", pw}},
	} {
		if r := p.user(t, c.args...); r.code != c.code || !strings.Contains(r.stderr, c.says) {
			t.Errorf("user %q: exit code %d, want %d\n%s", c.args, r.code, c.code, r.both())
		}
	}
	if got := p.known(t); got != "anna/store dev/list" {
		t.Errorf("there are %s", got)
	}
	s.stop(t)
}

// Two who change the store at one time both have their way.
func TestUserWriters(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, unhurried())
	pw := p.secretFile(t, "x")
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			if r := p.user(t, "add", fmt.Sprint("user", i), "--password-file", pw); r.code != 0 {
				t.Errorf("%d: %s", i, r.both())
			}
		})
	}
	all.Wait()
	s.stop(t)
	for i := range 2 { // and without a server, one after the other
		all.Go(func() {
			if r := p.user(t, "add", fmt.Sprint("more", i), "--password-file", pw); r.code != 0 {
				t.Errorf("%d: %s", i, r.both())
			}
		})
	}
	all.Wait()
	if got := p.known(t); got != "more0/store more1/store user0/store user1/store user2/store user3/store user4/store user5/store" {
		t.Errorf("there are %s", got)
	}
}

// The list comes first, then the file, then the store, or as users.sources says; of one
// name in two the first holds, which the log says once.
func TestUserSources(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ok(t, os.Mkdir(p.state, 0o700))
	hash := strings.TrimSpace(p.user(t, "hash", "--password-file", p.secretFile(t, "of the file")).stdout)
	ok(t, os.WriteFile(p.out("users.yaml"), []byte("version: 1\nusers:\n  - { name: dev, password_hash: \""+hash+"\" }\n  - { name: anna, password_hash: \""+hash+"\" }\n  - { name: carl, password_hash: \""+hash+"\", disabled: true }\n"), 0o600))
	stored := p.secretFile(t, "of the store")
	p.changed(t, "add", "anna", "--password-file", stored)
	p.changed(t, "add", "bob", "--password-file", stored)
	for _, c := range []struct{ sources, anna, hidden string }{
		{"", "of the file", `"user":"anna","holds":"file","ignored":"store"`},
		{"sources: [list, store, file], ", "of the store", `"user":"anna","holds":"store","ignored":"file"`},
	} {
		s := p.serve(t, strings.Replace(unhurried()+everybody, "users: {", "users: { "+c.sources+"file: "+p.out("users.yaml")+",", 1))
		s.expect(t, c.hidden)
		s.expect(t, `"user":"dev","holds":"list","ignored":"file"`)
		s.login(t)
		s.loginAs(t, "anna", c.anna)
		s.loginAs(t, "bob", "of the store")
		if r := s.tries(t, "carl", "of the file"); !r.Is(530) {
			t.Errorf("carl is disabled: %v", r)
		}
		s.stop(t)
	}
}

// An import that is killed leaves all of it or nothing.
func TestUserImportKilled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ok(t, os.Mkdir(p.state, 0o700))
	const users = 2000
	var b strings.Builder
	for i := range users {
		fmt.Fprintf(&b, "user%d:$2y$05$cd47vQwG6pZr5NhJNsq2f.uXWVs5NAawHpOt.ZtAqnVj7NuMefv7O\n", i)
	}
	ok(t, os.WriteFile(p.out("htpasswd"), []byte(b.String()), 0o600))
	args := []string{"user", "import", "--from", "htpasswd", p.out("htpasswd"), "--state-dir", p.state}
	left := map[int]int{}
	round := func(victim func() *os.Process, after time.Duration) (took time.Duration) {
		cmd := exec.Command(os.Getenv(binaryVar), args...)
		began := time.Now()
		ok(t, cmd.Start())
		killed := make(chan struct{})
		kill := time.AfterFunc(after, func() {
			defer close(killed)
			if v := victim(); v != nil {
				_ = v.Kill()
			} else {
				_ = cmd.Process.Kill()
			}
		})
		_ = cmd.Wait() // by the signal, or with whatever it makes of a server that has gone
		took = time.Since(began)
		if !kill.Stop() {
			<-killed
		}
		return took
	}
	itself := func() *os.Process { return nil }
	whole := round(itself, patience())
	for i := range 12 { // the commit is in the last part
		n := len(strings.Fields(p.known(t)))
		if n != 0 && n != users {
			t.Fatalf("round %d: %d of %d users are there", i, n, users)
		}
		left[n]++
		ok(t, os.RemoveAll(filepath.Join(p.state, "users.db")))
		round(itself, whole*time.Duration(40+5*i)/100)
	}
	t.Logf("a whole import takes %v; left, and how often: %v", whole, left)
	if left[users] == 0 {
		t.Error("not even the import that nobody kills is whole")
	}
	for _, part := range []time.Duration{60, 80, 95} { // of a server
		ok(t, os.RemoveAll(filepath.Join(p.state, "users.db")))
		s := p.serve(t, unhurried())
		round(func() *os.Process { return s.cmd.Process }, whole*part/100)
		s.kill()
		if n := len(strings.Fields(p.known(t))); n != 0 && n != users {
			t.Fatalf("a killed server has %d of %d users", n, users)
		}
	}
}

// What other servers have is taken over whole, or not at all.
func TestUserImport(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, unhurried())
	list := p.out("list")
	ok(t, os.WriteFile(list, []byte("anna\nher secret\nbob\nhis secret\n"), 0o600))
	if r := p.user(t, "import", "--from", "vsftpd", "--dry-run", list); r.code != 0 || !strings.Contains(r.stdout, "2 would be taken over") {
		t.Errorf("a dry run: %d\n%s", r.code, r.both())
	}
	mixed := p.out("mixed")
	ok(t, os.WriteFile(mixed, []byte("carol:$apr1$7IiMh70n$d8NV/gzJ2Q80ICwJppXN.1\ndave:$2y$05$s4eOcAMhhvbroken\n"), 0o600))
	if r := p.user(t, "import", "--from", "htpasswd", mixed); r.code != 1 || !strings.Contains(r.stderr, "line 1") || !strings.Contains(r.stderr, "line 2") || !strings.Contains(r.stderr, "nothing was imported") {
		t.Errorf("what cannot be verified: %d\n%s", r.code, r.both())
	}
	if got := p.known(t); got != "dev/list" {
		t.Errorf("there are %s", got)
	}
	p.user(t, "import", "--from", "vsftpd", list)
	s.loginAs(t, "anna", "her secret")
	if r := p.user(t, "import", "--from", "vsftpd", list); r.code != 1 || !strings.Contains(r.stderr, "already") {
		t.Errorf("again: %d\n%s", r.code, r.both())
	}
	if r := p.user(t, "import", "--from", "htpasswd", "--new-passwords", p.out("new"), mixed); r.code != 0 {
		t.Errorf("with new passwords: %d\n%s", r.code, r.both())
	}
	for line := range strings.Lines(string(must(os.ReadFile(p.out("new")))(t))) {
		name, password, _ := strings.Cut(strings.TrimSpace(line), ":")
		s.loginAs(t, name, password)
	}
	if got := p.known(t); got != "anna/store bob/store carol/store dave/store dev/list" {
		t.Errorf("there are %s", got)
	}
	if info := must(os.Stat(p.out("new")))(t); info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the passwords: %v", info.Mode())
	}
	s.stop(t)
}

// A reload reads the file of users again; the store stays what it is.
func TestUserReload(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	hash := strings.TrimSpace(edgeftp(t, "user", "hash", "--password-file", p.secretFile(t, "x")).stdout)
	write := func(more string) {
		ok(t, os.WriteFile(p.out("users.yaml"), []byte("version: 1\nusers:\n  - { name: anna, password_hash: \""+hash+"\""+more+" }\n"), 0o600))
	}
	write("")
	s := p.serve(t, strings.Replace(unhurried()+everybody, "users: {", "users: { file: "+p.out("users.yaml")+",", 1))
	p.changed(t, "add", "bob", "--password-file", p.out("password"))
	s.loginAs(t, "anna", "x")
	write(", disabled: true")
	if r := s.admin(t, "reload"); r.code != 0 || !strings.Contains(r.both(), "users.list[anna].disabled") {
		t.Errorf("reload: %d\n%s", r.code, r.both())
	}
	if r := s.tries(t, "anna", "x"); !r.Is(530) {
		t.Errorf("anna is disabled: %v", r)
	}
	write(", perm: xyz")
	if r := s.admin(t, "reload"); r.code != 3 || !strings.Contains(r.stderr, "users.yaml:3:") {
		t.Errorf("a broken file: %d\n%s", r.code, r.both())
	}
	if got := p.known(t); got != "anna/file bob/store dev/list" {
		t.Errorf("there are %s", got)
	}
	s.loginAs(t, "bob", "x")
	s.stop(t)
}
