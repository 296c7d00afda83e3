package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// machine is a folder with what a configuration names.
type machine struct {
	*testing.T
	dir string
}

func newMachine(t *testing.T) machine {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return machine{t, dir}
}

func (m machine) at(elem ...string) string { return filepath.Join(append([]string{m.dir}, elem...)...) }

func (m machine) folder(elem ...string) string {
	m.Helper()
	if err := os.MkdirAll(m.at(elem...), 0o755); err != nil {
		m.Fatal(err)
	}
	return m.at(elem...)
}

func (m machine) file(elem ...string) string {
	m.Helper()
	m.folder(elem[:len(elem)-1]...)
	if err := os.WriteFile(m.at(elem...), nil, 0o644); err != nil {
		m.Fatal(err)
	}
	return m.at(elem...)
}

func (m machine) link(to string, elem ...string) string {
	m.Helper()
	m.folder(elem[:len(elem)-1]...)
	if err := os.Symlink(to, m.at(elem...)); err != nil {
		m.Fatal(err)
	}
	return m.at(elem...)
}

// conf is a small configuration.
func (m machine) conf() *config.Config {
	return &config.Config{Root: m.folder("root"), Instance: config.Instance{StateDir: m.folder("state")}, Socket: m.at("state", "admin.sock"),
		Listeners: []config.Listener{{Name: "main"}}}
}

// own are the rules of a plan that lie in the machine, as "access path".
func (m machine) own(p *Plan) (list []string) {
	for _, r := range p.Paths {
		if rest, ok := strings.CutPrefix(r.Path, m.dir+"/"); ok {
			list = append(list, string(r.Access)+" "+rest)
		}
		if r.Why == "" {
			m.Errorf("%s has no reason", r.Path)
		}
	}
	slices.Sort(list)
	return list
}

func (m machine) want(p *Plan, want ...string) {
	m.Helper()
	slices.Sort(want)
	if got := m.own(p); !slices.Equal(got, want) {
		m.Errorf("rules %q, want %q", got, want)
	}
}

// What a small server needs, and no more.
func TestPlanSmall(t *testing.T) {
	m := newMachine(t)
	p := PlanFor(m.conf())
	m.want(p, "tree root", "tree state", "socket state")
	if len(p.Bind) != 1 || p.Bind[0].Last != 0 || len(p.Connect) != 0 || len(p.Left) != 0 {
		t.Errorf("%+v", p)
	}
	for _, r := range p.Paths {
		if wide(r.Path) || r.Path == "/etc/shadow" || r.Path == "/etc/resolv.conf" || strings.HasPrefix(r.Path, "/etc/ssl") {
			t.Errorf("%s %s is not needed", r.Access, r.Path)
		}
	}
}

// Each key that names a file which is opened while the server serves has its rule.
func TestPlanFiles(t *testing.T) {
	m := newMachine(t)
	c := m.conf()
	c.Socket = m.at("run", "admin.sock")
	m.folder("run")
	m.file("archive", "cert1.pem")
	c.Certificates = []config.CertFile{
		{Cert: m.link("../archive/cert1.pem", "live", "cert.pem"), Key: m.file("keys", "key.pem"), Watch: true},
		{Cert: m.file("once", "cert.pem"), Key: m.at("once", "key.pem")},
	}
	c.Events = m.file("log", "events.json")
	c.AccessLog.File = filepath.Join(m.folder("log2"), "access")
	c.Policies.Watch = m.folder("modules")
	c.Users = []config.User{{Name: "a", Root: m.link(m.folder("far", "a"), "homes", "a")}}
	c.Anonymous.Root = m.folder("pub")
	c.ACME = &config.ACME{Storage: m.at("state2", "certificates")}
	p := PlanFor(c)
	m.want(p, "tree root", "tree state", "socket run", "read live", "read archive", "read keys", "append log", "append log2", "read modules",
		"tree far/a", "tree pub", "tree state2/certificates")
	if len(p.Connect) != 1 || p.covers("/etc/ssl/private/a.key") || p.covers("/etc/shadow") {
		t.Errorf("%+v", p)
	}
	// Of the system's files it is up to the machine whether one that replaces them can be read.
	if left := slices.DeleteFunc(p.Left, func(s string) bool { return strings.Contains(s, "how names of hosts are looked up") }); len(left) != 0 {
		t.Error(left)
	}
}

// What is watched is a folder, or a file with what may replace it.
func TestPlanWatch(t *testing.T) {
	m := newMachine(t)
	p := PlanFor(m.conf())
	p.Watch(m.folder("guard"), "source")
	p.Watch(m.file("shared", "words.h"), "source")
	p.Watch(m.at("nowhere"), "source")
	m.want(p, "tree root", "tree state", "socket state", "read guard", "read shared")
}

// Homes of a pattern, of users of whom nobody knows yet, and those that are links.
func TestPlanHomes(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{"homes/${user}", []string{"tree homes", "tree far/b"}},
		{"homes/${user}/files", []string{"tree homes", "tree far/b/files", "tree far/c"}},
		{"homes/u-${user}", []string{"tree homes", "tree far/d"}},
		{"shared", []string{"tree shared"}},
	} {
		m := newMachine(t)
		m.folder("homes", "a", "files")
		m.folder("far", "b", "files")
		m.link(m.at("far", "b"), "homes", "b")
		m.folder("homes", "c")
		m.link(m.folder("far", "c"), "homes", "c", "files")
		m.link(m.folder("far", "d"), "homes", "u-d")
		m.folder("shared")
		if c.pattern == "homes/${user}" { // there the others are homes too
			c.want = append(c.want, "tree far/d")
		}
		conf := m.conf()
		conf.Defaults.Root = m.at(c.pattern)
		m.want(PlanFor(conf), append(c.want, "tree root", "tree state", "socket state")...)
	}
}

// A file in a directory that holds half of the machine opens the file alone.
func TestPlanWide(t *testing.T) {
	m := newMachine(t)
	t.Setenv("HOME", m.dir) // it is wide too
	c := m.conf()
	c.Certificates = []config.CertFile{{Cert: m.file("cert.pem"), Key: m.file("key.pem"), Watch: true}}
	c.Events = m.file("events.json")
	p := PlanFor(c)
	m.want(p, "tree root", "tree state", "socket state", "read cert.pem", "read key.pem", "append events.json")
	if len(p.Left) != 3 {
		t.Errorf("%q", p.Left)
	}
	for _, dir := range []string{"/", "/etc", "/tmp", "/home"} {
		if !wide(dir) {
			t.Errorf("%s is not wide", dir)
		}
	}
}

// The ports, and what makes connections.
func TestPlanPorts(t *testing.T) {
	m := newMachine(t)
	c := m.conf()
	c.Listeners = []config.Listener{{Name: "a"}, {Name: "b"}}
	c.Listeners[0].Passive.Ports = []config.PortSpan{{First: 50000, Last: 50099}, {First: 51000, Last: 51000}}
	c.Listeners[1].Passive.Ports = []config.PortSpan{{First: 50010, Last: 50020}}
	c.Listeners = append(c.Listeners, config.Listener{Name: "web", Protocol: config.ProtocolHTTP, HTTP3: true}, config.Listener{Name: "quic", Protocol: config.ProtocolQUIC})
	p := PlanFor(c)
	if got := networkText(p); got != "TCP ports that can be bound: 50000-50099, 51000; no TCP connection can be made" {
		t.Error(got)
	}
	c.Listeners[1].Active.Enabled = true
	c.ACME = &config.ACME{Storage: m.at("acme"), Challenges: config.Challenges{HTTP: []string{":80"}, TLSALPN: []string{"[::]:443"}}}
	c.Policies.Modules = []config.Module{{Name: "guard", Grants: config.Grants{Fetch: []string{"https://idp.example.org"}}}, {Name: "other"}}
	if got := networkText(PlanFor(c)); got != "TCP ports that can be bound: 50000-50099, 51000, of the kernel's choice, 80, 443; "+
		"TCP connections can be made, for active mode of listener b, certificate authorities (certificates.acme), policy \"guard\" may fetch" {
		t.Error(got)
	}
}

// Source that is watched can be read and no more, whatever else is in force; a server that
// watches none reads none, and one that builds makes no connections of its own.
func TestPlanSource(t *testing.T) {
	m := newMachine(t)
	c := m.conf()
	c.Policies.Modules = []config.Module{{Name: "guard", Source: m.folder("guard"), WatchSource: true}}
	p := PlanFor(c)
	m.want(p, "tree root", "tree state", "socket state")
	p.Watch(m.at("guard"), "source")
	p.Watch(m.link(m.folder("far", "shared"), "guard", "shared"), "source")
	p.Watch(m.at("guard", "gone"), "source")
	m.want(p, "tree root", "tree state", "socket state", "read guard", "read far/shared")
	if len(p.Connect) != 0 || len(p.Left) != 0 {
		t.Errorf("%+v", p)
	}
}

// A host name that is told to clients has to be looked up.
func TestPlanNames(t *testing.T) {
	m := newMachine(t)
	active := m.conf()
	active.Listeners[0].Active.Enabled = true // connects to addresses
	if p := PlanFor(active); p.covers("/etc/hosts") || p.covers("/etc/ssl/certs") || len(p.Connect) != 1 {
		t.Errorf("%+v", p)
	}
	for address, want := range map[string]bool{"": false, "192.0.2.1": false, "ftp.example.org": true} {
		c := m.conf()
		c.Listeners[0].Passive.Advertise.Address = address
		_, err := os.Stat("/etc/hosts")
		if got := PlanFor(c).covers("/etc/hosts"); err == nil && got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

// An error says that the sandbox is the reason where it may be, and only there.
func TestExplain(t *testing.T) {
	m := newMachine(t)
	m.folder("far")
	m.link(m.at("far"), "root", "link")
	s := &State{Rules: *PlanFor(m.conf()), Layers: []Layer{{Name: Files, State: LayerOn}}}
	denied := &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}
	for _, c := range []struct {
		state   *State
		path    string
		err     error
		outside bool
	}{
		{s, m.at("far", "a"), denied, true},
		{s, m.at("root", "link", "new"), denied, true},
		{s, m.at("root", "a"), denied, false},
		{s, m.at("root"), denied, false},
		{s, m.at("rootless"), denied, true},
		{s, m.at("far", "a"), fs.ErrNotExist, false},
		{nil, m.at("far", "a"), denied, false},
		{&State{Layers: []Layer{{Name: Files, State: LayerMissing}}}, m.at("far", "a"), denied, false},
	} {
		got := c.state.Explain(c.path, c.err)
		if errors.Is(got, ErrOutside) != c.outside || !errors.Is(got, c.err) {
			t.Errorf("%s: %v", c.path, got)
		}
		if again := c.state.Explain(c.path, got); again != got {
			t.Errorf("said twice: %v", again)
		}
	}
	if s.Explain("", nil) != nil {
		t.Error("no error is none")
	}
}

// What is required and missing is said layer by layer.
func TestStateWords(t *testing.T) {
	s := &State{Layers: []Layer{{Name: Files, State: LayerMissing, Text: "no"}, {Name: Network, State: LayerPartly}, {Name: SystemCalls, State: LayerOff}, {Name: Privileges, State: LayerOn}}}
	if got := s.String(); got != "on, but: files missing, network partly, system calls off" {
		t.Error(got)
	}
	if got := s.Lacking(); len(got) != 2 || got[0].Name != Files || got[1].Name != Network {
		t.Errorf("%+v", got)
	}
	if err := s.required(); !errors.Is(err, ErrLacking) || !strings.Contains(err.Error(), "\n   = files missing: no\n") {
		t.Error(err)
	}
}
