// Package gobuild builds a directory of Go source into a policy module with the
// Go tool of the machine, and keeps what it built by content.
package gobuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
)

// Error says why a directory could not be built, in words for its author.
type Error struct {
	Dir     string // as it was given
	Summary string // one line
	Output  string // what the Go tool wrote, with file:line of each fault; may be empty
	Help    string // what to do about it; may be empty
	Err     error  // the cause; may be nil
}

// Error returns the summary, and below it the tool's output and the help where
// there is any.
func (e *Error) Error() string {
	s := fmt.Sprintf("building the policy in %s: %s", e.Dir, e.Summary)
	if e.Output != "" {
		s += "\n" + e.Output
	}
	if e.Help != "" {
		s += "\n   = help:   " + e.Help
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Build compiles the Go main package in dir to a WebAssembly module (wasip1, a
// reactor) and returns it with a word on how it came about: "built with go1.26.8
// in 1.2s" or "unchanged, from the cache".
//
// Beside the source may lie manifest.json and tests.json, which become the module's
// sections edgeftp.manifest and edgeftp.tests (guest ABI §8).
//
// What was built is kept in cacheDir, made with mode 0700, under a digest of the
// Go version, the build's settings, those two files and every source file of the
// package and of all packages that it imports outside the standard library. An empty cacheDir
// builds every time. ctx ends a build early.
//
// It fails with an [*Error] if the source is at fault or the Go tool is missing.
// Building runs the Go tool on the source, which may fetch modules that the
// source requires: build only what you would compile yourself.
func Build(ctx context.Context, dir, cacheDir string) (wasm []byte, how string, err error) {
	b := &builder{dir: dir}
	if err := b.prepare(ctx); err != nil {
		return nil, "", err
	}
	digest, err := b.digest(ctx)
	if err != nil {
		return nil, "", err
	}
	cached := ""
	if cacheDir != "" {
		if err := os.MkdirAll(cacheDir, 0o700); err != nil {
			return nil, "", fmt.Errorf("cache of built policies: %w", err)
		}
		cached = filepath.Join(cacheDir, "go-"+digest+".wasm")
		if old, err := os.ReadFile(cached); err == nil && bytes.HasPrefix(old, []byte("\x00asm")) {
			return old, "unchanged, from the cache", nil
		}
	}
	start := time.Now()
	wasm, err = b.compile(ctx)
	if err != nil {
		return nil, "", err
	}
	if cached != "" {
		if err := writeFile(cached, wasm); err != nil {
			return nil, "", fmt.Errorf("cache of built policies: %w", err)
		}
	}
	return wasm, fmt.Sprintf("built with %s in %s", b.version, time.Since(start).Round(100*time.Millisecond)), nil
}

// builder is one build.
type builder struct {
	dir     string
	tool    string
	version string // of the Go tool
	setting string // all that changes a build besides the source
}

func (b *builder) fail(summary, output, help string, err error) error {
	return &Error{Dir: b.dir, Summary: summary, Output: output, Help: help, Err: err}
}

// prepare finds the tool and asks for its settings.
func (b *builder) prepare(ctx context.Context) error {
	info, err := os.Stat(b.dir)
	if err != nil {
		return b.fail("there is no such directory", "", "", err)
	}
	if !info.IsDir() {
		return b.fail("it is a file", "", "give the directory that holds the policy's main package, or a built .wasm file", nil)
	}
	if b.tool, err = exec.LookPath("go"); err != nil {
		return b.fail("the Go tool is missing", "",
			"install Go 1.26 or later (https://go.dev/dl), or build the module elsewhere and give the .wasm file", err)
	}
	out, err := b.run(ctx, "env", "GOVERSION", "GOFLAGS", "GOEXPERIMENT", "GOWASM", "GOMOD", "GOWORK")
	if err != nil {
		return err
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) < 7 { // a line for each, and the end
		return b.fail("the Go tool does not answer as it should", fmt.Sprintf("go env: %.200q", out), "check which go is first in PATH: "+b.tool, nil)
	}
	b.version = lines[0]
	b.setting = string(out)
	for _, file := range lines[len(lines)-3:] { // GOMOD, GOWORK and the end
		if text, err := os.ReadFile(file); err == nil {
			b.setting += string(text)
		}
	}
	return nil
}

// run runs the Go tool in the directory for the target of policies and returns
// its output, or what it complained about.
func (b *builder) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.tool, args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, b.fail("the Go tool reports faults", strings.TrimSpace(stderr.String()), helpFor(stderr.String()), err)
		}
		return nil, b.fail("the Go tool could not be run", "", "", err)
	}
	return stdout.Bytes(), nil
}

// helpFor adds what the Go tool's own words leave open.
func helpFor(output string) string {
	switch {
	case strings.Contains(output, "no Go files"), strings.Contains(output, "build constraints exclude all Go files"):
		return "give the directory that holds the policy's main package"
	case strings.Contains(output, "go.mod file not found"), strings.Contains(output, "cannot find main module"):
		return "the directory is in no Go module: run  go mod init  and  go get github.com/edgeftp/edgeftp  there"
	}
	return ""
}

// listed is what is needed of one package of go list.
type listed struct {
	Dir, ImportPath, Name                        string
	Standard                                     bool
	GoFiles, SFiles, HFiles, SysoFiles, CgoFiles []string
	EmbedFiles                                   []string
}

// digest is that of everything that goes into the build.
func (b *builder) digest(ctx context.Context) (string, error) {
	out, err := b.run(ctx, "list", "-deps", "-json=Dir,ImportPath,Name,Standard,GoFiles,SFiles,HFiles,SysoFiles,CgoFiles,EmbedFiles", ".")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "edgeftp gobuild 2\n%q\n", b.setting)
	for _, name := range []string{manifest.File, manifest.TestsFile} {
		text, err := b.beside(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %t %x\n", name, text != nil, sha256.Sum256(text))
	}
	name := ""
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return "", b.fail("the Go tool's list cannot be read", "", "", err)
		}
		name = p.Name // the package itself comes last
		if p.Standard {
			continue // the version stands for it
		}
		if err := p.hash(h); err != nil {
			return "", b.fail("a source file cannot be read", "", "", err)
		}
	}
	if name != "main" {
		return "", b.fail(fmt.Sprintf("it holds the package %s, not a main package", name), "",
			"a policy is a main package with an empty main function that exports its hooks in init", nil)
	}
	return hex.EncodeToString(h.Sum(nil))[:40], nil
}

// hash adds the files of one package.
func (p *listed) hash(h io.Writer) error {
	files := slices.Concat(p.GoFiles, p.SFiles, p.HFiles, p.SysoFiles, p.CgoFiles, p.EmbedFiles)
	fmt.Fprintf(h, "package %q\n", p.ImportPath)
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q %x\n", name, sha256.Sum256(text))
	}
	return nil
}

// compile runs the build.
func (b *builder) compile(ctx context.Context) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "edgeftp-gobuild-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp) // what stays behind is in the system's temporary directory
	out := filepath.Join(tmp, "policy.wasm")
	if _, err := b.run(ctx, "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, "."); err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	return b.describe(wasm)
}

// describe adds the sections that lie beside the source.
func (b *builder) describe(wasm []byte) ([]byte, error) {
	for _, s := range []struct {
		file string
		add  func(module, text []byte) ([]byte, error)
	}{{manifest.File, manifest.Append}, {manifest.TestsFile, manifest.AppendTests}} {
		text, err := b.beside(s.file)
		if err != nil {
			return nil, err
		}
		if text == nil {
			continue
		}
		if wasm, err = s.add(wasm, text); err != nil {
			return nil, b.fail(s.file+" cannot be put into the module", err.Error(), "", err)
		}
	}
	return wasm, nil
}

// beside reads a file of the directory, nil if there is none.
func (b *builder) beside(name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, b.fail(name+" cannot be read", "", "", err)
	}
	return text, nil
}

// writeFile puts the file there as a whole or not at all.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	if _, err := f.Write(b); err != nil {
		_ = f.Close() // the first error is the one to tell
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
