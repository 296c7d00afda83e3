package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// homesIn opens the homes of a configuration in a new directory, in which there
// are others.
func homesIn(t *testing.T, change func(dir string, c *config.Config)) (*homes, string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"root/sub", "own/inner", "users/carol", "users/.hidden"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := &config.Config{Root: filepath.Join(dir, "root"), Instance: config.Instance{StateDir: filepath.Join(dir, "state")}}
	change(dir, c)
	h, err := openHomes(c, &trees{}, peopleOf(t, c), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	return h, dir
}

// peopleOf are the users of a configuration.
func peopleOf(t *testing.T, c *config.Config) *people {
	t.Helper()
	a, err := openAccounts(c, slog.New(slog.DiscardHandler), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	return a.under(c)
}

func TestSharedHome(t *testing.T) {
	h, _ := homesIn(t, func(string, *config.Config) {})
	if h.shared == nil || h.home() != nil {
		t.Error("everybody sees the same, and nobody is asked")
	}
}

// Nobody's name leads to what the server keeps, also where that lies beside the trees of
// the template.
func TestHomesBesideState(t *testing.T) {
	h, dir := homesIn(t, func(dir string, c *config.Config) {
		c.Instance.StateDir = filepath.Join(dir, "users")
		c.ACME = &config.ACME{Storage: filepath.Join(dir, "own")}
		c.Defaults.Root = filepath.Join(dir, "${user}")
	})
	if err := os.Symlink(filepath.Join(dir, "users", "carol"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for user, works := range map[string]bool{"root": true, "users": false, "own": false, "link": false} {
		_, release, err := h.home()(t.Context(), policy.Session{User: user}, policy.Identity{})
		if release != nil {
			release()
		}
		if (err == nil) != works {
			t.Errorf("%s: %v", user, err)
		}
	}
	h.conf.Defaults.Root = filepath.Join(dir, "users", "${user}")
	h.conf.ACME.Storage = filepath.Join(dir, "trees", "bob", "own")
	if _, _, err := h.tree(dir); err == nil || !strings.Contains(err.Error(), "own files lie in it\n   = help: ") {
		t.Errorf("with the certificates in it: %v", err)
	}
	if _, _, err := h.home()(t.Context(), policy.Session{User: "carol"}, policy.Identity{}); err == nil || !strings.Contains(err.Error(), "the server's own files\n   = help: ") {
		t.Errorf("inside of the state directory: %v", err)
	}
}

// A login sees the tree of its user, of the template, or of storage. A user whom
// only a module knows is as good as one of the file.
func TestHomes(t *testing.T) {
	h, dir := homesIn(t, func(dir string, c *config.Config) {
		c.Users = []config.User{{Name: "own", Root: filepath.Join(dir, "own")}, {Name: "inner", Root: filepath.Join(dir, "own/inner")},
			{Name: "twin", Root: filepath.Join(dir, "root", "..", "own")}}
		c.Anonymous.Root = filepath.Join(dir, "root", "sub")
		c.Defaults.Root = filepath.Join(dir, "users", "${user}")
	})
	home := h.home()
	see := func(user string, anonymous bool) (vfs.FS, error) {
		fs, release, err := home(t.Context(), policy.Session{User: user}, policy.Identity{Anonymous: anonymous})
		if release != nil {
			t.Cleanup(release)
		}
		return fs, err
	}
	for _, c := range []struct {
		user, dir string
		anonymous bool
	}{{"own", "own", false}, {"inner", "own/inner", false}, {"twin", "own", false}, {"carol", "users/carol", false}, {"x", "root/sub", true}} {
		fs, err := see(c.user, c.anonymous)
		if err != nil {
			t.Fatal(err)
		}
		mark := filepath.Join(dir, c.dir, "mark-"+c.user)
		if err := os.WriteFile(mark, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat(vfs.Path("/mark-" + c.user)); err != nil {
			t.Errorf("%s does not see %s: %v", c.user, mark, err)
		}
	}
	if a, b := first(see("own", false)), first(see("twin", false)); a != b {
		t.Error("one directory is opened twice")
	}
	for _, user := range []string{"", "nobody", "..", ".hidden", "a/b", "carol/..", "\x00", strings.Repeat("x", 256)} {
		if fs, err := see(user, false); err == nil {
			t.Errorf("%q sees %v", user, fs)
		}
	}
	if n := len(h.disks); n != 3 { // root, own, users/carol; what lies below is a view
		t.Errorf("%d disks are open", n)
	}
	// A directory that was removed and made again is seen by the next login.
	inner := filepath.Join(dir, "own/inner")
	if err := errors.Join(os.RemoveAll(inner), os.Mkdir(inner, 0o755), os.WriteFile(filepath.Join(inner, "new"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := first(see("inner", false)).Stat("/new"); err != nil {
		t.Error(err)
	}
}

func first[T any](v T, _ error) T { return v }

// No tree holds the server's own files, whoever names it.
func TestStateIsOutOfReach(t *testing.T) {
	h, dir := homesIn(t, func(dir string, c *config.Config) { c.Defaults.Root = filepath.Join(dir, "${user}") })
	for _, user := range []string{"state", "up"} {
		_ = os.Symlink(".", filepath.Join(dir, "up"))
		if _, _, err := h.home()(t.Context(), policy.Session{User: user}, policy.Identity{}); err == nil {
			t.Errorf("%s is served", user)
		}
	}
}

func TestCommands(t *testing.T) {
	in := &generation{conf: &config.Config{Languages: config.Languages{Negotiate: true}}}
	has := func(l config.Listener) map[string]bool {
		verbs := map[string]bool{}
		for _, row := range in.commands(&l).Rows() {
			verbs[row.Verb] = true
		}
		return verbs
	}
	all := has(config.Listener{})
	if !all["LANG"] || all["HASH"] || all["XCRC"] || all["OPTS HASH"] || all["SITE SYMLINK"] || !all["SITE CHMOD"] || !all["OPTS UTF8"] {
		t.Errorf("%v", all)
	}
	some := has(config.Listener{Unlisted: []string{"SITE", "MFMT"}, Optional: []string{"SITE SYMLINK"}})
	for verb := range all {
		gone := verb == "MFMT" || strings.HasPrefix(verb, "SITE ")
		if some[verb] == gone {
			t.Errorf("%s: known is %v", verb, some[verb])
		}
	}
}

// Folders are seen in the tree of whoever has them, each with its own directory; one that is
// not there is told, and does not keep the user out. The nearest of one path holds.
func TestFolders(t *testing.T) {
	var log bytes.Buffer
	h, dir := homesIn(t, func(dir string, c *config.Config) {
		c.Folders = []config.Folder{{Path: "/archive", Root: filepath.Join(dir, "own"), ReadOnly: true}, {Path: "/pub", Root: filepath.Join(dir, "own")}}
		c.Defaults.Folders = []config.Folder{{Path: "/pub", Root: filepath.Join(dir, "users", "${user}")}, {Path: "/all", Root: filepath.Join(dir, "users", "${user}")}}
		c.Groups = []config.Group{{Name: "staff", Folders: []config.Folder{{Path: "/staff", Root: filepath.Join(dir, "root", "sub")}}}}
		c.Users = []config.User{{Name: "carol", Folders: []config.Folder{{Path: "/mine", Root: filepath.Join(dir, "users", ".hidden")}}, Umask: "007"}}
	})
	h.log = slog.New(slog.NewTextHandler(&log, nil))
	home := h.home()
	see := func(user, group string, anonymous bool) vfs.FS {
		fs, release, err := home(t.Context(), policy.Session{User: user}, policy.Identity{Group: group, Anonymous: anonymous})
		if err != nil {
			t.Fatal(err)
		}
		if release != nil {
			t.Cleanup(release)
		}
		return fs
	}
	for _, c := range []struct {
		user, group string
		anonymous   bool
		want        map[vfs.Path]string // the directory of the machine; empty: there is none
	}{
		{"carol", "staff", false, map[vfs.Path]string{"/": "root", "/archive": "own", "/pub": "users/carol", "/all": "users/carol", "/staff": "root/sub", "/mine": "users/.hidden"}},
		{"dave", "", false, map[vfs.Path]string{"/": "root", "/archive": "own", "/pub": "", "/staff": "", "/mine": ""}},
		{"anonymous", "staff", true, map[vfs.Path]string{"/": "root", "/archive": "own", "/pub": "own", "/all": "", "/staff": ""}},
	} {
		fs := see(c.user, c.group, c.anonymous)
		for at, where := range c.want {
			mark := "mark-" + c.user + strings.ReplaceAll(string(at), "/", "-")
			if where != "" {
				if err := os.WriteFile(filepath.Join(dir, where, mark), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := fs.Stat(at.Join(mark)); (err == nil) != (where != "") {
				t.Errorf("%s at %s: %v, want %q", c.user, at, err, where)
			}
		}
		err := fs.(vfs.Writer).Mkdir("/archive/new")
		if !errors.Is(err, vfs.ErrReadOnly) {
			t.Errorf("%s: a read-only folder: %v", c.user, err)
		}
	}
	if err := see("carol", "", false).(vfs.Writer).Mkdir("/mine/new"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "users", ".hidden", "new")); err != nil || info.Mode().Perm() != 0o770 {
		t.Errorf("the umask of a user in a folder: %v, %v", info, err)
	}
	if told := log.String(); !strings.Contains(told, "a folder cannot be served") || !strings.Contains(told, "path=/pub") || !strings.Contains(told, "user=dave") {
		t.Errorf("the operator is told %q", told)
	}
}

// A directory of storage that is read-only is so by whichever tree it is reached.
func TestReadOnlyStorage(t *testing.T) {
	h, dir := homesIn(t, func(dir string, c *config.Config) {
		c.ReadOnly, c.Defaults.Umask = true, "027"
		c.Users = []config.User{{Name: "below", Root: filepath.Join(dir, "root", "sub")}, {Name: "beside", Root: filepath.Join(dir, "own"),
			Folders: []config.Folder{{Path: "/in", Root: filepath.Join(dir, "root")}}}}
	})
	for _, c := range []struct {
		user string
		at   vfs.Path
		want error
	}{{"shared", "/d", vfs.ErrReadOnly}, {"below", "/d", vfs.ErrReadOnly}, {"beside", "/in/d", vfs.ErrReadOnly}, {"beside", "/d", nil}} {
		fs, release, err := h.home()(t.Context(), policy.Session{User: c.user}, policy.Identity{})
		if err != nil {
			t.Fatal(err)
		}
		if release != nil {
			t.Cleanup(release)
		}
		err = vfs.ErrReadOnly // as the server answers where nothing can be written to at all
		if w, ok := fs.(vfs.Writer); ok {
			err = w.Mkdir(c.at)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s, %s: %v", c.user, c.at, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "own", "d")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("the umask of the defaults: %v, %v", info, err)
	}
}
