// Package sdk holds the guest SDKs of all languages to one contract: the golden
// vectors of the ABI, through compiled modules and the host that the server uses.
package sdk

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir, err := kept(); err == nil {
			_ = os.RemoveAll(dir) // in the system's temporary directory
		}
		os.Exit(code)
	}))
}

// kept is where what is built stays until the last test has ended: one SDK and one mirror
// serve many of them. What holds a compiler to the same bytes twice does not build here.
var kept = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "edgeftp-sdk-") })

// cached is the directory.
func cached(t testing.TB) string {
	t.Helper()
	dir, err := kept()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

const sdkDir = "../../guest-sdk"

// compile builds the policy in a folder, or takes what was built of the same content. A
// missing tool skips the test, and fails it in CI, where all are there.
func compile(t testing.TB, dir string) []byte {
	t.Helper()
	return compileIn(t, dir, cached(t))
}

// compileAnew is compile for tests that compare what is built twice.
func compileAnew(t testing.TB, dir string) []byte {
	t.Helper()
	return compileIn(t, dir, "")
}

func compileIn(t testing.TB, dir, cache string) []byte {
	t.Helper()
	lang, err := build.Detect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Toolchain(t.Context(), lang); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	r, err := build.Build(t.Context(), dir, cache)
	if err != nil {
		t.Fatal(err)
	}
	return r.Module
}

// load runs a module with everything granted that it declares.
func load(t testing.TB, module []byte, o wasmhost.LoadOptions) (*wasmhost.Policy, error) {
	t.Helper()
	return loadLogged(t, module, o, nil)
}

func loadLogged(t testing.TB, module []byte, o wasmhost.LoadOptions, log *slog.Logger) (*wasmhost.Policy, error) {
	t.Helper()
	c := wasmhost.Config{Strict: true, Compile: 10 * time.Minute, Log: log}
	for hook := range c.Budgets {
		c.Budgets[hook].Time = time.Minute // it is not about speed, and the machine is busy
	}
	h, err := wasmhost.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Load(t.Context(), "policy", module, o)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), h.Close()); err != nil {
			t.Error(err)
		}
	})
	return p, nil
}

// mirror is a guest that says what its SDK reads, and writes what it is told to.
type mirror struct {
	filter  policy.Filter
	counted int64
}

func newMirror(t *testing.T, lang string) *mirror {
	m := new(mirror)
	p, err := load(t, compile(t, filepath.Join(sdkDir, lang, "testdata", "mirror")), wasmhost.LoadOptions{
		Limits: wasmhost.Limits{Instances: 1},
		Grant: wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return &policy.MemKV{}, nil }, Metric: m, Random: true,
			Verify: true, Password: true, Stat: true, Digest: true, Fetch: wasmhost.FetchGrant{Allow: []string{"https://example.org"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if m.filter = p.Hooks().Filter; m.filter == nil {
		t.Fatal("the mirror has no hook data")
	}
	return m
}

// Metric takes what the mirror counts.
func (m *mirror) Metric(_, name string, kind int32, value int64) {
	if name == "seen_total" && kind == abi.MetricCounter {
		m.counted += value
	}
}

// recordVector is one of records.json and bad-records.json.
type recordVector struct {
	Name, Hook, Session, Request, A, B, Record string
	Op                                         int
	Time                                       string `json:"time_ns"`
	Spans, Attrs                               map[string]string
}

// replyVector is one of replies.json.
type replyVector struct {
	Name, Hook, Verdict, Reply, Result, Data string
	Entries                                  []struct{ Key, Value string }
}

func (v *replyVector) verdict(t *testing.T) uint64 {
	n, err := strconv.ParseUint(v.Verdict, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// vectors reads a file of at least so many.
func vectors[V any](t testing.TB, file string, least int) (list []V) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(sdkDir, "vectors", file))
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil || len(list) < least {
		t.Fatalf("%s: %d vectors, %v", file, len(list), err)
	}
	return list
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hookOf(t testing.TB, name string) abi.Hook {
	t.Helper()
	for h := abi.HookAuth; h < abi.Hook(abi.NumHooks); h++ {
		if h.String() == name {
			return h
		}
	}
	if name == "config" || name == "idle" {
		return 0
	}
	t.Fatalf("no hook %q", name)
	return 0
}

func keyOf(t *testing.T, name string) uint16 {
	t.Helper()
	for k := abi.Key(1); k < 256; k++ {
		if k.String() == name {
			return uint16(k)
		}
	}
	t.Fatalf("no key %q", name)
	return 0
}
