package quickstart

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// plan is one that nothing stands in the way of.
func plan(t *testing.T) *Plan {
	t.Helper()
	dir := t.TempDir()
	return &Plan{Domains: []string{"ftp.example.org"}, AgreeToTerms: true, Listen: []string{":21"}, PassivePorts: "50000-50999", Users: []string{"anna", "ben"},
		Dir: filepath.Join(dir, "etc"), Root: filepath.Join(dir, "files"), StateDir: filepath.Join(dir, "state"), Account: "nobody"}
}

// machine is one on which everything is free, and the name leads here.
func machine() Machine {
	here := netip.MustParseAddr("203.0.113.9")
	return Machine{Bind: func(string) error { return nil }, Own: func() []netip.Addr { return []netip.Addr{here} },
		Resolve: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{here}, nil }}
}

func survey(t *testing.T, p *Plan, m Machine) *Findings {
	t.Helper()
	f, err := Survey(t.Context(), p, m)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// words are the texts of findings and their helps.
func words(list []Finding) string {
	var b strings.Builder
	for _, f := range list {
		b.WriteString(f.Text + " | " + f.Help + "\n")
	}
	return b.String()
}

// Everything that stands in the way is told at once, and with what to do about it.
func TestEverythingAtOnce(t *testing.T) {
	p := plan(t)
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{p.Config(), p.StateDir} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.Domains, p.AgreeToTerms, p.PassivePorts, p.Users = nil, false, "9-8", []string{"a/b", "anna", "anna", ".."}
	p.Root, p.Systemd, p.Account = filepath.Dir(p.Dir), true, "nobody-of-that-name"
	m := machine()
	m.Root, m.Bind = true, func(string) error { return syscall.EADDRINUSE }
	f := survey(t, p, m)
	got := words(f.Faults)
	for _, want := range []string{"no name for the certificate", "terms of service", "no user \"nobody-of-that-name\" | useradd ", `"a/b" cannot be`, `".." cannot be`, `"anna" is there twice`,
		p.Config() + " is there already, and nothing is overwritten", p.StateDir + " is not a directory | ", "lies in " + p.Root, "directory of /var/lib", "listens on :21 | ss -ltnp", "ports 80 and 443",
		"listeners[0].passive.ports: "} {
		if !strings.Contains(got, want) {
			t.Errorf("it is not told: %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	for _, fault := range f.Faults {
		if fault.Help == "" {
			t.Errorf("%s: what is to be done about it?", fault.Text)
		}
	}
}

// Of what is not this machine's to mend there are notes: the server will start.
func TestNotes(t *testing.T) {
	nat := netip.MustParseAddr("198.51.100.7")
	for name, tt := range map[string]struct {
		change func(*Plan, *Machine)
		want   string // in the notes
	}{
		"no name": {func(_ *Plan, m *Machine) {
			m.Resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
		}, "ftp.example.org has no address yet"},
		"elsewhere": {func(_ *Plan, m *Machine) {
			m.Resolve = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{nat}, nil }
		}, "ftp.example.org leads to 198.51.100.7, which is not here"},
		"private": {func(_ *Plan, m *Machine) {
			m.Own = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("10.0.0.5")} }
		}, "--ip ADDRESS"},
		"behind NAT": {func(p *Plan, _ *Machine) { p.IPs = []netip.Addr{nat} }, "198.51.100.7 is no address of this machine"},
		"no right":   {func(_ *Plan, m *Machine) { m.Bind = func(string) error { return syscall.EACCES } }, "port 21 takes a privilege"},
	} {
		p, m := plan(t), machine()
		tt.change(p, &m)
		f := survey(t, p, m)
		if len(f.Faults) > 0 || !strings.Contains(words(f.Notes), tt.want) {
			t.Errorf("%s: faults %q, notes %q", name, words(f.Faults), words(f.Notes))
		}
		if name == "behind NAT" && p.Advertise != nat.String() {
			t.Errorf("clients are told %q", p.Advertise)
		}
	}
}

// Where another program has one of the two ports, the other one proves the names.
func TestChallenges(t *testing.T) {
	for port, want := range map[string]string{":80": "tls-alpn-01", ":443": "http-01"} {
		p, m := plan(t), machine()
		m.Bind = func(address string) error {
			if address == port {
				return syscall.EADDRINUSE
			}
			return nil
		}
		if f := survey(t, p, m); len(f.Faults) > 0 || !slices.Equal(p.Challenges, []string{want}) {
			t.Errorf("%s is taken: %q, %q", port, p.Challenges, words(f.Faults))
		}
		if line := p.firewall(); strings.Contains(line, " "+port[1:]+",") {
			t.Errorf("the firewall: %s", line)
		}
	}
}

// What is written is what config validate takes, and is short.
func TestWrite(t *testing.T) {
	p := plan(t)
	p.Users = append(p.Users, "true", "0x10") // which YAML takes for something else
	if f := survey(t, p, machine()); len(f.Faults) > 0 {
		t.Fatal(words(f.Faults))
	}
	w, err := p.Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conf, err := config.Load(p.Config())
	if err != nil {
		t.Fatal(err)
	}
	if len(conf.Users) != 4 || conf.Users[0].Perms.String() != "elradfmwMT" || conf.Root != p.Root || conf.Defaults.Root != p.Root+"/${user}" || conf.ACME == nil || !slices.Equal(conf.ACME.Names, p.Domains) {
		t.Errorf("%+v", conf)
	}
	text, err := os.ReadFile(p.Config())
	if lines := strings.Count(string(text), "\n"); err != nil || lines > 45 || !strings.HasPrefix(string(text), "# yaml-language-server: $schema=./edgeftp.schema.json\n") {
		t.Errorf("%d lines, %v", lines, err)
	}
	for i, want := range map[string]fs.FileMode{p.Config(): 0o600, p.usersFile(): 0o600, p.Dir: 0o750, p.StateDir: 0o700, p.home("anna"): 0o750} {
		if info, err := os.Stat(i); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", i, info, err)
		}
	}
	people, err := os.ReadFile(p.usersFile())
	for _, made := range w.Passwords {
		if err != nil || strings.Contains(string(people), made.Password) || strings.Contains(string(text), made.Password) {
			t.Errorf("the password of %s is in a file (%v)", made.User, err)
		}
	}
	w.Undo()
	if left, err := os.ReadDir(filepath.Dir(p.Dir)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// After a failure half way nothing is left, and nothing is lost that was there before.
func TestUndo(t *testing.T) {
	p := plan(t)
	p.Systemd, p.Account = true, "ftpd"
	for path, text := range map[string]string{p.usersFile(): "mine", filepath.Join(p.home("ben"), "letter"): "mine"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Write(t.Context()); !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Write(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	var left []string
	err := filepath.WalkDir(filepath.Dir(p.Dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, filepath.Base(path))
		}
		return err
	})
	if slices.Sort(left); err != nil || !slices.Equal(left, []string{"letter", "users.yaml"}) {
		t.Errorf("left: %q, %v", left, err)
	}
	if _, err := os.Stat(p.home("anna")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the home of anna: %v", err)
	}
}

// The units are those of packaging/systemd but for places, ports and the account.
func TestUnits(t *testing.T) {
	p := plan(t)
	p.Systemd = true
	packaged := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "packaging", "systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	p.Dir, p.Root, p.StateDir, p.Account = "/etc/edgeftp", "/srv/ftp", "/var/lib/edgeftp", "edgeftp"
	for name, text := range unitsOf(t, p) {
		if want := packaged(name); text != want {
			t.Errorf("%s of the usual places is another one", name)
		}
	}
	p.Dir, p.Root, p.StateDir, p.Account, p.Listen = "/etc/ftpd", "/data", "/var/lib/ftpd", "ftpd", []string{":21", "127.0.0.1:2121"}
	all := unitsOf(t, p)
	for name, want := range map[string]string{
		"edgeftp.service": "ExecStart=/usr/bin/edgeftp serve --config /etc/ftpd/edgeftp.yaml |ExecReload=/usr/bin/edgeftp reload --state-dir /var/lib/ftpd\n|\nUser=ftpd\nGroup=ftpd\n|\nStateDirectory=ftpd\n|\nReadWritePaths=/data\n",
		"edgeftp.socket":  "\nListenStream=21\nListenStream=127.0.0.1:2121\n",
	} {
		for _, part := range strings.Split(want, "|") {
			if !strings.Contains(all[name], part) {
				t.Errorf("%s has no %q", name, part)
			}
		}
	}
	if text := all["edgeftp.service"]; regexp.MustCompile(`(?m)^[^#\n]*(/etc/edgeftp/|/var/lib/edgeftp|/srv/ftp)`).MatchString(text) {
		t.Errorf("a place is forgotten:\n%s", text)
	}
	p.Listen = []string{":2121"}
	if _, there := unitsOf(t, p)["edgeftp.socket"]; there {
		t.Error("a socket unit for a port that takes no privilege")
	}
}

func unitsOf(t *testing.T, p *Plan) map[string]string {
	t.Helper()
	files, err := p.Files(nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		if strings.Contains(f.Path, "/systemd/") {
			all[filepath.Base(f.Path)] = string(f.Text)
		}
	}
	if len(all) < 2 {
		t.Fatalf("%d units", len(all))
	}
	return all
}

// systemd takes the units, where it is there to ask.
func TestVerify(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	p := plan(t)
	p.Systemd, p.Account, p.StateDir = true, "edgeftp", "/var/lib/edgeftp"
	files, err := p.Files(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range files {
		if name := filepath.Base(f.Path); strings.HasPrefix(name, "edgeftp.s") && strings.Contains(f.Path, "/systemd/") {
			// The program need not be installed where the test runs.
			text := strings.ReplaceAll(string(f.Text), "/usr/bin/edgeftp", "/bin/true")
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=one", filepath.Join(dir, "edgeftp.service"), filepath.Join(dir, "edgeftp.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "edgeftp.s") {
		t.Errorf("%v\n%s", err, out)
	}
}
