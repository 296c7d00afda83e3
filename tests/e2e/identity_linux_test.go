package e2e

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/tests/executable"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// stranger is a user of no machine.
const stranger = 54321

// rootOnly ends a test that only root can do.
func rootOnly(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		cannot(t, "only root can try this")
	}
}

// strangers is a place whose files are the stranger's, whom everybody lets pass.
func strangers(t *testing.T) place {
	t.Helper()
	rootOnly(t)
	p := newPlace(t)
	ok(t, os.Chmod(filepath.Dir(p.root), 0o755))
	for _, dir := range []string{p.root, p.outside} {
		ok(t, os.Chown(dir, stranger, stranger))
	}
	return p
}

// becoming is a configuration file whose server becomes the stranger.
func (p place) becoming(t *testing.T, text string) string {
	t.Helper()
	path := p.file(t, text)
	all := string(must(os.ReadFile(path))(t))
	ok(t, os.WriteFile(path, []byte(strings.Replace(all, "drain_timeout: 5s", fmt.Sprintf("drain_timeout: 5s, user: \"%d:%d\"", stranger, stranger+1), 1)), 0o600))
	return path
}

// refusedStart runs a server that must not begin.
func refusedStart(t *testing.T, says string, args ...string) {
	t.Helper()
	r := program{name: os.Getenv(binaryVar), args: append([]string{"serve"}, args...)}.run(t)
	if r.code != 3 || !strings.Contains(r.stderr, says) || !strings.Contains(r.stderr, "\n   = help: ") {
		t.Errorf("%q: exit code %d, want 3 and %q\n%s", args, r.code, says, r.both())
	}
}

// Root serves when somebody has said so, and to this machine alone with a warning.
func TestNotAsRoot(t *testing.T) {
	t.Parallel()
	rootOnly(t)
	p := newPlace(t)
	refusedStart(t, "does not serve as root", "--config", p.file(t, plain()))
	refusedStart(t, "does not serve as root on addresses that others can reach", p.flags("--listen", "0.0.0.0:0")...)
	s := p.start(t)
	s.expect(t, `"level":"WARN"`, "serving as root")
	s.stop(t)
	s = p.start(t, "--allow-root")
	s.stop(t)
	if log := s.log.String(); strings.Contains(log, "serving as root") {
		t.Errorf("a warning that nobody needs:\n%s", log)
	}
	path := p.file(t, plain())
	text := strings.Replace(string(must(os.ReadFile(path))(t)), "drain_timeout: 5s", "drain_timeout: 5s, allow_root: true", 1)
	ok(t, os.WriteFile(path, []byte(text), 0o600))
	startServer(t, p, "--config", path).stop(t)
}

// proc is what /proc tells of a process, by the first word of a line.
func proc(t *testing.T, path, word string) string {
	t.Helper()
	for line := range strings.Lines(string(must(os.ReadFile(path))(t))) {
		if name, value, _ := strings.Cut(line, ":"); name == word {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	t.Fatalf("%s has no %s", path, word)
	return ""
}

// has checks who every thread of a process is, and which capabilities are left.
func has(t *testing.T, pid, uid, gid int, capabilities string) {
	t.Helper()
	tasks := must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid)))(t)
	if len(tasks) == 0 {
		t.Fatal("no threads are seen")
	}
	for _, task := range tasks {
		for word, want := range map[string]string{"Uid": fmt.Sprintf("%[1]d %[1]d %[1]d %[1]d", uid), "Gid": fmt.Sprintf("%[1]d %[1]d %[1]d %[1]d", gid),
			"Groups": "", "CapEff": capabilities, "CapPrm": capabilities, "CapInh": noCapability} {
			if got := proc(t, task, word); got != want {
				t.Errorf("%s: %s is %q, want %q", task, word, got, want)
			}
		}
	}
}

const (
	noCapability = "0000000000000000"
	lowPorts     = "0000000000000400" // CAP_NET_BIND_SERVICE
)

// A server that root has started is somebody else before it speaks to anybody, and what
// it makes is that user's.
func TestInstanceUser(t *testing.T) {
	t.Parallel()
	p := strangers(t)
	ok(t, os.Mkdir(filepath.Join(filepath.Dir(p.root), "log"), 0o755))
	events := filepath.Join(filepath.Dir(p.root), "log", "events.json")
	port := lowPort(t)
	text := strings.Replace(plain(), "127.0.0.1:0", port, 1) + fmt.Sprintf("events: { file: %q }\n", events)
	s := startServer(t, p, "--config", p.becoming(t, text))
	s.plain, s.user, s.password = true, "dev", secret
	if s.addr != port {
		t.Errorf("listening on %s, want %s", s.addr, port)
	}
	has(t, s.cmd.Process.Pid, stranger, stranger+1, noCapability)
	c := s.login(t)
	to := c.begin(t, "STOR new.txt")
	ok(t, userpi.End(to))
	_, err := c.Expect("STOR", 226)
	ok(t, err)
	ok(t, os.WriteFile(p.in("root.txt"), nil, 0o600)) // root's
	c.refused(t, "RETR root.txt", 550)
	if st := s.status(t); st.Sessions != 1 { // root may ask
		t.Errorf("%+v", st)
	}
	s.stop(t)
	for _, dir := range []string{p.state, p.in("new.txt"), events} {
		ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if st, is := info.Sys().(*syscall.Stat_t); err == nil && (!is || st.Uid != stranger || st.Gid != stranger+1) {
				t.Errorf("%s is %d:%d's", path, st.Uid, st.Gid)
			}
			return err
		}))
	}
	ok(t, os.WriteFile(filepath.Join(p.state, "state.db"), nil, 0o600))
	ok(t, os.Chown(filepath.Join(p.state, "state.db"), 0, 0))
	refusedStart(t, "belongs to the user with the number 0", "--config", p.becoming(t, text))
}

// lowPort is a free address that takes a privilege.
func lowPort(t *testing.T) string {
	t.Helper()
	for port := 1023; port > 600; port-- {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no low port is free")
	return ""
}

// A tree that the user may not enter is refused with a help, one that he may not write to
// is served with a warning.
func TestInstanceUserMayNot(t *testing.T) {
	t.Parallel()
	p := strangers(t)
	path := p.becoming(t, plain())
	ok(t, os.Chown(p.root, 0, 0))
	ok(t, os.Chmod(p.root, 0o700))
	refusedStart(t, "let the user that runs the server enter and read it", "--config", path)
	ok(t, os.Chmod(p.root, 0o755))
	s := startServer(t, p, "--config", path)
	s.expect(t, `"level":"WARN"`, "may not write there: uploads get 550", `"help":"give the directory to that user`)
	s.stop(t)
}

// Where a port below 1024 is opened later, the right to that is kept, and nothing else;
// the builder has not even that.
func TestInstanceUserKeepsLowPorts(t *testing.T) {
	t.Parallel()
	p := strangers(t)
	w := smallWorkshop(t, p)
	ok(t, filepath.WalkDir(w.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, stranger, stranger)
	}))
	address := lowPort(t)
	text := plain() + fmt.Sprintf("telemetry: { metrics: { listen: %q } }\npolicies: { modules: [{ name: guard, source: %q }] }\n", address, w.dir)
	s := startServer(t, p, "--config", p.becoming(t, text))
	has(t, s.cmd.Process.Pid, stranger, stranger+1, lowPorts)
	conn, err := net.Dial("tcp", address)
	ok(t, err)
	ok(t, conn.Close())
	children := strings.Fields(string(must(os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", s.cmd.Process.Pid)))(t)))
	all := must(filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.cmd.Process.Pid)))(t)
	for _, path := range all {
		children = append(children, strings.Fields(string(must(os.ReadFile(path))(t)))...)
	}
	slices.Sort(children)
	if children = slices.Compact(children); len(children) != 1 {
		t.Fatalf("children %v, want the builder alone", children)
	}
	has(t, atoi(t, children[0]), stranger, stranger+1, noCapability)
	s.stop(t)
}

func atoi(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// activated starts a server as a service manager does, with sockets from number 3 on.
func activated(t *testing.T, p place, names string, args ...string) *server {
	t.Helper()
	p.env = append(slices.Clone(p.env), fmt.Sprintf("LISTEN_FDS=%d", len(p.files)), "LISTEN_FDNAMES="+names)
	return launchBy(t, p, []string{need(t, "sh"), "-c", `export LISTEN_PID=$$; exec "$@"`, "sh", os.Getenv(binaryVar)}, args...)
}

func file(t *testing.T, l interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f := must(l.File())(t)
	t.Cleanup(func() { f.Close() })
	return f
}

// Sockets of a service manager serve the listeners that they belong to, and no port is
// bound for these.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one, other := must(net.Listen("tcp", "127.0.0.1:0"))(t).(*net.TCPListener), must(net.Listen("tcp", "127.0.0.1:0"))(t).(*net.TCPListener)
	p.files = []*os.File{file(t, one), file(t, other)}
	second := fmt.Sprintf("  - { name: second, address: %q, tls: { control: off } }\n", other.Addr())
	conf := p.file(t, strings.Replace(plain(), "127.0.0.1:0", "127.0.0.1:1", 1)+second)
	s := activated(t, p, "main:ftp.socket", "--config", conf)
	s.awaitReady(t)
	s.plain, s.user, s.password = true, "dev", secret
	if s.addr != one.Addr().String() || s.at(t, 1).addr != other.Addr().String() {
		t.Errorf("the server listens on %s and %s, not on %s and %s", s.addr, s.at(t, 1).addr, one.Addr(), other.Addr())
	}
	ok(t, one.Close())
	ok(t, other.Close())
	s.login(t)
	s.at(t, 1).login(t)
	s.stop(t)
}

// What no listener can use is refused with its name.
func TestSocketActivationRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t).(*net.TCPListener)
	defer l.Close()
	u := must(net.ListenPacket("udp", "127.0.0.1:0"))(t).(*net.UDPConn)
	defer u.Close()
	c := must(net.Dial("tcp", l.Addr().String()))(t).(*net.TCPConn)
	defer c.Close()
	conf := p.file(t, strings.Replace(plain(), "127.0.0.1:0", "127.0.0.1:1", 1))
	for what, f := range map[string]*os.File{"which is no listener's": file(t, l), "no listening TCP socket": file(t, u), "nobody listens on it": file(t, c)} {
		p.files = []*os.File{f}
		s := activated(t, p, "elsewhere", "--config", conf)
		if code := s.wait(t, stopWithin); code != 3 || !strings.Contains(s.log.String(), what) || !strings.Contains(s.log.String(), `"elsewhere"`) || !strings.Contains(s.log.String(), "= help: ") {
			t.Errorf("%s: exit code %d\n%s", what, code, s.log)
		}
	}
}

// A service manager can give the right to low ports to a server that never was root.
func TestAmbientCapability(t *testing.T) {
	t.Parallel()
	p := strangers(t)
	setpriv := need(t, "setpriv")
	ok(t, os.Chown(filepath.Dir(p.root), stranger, stranger))
	binary := filepath.Join(filepath.Dir(p.root), "edgeftp")
	ok(t, executable.Copy(binary, os.Getenv(binaryVar)))
	address := lowPort(t)
	conf := p.file(t, strings.Replace(plain(), "127.0.0.1:0", address, 1))
	ok(t, os.Chown(conf, stranger, stranger))
	s := launchBy(t, p, []string{setpriv, fmt.Sprintf("--reuid=%d", stranger), fmt.Sprintf("--regid=%d", stranger), "--clear-groups",
		"--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service", binary}, "--config", conf)
	s.awaitReady(t)
	s.plain, s.user, s.password = true, "dev", secret
	if s.addr != address {
		t.Errorf("the server listens on %s", s.addr)
	}
	if got := proc(t, fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid), "CapEff"); got != lowPorts {
		t.Errorf("capabilities %s", got)
	}
	s.login(t)
	s.stop(t)
}
