package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// settings reads a file of a machine and lists its keys as KEY=VALUE <- ORIGIN.
func settings(t *testing.T, text string) map[string]string {
	t.Helper()
	o := &Origins{file: "c.yaml"}
	machine := fullMachine()
	machine.parsed = func(doc *document, dir string) { o.doc, o.dir = doc, dir }
	c, err := parse("c.yaml", "/etc", []byte(text), machine)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Settings(o)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range list {
		if _, twice := got[s.Key]; twice {
			t.Errorf("%s is listed twice", s.Key)
		}
		got[s.Key] = s.Value + " <- " + s.Origin.String()
	}
	return got
}

// Every key of the full file is listed, none as a default that it gives, and no secret.
func TestSettings(t *testing.T) {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := settings(t, string(data))
	line := regexp.MustCompile(`c\.yaml:[1-9]\d*`)
	for key, want := range map[string]string{
		"instance.state_dir":                                      "/var/lib/edgeftp <- environment STATE_DIRECTORY (c.yaml)",
		"listeners[public].banner":                                `"Welcome to ${here}\nBe kind." <- c.yaml`,
		"listeners[public].passive.advertise_for":                 "",
		"listeners[public].passive.advertise_for.\"10.0.0.0/8\"":  `10.0.0.5 <- c.yaml`,
		"listeners[public].passive.advertise_for.2001:db8::7/128": `ftp.example.org <- c.yaml`,
		"listeners[implicit].address":                             `["127.0.0.1:990"] <- c.yaml`,
		"listeners[implicit].tls.data":                            "required <- as listeners[].tls.control",
		"listeners[implicit].timestamps":                          "gmt <- default",
		"listeners[local].passive.ports":                          " <- default",
		"certificates.acme.account_binding.mac":                   "(secret) <- environment MAC (c.yaml)",
		"certificates.acme.dns.settings.key":                      "(secret) <- file /etc/tsig (c.yaml)",
		`certificates.files["/etc/clients.pem"].key`:              "/etc/clients.pem <- as certificates.files[].cert",
		"users.list[alice].password_hash":                         "(secret) <- file /etc/hash (c.yaml)",
		"users.list[no].password_hash":                            "(secret) <- credential hash (c.yaml)",
		"users.list[no].perm":                                     "elrw <- as users.defaults.perm",
		"policies.modules[guard].settings.left":                   "${as it is} <- c.yaml",
		"policies.modules[guard].settings.none":                   "null <- c.yaml",
		"storage[0].root":                                         "/srv <- c.yaml",
	} {
		if value := line.ReplaceAllString(got[key], "c.yaml"); value != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	for key, value := range got {
		if strings.Contains(value, bcryptHash) || strings.Contains(value, "hunter2") {
			t.Errorf("%s shows a secret: %s", key, value)
		}
	}
	r, err := newReference()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for key := range got {
		listed[generalized(key)] = true
	}
	for _, k := range r.keys(r.root, "", false, "")[1:] {
		if !k.section && !k.reserved() && !listed[k.path] && !strings.HasSuffix(k.path, ".settings") && !strings.HasSuffix(k.path, ".headers") && !strings.Contains(k.path, ".advertise_") {
			t.Errorf("%s is not listed", k.path)
		}
	}
}

// generalized turns a key of a setting into that of the reference.
func generalized(key string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(key, "[")
		b.WriteString(before)
		if !found {
			break
		}
		_, key, _ = strings.Cut(rest, "]")
		b.WriteString("[]")
	}
	if rest, below := strings.CutPrefix(b.String(), "bandwidth.listener."); below {
		_, rest, _ = strings.Cut(rest, ".")
		return "bandwidth.listener.NAME." + rest
	}
	return b.String()
}

func TestOriginsOfFlags(t *testing.T) {
	root := t.TempDir()
	t.Chdir(t.TempDir())
	set := func(flag string) (bool, string) {
		switch flag {
		case "root", "read-only":
			return true, ""
		case "listen":
			return true, "EDGEFTP_SERVE_LISTEN"
		}
		return false, ""
	}
	c, o, err := FlagOrigins(Flags{Root: root, ReadOnly: true, Listen: []string{"127.0.0.1:2121"}}, set)
	if err != nil {
		t.Fatal(err)
	}
	o.Override("telemetry.log.format", "log", "")
	list, err := c.Settings(o)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range list {
		got[s.Key] = s.Origin.String()
	}
	want := map[string]string{"storage[0].root": "flag --root", "listeners[main].address": "environment EDGEFTP_SERVE_LISTEN", "users.list[dev].perm": "flag --read-only",
		"users.list[dev].name": "default", "telemetry.log.format": "flag --log"}
	for key := range got {
		if _, asked := want[key]; !asked {
			delete(got, key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadOrigins(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(name, []byte(strings.Replace(plainFile, "/srv", ".", 1)+"instance: { state_dir: \"${env:EDGEFTP_NONE}\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadOrigins(name); err == nil || !strings.Contains(err.Error(), "EDGEFTP_NONE is not set") {
		t.Errorf("got %v", err)
	}
	t.Setenv("EDGEFTP_NONE", "../elsewhere/state")
	c, o, err := LoadOrigins(name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Settings(o)
	if err != nil || list[0].Key != "version" || list[0].Origin.String() != name+":1" {
		t.Errorf("%v, %+v", err, list)
	}
}
