package wasmhost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// TestDeclaredAndGranted takes each capability away, on either side.
func TestDeclaredAndGranted(t *testing.T) {
	h := newHost(t, Config{})
	all := []string{"kv", "metric", "random", "pw", "fs.stat", "digest", "fetch:127.0.0.1:1"}
	module := testModule(t, "imports")
	declare := func(list []string) []byte {
		return declaring(module, wanting(list...))
	}
	full := allGranted(newMemKV(), newMemSink())
	for i, what := range all {
		short, _, _ := strings.Cut(what, ":")
		t.Run(short, func(t *testing.T) {
			p, err := h.Load(t.Context(), "guard", declare(slices.Delete(slices.Clone(all), i, i+1)), LoadOptions{Grant: full})
			wantRefusal(t, p, err, CodeCapability, fmt.Sprintf("does not declare the capability %q", short))
			g := full
			switch short {
			case "kv":
				g.KV = nil
			case "metric":
				g.Metric = nil
			case "random":
				g.Random = false
			case "pw":
				g.Verify = false
			case "fs.stat":
				g.Stat = false
			case "digest":
				g.Digest = false
			case "fetch":
				g.Fetch = FetchGrant{}
			}
			p, err = h.Load(t.Context(), "guard", declare(all), LoadOptions{Grant: g})
			wantRefusal(t, p, err, CodeCapability, fmt.Sprintf("wants the capability %q, which is not granted", what))
			if line := "grants: { " + short + ": "; !strings.Contains(err.Error(), line) {
				t.Errorf("no %s in\n%v", line, err)
			}
		})
	}
	p, err := h.Load(t.Context(), "guard", testModule(t, "import-kv"), LoadOptions{Grant: full})
	wantRefusal(t, p, err, CodeCapability, "no section edgeftp.manifest")
	// What is granted and not declared is not given, and the zero grant is nothing.
	closePolicy(t, loadAll(t, h, testModule(t, "pass"), LoadOptions{Grant: full}, capabilities{}))
	p, err = h.Load(t.Context(), "guard", declare([]string{"log", "password"}), LoadOptions{})
	wantRefusal(t, p, err, CodeCapability, "kv_get")
	p, err = h.Load(t.Context(), "guard", declaring(testModule(t, "pass"), `{"capabilities":["password"]}`), LoadOptions{})
	wantRefusal(t, p, err, CodeCapability, `add  grants: { password: true }  to this policy`)
	closePolicy(t, loadAll(t, h, declaring(testModule(t, "pass"), `{"capabilities":["password","log","digest"]}`),
		LoadOptions{Grant: Grant{Password: true, Digest: true, Stat: true}}, capabilities{password: true, digest: true}))
}

// loadAll loads a module and compares what it was given.
func loadAll(t *testing.T, h *Host, module []byte, o LoadOptions, want capabilities) *Policy {
	t.Helper()
	p, err := h.Load(t.Context(), "guard", module, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := *p.caps; got.kv != nil || got.metrics != nil || got.random != nil || got.fetch != nil ||
		got.password != want.password || got.digest != want.digest || got.stat != want.stat || got.verify != want.verify {
		t.Errorf("given %+v, want %+v", got, want)
	}
	return p
}

// TestGrantOfSpace holds which space and how much of it is asked for.
func TestGrantOfSpace(t *testing.T) {
	h := newHost(t, Config{})
	for manifest, want := range map[string]string{
		`{"capabilities":["kv"]}`:                                                    ` 0`,
		`{"capabilities":["kv"],"kv":{"max_bytes":65536}}`:                           ` 65536`,
		`{"capabilities":["kv:shared"],"kv":{"namespace":"shared","max_bytes":1}}`:   `shared 1`,
		`{"kv":{"namespace":"a-b.c_9"},"capabilities":["kv"]}`:                       `a-b.c_9 0`,
		`{"capabilities":["metric","random","kv:x"]}`:                                `x 0`,
		`{"capabilities":["log"]}`:                                                   ``,
		`{"capabilities":["kv:refused"],"kv":{"max_bytes":1}}`:                       `refused 1 !`,
		`{"capabilities":["kv:nil"],"description":"a factory that returns nothing"}`: `nil 0 !`,
	} {
		got := ""
		g := allGranted(nil, newMemSink())
		g.KV = func(space string, maxBytes int64) (policy.KV, error) {
			got = fmt.Sprintf("%s %d", space, maxBytes)
			switch space {
			case "refused":
				return nil, errors.New("that space belongs to somebody else")
			case "nil":
				return nil, nil
			}
			return newMemKV(), nil
		}
		p, err := h.Load(t.Context(), "guard", declaring(testModule(t, "pass"), manifest), LoadOptions{Grant: g})
		if bad := strings.HasSuffix(want, "!"); bad {
			wantRefusal(t, p, err, CodeCapability, "grants: { kv: [")
			got += " !"
		} else if err != nil {
			t.Error(err)
		} else {
			closePolicy(t, p)
		}
		if got != want {
			t.Errorf("%s: asked for %q, want %q", manifest, got, want)
		}
	}
}

// TestGrantOfFetch holds a declared host to the operator's list.
func TestGrantOfFetch(t *testing.T) {
	h := newHost(t, Config{})
	for _, tt := range []struct {
		declared, granted string
		ok                bool
	}{
		{"api.example.com", "https://api.example.com", true},
		{"api.example.com", "api.example.com", true},
		{"api.example.com", "*.example.com", true},
		{"api.example.com", "http://api.example.com", false},
		{"api.example.com", "https://api.example.com:8443", false},
		{"api.example.com", "https://example.com", false},
		{"api.example.com:8443", "https://api.example.com:8443", true},
		{"api.example.com:80", "http://api.example.com", true},
		{"api.example.com:443", "https://api.example.com", true},
		{"[2001:db8::1]:8443", "https://[2001:db8:0::1]:8443", true},
		{"192.0.2.1", "https://192.0.2.1", true},
		{"192.0.2.1", "*.0.2.1", false},
	} {
		m := declaring(testModule(t, "pass"), fmt.Sprintf(`{"capabilities":["fetch:%s"]}`, tt.declared))
		p, err := h.Load(t.Context(), "guard", m, LoadOptions{Grant: Grant{Fetch: FetchGrant{Allow: []string{tt.granted}}}})
		if tt.ok && err == nil {
			closePolicy(t, p)
			continue
		}
		if tt.ok {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		wantRefusal(t, p, err, CodeCapability, fmt.Sprintf(`grants: { fetch: ["https://%s"] }`, tt.declared))
	}
}

// TestOnlyInAHook holds what a guest cannot do while it starts.
func TestOnlyInAHook(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(newMemKV(), newMemSink()))
	for i, what := range []string{"pw_verify", "stat", "digest", "fetch"} {
		if got := int64(binary.LittleEndian.Uint64(c.read(uint32(136+8*i), 8))); got != int64(abi.ErrnoDenied) {
			t.Errorf("%s in edgeftp_config: %d", what, got)
		}
	}
	if got := int64(binary.LittleEndian.Uint64(c.read(168, 8))); got != 0 {
		t.Errorf("kv_set in edgeftp_config: %d", got)
	}
	if c.guest().call != (callState{}) {
		t.Error("an instance at rest still has a question")
	}
}

// TestOutsideACall calls the host's functions as nothing but a guest's call can:
// without an instance behind the call.
func TestOutsideACall(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(newMemKV(), newMemSink()))
	mod, err := c.p.engine.runtime.InstantiateModule(t.Context(), c.p.engine.compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 72)
	for fn := fnLog; fn <= fnFetch; fn++ {
		b[56] = byte(fn)
		if !mod.Memory().Write(64, b) {
			t.Fatal("no memory")
		}
		_, err := mod.ExportedFunction("edgeftp_fs").Call(t.Context(), 0)
		if err == nil || !strings.Contains(err.Error(), "host function called outside a call") {
			t.Errorf("function %d: got %v", fn, err)
		}
	}
	if err := mod.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLimitsOnlyNarrow(t *testing.T) {
	h := newHost(t, Config{Limits: Limits{MemoryPages: 100, Instances: 5},
		Budgets: Budgets{abi.HookAuth: {Time: time.Second}, abi.HookFS: {Time: 20 * time.Millisecond}}})
	for _, tt := range []struct {
		manifest string
		operator Limits
		pages    uint32
		inst     int
		auth, fs time.Duration
	}{
		{`{}`, Limits{}, 100, 5, time.Second, 20 * time.Millisecond},
		{`{"limits":{"memory_pages":65536,"instances":100000,"deadline_ms":600000,"fuel":9007199254740992,"depth":1000000}}`,
			Limits{MemoryPages: 200, Instances: 9, Deadline: time.Hour}, 100, 5, time.Second, 20 * time.Millisecond},
		{`{"limits":{"memory_pages":50,"instances":3,"deadline_ms":500}}`, Limits{}, 50, 3, 500 * time.Millisecond, 20 * time.Millisecond},
		{`{"limits":{"memory_pages":50,"instances":3,"deadline_ms":500}}`,
			Limits{MemoryPages: 40, Instances: 4, Deadline: 10 * time.Millisecond}, 40, 3, 10 * time.Millisecond, 10 * time.Millisecond},
	} {
		p := loadModule(t, h, declaring(testModule(t, "pass"), tt.manifest), LoadOptions{Limits: tt.operator})
		l, b := p.module.limits, p.budgets
		if l.MemoryPages != tt.pages || l.Instances != tt.inst || b[abi.HookAuth].Time != tt.auth || b[abi.HookFS].Time != tt.fs {
			t.Errorf("%s, %+v: got %+v, %+v", tt.manifest, tt.operator, l, b)
		}
	}
	// The guest may not grow beyond its own word, nor start above it.
	grow := loadModule(t, h, declaring(testModule(t, "grow-memory"), `{"limits":{"memory_pages":2}}`), LoadOptions{})
	if got, err := grow.Hooks().Authorizer.Authorize(t.Context(), action("/")); err != nil || got.Verdict != policy.Pass {
		t.Errorf("got %v, %v: it grew", got.Verdict, err)
	}
	in, _ := grow.pool.quick()
	if size := in.mem.Size(); size > 2*pageSize {
		t.Errorf("it has %d bytes", size)
	}
	grow.pool.give(in)
	p, err := h.Load(t.Context(), "guard", declaring(testModule(t, "imports"), strings.Replace(everything(), "{", `{"limits":{"memory_pages":3},`, 1)), LoadOptions{})
	wantRefusal(t, p, err, CodeMemory, "256 KiB to start with")
}
