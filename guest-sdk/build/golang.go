package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// golang builds with the standard toolchain: target wasip1, a reactor.
func golang() language {
	return language{name: "go", entry: "main.go", find: findGo, key: keyGo, compile: compileGo, test: testGo}
}

func findGo(ctx context.Context, j *job) (err error) {
	if j.tool, err = exec.LookPath("go"); err != nil {
		return j.fail("the Go tool is missing", "",
			"install Go 1.26 or later (https://go.dev/dl), or build the module elsewhere and give the .wasm file", err)
	}
	out, err := j.goTool(ctx, "env", "GOVERSION")
	j.version = strings.TrimSpace(string(out))
	return err
}

// goTool runs the Go tool for the target of policies.
func (j *job) goTool(ctx context.Context, args ...string) ([]byte, error) {
	return j.run(ctx, []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"}, goHelp, j.tool, args...)
}

// goHelp adds what the Go tool's own words leave open.
func goHelp(output string) string {
	switch {
	case strings.Contains(output, "no Go files"), strings.Contains(output, "build constraints exclude all Go files"):
		return "give the directory that holds the policy's main package"
	case strings.Contains(output, "go.mod file not found"), strings.Contains(output, "cannot find main module"):
		return "the directory is in no Go module: edgeftp policy init --lang go NAME  writes one that has the SDK with it"
	case goUnused.MatchString(output):
		return "export the policy from init:  func init() { " + goUnused.FindStringSubmatch(output)[1] + ".Export(yourPolicy) }"
	case strings.Contains(output, "function main is undeclared"):
		return "write  func main() {} : it is never called, and Go wants one"
	}
	return ""
}

// goUnused is a hook of the SDK that is imported and has no policy.
var goUnused = regexp.MustCompile(`guest-sdk/go/(auth|fs|list|cmd|site|throttle|data|event|cert)" imported and not used`)

// listed is what is needed of one package of go list.
type listed struct {
	Dir, ImportPath, Name                        string
	Standard                                     bool
	GoFiles, SFiles, HFiles, SysoFiles, CgoFiles []string
	EmbedFiles                                   []string
}

// keyGo tells the build's settings and every source file of the package and of all
// packages that it imports outside the standard library.
func keyGo(ctx context.Context, j *job, w io.Writer) error {
	out, err := j.goTool(ctx, "env", "GOFLAGS", "GOEXPERIMENT", "GOWASM", "GOMOD", "GOWORK")
	if err != nil {
		return err
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) < 6 { // a line for each, and the end
		return j.fail("the Go tool does not answer as it should", fmt.Sprintf("go env: %.200q", out), "check which go is first in PATH: "+j.tool, nil)
	}
	fmt.Fprintf(w, "%q\n", out)
	for _, file := range lines[len(lines)-3:] { // GOMOD, GOWORK and the end
		if text, err := os.ReadFile(file); err == nil {
			fmt.Fprintf(w, "%x\n", sha256.Sum256(text))
		}
	}
	out, err = j.goTool(ctx, "list", "-deps", "-json=Dir,ImportPath,Name,Standard,GoFiles,SFiles,HFiles,SysoFiles,CgoFiles,EmbedFiles", ".")
	if err != nil {
		return err
	}
	name := ""
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return j.fail("the Go tool's list cannot be read", "", "", err)
		}
		name = p.Name // the package itself comes last
		if p.Standard {
			continue // the version stands for it
		}
		j.packages = append(j.packages, p.Dir)
		if err := p.hash(w); err != nil {
			return j.fail("a source file cannot be read", "", "", err)
		}
	}
	if name != "main" {
		return j.fail(fmt.Sprintf("it holds the package %s, not a main package", name), "",
			"a policy is a main package with an empty main function that exports its hooks in init", nil)
	}
	return nil
}

// hash adds the files of one package.
func (p *listed) hash(w io.Writer) error {
	files := slices.Concat(p.GoFiles, p.SFiles, p.HFiles, p.SysoFiles, p.CgoFiles, p.EmbedFiles)
	fmt.Fprintf(w, "package %q\n", p.ImportPath)
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%q %x\n", name, sha256.Sum256(text))
	}
	return nil
}

func compileGo(ctx context.Context, j *job) ([]byte, error) {
	out := filepath.Join(j.tmp, "policy.wasm")
	strip := "-ldflags=-s -w"
	if named(ctx) {
		strip = "-ldflags=-w"
	}
	if _, err := j.goTool(ctx, "build", "-buildmode=c-shared", "-trimpath", strip, "-o", out, "."); err != nil {
		return nil, err
	}
	module, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	return module, j.checkGo(module)
}

// testGo runs the package's tests natively.
func testGo(ctx context.Context, j *job, w io.Writer) (bool, error) {
	files, err := filepath.Glob(filepath.Join(j.dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		return false, err
	}
	out, err := j.run(ctx, nil, nil, j.tool, "test", ".")
	_, _ = w.Write(out) // the caller's to look after
	return true, err
}
