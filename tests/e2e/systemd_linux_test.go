package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/tests/namespaces"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// The units that are handed out do under a real systemd what docs/systemd.md and
// docs/upgrade.md say of them.
func TestSystemd(t *testing.T) {
	if !full() {
		t.Skip("it takes half a minute; EDGEFTP_FULL=1 runs it, as .ci/full does")
	}
	if !namespaces.Machine(t, filepath.Dir(os.Getenv(binaryVar)), must(filepath.Abs(filepath.Join("..", "..")))(t)) {
		return
	}
	c := arrive(t)
	for _, step := range []struct {
		name string
		does func(console)
	}{{"installed", console.installed}, {"activated", console.activated}, {"reloaded", console.reloaded}, {"broken", console.broken},
		{"hung", console.hung}, {"drained", console.drained}, {"upgraded", console.upgraded}, {"started again", console.booted}} {
		c := c
		if !t.Run(step.name, func(t *testing.T) {
			c.T = t
			c.run(0, "systemctl reset-failed") // which counts starts of a minute, too
			step.does(c)
		}) {
			t.Fatalf("the journal:\n%s", c.journal())
		}
	}
}

// commandWithin bounds what an operator types on the machine.
const commandWithin = time.Minute

// console is where an operator types, as root, on a machine with systemd.
type console struct {
	*testing.T
	*server
	dir string // with what was brought
}

// arrive lays out what an operator brings: the program, the files of packaging/systemd, a
// configuration, and secrets that systemd alone is to read.
func arrive(t *testing.T) console {
	t.Helper()
	c := console{T: t, dir: "/root/brought", server: &server{user: "dev", password: secret, addr: "127.0.0.1:21", ca: "/root/ca.pem"}}
	for _, file := range append(must(filepath.Glob("../../packaging/systemd/*"))(t), os.Getenv(binaryVar)) {
		textFile(t, filepath.Join(c.dir, filepath.Base(file)), string(must(os.ReadFile(file))(t)))
	}
	root, _, ca := issue(t, "authority", nil)
	cert, key, _ := issue(t, "localhost", ca)
	textFile(t, c.ca, string(root))
	textFile(t, "/root/cert.pem", string(cert))
	textFile(t, "/root/key.pem", string(key))
	textFile(t, "/root/dev", string(must(bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost))(t)))
	for _, unit := range []string{"edgeftp", "edgeftp@"} {
		c.drop(unit, "secrets", "LoadCredential=dev:/root/dev\nLoadCredential=key.pem:/root/key.pem\nLoadCredential=cert.pem:/root/cert.pem\n")
	}
	return c
}

// drop adds a drop-in to a service.
func (c console) drop(service, name, text string) {
	c.Helper()
	textFile(c.T, "/etc/systemd/system/"+service+".service.d/"+name+".conf", "[Service]\n"+text)
}

// configured writes a configuration with a banner and what else it has.
func (c console) configured(path, banner, more string) {
	c.Helper()
	textFile(c.T, path, fmt.Sprintf(`version: 1
instance: { state_dir: "${env:STATE_DIRECTORY}", drain_timeout: 2m }
certificates: { files: [{ cert: "${env:CREDENTIALS_DIRECTORY}/cert.pem", key: "${env:CREDENTIALS_DIRECTORY}/key.pem" }] }
storage: [{ root: /srv/ftp }]
users: { list: [{ name: dev, password_hash: "${cred:dev}", perm: elradfmwMT }] }
listeners:
- { name: main, address: ":21", banner: %s, congestion: reno, tls: { certificate: files }, passive: { ports: 50000-50099 } }
%s`, banner, more))
}

// configuration is where the units have it.
const configuration = "/etc/edgeftp/edgeftp.yaml"

// run types a command, which has to end with the code and to say the words, and returns what
// it says.
func (c console) run(code int, line string, words ...string) string {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), commandWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "journalctl --sync; "+line) // what was said before is there then
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	c.Logf("# %s\n%s", line, out)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == code {
		err = nil
	} else if err == nil && code != 0 {
		err = errors.New("exit code 0")
	}
	if err != nil {
		c.Fatalf("%s: %v, want exit code %d\n%s\n%s", line, err, code, out, c.journal())
	}
	for _, w := range words {
		if !strings.Contains(string(out), w) {
			c.Errorf("%s does not say %q:\n%s", line, w, out)
		}
	}
	return strings.TrimSpace(string(out))
}

// follow carries out the commands of a document, of which the first begins so, with other
// words in the place of some.
func (c console) follow(document, first string, words ...string) {
	c.Helper()
	_, rest, found := strings.Cut(string(must(os.ReadFile("../../docs/"+document))(c.T)), "\n    "+first)
	if !found {
		c.Fatalf("%s has no %q", document, first)
	}
	commands, _, _ := strings.Cut(first+rest, "\n\n")
	for line := range strings.Lines(strings.NewReplacer(words...).Replace(commands)) {
		c.run(0, strings.TrimSpace(line))
	}
}

// journal is what was said last, by the units and of them.
func (c console) journal() string {
	c.Helper()
	return string(must(exec.Command("sh", "-c", "journalctl --sync; journalctl --no-pager -o cat -n 100").CombinedOutput())(c.T))
}

// shows returns a property of a unit.
func (c console) shows(unit, property string) string {
	c.Helper()
	return strings.TrimSpace(string(must(exec.Command("systemctl", "show", "--value", "-p", property, unit).Output())(c.T)))
}

// becomes waits until a unit is in a state.
func (c console) becomes(unit, state string) {
	c.Helper()
	until(c.T, unit+" is "+state, func() bool { return c.shows(unit, "ActiveState") == state })
}

// inForce waits until the server has told systemd the number of its configuration.
func (c console) inForce(n int) {
	c.Helper()
	until(c.T, fmt.Sprintf("configuration %d is in force", n), func() bool {
		return strings.HasSuffix(c.shows("edgeftp", "StatusText"), fmt.Sprintf("configuration %d", n))
	})
}

// comesBack waits until another process than the one before serves for a unit.
func (c console) comesBack(unit, before string) {
	c.Helper()
	until(c.T, unit+" is started again", func() bool {
		at := string(must(exec.Command("systemctl", "show", "-p", "ActiveState,MainPID", unit).Output())(c.T)) // at one moment
		return strings.Contains(at, "ActiveState=active\n") && !strings.Contains(at, "MainPID="+before+"\n")
	})
}

// greets connects, and is greeted with the banner.
func (c console) greets(banner string) {
	c.Helper()
	v := must(userpi.Dial(c.addr))(c.T)
	defer v.Close()
	if r, err := v.Expect("the connection", 220); err != nil || r.Text() != banner {
		c.Errorf("greeted with %v, %v, want %q", r, err, banner)
	}
}

// serves moves a file there and back.
func (c console) serves() {
	c.Helper()
	v := c.login(c.T)
	v.put(c.T, "STOR up", strings.NewReader("content"))
	if got := v.get(c.T, "RETR up"); string(got) != "content" {
		c.Errorf("%q came back", got)
	}
	v.want(c.T, "DELE up", 250)
	v.want(c.T, "QUIT", 221)
}
