package sdk

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/wasmhost"
)

var update = flag.Bool("update", false, "write guest-sdk/conformance/script.json")

// origin is what the conformance guest may fetch from, as its manifest says.
const origin = "127.0.0.1:18380"

// TestConformanceGuest plays the script of the conformance kit to the guest, as any
// host that wants to keep the ABI does.
func TestConformanceGuest(t *testing.T) {
	steps := conformanceSteps(t)
	file := filepath.Join(sdkDir, "conformance", "script.json")
	want, err := json.MarshalIndent(steps, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, append(want, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, append(want, '\n')) {
		t.Fatalf("%s is not what this test plays (%v): go test ./tests/sdk -run Conformance -update", file, err)
	}
	p := conforming(t, wasmhost.LoadOptions{})
	// What is looked at from outside, or answered by somebody else, costs what it costs.
	var answers []wasmhost.HostCall
	traced, told := conforming(t, wasmhost.LoadOptions{Traced: true}), conforming(t, wasmhost.LoadOptions{Intercept: func(ctx context.Context, c *wasmhost.HostCall) bool {
		if ctx == nil || len(answers) == 0 || answers[0].Import != c.Import || !bytes.Equal(answers[0].In, c.In) {
			return false // it starts, or what it asks is another thing: then the fuel is, too
		}
		c.Result, c.Out, answers = answers[0].Result, answers[0].Out, answers[1:]
		return true
	}})
	serveOrigin(t)
	ctx := policy.WithServices(t.Context(), world{})
	var x, y wasmhost.Exchange
	for i := range steps {
		s := &steps[i]
		err := p.Ask(ctx, hookOf(t, s.Hook), unhex(t, s.Record), &x)
		for what, other := range map[string]*wasmhost.Policy{"traced": traced, "told": told} {
			answers = x.Host
			_ = other.Ask(ctx, hookOf(t, s.Hook), unhex(t, s.Record), &y) // compared
			if y.Fuel != x.Fuel || y.Verdict != x.Verdict || !bytes.Equal(y.Reply, x.Reply) || fmt.Sprint(y.Err) != fmt.Sprint(x.Err) || what == "told" && len(answers) > 0 {
				t.Errorf("%s, %s: %d units, %016x %x, %v; plainly %d units, %016x %x, %v", s.Name, what, y.Fuel, y.Verdict, y.Reply, y.Err, x.Fuel, x.Verdict, x.Reply, x.Err)
			}
		}
		if fault := (*wasmhost.CallError)(nil); s.Fails && errors.As(err, &fault) && fault.Cause == wasmhost.CauseFailed {
			continue
		}
		if got := fmt.Sprintf("%016x %x", x.Verdict, x.Reply); err != nil || got != s.Verdict+" "+s.Reply {
			t.Errorf("%s: got %s, %v, want %s %s", s.Name, got, err, s.Verdict, s.Reply)
		}
	}
}

// conforming loads the guest of the conformance kit as its README says.
func conforming(t *testing.T, o wasmhost.LoadOptions) *wasmhost.Policy {
	t.Helper()
	o.Settings, o.Limits = []byte(`{"n":1}`), wasmhost.Limits{Instances: 2}
	o.Grant = wasmhost.Grant{KV: shared(), Metric: new(mirror), Random: true, Verify: true, Stat: true, Digest: true,
		Fetch: wasmhost.FetchGrant{Allow: []string{"http://" + origin}}}
	p, err := load(t, conformanceGuest(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// conformanceGuest is the committed module with its manifest.
func conformanceGuest(t *testing.T) []byte {
	t.Helper()
	dir := filepath.Join(sdkDir, "conformance")
	module, err := os.ReadFile(filepath.Join(dir, "guest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err == nil {
		module, err = manifest.Append(module, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// shared gives every instance the same values.
func shared() func(string, int64) (policy.KV, error) {
	kv := new(policy.MemKV)
	return func(string, int64) (policy.KV, error) { return kv, nil }
}

// serveOrigin is the HTTP server that the script asks.
func serveOrigin(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", origin)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Kind", "greeting")
		fmt.Fprint(w, "hi") // the test sees what arrives
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, r.Header.Get("X-Ask"))
	})
	mux.HandleFunc("GET /away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/hello", http.StatusFound) })
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // until it is closed
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
}

// world is what the script says that the server has: one file, and one password.
type world struct{}

const (
	fileText  = "hello"
	rightHash = "$2a$04$right" // stands for the hash of the login's password
	wrongHash = "$2a$04$wrong" // stands for another
)

func (world) Stat(_ context.Context, path string) (policy.Entry, error) {
	if path != "/a.txt" {
		return policy.Entry{}, fs.ErrNotExist
	}
	return policy.Entry{Name: "a.txt", Mode: 0o644, Size: int64(len(fileText)), Time: time.Unix(1_600_000_000, 0)}, nil
}

func (world) Verify(_ context.Context, hash string) (bool, error) {
	switch hash {
	case rightHash:
		return true, nil
	case wrongHash:
		return false, nil
	}
	return false, fs.ErrInvalid
}

func (world) Digest(_ context.Context, algorithm string) ([]byte, error) {
	if algorithm != "SHA-256" {
		return nil, fs.ErrInvalid
	}
	return hex.DecodeString("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824") // of hello
}

// step is one question of the script.
type step struct {
	Name    string `json:"name"`
	Hook    string `json:"hook"`
	Record  string `json:"record"`
	Verdict string `json:"verdict"`
	Reply   string `json:"reply"`
	Fails   bool   `json:"fails,omitempty"` // the answer is a failure that costs no instance
}

// play is the script that STATE holds.
type play struct {
	calls [][]byte
}

// expect adds a call with its result, and if out is not nil with what it writes.
func (p *play) expect(c *call, room int, result int64, out []byte) *play {
	b := append([]byte{c.number}, c.args...)
	if room >= 0 {
		b = binary.LittleEndian.AppendUint32(b, uint32(room))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(result))
	if out == nil {
		b = append(b, 0)
	} else {
		b = append(binary.LittleEndian.AppendUint32(append(b, 1), uint32(len(out))), out...)
	}
	p.calls = append(p.calls, b)
	return p
}

// state is the play with the answer at its end.
func (p *play) state(verdict uint64, reply []byte) []byte {
	b := []byte{byte(len(p.calls))}
	for _, c := range p.calls {
		b = append(b, c...)
	}
	b = binary.LittleEndian.AppendUint64(b, verdict)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(reply))), reply...)
}

// TestConformanceGuestIsItsSource builds the guest again with the compiler that it was
// built with. Another version's module is judged by the script.
func TestConformanceGuestIsItsSource(t *testing.T) {
	tool, err := exec.LookPath("clang")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("clang is missing: install clang and lld")
		}
		t.Skip("clang is missing (Debian packages clang and lld)")
	}
	dir := filepath.Join(sdkDir, "conformance")
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command(tool, "--target=wasm32-unknown-unknown", "-Os", "-nostdlib", "-ffreestanding", "-fno-builtin", "-Wall", "-Wextra", "-Werror",
		"-Wl,--no-entry", "-Wl,--strip-all", "-o", out, filepath.Join(dir, "guest.c"))
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(tool)) // the driver runs any wasm-opt that it finds, and npm's asc brings one
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	version, err := exec.Command(tool, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(version, []byte(" version 14.")) {
		t.Logf("built with %.60s, not compared byte by byte", version)
		return
	}
	built, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(filepath.Join(dir, "guest.wasm")); err != nil || !bytes.Equal(built, kept) {
		t.Errorf("guest.wasm is not what guest.c builds (%v)", err)
	}
}
