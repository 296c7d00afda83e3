package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/ftpclient"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/load"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// visited is a server for the client's commands, and what they need.
type visited struct {
	*testing.T
	root     string // what is served
	url      string // ftp://anna@127.0.0.1:PORT
	plain    string // the same of a listener without TLS
	ca       string
	password string // a file
	dir      string
}

func visit(t *testing.T) *visited {
	t.Helper()
	v := &visited{T: t, root: t.TempDir(), dir: t.TempDir()}
	server, _, err := userpi.ThrowAway()
	v.must(err)
	v.ca = v.file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificates[0].Certificate[0]})))
	v.password = v.file("password", "secret\n")
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: v.root})
	v.must(err)
	hash, err := edge.HashPassword("secret")
	v.must(err)
	people, err := users.New(users.Config{Users: []users.User{{Name: "anna", PasswordHash: hash, Perms: policy.PermAll}}})
	v.must(err)
	srv, err := edge.New(edge.Config{FS: disk, Log: slog.New(slog.DiscardHandler), Logins: edge.Logins{FailDelay: -1},
		Listeners: []edge.Listener{{Name: "tls", Address: "127.0.0.1:0", TLS: server, Require: edge.TLSRequired, Binding: dtp.BindRequire},
			{Name: "plain", Address: "127.0.0.1:0"}},
		Policies: []edge.Slot{{Name: "users", Policy: people}}})
	v.must(err)
	v.must(srv.Listen(t.Context()))
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background()) }()
	t.Cleanup(func() {
		v.must(srv.Shutdown(context.Background()))
		v.must(<-served)
		v.must(disk.Close())
	})
	v.url, v.plain = "ftp://anna@"+srv.Addresses()[0].String(), "ftp://anna@"+srv.Addresses()[1].String()
	t.Setenv("NETRC", v.file("netrc", ""))
	return v
}

func (v *visited) must(err error) {
	v.Helper()
	if err != nil {
		v.Fatal(err)
	}
}

// file makes a file beside the server.
func (v *visited) file(name, text string) string {
	v.Helper()
	name = filepath.Join(v.dir, name)
	v.must(os.MkdirAll(filepath.Dir(name), 0o755))
	v.must(os.WriteFile(name, []byte(text), 0o600))
	return name
}

// do runs a command with what is needed to log in.
func (v *visited) do(code int, args ...string) (stdout, stderr string) {
	v.Helper()
	return v.bare(code, append(args, "--ca-file", v.ca, "--password-file", v.password)...)
}

// bare runs a command.
func (v *visited) bare(code int, args ...string) (stdout, stderr string) {
	v.Helper()
	var out, errs bytes.Buffer
	if got := run(v.Context(), args, &out, &errs); got != code {
		v.Errorf("%q: exit code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	if strings.ContainsAny(out.String()+errs.String(), "\x1b\r") {
		v.Errorf("%q writes control characters to what is no terminal: %q %q", args, &out, &errs)
	}
	return out.String(), errs.String()
}

func (v *visited) says(text string, want ...string) {
	v.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			v.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}

func (v *visited) reads(name, want string) {
	v.Helper()
	text, err := os.ReadFile(name)
	if err != nil || string(text) != want {
		v.Errorf("%s is %q, %v", name, text, err)
	}
}

func TestClientMoves(t *testing.T) {
	v := visit(t)
	a := v.file("src/a.txt", "text of a")
	v.file("src/sub/b.txt", "text of b")
	src := filepath.Join(v.dir, "src")

	out, _ := v.do(0, "put", a, v.url+"/")
	v.says(out, "a.txt -> /a.txt")
	v.reads(filepath.Join(v.root, "a.txt"), "text of a")
	out, _ = v.do(0, "put", "-r", src, v.url+"/", "-o", "json", "--verify")
	var all moved
	v.must(json.Unmarshal([]byte(out), &all))
	if all.Summary.Done != 2 || all.Results[0].Verified != "sha256" {
		t.Errorf("%s", out)
	}
	v.reads(filepath.Join(v.root, "src/sub/b.txt"), "text of b")

	to := filepath.Join(v.dir, "to")
	v.must(os.Mkdir(to, 0o755))
	out, _ = v.do(0, "get", v.url+"/a.txt", to, "--verify")
	v.says(out, "verified by SHA-256")
	v.reads(filepath.Join(to, "a.txt"), "text of a")
	v.do(0, "get", v.url+"/a.txt", filepath.Join(to, "other"), "-q")
	v.reads(filepath.Join(to, "other"), "text of a")
	out, _ = v.do(0, "get", v.url+"/a.txt", "-")
	if out != "text of a" {
		t.Errorf("%q", out)
	}
	v.do(0, "get", "-r", v.url+"/src", to, "--parallel", "2")
	v.reads(filepath.Join(to, "src/sub/b.txt"), "text of b")
	v.do(0, "get", "-r", v.url+"/src/", filepath.Join(v.dir, "flat"))
	v.reads(filepath.Join(v.dir, "flat/sub/b.txt"), "text of b")

	out, _ = v.do(0, "ls", v.url+"/src")
	v.says(out, "9", "a.txt", "sub/")
	out, _ = v.do(0, "ls", v.url+"/src/", "-o", "json")
	var l listed
	v.must(json.Unmarshal([]byte(out), &l))
	if len(l.Entries) != 2 || l.Entries[0].Name != "a.txt" || l.Entries[0].Size != 9 || l.Entries[1].Kind != ftpclient.Dir {
		t.Errorf("%s", out)
	}
	_, errs := v.do(1, "get", v.url+"/a.txt", v.url+"/none", to)
	v.says(errs, "failed /none", "1 of 2 failed")
	v.do(1, "ls", v.url+"/none")
}

func TestClientMirror(t *testing.T) {
	v := visit(t)
	v.file("src/a", "a")
	v.file("src/b", "b")
	src := filepath.Join(v.dir, "src")
	out, _ := v.do(0, "mirror", src, v.url+"/m")
	v.says(out, "2 moved")
	v.must(os.Remove(filepath.Join(src, "b")))
	out, _ = v.do(0, "mirror", src, v.url+"/m", "--delete", "--dry-run")
	v.says(out, "planned delete /m/b", "1 unchanged")
	v.reads(filepath.Join(v.root, "m/b"), "b")
	_, errs := v.do(1, "mirror", src, v.url+"/m", "--delete", "--max-delete", "0")
	v.says(errs, "nothing was changed")
	out, _ = v.do(0, "mirror", src, v.url+"/m", "--delete", "--progress", "json")
	v.says(out, "deleted /m/b")
	back := filepath.Join(v.dir, "back")
	out, _ = v.do(0, "mirror", v.url+"/m", back)
	v.says(out, "a -> a")
	out, _ = v.do(0, "mirror", v.url+"/m", back, "--checksum", "-o", "json")
	v.says(out, `"same": 1`)
	v.do(2, "mirror", src, back)
}

// Nothing is sent in the clear, nor to a stranger, unless somebody says so.
func TestClientSafety(t *testing.T) {
	v := visit(t)
	v.file("to/x", "")
	_, errs := v.bare(1, "ls", v.url+"/", "--password-file", v.password)
	v.says(errs, "certificate", "--ca-file")
	_, errs = v.bare(0, "ls", v.url+"/", "--password-file", v.password, "--insecure")
	v.says(errs, "warning:", "not checked")
	_, errs = v.do(1, "ls", v.plain+"/")
	v.says(errs, "does not protect", "no password was sent")
	_, errs = v.do(0, "ls", v.plain+"/", "--insecure-plaintext")
	v.says(errs, "warning:", "nothing is protected")
	_, errs = v.do(2, "ls", "ftp://anna@ftp.example.org/", "--insecure-plaintext")
	v.says(errs, "is not this machine", "twice")
	v.do(2, "ls", v.url+"/", "--tls=false")
	v.do(2, "ls", v.url+"/", "--insecure")
	_, errs = v.do(4, "ls", "ftp://anna@127.0.0.1:1/")
	v.says(errs, "cannot be reached")
	wrong := v.file("wrong", "no\n")
	_, errs = v.bare(1, "ls", v.url+"/", "--ca-file", v.ca, "--password-file", wrong)
	v.says(errs, "does not let anna in")
	none := v.file("none.pem", "no certificate")
	_, errs = v.bare(1, "ls", v.url+"/", "--ca-file", none, "--password-file", v.password)
	v.says(errs, "holds no certificate")
	_, errs = v.bare(1, "get", v.url+"/", "-r", "--ca-file", v.ca) // nobody to ask
	v.says(errs, "--password-file")
}

// Who logs in is told by the URL, a flag, or the netrc file.
func TestClientCredentials(t *testing.T) {
	v := visit(t)
	in := []string{"--ca-file", v.ca}
	address := strings.TrimPrefix(v.url, "ftp://anna@")
	v.bare(0, append(in, "ls", "ftp://anna:secret@"+address+"/")...)
	t.Setenv("NETRC", v.file("netrc", "machine 127.0.0.1 login anna password secret"))
	v.bare(0, append(in, "ls", "ftp://"+address+"/")...)
	v.bare(0, append(in, "ls", v.url+"/")...)
	v.do(0, "ls", "ftp://"+address+"/", "--user", "anna")
	_, errs := v.do(2, "ls", v.url+"/", "--user", "eve")
	v.says(errs, "two users")
	v.must(os.Chmod(filepath.Join(v.dir, "netrc"), 0o644))
	_, errs = v.bare(1, append(in, "ls", v.url+"/")...)
	v.says(errs, "chmod 600")
}

// Mistakes are told before anything is done.
func TestClientMistakes(t *testing.T) {
	v := visit(t)
	for says, args := range map[string][]string{
		"needs a URL":         {"get", "file"},
		"no scheme of FTP":    {"get", "http://h/x"},
		"is a directory":      {"get", v.url + "/"},
		"several servers":     {"get", v.url + "/a", "ftp://other/b"},
		"the last argument":   {"put", "a", "b"},
		"--parallel is 0":     {"mirror", v.dir, v.url + "/", "--parallel", "0"},
		"--retries is -1":     {"mirror", v.dir, v.url + "/", "--retries", "-1"},
		"--limit-rate":        {"mirror", v.dir, v.url + "/", "--limit-rate", "fast"},
		"--output is \"xml\"": {"ls", v.url + "/", "-o", "xml"},
		"--progress is":       {"get", v.url + "/a", "--progress", "much"},
		"--timeout":           {"ls", v.url + "/", "--timeout", "0s"},
		"becomes one file":    {"put", "-", v.url + "/"},
		"i-own-this-server":   {"bench", "ftp://ftp.example.org/"},
		"--connections":       {"bench", v.url + "/", "--connections", "257"},
		"--size is more":      {"bench", v.url + "/", "--size", "2GiB"},
		"--duration":          {"bench", v.url + "/", "--duration", "1h"},
		"--direction":         {"bench", v.url + "/", "--direction", "sideways"},
	} {
		_, errs := v.do(2, args...)
		v.says(errs, says)
	}
	_, errs := v.do(1, "put", filepath.Join(v.dir, "none"), v.url+"/")
	v.says(errs, "none")
	if left, err := os.ReadDir(v.root); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// The standard input and output are moved by the limit, too.
func TestClientStreams(t *testing.T) {
	v := visit(t)
	stdin, err := os.Open(v.file("in", strings.Repeat("x", 60_000)))
	v.must(err)
	defer stdin.Close()
	var out, errs bytes.Buffer
	root := rootCommand(&out, &errs)
	root.SetIn(stdin)
	root.SetArgs([]string{"put", "-", v.url + "/up", "--limit-rate", "200kB", "--ca-file", v.ca, "--password-file", v.password})
	began := time.Now()
	v.must(root.ExecuteContext(t.Context()))
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("60,000 bytes at 200,000 a second took %v", took)
	}
	v.reads(filepath.Join(v.root, "up"), strings.Repeat("x", 60_000))
	began = time.Now()
	got, _ := v.do(0, "get", v.url+"/up", "-", "--limit-rate", "200kB")
	if took := time.Since(began); len(got) != 60_000 || took < 150*time.Millisecond {
		t.Errorf("%d bytes took %v", len(got), took)
	}
}

// An interrupt ends a command wherever it is.
func TestClientInterrupted(t *testing.T) {
	v := visit(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"ls", v.url + "/"}, {"get", v.url + "/x", v.dir}, {"mirror", v.url + "/", filepath.Join(v.dir, "m")}} {
		var out, errs bytes.Buffer
		if code := run(ctx, append(args, "--ca-file", v.ca, "--password-file", v.password), &out, &errs); code != exitInterrupted {
			t.Errorf("%q: exit code %d\n%s%s", args, code, &out, &errs)
		}
	}
}

func TestBenchCommand(t *testing.T) {
	v := visit(t)
	out, _ := v.do(0, "bench", v.url+"/", "--duration", "200ms", "--connections", "2", "--size", "10KiB", "-o", "json")
	var r load.Report
	v.must(json.Unmarshal([]byte(out), &r))
	if r.Connections != 2 || r.Up.Transfers == 0 || r.Down.Transfers == 0 || r.Failed > 0 || r.Resumed != r.Up.Transfers+r.Down.Transfers ||
		r.Up.Bytes != int64(r.Up.Transfers)*10<<10 || r.Down.Time.P50 <= 0 {
		t.Errorf("%s", out)
	}
	if left, err := os.ReadDir(v.root); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	v.must(os.WriteFile(filepath.Join(v.root, "f"), []byte("text"), 0o644))
	out, _ = v.do(0, "bench", v.url+"/f", "--duration", "100ms", "--direction", "down")
	v.says(out, "MEDIAN", "down")
	_, errs := v.do(1, "bench", v.url+"/f", "--duration", "100ms")
	v.says(errs, "wants a directory")
}
