package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
)

// cEntry is the source of a policy in C, cTest its unit tests.
const (
	cEntry = "policy.c"
	cTest  = "policy_test.c"
)

// clang builds with clang and wasm-ld, without a C library: target
// wasm32-unknown-unknown.
func clang() language {
	return language{name: "c", entry: cEntry, find: findC, key: keyC, compile: compileC, test: testC}
}

const clangHelp = "apt-get install clang lld (or your system's packages of LLVM 14 or later), or build the module elsewhere and give the .wasm file"

// findC finds the compiler, the linker and the SDK.
func findC(ctx context.Context, j *job) (err error) {
	if j.tool, err = exec.LookPath("clang"); err != nil {
		return j.fail("the C compiler clang is missing", "", clangHelp, err)
	}
	if _, err := linkerC(); err != nil {
		return j.fail("the linker wasm-ld is missing", "", clangHelp, err)
	}
	out, err := j.run(ctx, nil, nil, j.tool, "--version")
	if err != nil {
		return err
	}
	j.version = versionC(string(out))
	return nil
}

// keyC tells the linker's version and all C sources of the policy and of the SDK.
func keyC(ctx context.Context, j *job, w io.Writer) error {
	if err := j.findSDK("c"); err != nil {
		return err
	}
	linker, err := linkerC()
	if err != nil {
		return j.fail("the linker wasm-ld is missing", "", clangHelp, err)
	}
	out, err := j.run(ctx, nil, nil, linker, "--version")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%q\n", out)
	return filesKey(".c", ".h", ".inc")(ctx, j, w)
}

var versionPattern = regexp.MustCompile(`clang version ([0-9][0-9.]*)`)

// versionC is such as "clang 14.0.6".
func versionC(output string) string {
	if m := versionPattern.FindStringSubmatch(output); m != nil {
		return "clang " + m[1]
	}
	return "clang of an unknown version"
}

// linkerC is wasm-ld, which Debian also installs with its version behind the name.
func linkerC() (path string, err error) {
	for _, name := range []string{"wasm-ld", "wasm-ld-14"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", err
}

// warningsC are those that are wrong in a policy whatever the author thinks of warnings:
// a setter of another hook, a function that is not there, a path without an answer.
func warningsC() []string {
	return []string{"-Wall", "-Wextra", "-Werror=incompatible-pointer-types", "-Werror=int-conversion",
		"-Werror=implicit-function-declaration", "-Werror=return-type", "-Werror=uninitialized"}
}

func compileC(ctx context.Context, j *job) ([]byte, error) {
	linker, err := linkerC()
	if err != nil {
		return nil, j.fail("the linker wasm-ld is missing", "", clangHelp, err)
	}
	object, out := filepath.Join(j.tmp, "policy.o"), filepath.Join(j.tmp, "policy.wasm")
	args := append([]string{"--target=wasm32-unknown-unknown", "-std=c11", "-O2", "-mbulk-memory", "-fno-ident",
		"-fno-color-diagnostics", "-fmacro-prefix-map=" + j.sdk + "=sdk"}, warningsC()...)
	args = append(args, "-I", j.sdk, "-isystem", filepath.Join(j.sdk, "libc"), "-c", cEntry, "-o", object)
	if _, err := j.run(ctx, nil, helpC, j.tool, args...); err != nil {
		return nil, j.plainC(err)
	}
	link := []string{"--no-entry", "--gc-sections", "--strip-all", "--stack-first", "-z", "stack-size=65536", object, "-o", out}
	if named(ctx) {
		link = slices.DeleteFunc(link, func(s string) bool { return s == "--strip-all" })
	}
	if _, err := j.run(ctx, nil, helpC, linker, link...); err != nil {
		return nil, j.plainC(err)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	source, err := os.ReadFile(j.entry())
	if err != nil {
		return nil, err
	}
	text, err := j.beside(manifest.File)
	if err != nil {
		return nil, err
	}
	return module, j.checkC(module, source, text)
}

// helpC adds what the words of clang and wasm-ld leave open.
func helpC(output string) string {
	switch {
	case strings.Contains(output, "'edgeftp.h' file not found"):
		return `edgeftp.h is in sdk/ beside the source: edgeftp policy init --lang c NAME  writes both`
	case strings.Contains(output, "file not found"):
		return "a policy has no C library: of its headers there are stdint.h, stddef.h, stdbool.h, limits.h, string.h and assert.h"
	case unaskedPattern.MatchString(output):
		hook := strings.Join(unaskedPattern.FindStringSubmatch(output)[1:], "")
		return cTest + " asks for " + hook + ", which " + cEntry + " does not have: let it ask for what there is, or remove it"
	case strings.Contains(output, "undefined symbol: main"):
		return "a policy has no main function: write a hook, such as EDGEFTP_FS(question) { ... }"
	case strings.Contains(output, "undefined symbol"):
		return "the function is declared and nowhere defined: there is no C library, and only " + cEntry + " is compiled; #include its source"
	case strings.Contains(output, "_question *") && strings.Contains(output, "incompatible pointer types"):
		return "the function belongs to another hook: those of this hook begin with its name, as edgeftp_fs_set_rate_up in EDGEFTP_FS"
	case strings.Contains(output, "non-void function does not return"):
		return "each path of a hook ends with an answer: return edgeftp_pass(), edgeftp_allow(), edgeftp_deny(text) or edgeftp_fail(text)"
	case strings.Contains(output, "EDGEFTP_MAILBOX_SIZE"):
		return "the mailbox is the memory through which questions come: leave the #define out for 128 KiB"
	}
	return ""
}

// unaskedPattern is a hook, or the settings, that a unit test wants and the policy lacks.
var unaskedPattern = regexp.MustCompile(`edgeftp_policy_(\w+)\W+ undeclared|undeclared identifier 'edgeftp_policy_(\w+)'`)

var undefinedPattern = regexp.MustCompile(`(?m)^.*undefined symbol: (\w+)$`)

// plainC puts the author's file in place of the builder's own, and the line where an
// undefined function is named into the linker's words.
func (j *job) plainC(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	source, readErr := os.ReadFile(j.entry())
	if readErr != nil {
		return err
	}
	e.Output = strings.ReplaceAll(e.Output, j.sdk+string(filepath.Separator), "sdk/")
	e.Output = undefinedPattern.ReplaceAllStringFunc(e.Output, func(line string) string {
		name := undefinedPattern.FindStringSubmatch(line)[1]
		at, _ := lineOf(source, name)
		return fmt.Sprintf("%s:%d: undefined symbol: %s", cEntry, at, name)
	})
	return err
}

// lineOf is the last line where a word begins so, and the word: where a function is
// called, which is behind where it is declared. It is line 1 if there is none.
func lineOf(source []byte, prefix string) (line int, word string) {
	found := regexp.MustCompile(`\b`+regexp.QuoteMeta(prefix)+`\w*`).FindAllIndex(source, -1)
	if found == nil {
		return 1, prefix
	}
	last := found[len(found)-1]
	return 1 + bytes.Count(source[:last[0]], []byte("\n")), string(source[last[0]:last[1]])
}

// capabilities reads those that the text of a manifest declares; none if there is no manifest.
func capabilities(text []byte) ([]string, error) {
	var m struct{ Capabilities []string }
	if text == nil {
		return nil, nil
	}
	err := json.Unmarshal(text, &m)
	return m.Capabilities, err
}

// testC compiles policy_test.c natively and runs it, with the sanitizers of addresses and
// of undefined behaviour where the compiler has them.
func testC(ctx context.Context, j *job, w io.Writer) (bool, error) {
	if _, err := os.Stat(filepath.Join(j.dir, cTest)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := j.findSDK("c"); err != nil {
		return false, err
	}
	cc := j.tool
	if path, err := exec.LookPath("cc"); err == nil {
		cc = path
	}
	args := append([]string{"-std=c11", "-g"}, warningsC()...)
	if says, err := j.run(ctx, nil, nil, cc, "--version"); err == nil && strings.Contains(string(says), "Free Software Foundation") {
		args = append(args, "-ftrack-macro-expansion=0") // a fault is in the author's line, not in the macro's
	}
	program := filepath.Join(j.tmp, "policy_test")
	args = append(args, "-I", j.sdk, cTest, "-o", program)
	const sanitizers = "-fsanitize=address,undefined"
	if _, err := j.run(ctx, nil, nil, cc, append([]string{sanitizers, "-fno-sanitize-recover=undefined"}, args...)...); err != nil {
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		if _, err := j.run(ctx, nil, helpC, cc, args...); err != nil {
			return true, j.plainC(err)
		}
	}
	out, err := j.run(ctx, nil, nil, program)
	_, _ = w.Write(out) // the caller's to look after
	return true, err
}
