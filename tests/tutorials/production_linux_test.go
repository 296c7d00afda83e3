package tutorials

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/tests/authority"
)

// insideVariable names the program for the test that runs in namespaces of its own.
const insideVariable = "TUTORIALS_PROGRAM"

// TestProduction goes the way of docs/production.md, on a machine of its own as far as
// namespaces make one: the ports, the directories and the users are those of the document.
func TestProduction(t *testing.T) {
	if bin := os.Getenv(insideVariable); bin != "" {
		produce(t, bin)
		return
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Getuid() != 0 || exec.Command(unshare, "-m", "-n", "true").Run() != nil {
		t.Skip("this process may not make namespaces; CAP_SYS_ADMIN is needed") // also with CI=true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), unshare, "-m", "-n", "--propagation", "private", self, "-test.run=^TestProduction$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), insideVariable+"="+program(t))
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestProduction")) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// produce carries the document out.
func produce(t *testing.T, bin string) {
	ca := ownMachine(t)
	t.Setenv("EDGEFTP_INIT_ACME_CA", ca.Directory)
	doc, err := os.ReadFile("../../docs/production.md")
	if err != nil {
		t.Fatal(err)
	}
	list, err := blocks(string(doc))
	if err != nil || len(list) < 20 {
		t.Fatalf("%d blocks, %v", len(list), err)
	}
	o := &operator{reader: reader{dir: t.TempDir(), bin: bin}}
	defer o.manager.close(t)
	defer o.stop()
	for i := range list {
		if err := o.follow(t, &list[i]); err != nil {
			t.Fatalf("production.md:%d: %v\n%s\n%s", list[i].line, err, o.server.String(), o.manager.said.String())
		}
	}
	if n := ca.Orders("ftp.example.org"); n != 1 {
		t.Errorf("%d certificates were ordered", n)
	}
	if text := o.manager.said.String(); strings.Contains(text, `"level":"ERROR"`) || !strings.Contains(text, `"msg":"socket inherited"`) {
		t.Errorf("the journal:\n%s", text)
	}
}

// operator is a reader with a service manager, who keeps passwords.
type operator struct {
	reader
	manager   manager
	passwords [][2]string // the word of the document, and what it stands for
}

func (o *operator) follow(t *testing.T, b *block) error {
	own := *b
	for _, p := range o.passwords {
		own.text = strings.ReplaceAll(own.text, p[0], p[1])
	}
	if own.kind == "sh" && own.options == "systemd" {
		o.stop() // the development run is over
		return o.manager.control(t.Context(), own.text)
	}
	err := o.do(t, &own)
	for _, name := range []string{"anna", "ben"} {
		if m := regexp.MustCompile(`(?m)^  ` + name + `  (\S+-\S+)$`).FindStringSubmatch(o.said); m != nil {
			o.passwords = append(o.passwords, [2]string{strings.ToUpper(name) + "S-PASSWORD", m[1]})
		}
	}
	return err
}

// ownMachine makes the directories that the document writes to copies, gives the network
// its loopback, and lets the machine trust an authority that comes to ports 80 and 443.
func ownMachine(t *testing.T) *authority.Authority {
	t.Helper()
	runtime.LockOSThread() // the network is that of the whole process; its socket is this thread's
	scratch := t.TempDir()
	step := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	step("tmpfs", unix.Mount("tmpfs", scratch, "tmpfs", 0, ""))
	t.Cleanup(func() { _ = unix.Unmount(scratch, unix.MNT_DETACH) }) // goes with the namespace anyway
	for i, dir := range []string{"/etc", "/usr/bin", "/srv", "/var/lib"} {
		upper, work := filepath.Join(scratch, fmt.Sprint("upper", i)), filepath.Join(scratch, fmt.Sprint("work", i))
		step(dir, errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)))
		step(dir, unix.Mount("overlay", dir, "overlay", 0, "lowerdir="+dir+",upperdir="+upper+",workdir="+work))
	}
	for _, path := range []string{"/etc/edgeftp", "/srv/ftp", "/var/lib/edgeftp", "/usr/bin/edgeftp"} {
		step(path, os.RemoveAll(path)) // of the copy
	}
	step("lo", loopback())
	ca := authority.Start(t, authority.Options{HTTPPort: 80, TLSPort: 443})
	add(t, "/etc/hosts", "\n127.0.0.1 ftp.example.org\n")
	add(t, "/etc/ssl/certs/ca-certificates.crt", "\n"+string(ca.RootsPEM)+string(ca.IssuedPEM(0)))
	return ca
}

// loopback turns the interface on, which a new network has down.
func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(s) }() // nothing was written
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

// add appends to a file of the copy.
func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
