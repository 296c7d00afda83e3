package identity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	for text, want := range map[string]User{
		"1234:5678": {Name: "1234", UID: 1234, GID: 5678},
		"nobody":    {Name: "nobody", UID: 65534, GID: 65534},
		"65534":     {Name: "nobody", UID: 65534, GID: 65534},
	} {
		u, err := Lookup(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if u.Name != want.Name || u.UID != want.UID || u.GID != want.GID || len(u.Groups) > 0 {
			t.Errorf("%s: %+v", text, u)
		}
	}
	for text, says := range map[string]string{
		"root": "is root", "0": "is root", "0:5": "is root", "7:0": "group root", "no such user": "there is no user", "": "there is no user",
		"2147483646": "no user with the number", "a:b": "no UID:GID", "1:-1": "no UID:GID", "4294967295:1": "no UID:GID",
	} {
		if u, err := Lookup(text); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "\n   = help: ") {
			t.Errorf("%q: %+v, %v", text, u, err)
		}
	}
}

// asRoot ends a test that only root can do.
func asRoot(t *testing.T) {
	t.Helper()
	if IsRoot() {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("only root can try this, and CI asks for every check")
	}
	t.Skip("only root can try this: sudo go test")
}

func TestAdopt(t *testing.T) {
	asRoot(t)
	u := &User{Name: "somebody", UID: 4321, GID: 4321}
	base := t.TempDir()
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(base, "state")
	if err := u.Adopt(filepath.Join(state, "deeper")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(state)
	if err != nil {
		t.Fatal(err)
	}
	if uid, _, _ := Owner(info); uid != u.UID || info.Mode().Perm() != 0o700 {
		t.Errorf("%v of %d", info.Mode(), uid)
	}
	if _, err := os.Stat(filepath.Join(state, "deeper")); err == nil {
		t.Error("root made something in a directory of the user's")
	}
	if err := u.Adopt(state); err != nil {
		t.Error(err)
	}
	foreign := filepath.Join(state, "state.db")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := u.Adopt(state); err == nil || !strings.Contains(err.Error(), foreign+" belongs to the user with the number 0") || !strings.Contains(err.Error(), "chown -R 4321:4321 "+state) {
		t.Error(err)
	}
}

// Root makes a file only where nobody else can have put a link in the way.
func TestProvide(t *testing.T) {
	asRoot(t)
	u := &User{Name: "somebody", UID: 4321, GID: 4321}
	safe, open := t.TempDir(), t.TempDir()
	for dir, mode := range map[string]os.FileMode{safe: 0o755, open: 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	made, not := filepath.Join(safe, "events.json"), filepath.Join(open, "events.json")
	for _, file := range []string{made, made, not} {
		if err := u.Provide(file); err != nil {
			t.Error(err)
		}
	}
	info, err := os.Stat(made)
	if err != nil {
		t.Fatal(err)
	}
	if uid, _, _ := Owner(info); uid != u.UID || info.Mode() != 0o600 {
		t.Errorf("%v of %d", info.Mode(), uid)
	}
	if _, err := os.Lstat(not); err == nil {
		t.Error("root made a file in a directory of everybody's")
	}
	link := filepath.Join(safe, "link")
	if err := os.Symlink(filepath.Join(safe, "target"), link); err != nil {
		t.Fatal(err)
	}
	if err := u.Provide(link); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(safe, "target")); err == nil {
		t.Error("root followed a link")
	}
}

// Who owns a directory further up, or a link on the way, could have root make something
// wherever he likes.
func TestProvideOnTheWay(t *testing.T) {
	asRoot(t)
	u := &User{Name: "somebody", UID: 4321, GID: 4321}
	base := t.TempDir()
	for dir := base; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{base}, parts...)...) }
	for _, dir := range []string{in("roots", "deep"), in("users", "roots")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{in("users", "link"): in("roots"), in("users", "up"): "../roots", in("good"): "roots/./deep/..", in("bad"): in("users", "link"),
		in("round"): "round"} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{in("users"), in("users", "link"), in("users", "up")} {
		if err := os.Lchown(name, 4321, 4321); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{in("users", "link"), in("users", "up"), in("users", "roots"), in("bad"), in("users", "link", "deep")} {
		if err := u.Provide(filepath.Join(dir, "events.json")); err != nil {
			t.Error(err)
		}
		if err := u.Adopt(filepath.Join(dir, "state")); err != nil {
			t.Error(err)
		}
		for _, name := range []string{"events.json", "state"} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				t.Errorf("root made %s in %s", name, dir)
			}
		}
	}
	if err := u.Provide(filepath.Join(in("good"), "events.json")); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(in("roots", "events.json")); err != nil {
		t.Error(err)
	}
	if safe, err := rootsAlone(in("round")); safe || err == nil {
		t.Errorf("a link to itself: %v, %v", safe, err)
	}
}
