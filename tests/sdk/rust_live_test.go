package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// rustLive is a server on a folder with one of the example modules, and curl as its client.
type rustLive struct {
	t    *testing.T
	root string
	url  string
	curl string
}

// serveRust starts a server with the committed module of an example. Its users ann, bob
// and sam, who is of the group staff, have the password "secret".
func serveRust(t *testing.T, name, settings string, kv policy.KV) *rustLive {
	t.Helper()
	l := &rustLive{t: t, root: t.TempDir()}
	var err error
	if l.curl, err = exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("curl is missing")
		}
		t.Skip("curl is missing")
	}
	module, err := os.ReadFile(filepath.Join(rustExample(name), name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := load(t, module, wasmhost.LoadOptions{Settings: []byte(settings),
		Grant: wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return kv, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := edge.HashPassword("secret")
	if err != nil {
		t.Fatal(err)
	}
	var list []users.User
	for _, user := range []string{"ann", "bob", "sam"} {
		u := users.User{Name: user, PasswordHash: hash, Perms: policy.PermAll}
		if user == "sam" {
			u.Group = "staff"
		}
		list = append(list, u)
	}
	who, err := users.New(users.Config{Users: list})
	if err != nil {
		t.Fatal(err)
	}
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: l.root})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := edge.New(edge.Config{FS: disk, Listeners: []edge.Listener{{Address: "127.0.0.1:0"}}, Log: slog.New(slog.DiscardHandler),
		Policies: []edge.Slot{{Name: "users", Policy: who}, {Name: name, Policy: p}}})
	if err == nil {
		err = srv.Listen(t.Context())
	}
	if err != nil {
		t.Fatal(errors.Join(err, disk.Close()))
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(srv.Shutdown(context.Background()), <-served, disk.Close()); err != nil {
			t.Error(err)
		}
	})
	l.url = "ftp://" + srv.Addresses()[0].String()
	return l
}

// as runs curl as a user and returns what it wrote and its exit code.
func (l *rustLive) as(user string, args ...string) (string, int) {
	cmd := exec.CommandContext(l.t.Context(), l.curl, append([]string{"-sS", "--max-time", "60", "--user", user + ":secret"}, args...)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Error(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// file makes a file of so many bytes outside the server's folder.
func (l *rustLive) file(size int) string {
	path := filepath.Join(l.t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", size)), 0o644); err != nil {
		l.t.Error(err)
	}
	return path
}

// names lists a directory of the server's folder.
func (l *rustLive) names(dir string) (names []string) {
	entries, err := os.ReadDir(filepath.Join(l.root, dir))
	if err != nil {
		l.t.Error(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRustDropboxLive uploads into the inbox and tries to get at what lies there.
func TestRustDropboxLive(t *testing.T) {
	l := serveRust(t, "dropbox", `{"readers": "staff"}`, nil)
	if err := os.Mkdir(filepath.Join(l.root, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	day := time.Now().UTC().Format(time.DateOnly)
	for _, user := range []string{"ann", "bob"} {
		if out, code := l.as(user, "-T", l.file(7), l.url+"/in/a.txt"); code != 0 {
			t.Fatalf("%s: %d, %s", user, code, out)
		}
	}
	want := []string{"ann~" + day + "~a.txt", "bob~" + day + "~a.txt"}
	if got := l.names("in"); !slices.Equal(got, want) && day == time.Now().UTC().Format(time.DateOnly) {
		t.Fatalf("got %q, want %q", got, want)
	}
	path := l.url + "/in/" + l.names("in")[0]
	for what, args := range map[string][]string{
		"read":   {path},
		"delete": {"-Q", "DELE /in/" + l.names("in")[0], l.url + "/"},
		"rename": {"-Q", "RNFR /in/" + l.names("in")[0], "-Q", "RNTO /b", l.url + "/"},
		"enter":  {"-Q", "CWD /in/x", l.url + "/"},
		"size":   {"-Q", "SIZE /in/" + l.names("in")[0], l.url + "/"},
		"mkdir":  {"-Q", "MKD /in/x", l.url + "/"},
	} {
		if out, code := l.as("ann", args...); code == 0 {
			t.Errorf("%s: done\n%s", what, out)
		}
	}
	if out, code := l.as("ann", l.url+"/in/"); code != 0 || strings.TrimSpace(out) != "" {
		t.Errorf("ann lists: %d, %q", code, out)
	}
	if out, code := l.as("sam", "-l", l.url+"/in/"); code != 0 || strings.Count(out, "~a.txt") != 2 {
		t.Errorf("sam lists: %d, %q", code, out)
	}
	if out, code := l.as("sam", path); code != 0 || out != "xxxxxxx" {
		t.Errorf("sam reads: %d, %q", code, out)
	}
	if got := l.names("in"); len(got) != 2 {
		t.Errorf("left: %q", got)
	}
}

// TestRustQuotaLive lets uploads of one user race: as many get in as fit, and room that
// is given back is used again.
func TestRustQuotaLive(t *testing.T) {
	const tries, size, fit = 6, 10_000, 3
	kv := &policy.MemKV{}
	l := serveRust(t, "quota", fmt.Sprintf(`{"bytes": %d}`, fit*size+size/2), kv)
	var wg sync.WaitGroup
	for i := range tries {
		file := l.file(size)
		wg.Go(func() { l.as("ann", "-T", file, fmt.Sprintf("%s/a%d", l.url, i)) })
	}
	wg.Wait()
	names := l.names(".")
	if used, _ := kv.Get("u/ann"); len(names) != fit || string(used) != fmt.Sprintf("%d %d", fit*size, fit) {
		t.Fatalf("%d files, want %d; counted %q", len(names), fit, used)
	}
	if out, code := l.as("ann", "-T", l.file(size), l.url+"/more"); code == 0 {
		t.Errorf("a file too many: %s", out)
	}
	if out, code := l.as("bob", "-T", l.file(size), l.url+"/bobs"); code != 0 {
		t.Errorf("another user: %d, %s", code, out)
	}
	if out, code := l.as("ann", "-Q", "DELE "+names[0], l.url+"/"); code != 0 {
		t.Fatalf("%d, %s", code, out)
	}
	// The event of the deletion comes after its answer.
	for deadline := time.Now().Add(20 * time.Second); ; {
		if used, _ := kv.Get("u/ann"); string(used) == fmt.Sprintf("%d %d", (fit-1)*size, fit-1) {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("counted %q", used)
		}
		<-time.After(10 * time.Millisecond)
	}
	if out, code := l.as("ann", "-T", l.file(size), l.url+"/again"); code != 0 {
		t.Errorf("after a deletion: %d, %s", code, out)
	}
}
