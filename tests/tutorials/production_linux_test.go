package tutorials

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/namespaces"
)

// programVariable names the directory of the program to the test on the machine.
const programVariable = "TUTORIALS_PROGRAM"

// TestProduction goes the way of docs/production.md, on a machine of its own with a real
// systemd: the ports, the directories and the users are those of the document.
func TestProduction(t *testing.T) {
	bin := os.Getenv(programVariable)
	if bin == "" {
		bin = program(t)
		t.Setenv(programVariable, bin)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	places, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOCACHE").Output() // what is built there is built for others, too
	if err != nil {
		t.Fatal(err)
	}
	if namespaces.Machine(t, append(strings.Fields(string(places)), bin, root)...) {
		produce(t, bin)
	}
}

// produce carries the document out.
func produce(t *testing.T, bin string) {
	ca := authority.Start(t, authority.Options{HTTPPort: 80, TLSPort: 443})
	add(t, "/etc/hosts", "\n127.0.0.1 ftp.example.org\n")
	add(t, "/etc/ssl/certs/ca-certificates.crt", "\n"+string(ca.RootsPEM)+string(ca.IssuedPEM(0)))
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
	defer o.stop()
	for i := range list {
		if err := o.follow(t, &list[i]); err != nil {
			t.Fatalf("production.md:%d: %v\n%s\n%s", list[i].line, err, o.server.String(), journal(t))
		}
	}
	if n := ca.Orders("ftp.example.org"); n != 1 {
		t.Errorf("%d certificates were ordered", n)
	}
	if text := journal(t); strings.Contains(text, `"level":"ERROR"`) || !strings.Contains(text, `"msg":"socket inherited"`) {
		t.Errorf("the journal:\n%s", text)
	}
}

// journal is what the service has said.
func journal(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", "journalctl --sync; journalctl --no-pager -o cat -u edgeftp").CombinedOutput()
	if err != nil {
		t.Errorf("the journal: %v", err)
	}
	return string(out)
}

// operator is a reader who keeps passwords.
type operator struct {
	reader
	passwords [][2]string // the word of the document, and what it stands for
}

func (o *operator) follow(t *testing.T, b *block) error {
	own := *b
	for _, p := range o.passwords {
		own.text = strings.ReplaceAll(own.text, p[0], p[1])
	}
	if strings.HasPrefix(own.text, "systemctl daemon-reload") {
		o.stop() // the development run is over
	}
	err := o.do(t, &own)
	for _, name := range []string{"anna", "ben"} {
		if m := regexp.MustCompile(`(?m)^  ` + name + `  (\S+-\S+)$`).FindStringSubmatch(o.said); m != nil {
			o.passwords = append(o.passwords, [2]string{strings.ToUpper(name) + "S-PASSWORD", m[1]})
		}
	}
	return err
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
