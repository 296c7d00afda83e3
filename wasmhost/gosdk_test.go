package wasmhost

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// sdkGuest builds the guest of the SDK that uses all of it, with its manifest and its
// tests as edgeftp puts them into what it builds.
func sdkGuest(t *testing.T) []byte {
	t.Helper()
	dir := filepath.Join("..", "guest-sdk", "go", "testdata", "all")
	out := filepath.Join(t.TempDir(), "all.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	module := append(read(out), custom("edgeftp.tests", string(read(filepath.Join(dir, "tests.json"))))...)
	return declaring(module, string(read(filepath.Join(dir, "manifest.json"))))
}

// sdkServices know one file, one hash and one digest.
type sdkServices struct{}

func (sdkServices) Stat(_ context.Context, path string) (policy.Entry, error) {
	if path != "/x/y" {
		return policy.Entry{}, fs.ErrNotExist
	}
	return policy.Entry{Name: "y", Mode: fs.ModeDir | 0o755, Size: 9}, nil
}

func (sdkServices) Verify(_ context.Context, hash string) (bool, error) {
	return hash == "hash of anna", nil
}

func (sdkServices) Digest(context.Context, string) ([]byte, error) { return []byte{0xab, 0xcd}, nil }

// sdkNumbers remembers the metrics of a guest.
type sdkNumbers struct {
	mu   sync.Mutex
	seen map[string]int64
}

func (n *sdkNumbers) Metric(_, name string, _ int32, v int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[name] = v
}

// TestGoSDK runs every function of the Go SDK through the host, after the tests that
// the module brings have passed at load.
func TestGoSDK(t *testing.T) {
	module := sdkGuest(t)
	numbers := &sdkNumbers{seen: map[string]int64{}}
	kv := new(policy.MemKV)
	grant := allGranted(kv, numbers)
	h := newHost(t, Config{Budgets: patient(), Compile: 5 * time.Minute, CacheDir: filepath.Join(t.TempDir(), "cache")})
	p := loadModule(t, h, module, LoadOptions{Grant: grant})
	ctx := policy.WithServices(t.Context(), sdkServices{})
	for _, q := range [][3]string{
		{"/get", "k", "false "}, {"/set", "k", "set"}, {"/set", "", "error: key or value is too long, or the key is empty"},
		{"/remove", "k", "removed"}, {"/get", "k", "false "}, {"/incr", "n", "-7"}, {"/incr", "n", "-14"},
		{"/swap", "s", "true"}, {"/swap", "s", "false"}, {"/get", "s", "true "}, {"/stat", "/x/y", "y drwxr-xr-x 9"},
		{"/stat", "/z", "error: not found"}, {"/stat", "z", "error: invalid argument"}, {"/digest", "", "abcd"},
		{"/metric", "", "counted"}, {"/fetch", "https://example.org/", "error: not permitted here"},
	} {
		a := action(q[0])
		a.Arg, a.Size = q[1], 77
		if got, err := p.Hooks().Authorizer.Authorize(ctx, a); err != nil || got.Text != q[2] {
			t.Errorf("%s %s: got %q, %v, want %q", q[0], q[1], got.Text, err, q[2])
		}
	}
	if d := cmp.Diff(map[string]int64{"asked": 2, "size": 77}, numbers.seen); d != "" {
		t.Error(d)
	}
	a, err := p.Hooks().Authorizer.Authorize(ctx, action("/random"))
	b, err2 := p.Hooks().Authorizer.Authorize(ctx, action("/random"))
	if err != nil || err2 != nil || a.Text == b.Text || len(a.Text) != 16 {
		t.Errorf("random: %q, %q, %v, %v", a.Text, b.Text, err, err2)
	}
	sdkAnswers(t, ctx, p)
	wrong := bytes.Replace(module, []byte(`"rate": 100`), []byte(`"rate": 101`), 1)
	_, err = h.Load(t.Context(), "guest", wrong, LoadOptions{Grant: grant})
	if err == nil || !strings.Contains(err.Error(), "got the rate 100, want 101") {
		t.Errorf("a test of the module that fails: %v", err)
	}
}

// sdkAnswers asks about what the tests of the module have no words for.
func sdkAnswers(t *testing.T, ctx context.Context, p *Policy) {
	id, err := p.Hooks().Authenticator.Authenticate(ctx, &policy.Login{Meta: meta()})
	want := policy.Identity{Verdict: policy.Allow, Anonymous: true, Lenient: policy.Lenience{Resumption: true},
		Rules: []policy.PathRule{{Dir: "/in", Perms: policy.PermAll, Recursive: true}}}
	if d := cmp.Diff(want, id); err != nil || d != "" {
		t.Errorf("auth: %v %s", err, d)
	}
	rate, err := p.Hooks().Throttler.Throttle(ctx, &policy.Transfer{Meta: meta(), Op: policy.OpRead, Path: "/a", Size: 50, Took: 1500 * time.Microsecond})
	if d := cmp.Diff(policy.Rate{Limit: 5, TTL: 2 * time.Millisecond}, rate); err != nil || d != "" {
		t.Errorf("throttle: %v %s", err, d)
	}
	chunk := &policy.Chunk{Meta: meta(), Op: policy.OpRead, Path: "/a", Data: bytes.Repeat([]byte("a"), policy.MaxChunk), Carry: []byte("5")}
	piece, err := p.Hooks().Filter.Filter(ctx, chunk)
	if err != nil || piece.Verdict != policy.Rewrite || !bytes.Equal(piece.Data, bytes.Repeat([]byte("A"), policy.MaxChunk)) || string(piece.Carry) != "65541" {
		t.Errorf("data: %s, %d bytes, %q, %v", piece.Verdict, len(piece.Data), piece.Carry, err)
	}
}
