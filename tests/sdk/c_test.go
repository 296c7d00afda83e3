package sdk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
)

const cExamples = "../../examples/wasm"

// needC skips without the tools for C, and fails in CI.
func needC(t testing.TB) (version string) {
	t.Helper()
	version, err := build.Toolchain(t.Context(), "c")
	if err == nil {
		_, err = exec.LookPath("cc")
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return version
}

// native is the mirror in C as a native program under the sanitizers.
type native struct {
	m   *mirror
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

// newNative compiles and starts the program, and ends it with the test.
func newNative(t testing.TB) *native {
	t.Helper()
	needC(t)
	program := filepath.Join(t.TempDir(), "mirror")
	args := []string{"-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
		"-fno-sanitize-recover=undefined", "-I" + filepath.Join(sdkDir, "c"), filepath.Join(sdkDir, "c", "testdata", "mirror", "frames.c"), "-o", program}
	if out, err := exec.CommandContext(t.Context(), "cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program)
	cmd.Stderr = os.Stderr // what a sanitizer says
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("the native mirror: %v", err)
		}
	})
	n := &native{in: in, out: bufio.NewReader(out)}
	n.m = &mirror{filter: n}
	return n
}

// ask sends one frame and returns the answer.
func (n *native) ask(frame []byte) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := n.in.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(n.out, head[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.LittleEndian.Uint32(head[:]))
	_, err := io.ReadFull(n.out, answer)
	return answer, err
}

// Filter lets the native program stand where the matrix has a module.
func (n *native) Filter(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
	answer, err := n.ask(c.Data)
	if err != nil {
		return policy.Piece{}, err
	}
	total, err := n.ask([]byte("Mseen_total"))
	if err != nil {
		return policy.Piece{}, err
	}
	n.m.counted, err = strconv.ParseInt(string(total), 10, 64)
	return policy.Piece{Verdict: policy.Rewrite, Data: answer}, err
}

// TestCNatively asks the native mirror about all golden vectors.
func TestCNatively(t *testing.T) {
	m := newNative(t).m
	t.Run("records", m.records)
	t.Run("bad records", m.badRecords)
	t.Run("replies", m.replies)
	t.Run("imports", m.imports)
}

// TestCUnits runs the unit tests in C of the SDK, the template and the examples.
func TestCUnits(t *testing.T) {
	needC(t)
	for _, dir := range []string{sdkDir + "/c/testdata/unit", sdkDir + "/c/template", cExamples + "/readonly/c", cExamples + "/content-scan/c"} {
		var out bytes.Buffer
		ran, err := build.Test(t.Context(), dir, &out)
		if err != nil || !ran || !strings.HasSuffix(out.String(), " checks passed\n") {
			t.Errorf("%s: %t, %v\n%s", dir, ran, err, out.String())
		}
	}
}

// imports lists what a module imports, as "module.name".
func imports(t *testing.T, module []byte) (list []string) {
	t.Helper()
	for rest := module[8:]; len(rest) > 0; {
		id := rest[0]
		size, k := binary.Uvarint(rest[1:])
		body := rest[1+k : 1+k+int(size)]
		rest = rest[1+k+int(size):]
		if id != 2 {
			continue
		}
		r := bufio.NewReader(bytes.NewReader(body))
		word := func() string {
			n, _ := binary.ReadUvarint(r)
			b := make([]byte, n)
			_, _ = io.ReadFull(r, b)
			return string(b)
		}
		n, _ := binary.ReadUvarint(r)
		for range n {
			list = append(list, word()+"."+word())
			_, _ = r.ReadByte()
			_, _ = binary.ReadUvarint(r)
		}
	}
	slices.Sort(list)
	return list
}

// folder makes a folder with a policy in C and the SDK where the builder looks for it.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	sdk, err := filepath.Abs(filepath.Join(sdkDir, "c"))
	if err == nil {
		err = os.Symlink(sdk, filepath.Join(dir, "sdk"))
	}
	for name, text := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCImports holds that a module imports what its source calls, and nothing else.
func TestCImports(t *testing.T) {
	needC(t)
	const manifest = `{"capabilities": ["kv", "metric", "random", "pw", "fs.stat", "digest", "fetch:example.org"]}`
	for body, want := range map[string][]string{
		"":                                      nil,
		"edgeftp_log(EDGEFTP_INFO, q->path);":   {"edgeftp.log"},
		"edgeftp_kv_remove(q->path);":           {"edgeftp.kv_set"},
		"edgeftp_metric_add(\"a\", 1);":         {"edgeftp.metric"},
		"uint8_t b[4]; edgeftp_random(b, 4);":   {"edgeftp.random"},
		"if (q->a == 9) EDGEFTP_PANIC(\"no\");": {"wasi_snapshot_preview1.fd_write"},
		"edgeftp_entry e; if (edgeftp_stat(q->path, &e)) return edgeftp_hide();": {"edgeftp.stat"},
	} {
		dir := folder(t, map[string]string{"manifest.json": manifest,
			"policy.c": "#include \"edgeftp.h\"\nEDGEFTP_FS(q) {\n" + body + "\nreturn edgeftp_pass();\n}\n"})
		module := compile(t, dir)
		if got := imports(t, module); !slices.Equal(got, want) {
			t.Errorf("%s: imports %q, want %q", body, got, want)
		}
		t.Logf("%5d bytes: %s", len(module), body)
	}
}

// TestCIsReproducible builds one policy in two places.
func TestCIsReproducible(t *testing.T) {
	needC(t)
	source, err := os.ReadFile(filepath.Join(sdkDir, "c", "testdata", "unit", "policy.c"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(sdkDir, "c", "testdata", "unit", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"policy.c": string(source), "manifest.json": string(manifest)}
	one, other := compileAnew(t, folder(t, files)), compileAnew(t, folder(t, files))
	if !bytes.Equal(one, other) || bytes.Contains(one, []byte(os.TempDir())) {
		t.Error("the module depends on where it was built")
	}
}

// TestCPanic reads in the host's error what an author wrote, with the file and the line.
func TestCPanic(t *testing.T) {
	needC(t)
	p, err := load(t, compile(t, sdkDir+"/c/testdata/unit"), wasmhost.LoadOptions{Grant: wasmhost.Grant{KV: shared(), Metric: new(mirror),
		Random: true, Verify: true, Stat: true, Digest: true, Fetch: wasmhost.FetchGrant{Allow: []string{"https://example.org"}}}})
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(sdkDir + "/c/testdata/unit/policy.c")
	if err != nil {
		t.Fatal(err)
	}
	line := func(part string) int {
		return 1 + bytes.Count(source[:bytes.Index(source, []byte(part))], []byte("\n"))
	}
	for path, want := range map[string]string{
		"/panic":  fmt.Sprintf("policy.c:%d: this cannot be (trap in fs: ", line(`"/panic"`)),
		"/assert": fmt.Sprintf("policy.c:%d: assertion failed: q->size == 0 && q->op == EDGEFTP_OP_READ (trap in fs: ", line(`"/assert"`)),
		"/lines":  "TEXT is not one line of UTF-8 of at most 512 bytes",
	} {
		_, err := p.Hooks().Authorizer.Authorize(t.Context(), &policy.Action{Op: policy.OpWrite, Path: path,
			Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v\nwant %s", path, err, want)
		}
	}
}

// numbers takes the metrics of a policy.
type numbers struct {
	mu   sync.Mutex
	seen map[string]int64
}

// Metric adds to a counter.
func (n *numbers) Metric(_, name string, _ int32, value int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[name] += value
}

// TestCExamples holds the committed modules to their source: the bytes with the compiler
// that they were built with, and what they do, which their tests say at load, with any.
func TestCExamples(t *testing.T) {
	version := needC(t)
	for _, name := range []string{"readonly", "content-scan"} {
		dir := filepath.Join(cExamples, name, "c")
		built, file := compile(t, dir), filepath.Join(dir, name+".wasm")
		if *update {
			if err := os.WriteFile(file, built, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		committed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if version == "clang 14.0.6" && !bytes.Equal(built, committed) {
			t.Errorf("%s is not what its source builds: go test ./tests/sdk -run CExamples -update", file)
		}
		for _, module := range [][]byte{built, committed} {
			if !bytes.Contains(module, []byte("edgeftp.tests")) {
				t.Errorf("%s has no tests", name)
			}
			if _, err := load(t, module, wasmhost.LoadOptions{Grant: wasmhost.Grant{Metric: new(mirror)}}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		t.Logf("%s: %d bytes", name, len(built))
	}
}

// transfer is an upload in chunks.
type transfer struct {
	t     *testing.T
	p     policy.Filter
	id    uint64
	bytes []byte
	at    int
	carry []byte
	last  policy.Piece
}

// step sends the next n bytes and reports whether the transfer goes on.
func (u *transfer) step(n int) bool {
	u.t.Helper()
	n = min(n, len(u.bytes)-u.at)
	c := &policy.Chunk{Meta: policy.Meta{Session: &policy.Session{ID: u.id, User: "anna", Root: "/"}, Request: uint64(u.at)}, Op: policy.OpWrite,
		Path: "/in/a.bin", Upload: true, Offset: int64(u.at), Data: u.bytes[u.at : u.at+n], Last: u.at+n == len(u.bytes), Carry: u.carry}
	var err error
	if u.last, err = u.p.Filter(u.t.Context(), c); err != nil {
		u.t.Fatal(err)
	}
	u.carry, u.at = bytes.Clone(u.last.Carry), u.at+n
	return u.last.Verdict == policy.Pass && u.at < len(u.bytes)
}

// TestContentScan sends uploads through the committed module, many at a time.
func TestContentScan(t *testing.T) {
	module, err := os.ReadFile(filepath.Join(cExamples, "content-scan", "c", "content-scan.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	counted := &numbers{seen: map[string]int64{}}
	h, err := wasmhost.New(t.Context(), wasmhost.Config{Log: slog.New(slog.NewTextHandler(&lines, nil))})
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Load(t.Context(), "content-scan", module, wasmhost.LoadOptions{Grant: wasmhost.Grant{Metric: counted},
		Settings: []byte(`{"code": 552, "rules": [{"name": "zip-bomb", "hex": "504b0304ffff"}]}`), Limits: wasmhost.Limits{Instances: 3}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), h.Close()); err != nil {
			t.Error(err)
		}
	})
	pattern := "EDGEFTP-CONTENT" + "-SCAN-TEST-FILE!"
	clean := strings.Repeat("PK\x03\x04\xff EDGEFTP-CONTENT-SCAN- ", 20)
	want := int64(0)
	// Every cut of the pattern, while a clean transfer goes on between each two chunks.
	for cut := 1; cut < len(pattern); cut++ {
		bad := &transfer{t: t, p: p.Hooks().Filter, id: 1, bytes: []byte(clean + pattern + clean)}
		good := &transfer{t: t, p: p.Hooks().Filter, id: 2, bytes: []byte(clean)}
		for n := len(clean) + cut; bad.step(n); n = 7 {
			good.step(5)
		}
		if bad.last.Verdict != policy.Deny || bad.last.Code != 552 || bad.last.Text != "content refused by rule test-pattern" || good.last.Verdict != policy.Pass {
			t.Errorf("cut at %d: %+v, %+v", cut, bad.last, good.last)
		}
		want++
	}
	for _, bytes := range []string{"PK\x03\x04\xff\xff", clean + "PK\x03\x04\xff\xff"} {
		u := &transfer{t: t, p: p.Hooks().Filter, id: 3, bytes: []byte(bytes)}
		for u.step(1) {
		}
		if u.last.Text != "content refused by rule zip-bomb" {
			t.Errorf("%q: %+v", bytes, u.last)
		}
		want++
	}
	if got := counted.seen["found_total"]; got != want {
		t.Errorf("found_total is %d, want %d", got, want)
	}
	if line := `refused /in/a.bin of anna, rule zip-bomb`; !strings.Contains(lines.String(), line) || !strings.Contains(lines.String(), "policy=content-scan") {
		t.Errorf("no %q in the log:\n%s", line, lines.String())
	}
	u := &transfer{t: t, p: p.Hooks().Filter, id: 4, bytes: bytes.Repeat([]byte("PK\x03\x04\xff EDGEFTP-"), 200_000)}
	before := p.Stats().Fuel
	for u.step(policy.MaxChunk) {
	}
	if u.last.Verdict != policy.Pass || u.at != len(u.bytes) {
		t.Errorf("a clean file: %+v", u.last)
	}
	t.Logf("fuel: %.1f units a byte", float64(p.Stats().Fuel-before)/float64(len(u.bytes)))
}

// mistake is what an author of a policy in C does wrong.
type mistake struct {
	name   string
	source string            // policy.c behind the #include, which is its first line
	files  map[string]string // beside it
	from   string            // "build", "load" or "test"
	o      wasmhost.LoadOptions
}

func mistakesC() []mistake {
	const fs = "\nEDGEFTP_FS(q) {\n"
	return []mistake{
		{name: "syntax", source: fs + "    return edgeftp_deny(\"no\")\n}\n", from: "build"},
		{name: "no-hook", source: "\nstatic int unused(void) { return 0; }\n", from: "build"},
		{name: "setter-of-another-hook", source: fs + "    edgeftp_auth_set_home(q, \"/in\");\n    return edgeftp_pass();\n}\n", from: "build"},
		{name: "no-answer", source: fs + "    if (q->dir) return edgeftp_deny(\"no\");\n}\n", from: "build"},
		{name: "stdio", source: "#include <stdio.h>\n" + fs + "    printf(\"%s\", q->path);\n    return edgeftp_pass();\n}\n", from: "build"},
		{name: "malloc", source: "#include <stdlib.h>\n" + fs + "    return malloc(9) ? edgeftp_pass() : edgeftp_hide();\n}\n", from: "build"},
		{name: "socket", source: "#include <sys/socket.h>\n" + fs + "    return edgeftp_pass();\n}\n", from: "build"},
		{name: "math", source: "#include <math.h>\n" + fs + "    return edgeftp_pass();\n}\n", from: "build"},
		{name: "undefined", source: "\nint is_bad(const char *path);\n" + fs + "    return is_bad(q->path) ? edgeftp_hide() : edgeftp_pass();\n}\n", from: "build"},
		{name: "export-type", source: "\n__attribute__((export_name(\"edgeftp_fs\"))) int decide(int len) { return len; }\n", from: "build"},
		{name: "capability", source: fs + "    return edgeftp_kv_get(q->path, NULL, 0) < 0 ? edgeftp_pass() : edgeftp_hide();\n}\n", from: "build",
			files: map[string]string{"manifest.json": `{"capabilities": ["log"]}`}},
		{name: "not-granted", source: fs + "    return edgeftp_kv_get(q->path, NULL, 0) < 0 ? edgeftp_pass() : edgeftp_hide();\n}\n", from: "load",
			files: map[string]string{"manifest.json": `{"capabilities": ["kv"]}`}},
		{name: "hooks-of-the-manifest", source: fs + "    return edgeftp_pass();\n}\n", from: "load",
			files: map[string]string{"manifest.json": `{"hooks": ["auth"]}`}},
		{name: "no-settings", source: fs + "    return edgeftp_pass();\n}\n", from: "load", o: wasmhost.LoadOptions{Settings: []byte(`{"a": 1}`)}},
		{name: "unknown-setting", source: "\nEDGEFTP_CONFIG(s) {\n    edgeftp_settings_int(s, \"limit\", 1);\n    return NULL;\n}\n" + fs + "    return edgeftp_pass();\n}\n",
			from: "load", o: wasmhost.LoadOptions{Settings: []byte(`{"limt": 1}`)}},
		{name: "failing-vector", source: fs + "    return edgeftp_pass();\n}\n", from: "load",
			files: map[string]string{"tests.json": `{"tests": [{"name": "a program", "hook": "fs", "op": "write", "path": "/a.exe", "want": {"action": "deny"}}]}`}},
		{name: "failing-unit-test", source: fs + "    return edgeftp_pass();\n}\n", from: "test",
			files: map[string]string{"policy_test.c": "#include \"policy.c\"\n#include \"edgeftp_fake.h\"\n\nint main(void) {\n" +
				"    EDGEFTP_CHECK(edgeftp_fake_fs(.path = \"/a.exe\").action == EDGEFTP_DENY);\n    return edgeftp_fake_done();\n}\n"}},
		{name: "small-mailbox", source: "", from: "build",
			files: map[string]string{"policy.c": "#define EDGEFTP_MAILBOX_SIZE 65536\n#include \"edgeftp.h\"\n\nEDGEFTP_DATA(q) { return edgeftp_pass(); }\n"}},
		{name: "fake-in-the-policy", source: "#include \"edgeftp_fake.h\"\n" + fs + "    return edgeftp_pass();\n}\n", from: "build"},
	}
}

var sdkLine = regexp.MustCompile(`^(sdk/\S+\.h:)[0-9:]+[0-9]`)

// words is what the author sees.
func (m *mistake) words(t *testing.T) string {
	files := map[string]string{"policy.c": "#include \"edgeftp.h\"\n" + m.source}
	for name, text := range m.files {
		files[name] = text
	}
	dir := folder(t, files)
	var err error
	switch m.from {
	case "test":
		var ran bool
		if ran, err = build.Test(t.Context(), dir, io.Discard); !ran {
			t.Errorf("%s: no unit test ran", m.name)
		}
	case "load":
		_, err = load(t, compile(t, dir), m.o)
	default:
		_, err = build.Build(t.Context(), dir, "")
	}
	if err == nil {
		t.Errorf("%s: no error", m.name)
		return ""
	}
	text := strings.ReplaceAll(err.Error(), dir, "DIR")
	lines := strings.Split(text, "\n")
	for i, line := range lines { // where the SDK's lines are changes with it
		lines[i] = strings.TrimRight(sdkLine.ReplaceAllString(line, "${1}LINE"), " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestCMistakes holds what authors see of their mistakes.
func TestCMistakes(t *testing.T) {
	version := needC(t)
	for _, m := range mistakesC() {
		t.Run(m.name, func(t *testing.T) {
			got, file := m.words(t), filepath.Join("testdata", "mistakes", "c", m.name+".txt")
			if *update && got != "" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if version == "clang 14.0.6" && got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
