package config

import (
	"os"
	"strings"
	"testing"
)

// The file that docs/virtual-hosts.md shows is one that the server takes.
func TestHostsDocument(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/virtual-hosts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, from, _ := strings.Cut(string(text), "```yaml\n")
	sample, _, found := strings.Cut(from, "```")
	if !found {
		t.Fatal("there is no sample")
	}
	c, err := parse("sample.yaml", "/etc", []byte(sample), testMachine(map[string]string{"/srv/main": "dir", "/srv/shop": "dir", "/srv/partners": "dir",
		"/etc/anna.hash": bcryptHash, "/etc/anna-shop.hash": bcryptHash, "/etc/shop.pem": "", "/etc/guard.wasm": ""}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Hosts) != 2 || c.Hosts[0].Names[2] != "xn--bcher-kva.example" || c.Listeners[1].Host != "partners" || !c.Listeners[1].StrictHosts || len(c.Every()) != 3 {
		t.Errorf("%+v", c.Hosts)
	}
}

func TestCovered(t *testing.T) {
	subjects := []string{"ftp.example.org", "*.files.example.org"}
	for name, want := range map[string]bool{"ftp.example.org": true, "FTP.example.org": true, "a.files.example.org": true, "*.files.example.org": true,
		"a.b.files.example.org": false, "files.example.org": false, "example.org": false, "": false, "*.example.org": false} {
		if Covered(name, subjects) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
