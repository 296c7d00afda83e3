package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// rustTarget is what policies in Rust are built for: no WASI, and a standard library
// whose files, sockets and clocks are errors.
const rustTarget = "wasm32-unknown-unknown"

// rust builds with rustc alone: the SDK to a library, the policy with it to a module.
func rust() language {
	return language{name: "rust", entry: "policy.rs", find: findRust, key: keyRust, compile: compileRust, test: testRust}
}

// findRust takes the first rustc that has the target: one of rustup, which often comes
// first in PATH, may lack it where the distribution's has it.
func findRust(ctx context.Context, j *job) error {
	return j.findRustc(ctx, filepath.SplitList(os.Getenv("PATH")))
}

func (j *job) findRustc(ctx context.Context, dirs []string) error {
	first := ""
	for _, dir := range dirs {
		tool, err := filepath.Abs(filepath.Join(dir, "rustc"+exeSuffix()))
		if err != nil {
			continue
		}
		if info, err := os.Stat(tool); err != nil || info.IsDir() {
			continue
		}
		if first == "" {
			first = tool
		}
		if j.rustTarget(ctx, tool) {
			j.tool = tool
			version, err := j.run(ctx, nil, nil, tool, "--version")
			j.version = strings.TrimSpace(string(version))
			if err == nil && !j.rustLinker(ctx, tool) {
				err = j.fail("the linker rust-lld is missing", "", "apt-get install lld  (rustup has it with it)", nil)
			}
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if first == "" {
		return j.fail("the Rust compiler is missing", "", "on Debian and Ubuntu:  apt-get install rustc libstd-rust-dev-wasm32"+
			"\n             elsewhere install rustup (https://rustup.rs), then:  rustup target add "+rustTarget, nil)
	}
	help := "apt-get install libstd-rust-dev-wasm32"
	if _, err := os.Stat(filepath.Join(filepath.Dir(first), "rustup"+exeSuffix())); err == nil {
		help = "rustup target add " + rustTarget
	}
	return j.fail("no rustc has the target "+rustTarget, "", help, nil)
}

// rustLinker reports whether a rustc finds its linker: beside its libraries, or in PATH.
func (j *job) rustLinker(ctx context.Context, tool string) bool {
	if _, err := exec.LookPath("rust-lld" + exeSuffix()); err == nil {
		return true
	}
	root, err := j.run(ctx, nil, nil, tool, "--print=sysroot")
	if err != nil {
		return false
	}
	found, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "lib", "rustlib", "*", "bin", "rust-lld"+exeSuffix())) // the pattern is in order
	return len(found) > 0
}

func keyRust(ctx context.Context, j *job, w io.Writer) error {
	if err := j.findSDK("rust"); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "%q\n", append(rustOptions(), rustModule()...)) // into a hash
	return filesKey(".rs")(ctx, j, w)
}

// rustOptions are those of the SDK and of the policy. Level 2 takes a third less fuel
// than s, for a tenth more bytes.
func rustOptions() []string {
	return []string{"--target=" + rustTarget, "-Copt-level=2", "-Cpanic=abort", "-Ccodegen-units=1", "-Cstrip=symbols",
		"-Ctarget-feature=+bulk-memory"}
}

// rustModule are those of the policy alone. The stack that rustc would reserve is 1 MiB
// in each instance.
func rustModule() []string {
	return []string{"--crate-type=cdylib", "-Clto=fat", "-Clink-arg=-zstack-size=131072"}
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}

// rustTarget reports whether a compiler has the standard library of the target.
func (j *job) rustTarget(ctx context.Context, tool string) bool {
	out, err := j.run(ctx, nil, nil, tool, "--print", "target-libdir", "--target", rustTarget)
	if err != nil {
		return false // a broken one, or a proxy without a toolchain
	}
	found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "libstd-*.rlib"))
	return err == nil && len(found) > 0
}

// rustc runs the compiler on the SDK, and then on the policy with it. None of the
// folders' names gets into what is made: the policy is compiled in its own, and the SDK's
// is called edgeftp.
func (j *job) rustc(ctx context.Context, options []string, policy ...string) error {
	if err := j.findSDK("rust"); err != nil {
		return err
	}
	lib, err := j.rustSDK(ctx, options)
	if err != nil {
		return err
	}
	args := append([]string{"--edition=2021", "--crate-name=policy", "--extern=edgeftp=" + lib}, options...)
	_, err = j.run(ctx, nil, rustHelp, j.tool, append(append(args, policy...), j.language.entry)...)
	return located(err)
}

// rustSDK compiles the SDK, and returns where the library is. It is kept as modules are:
// it takes as long as a policy does, and changes when edgeftp does.
func (j *job) rustSDK(ctx context.Context, options []string) (string, error) {
	lib, kept, digest := filepath.Join(j.tmp, "libedgeftp.rlib"), cache{}, sha256.New()
	if j.cache != "" {
		kept = libraries(filepath.Join(j.cache, "rust"))
		_, _ = fmt.Fprintf(digest, "%q\n%q\n%q\n", j.version, j.tool, options) // into a hash
		if err := hashFiles(filepath.Join(j.sdk, "src"), []string{".rs"}, digest); err != nil {
			return "", j.fail("a source file cannot be read", "", "", err)
		}
	}
	key := hex.EncodeToString(digest.Sum(nil))[:40]
	if old := kept.find("sdk", key); old != nil {
		return lib, os.WriteFile(lib, old, 0o600)
	}
	args := append([]string{"--edition=2021", "--crate-name=edgeftp", "--crate-type=rlib", "-o", lib,
		"--remap-path-prefix=" + j.sdk + "=edgeftp"}, options...)
	if _, err := j.run(ctx, nil, rustHelp, j.tool, append(args, filepath.Join(j.sdk, "src", "lib.rs"))...); err != nil {
		return "", err
	}
	built, err := os.ReadFile(lib)
	if err == nil {
		err = kept.keep("sdk", key, built)
	}
	return lib, err
}

func compileRust(ctx context.Context, j *job) ([]byte, error) {
	out, options := filepath.Join(j.tmp, "policy.wasm"), rustOptions()
	if named(ctx) {
		options = slices.DeleteFunc(options, func(s string) bool { return s == "-Cstrip=symbols" })
	}
	if err := j.rustc(ctx, options, append(rustModule(), "-o", out)...); err != nil {
		return nil, err
	}
	module, err := os.ReadFile(out)
	if err == nil && !strings.Contains(string(module), "edgeftp_abi_v1") {
		return nil, j.fail("policy.rs exports no policy", "",
			"say which hooks your type has, at the end of policy.rs:  edgeftp::export!(YourType: fs);", nil)
	}
	if err != nil {
		return nil, err
	}
	return module, j.vetRust(module)
}

// vetRust wants the capabilities of what the policy imports, and says where it is called.
func (j *job) vetRust(module []byte) error {
	sources, err := j.sources(".rs")
	if err != nil {
		return j.fail("a source file cannot be read", "", "", err)
	}
	return j.vetCapabilities(borderOf(module), func(imported string) string {
		switch imported {
		case "stat", "digest":
			return sources.find(`\b` + imported + `\(`)
		case "pw_verify":
			return sources.find(`\bverify_password\(`)
		}
		module, _, _ := strings.Cut(imported, "_")
		return sources.find(`\b` + module + `::\w+(?:\(|::)`)
	})
}

// testRust runs the tests in policy.rs and its modules natively.
func testRust(ctx context.Context, j *job, w io.Writer) (bool, error) {
	out := filepath.Join(j.tmp, "tests"+exeSuffix())
	if err := j.rustc(ctx, nil, "--test", "-o", out); err != nil {
		return false, err
	}
	list, err := j.run(ctx, nil, nil, out, "--list")
	if err != nil || !strings.Contains(string(list), ": test\n") {
		return false, err
	}
	said, err := j.run(ctx, nil, nil, out, "--color=never")
	_, _ = w.Write(said) // the caller's to look after
	var e *Error
	if errors.As(err, &e) {
		e.Summary = "its unit tests fail"
	}
	return true, err
}

// rustFault is a fault as rustc tells it: the words in one line, the place in the next.
var rustFault = regexp.MustCompile(`(?m)^error(?:\[E\d+\])?: (.*)\n +--> (\S+:\d+:\d+)$`)

// rustAssert is what an assertion of the SDK says that fails while compiling.
var rustAssert = regexp.MustCompile(`(?:the evaluated program panicked at '|evaluation panicked: )([^'\n]*)`)

// rustHook is a hook that was named and not written.
var rustHook = regexp.MustCompile("the trait bound `([^`]*): edgeftp::(\\w+)::Hook` is not satisfied")

// located puts the place of the first fault in front, where people look for it.
func located(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	m := rustFault.FindStringSubmatch(e.Output)
	if m == nil {
		return err
	}
	e.Summary = m[2] + ": " + m[1]
	if words := rustAssert.FindStringSubmatch(e.Output); words != nil {
		e.Summary = m[2] + ": " + words[1]
	}
	return err
}

// rustHelp adds what rustc's own words leave open.
func rustHelp(output string) string {
	if m := rustHook.FindStringSubmatch(output); m != nil {
		return "write  impl " + m[2] + "::Hook for " + m[1] + " , or leave  " + m[2] + "  out of edgeftp::export!"
	}
	switch {
	case strings.Contains(output, ": edgeftp::Policy` is not satisfied"), strings.Contains(output, ": Policy` is not satisfied"):
		return "write  impl Policy for TYPE  with  fn new(settings: &Settings) -> Result<Self>"
	case strings.Contains(output, "E0432"), strings.Contains(output, "E0433"), strings.Contains(output, "E0463"):
		return "a policy has the standard library and edgeftp, and no other crates: put their source beside policy.rs as a module"
	}
	return ""
}
