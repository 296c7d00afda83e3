package wasmhost

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

func TestLoadRefusals(t *testing.T) {
	h := newHost(t, Config{Budgets: Budgets{0: {Time: 100 * time.Millisecond}}})
	tests := []struct {
		module string
		code   Code
		says   string
	}{
		{"abi-v2", CodeABIVersion, "speaks ABI v2, this server speaks v1"},
		{"no-abi", CodeNoPolicy, "no edgeftp_abi_v* export"},
		{"command", CodeNoPolicy, "-buildmode=c-shared"},
		{"no-memory", CodeMemory, "exports no memory"},
		{"big-memory", CodeMemory, "65536 KiB to start with"},
		{"start-section", CodeStart, "_initialize"},
		{"hook-shape", CodeShape, "edgeftp_fs(i32, i32) -> i32"},
		{"hook-global", CodeShape, "not a function"},
		{"hook-unknown", CodeHook, "edgeftp_filesystem"},
		{"no-hook", CodeNoHook, "takes part in nothing"},
		{"import-sock", CodeImport, "wasi_snapshot_preview1::sock_open, which policies never get"},
		{"import-kv", CodeCapability, `edgeftp::kv_get and does not declare the capability "kv"`},
		{"import-shape", CodeImport, "edgeftp::log(i32, i32, i32)"},
		{"import-memory", CodeImport, "env::memory"},
		{"refuses", CodeRefused, "returned 0"},
		{"small-mailbox", CodeRefused, "mailbox of 1024 bytes"},
		{"mailbox-outside", CodeRefused, "outside the memory"},
		{"init-trap", CodeRefused, "unreachable"},
		{"init-loop", CodeRefused, "stopped after 100ms"},
		{"config", CodeSettings, "bad"},
	}
	for _, tt := range tests {
		t.Run(tt.module, func(t *testing.T) {
			p, err := h.Load(t.Context(), "guard", testModule(t, tt.module), LoadOptions{})
			wantRefusal(t, p, err, tt.code, tt.says)
		})
	}
}

func wantRefusal(t *testing.T, p *Policy, err error, code Code, says string) {
	t.Helper()
	var l *LoadError
	if p != nil || !errors.As(err, &l) {
		t.Fatalf("got %v, %v, want a LoadError", p, err)
	}
	if l.Code != code || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v\nwant %s and %q", err, code, says)
	}
}

func TestLoadRefusesWhatIsNoModule(t *testing.T) {
	pass := testModule(t, "pass")
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	tests := []struct {
		name   string
		module []byte
		code   Code
		says   string
	}{
		{"empty", nil, CodeNotWasm, "an empty file"},
		{"page", []byte("<!DOCTYPE html><html>404"), CodeNotWasm, "web page"},
		{"text", []byte("(module)"), CodeNotWasm, "wat2wasm"},
		{"other", []byte("\x7fELF\x02"), CodeNotWasm, "starts with"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), CodeComponent, "wasip2"},
		{"version", []byte("\x00asm\x02\x00\x00\x00"), CodeMalformed, "02000000"},
		{"cut", pass[:len(pass)-3], CodeMalformed, "ends too early"},
		{"header", pass[:6], CodeMalformed, "ends too early"},
		{"only a header", pass[:8], CodeNoPolicy, "0 exports"},
		{"twice", join(pass, []byte{5, 3, 1, 0, 1}), CodeMalformed, "section 5 is out of order"},
		{"empty custom", join(pass, []byte{0, 2, 1, 'x'}), CodeEmptyCustom, `"x"`},
		{"large", make([]byte, 9<<20), CodeTooLarge, "9437184 bytes"},
		{"code", join(pass[:8], []byte("\x01\x04\x01\x60\x00\x01")), CodeMalformed, "ends too early"},
		{"manifest", join(pass, custom("edgeftp.manifest", `{"name":"x","interests":{}}`)), CodeManifest, `line 1, column 25: the key "interests"`},
		{"manifest hooks", join(pass, custom("edgeftp.manifest", `{"hooks":["auth"]}`)), CodeManifest, "exports say"},
		{"manifest of a later minor", join(pass, custom("edgeftp.manifest", `{"abi":"1.6"}`)), CodeManifest, "1.0 to 1.5"},
		{"manifest of another major", join(pass, custom("edgeftp.manifest", `{"abi":"2.0"}`)), CodeManifest, `abi is "2.0"`},
		{"manifest of no version", join(pass, custom("edgeftp.manifest", `{"abi":"1"}`)), CodeManifest, `abi is "1"`},
		{"manifest capability", join(pass, custom("edgeftp.manifest", `{"capabilities":["kv"]}`)), CodeCapability, "kv"},
	}
	h := newHost(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := h.Load(t.Context(), "guard", tt.module, LoadOptions{})
			wantRefusal(t, p, err, tt.code, tt.says)
		})
	}
}

// custom is a custom section.
func custom(name, payload string) []byte {
	body := append(module.AppendU32(nil, uint32(len(name))), name+payload...)
	return append(module.AppendU32([]byte{0}, uint32(len(body))), body...)
}

func TestLoadErrorForm(t *testing.T) {
	_, err := newHost(t, Config{}).Load(t.Context(), "guard", testModule(t, "abi-v2"), LoadOptions{})
	want := `EF2103: policy "guard" speaks ABI v2, this server speaks v1
   = found:  export edgeftp_abi_v2
   = needs:  export edgeftp_abi_v1
   = help:   rebuild the policy with the guest SDK of this server's version`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestManifestAndDigest(t *testing.T) {
	module := append(testModule(t, "pass"), custom("edgeftp.manifest",
		`{"name":"guard","version":"1.2.0","abi":"1.0","hooks":["fs"],"capabilities":["log"]}`)...)
	p, err := newHost(t, Config{}).Load(t.Context(), "slot", module, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer closePolicy(t, p)
	if m := p.Manifest(); m.Name != "guard" || m.Version != "1.2.0" || p.Name() != "slot" {
		t.Errorf("manifest %+v, name %q", m, p.Name())
	}
	if d := p.Digest(); len(d) != 71 || !strings.HasPrefix(d, "sha256:") {
		t.Errorf("digest %q", d)
	}
	if got := strings.Join(p.HookNames(), " "); got != "fs" {
		t.Errorf("hooks %q", got)
	}
	if h := p.Hooks(); h.Authorizer == nil || h.Authenticator != nil || h.Observer != nil {
		t.Errorf("stages %+v", h)
	}
}

// TestManifestOfEachMinor loads modules that say which minor they were made for.
func TestManifestOfEachMinor(t *testing.T) {
	h := newHost(t, Config{})
	for _, version := range []string{"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"} {
		p, err := h.Load(t.Context(), "slot", append(testModule(t, "pass"), custom("edgeftp.manifest", `{"abi":"`+version+`"}`)...), LoadOptions{})
		if err != nil {
			t.Errorf("%s: %v", version, err)
			continue
		}
		if got := p.Manifest().ABI; got != version {
			t.Errorf("%s became %q", version, got)
		}
		closePolicy(t, p)
	}
}

func TestSettings(t *testing.T) {
	h := newHost(t, Config{})
	p, err := h.Load(t.Context(), "guard", testModule(t, "config"), LoadOptions{Settings: []byte("ok")})
	if err != nil {
		t.Fatal(err)
	}
	closePolicy(t, p)
	p, err = h.Load(t.Context(), "guard", testModule(t, "config"), LoadOptions{Settings: []byte(strings.Repeat("x", 20000))})
	wantRefusal(t, p, err, CodeSettings, "do not fit")
	p, err = h.Load(t.Context(), "guard", testModule(t, "pass"), LoadOptions{Settings: []byte("ok")})
	wantRefusal(t, p, err, CodeSettings, "takes no settings")
}

func TestCompileIsBounded(t *testing.T) {
	h := newHost(t, Config{Compile: time.Nanosecond})
	p, err := h.Load(t.Context(), "guard", testModule(t, "pass"), LoadOptions{})
	wantRefusal(t, p, err, CodeCompileTime, "too long")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newHost(t, Config{}).Load(ctx, "guard", testModule(t, "pass"), LoadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestCacheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	for again := range 2 {
		h := newHost(t, Config{CacheDir: dir})
		closePolicy(t, load(t, h, "moody"))
		closePolicy(t, load(t, h, "moody"))
		closePolicy(t, load(t, h, []string{"pass", "counter"}[again]))
		want := []Compilations{{Hits: 1, Misses: 2}, {Hits: 2, Misses: 1}}[again]
		if got := h.Compilations(); got != want {
			t.Errorf("host %d: %+v, want %+v", again, got, want)
		}
	}
	if h := newHost(t, Config{}); true {
		closePolicy(t, load(t, h, "moody"))
		if got := h.Compilations(); got != (Compilations{}) {
			t.Errorf("without a cache: %+v", got)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Config{CacheDir: dir}); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v for a directory that everybody may write to", err)
	}
}

// TestImportsAreDocumented holds section 7 of ABI.md to the host's functions.
func TestImportsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../guest-sdk/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "## 7. Imports")
	section, _, _ = strings.Cut(section, "## 8.")
	for _, f := range hostFunctions() {
		if !strings.Contains(section, "`"+f.name+"`") {
			t.Errorf("%s::%s is not in ABI.md", f.module, f.name)
		}
	}
}
