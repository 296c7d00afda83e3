package tutorials

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// TestJourney goes the way of a new author in each language: an empty directory, a
// template, a test that fails, the change, the signature, and the swap into a server
// that carries a transfer meanwhile.
func TestJourney(t *testing.T) {
	bin := program(t)
	for _, lang := range build.Languages() {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			if _, err := build.Toolchain(t.Context(), lang); err != nil {
				if os.Getenv("CI") != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			j := &journey{reader: reader{dir: t.TempDir(), bin: bin}, lang: lang}
			defer j.stop()
			j.travel(t)
		})
	}
}

// journey is one author's way.
type journey struct {
	reader
	lang string
	took []string
}

// step does what an author types, and notes how long it took.
func (j *journey) step(t *testing.T, text string) {
	t.Helper()
	if err := j.fails(t, text); err != nil {
		t.Fatal(err)
	}
}

// fails is step for what may fail.
func (j *journey) fails(t *testing.T, text string) error {
	start := time.Now()
	err := j.run(t.Context(), text)
	j.took = append(j.took, fmt.Sprintf("%6.1f s  %s", time.Since(start).Seconds(), text))
	return err
}

func (j *journey) travel(t *testing.T) {
	start := time.Now()
	j.step(t, "edgeftp policy init --lang "+j.lang+" guard")
	j.step(t, "edgeftp policy build guard && cp guard/guard.wasm first.wasm")
	j.step(t, "edgeftp policy keygen -o author.key --no-password")
	j.step(t, "edgeftp policy sign --key author.key first.wasm")

	j.edit(t, "tests.json", "accepted here", "welcomed here") // what is wanted has changed
	if err := j.fails(t, "edgeftp policy test guard"); err == nil || !strings.Contains(j.said, "FAIL") {
		t.Fatalf("the changed tests passed: %v\n%s", err, j.said)
	}
	j.edit(t, j.entry(t), "accepted here", "welcomed here")
	j.editUnitTests(t, "accepted here", "welcomed here")
	j.step(t, "edgeftp policy test guard")
	j.step(t, "edgeftp policy build guard && edgeftp policy sign --key author.key guard/guard.wasm")
	j.swap(t)
	t.Logf("%s: %.1f s in all, %d lines of source\n%s", j.lang, time.Since(start).Seconds(), j.lines(t), strings.Join(j.took, "\n"))
}

// editUnitTests does so in unit tests, if there are any that have the text.
func (j *journey) editUnitTests(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(j.dir, "guard", "*_test.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && bytes.Contains(b, []byte(from)) {
			j.edit(t, filepath.Base(file), from, to)
		}
	}
}

// swap puts the second version into a server while an upload is under way.
func (j *journey) swap(t *testing.T) {
	j.write(t, "edgeftp.yaml", `version: 1
storage: [{ root: files }]
listeners:
  - { name: main, address: "127.0.0.1:0", tls: { control: off } }
policies:
  trust: ["${file:author.key.pub}"]
  require_signature: true
  modules:
    - { name: guard, source: first.wasm }
users:
  list:
    - { name: anna, perm: elradfmwMT, password_hash: "$2a$04$YJauZxXluT7tc915CTuK.OG9bG.K17wJj98G7rXXkxmSU1qSAdBRa" }
`)
	j.step(t, "mkdir files")
	if err := j.serve(t, "edgeftp serve --config edgeftp.yaml"); err != nil {
		t.Fatalf("%v\n%s", err, j.server.String())
	}
	url := "ftp://anna:secret@" + j.listener(t) + "/"
	j.write(t, "big.bin", strings.Repeat("x", 3<<20))
	j.write(t, "tool.exe", "x")
	j.refused(t, url, "accepted here")
	upload := j.shell(t.Context(), "curl -sS --limit-rate 1M -T big.bin "+url)
	var said bytes.Buffer
	upload.Stdout, upload.Stderr = &said, &said
	if err := upload.Start(); err != nil {
		t.Fatal(err)
	}
	j.step(t, "edgeftp policy swap guard guard/guard.wasm")
	if err := upload.Wait(); err != nil {
		t.Errorf("the upload that ran during the swap: %v\n%s", err, said.String())
	}
	if info, err := os.Stat(filepath.Join(j.dir, "files", "big.bin")); err != nil || info.Size() != 3<<20 {
		t.Errorf("the upload that ran during the swap: %v, %v", info, err)
	}
	j.refused(t, url, "welcomed here")
}

// refused uploads what the policy refuses, and wants its words.
func (j *journey) refused(t *testing.T, url, words string) {
	t.Helper()
	if err := j.fails(t, "curl -sS -v -T tool.exe "+url); err == nil || !strings.Contains(j.said, words) {
		t.Errorf("%v, want a refusal with %q\n%s", err, words, j.said)
	}
}

// listener asks the server where it listens.
func (j *journey) listener(t *testing.T) string {
	t.Helper()
	out, err := j.shell(t.Context(), "edgeftp status -o json").Output()
	var st struct {
		Listeners []struct{ Address string }
	}
	if err == nil {
		err = json.Unmarshal(out, &st)
	}
	if err != nil || len(st.Listeners) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	return st.Listeners[0].Address
}

// entry is the source file.
func (j *journey) entry(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"main.go", "policy.rs", "policy.c", "policy.zig", "policy.ts", "policy.wat"} {
		if _, err := os.Stat(filepath.Join(j.dir, "guard", name)); err == nil {
			return name
		}
	}
	t.Fatal("no source")
	return ""
}

func (j *journey) lines(t *testing.T) (n int) {
	b, err := os.ReadFile(filepath.Join(j.dir, "guard", j.entry(t)))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n"))
}

// edit replaces a text in a file of the policy.
func (j *journey) edit(t *testing.T, name, from, to string) {
	t.Helper()
	path := filepath.Join(j.dir, "guard", name)
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	now := strings.ReplaceAll(string(was), from, to)
	if now == string(was) {
		t.Fatalf("%s has no %q", name, from)
	}
	if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (j *journey) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
