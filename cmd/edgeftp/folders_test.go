package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/anonymous"
)

// Names that nobody has are answered like those that need TLS, as soon as anybody does, so
// that the answer tells nothing; whoever needs none, and the anonymous user, is let in.
func TestNeedsTLS(t *testing.T) {
	a, _ := accountsIn(t, t.TempDir())
	p := a.under(a.configuration())
	p.conf.Anonymous.Enabled = true
	are := func(what string, want map[string]bool) {
		t.Helper()
		for name, needs := range want {
			if got := p.needsTLS(name); got != needs {
				t.Errorf("%s: %s needs TLS: %v, want %v", what, name, got, needs)
			}
		}
	}
	are("nobody does", map[string]bool{"dev": false, "anna": false, "stranger": false, anonymous.User: false})
	addUser(t, a, `{"name": "anna", "password_hash": "`+cheapHash+`", "tls": {"min_version": "1.3"}}`)
	sealed := map[string]bool{"dev": false, "anna": true, "stranger": true, anonymous.User: false}
	are("anna does", sealed)
	if err := a.load(); err != nil {
		t.Fatal(err)
	}
	are("read again", sealed)
	if _, err := change(a, "anna", `{"tls": null}`); err != nil {
		t.Fatal(err)
	}
	are("anna no longer", map[string]bool{"anna": false, "stranger": false})
	if _, err := change(a, "anna", `{"tls": {"data": "required"}}`); err != nil {
		t.Fatal(err)
	}
	are("for data", sealed)
	if _, err := a.RemoveUser("anna"); err != nil {
		t.Fatal(err)
	}
	are("anna is gone", map[string]bool{"anna": false, "stranger": false})
	p.conf.Users[0].TLS = config.Demands{Control: "required"}
	are("dev of the list", map[string]bool{"dev": true, "anna": true, "stranger": true, anonymous.User: false})
	u, _ := p.Find("dev")
	if !u.TLS.Required {
		t.Error("the policy does not know of it")
	}
}

// The folder of a user of the store is refused like a root where it cannot be served, and
// may have his name in it.
func TestFoldersOfTheStore(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "in", "anna"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	a, _ := accountsIn(t, filepath.Join(dir, "state"))
	entry := func(root string) string {
		return `{"name": "anna", "password_hash": "` + cheapHash + `", "folders": [{"path": "/in", "root": "` + root + `", "perm": "el"}]}`
	}
	for root, want := range map[string]string{dir + "/none": "folder /in", dir + "/${user}": "folder /in", "in": "no absolute path"} {
		_, err := a.AddUsers(newUser(entry(root)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", root, err)
		}
	}
	addUser(t, a, entry(dir+"/in/${user}"))
	if _, err := change(a, "anna", `{"folders": [{"path": "/in", "root": "`+dir+`/none"}]}`); err == nil {
		t.Error("a change to a directory that is not there was taken")
	}
	if got := a.folderRoots(); len(got) != 1 || got[0] != filepath.Join(dir, "in", "anna") {
		t.Errorf("its directory is %q", got)
	}
	conf := a.configuration()
	conf.Root = filepath.Join(dir, "root")
	if err := os.Mkdir(conf.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	p := a.under(conf)
	u, _ := p.Find("anna")
	perms := policy.PermCwd | policy.PermList
	if diff := cmp.Diff([]policy.PathRule{{Dir: "/in", Perms: perms, Recursive: true}}, u.Rules); diff != "" {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
	h, err := openHomes(conf, &trees{}, p, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.close() })
	fs, release, err := h.home()(t.Context(), policy.Session{User: "anna"}, policy.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := fs.(vfs.Writer).Mkdir("/in/d"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "in", "anna", "d")); err != nil {
		t.Error(err)
	}
}

func TestUserFlags(t *testing.T) {
	for line, want := range map[string]string{
		"--folder /p=/srv/p": `{"folders":[{"path":"/p","root":"/srv/p"}]}`,
		"--folder /p=/srv/a,b,read-only --folder /q=/srv/q,perm=elr": `{"folders":[{"path":"/p","read_only":true,"root":"/srv/a,b"},{"path":"/q","perm":"elr","root":"/srv/q"}]}`,
		"--folder /p=/srv/p,read-only,perm=":                         `{"folders":[{"path":"/p","perm":"","read_only":true,"root":"/srv/p"}]}`,
		"--folder=":                                                  `{"folders":[]}`,
		"--folder /p":                                                "there is no = in it",
		"--folder /p=":                                               "no directory",
		"--folder /p=,read-only":                                     "no directory",
		"--network 10.0.0.0/8 --network ::1":                         `{"networks":["10.0.0.0/8","::1"]}`,
		"--network=":                                                 `{"networks":[]}`,
		"--require-tls":                                              `{"tls":{"control":"required","data":"required"}}`,
		"--require-tls=false --umask 007":                            `{"tls":{"control":null,"data":null},"umask":"007"}`,
	} {
		var f userFlags
		cmd := &cobra.Command{}
		f.define(cmd)
		if err := cmd.ParseFlags(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		m, err := f.made(cmd)
		got := ""
		if err != nil {
			got = err.Error()
		} else if text, err := json.Marshal(m); err == nil {
			got = string(text)
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// Logins that have one folder share what is open of it; one that was replaced by another
// directory is opened anew, and everything is given back.
func TestSharedViews(t *testing.T) {
	root := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	opened, closed := 0, 0
	open := func() (vfs.FS, func(), error) {
		opened++
		return vfs.NewMem(), func() { closed++ }, nil
	}
	var s sharedViews
	take := func() (vfs.FS, func()) {
		fs, back, err := s.take(root, open)
		if err != nil {
			t.Fatal(err)
		}
		return fs, back
	}
	a, backA := take()
	b, backB := take()
	if a != b || opened != 1 {
		t.Errorf("two logins have two views: %d were opened", opened)
	}
	if err := os.Rename(root, root+"-old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	c, backC := take()
	if c == a || opened != 2 {
		t.Errorf("a directory that was replaced is the old one: %d were opened", opened)
	}
	backA()
	if closed != 0 {
		t.Error("it was closed while somebody has it")
	}
	backB()
	backC()
	if closed != 2 || len(s.byRoot) != 0 {
		t.Errorf("%d of 2 were closed, %d are left", closed, len(s.byRoot))
	}
	if _, _, err := s.take(root, func() (vfs.FS, func(), error) { return nil, nil, os.ErrPermission }); err == nil || len(s.byRoot) != 0 {
		t.Errorf("one that cannot be opened: %v", err)
	}
}
