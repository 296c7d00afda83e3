// Package build turns a folder of source in one of six languages into a policy
// module, with the tools of the machine and nothing from a network, and keeps what it
// built by content.
//
// A folder holds one entry, whose name says the language: main.go (or another main
// package of Go), policy.rs, policy.c, policy.zig, policy.ts (AssemblyScript) or
// policy.wat. Beside it may lie manifest.json and tests.json, which become the
// module's sections edgeftp.manifest and edgeftp.tests (guest ABI §8). The SDK is the
// folder's own sdk/, else guest-sdk/LANGUAGE of the nearest folder above that has one;
// for Go the go.mod decides.
//
// Building runs compilers on the source: build only what you would compile yourself.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
)

// Error says why a folder could not be built, in words for its author.
type Error struct {
	Dir     string // as it was given
	Summary string // one line
	Output  string // what the compiler wrote, with file:line of each fault; may be empty
	Help    string // what to do about it; may be empty
	Err     error  // the cause; may be nil
}

// Error returns the summary, and below it the compiler's output and the help where
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

// Result is a built module.
type Result struct {
	Module   []byte
	Language string // such as "rust"
	Tool     string // that built it, with its version, such as "go1.26.8"
	// Took is how long compiling took, 0 if the module is from the cache.
	Took time.Duration
	// How is a word on how it came about: "built with go1.26.8 in 1.2s" or
	// "unchanged, from the cache".
	How string
	// Dirs are the folders whose files went into it, absolute, links resolved, and
	// without those below the policy's own, which comes first.
	Dirs []string
}

// language is one that policies are written in.
type language struct {
	name, entry string
	// find finds the tools and sets the job's tool and version. It fails with the one
	// command that installs what is missing.
	find func(ctx context.Context, j *job) error
	// key tells everything that goes into the build besides the version, in a form
	// that changes with it.
	key func(ctx context.Context, j *job, w io.Writer) error
	// compile makes the module, without the sections.
	compile func(ctx context.Context, j *job) ([]byte, error)
	// test runs the unit tests that run without a server, and writes what they say.
	// It reports false if there are none.
	test func(ctx context.Context, j *job, w io.Writer) (ran bool, err error)
}

// languages lists them in the order in which help texts name them.
func languages() []language {
	return []language{golang(), rust(), clang(), zig(), assemblyScript(), text()}
}

// Languages lists the names of the languages that policies can be written in.
func Languages() (names []string) {
	for _, l := range languages() {
		names = append(names, l.name)
	}
	return names
}

// Detect says in which language the policy in the folder is written. It fails with an
// [*Error] if the folder holds none, or several.
func Detect(dir string) (string, error) {
	l, err := detect(dir)
	if err != nil {
		return "", err
	}
	return l.name, nil
}

// Toolchain reports the version of the tools for a language, and fails with an
// [*Error] that says what is missing and the command that installs it.
func Toolchain(ctx context.Context, name string) (version string, err error) {
	for _, l := range languages() {
		if l.name == name {
			j := &job{dir: ".", language: l}
			err := l.find(ctx, j)
			return j.version, err
		}
	}
	return "", fmt.Errorf("no language %q: there are %s", name, strings.Join(Languages(), ", "))
}

// Build makes the module of the policy in dir.
//
// What was built is kept in cacheDir, made with mode 0700, under a digest of all that
// went into it: the tool's version and settings, and each source file. An empty
// cacheDir builds every time. ctx ends a build early.
//
// It fails with an [*Error] if the source is at fault or a tool is missing.
func Build(ctx context.Context, dir, cacheDir string) (*Result, error) {
	j, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	if cacheDir != "" {
		if j.cache, err = filepath.Abs(cacheDir); err != nil {
			return nil, err
		}
	}
	digest, err := j.digest(ctx)
	if err != nil {
		return nil, err
	}
	r := &Result{Language: j.language.name, Tool: j.version}
	if r.Dirs, err = j.folders(); err != nil {
		return nil, err
	}
	if old := modules(cacheDir).find(r.Language, digest); old != nil {
		r.Module, r.How = old, "unchanged, from the cache"
		return r, nil
	}
	start := time.Now()
	err = j.temporary(func() (err error) {
		r.Module, err = j.language.compile(ctx, j)
		return err
	})
	if err == nil {
		r.Module, err = j.describe(r.Module)
	}
	if err != nil {
		return nil, err
	}
	if err := modules(cacheDir).keep(r.Language, digest, r.Module); err != nil {
		return nil, err
	}
	r.Took = time.Since(start)
	r.How = fmt.Sprintf("built with %s in %s", j.version, r.Took.Round(100*time.Millisecond))
	return r, nil
}

// Test runs the unit tests of the policy in dir that need no server, and writes what
// they say to w. It reports false if there are none, and fails with an [*Error] if one
// fails or a tool is missing.
func Test(ctx context.Context, dir string, w io.Writer) (ran bool, err error) {
	j, err := open(ctx, dir)
	if err != nil || j.language.test == nil {
		return false, err
	}
	err = j.temporary(func() (err error) {
		ran, err = j.language.test(ctx, j, w)
		return err
	})
	return ran, err
}

func open(ctx context.Context, dir string) (*job, error) {
	l, err := detect(dir)
	if err != nil {
		return nil, err
	}
	j := &job{dir: dir, language: *l}
	return j, l.find(ctx, j)
}

func detect(dir string) (*language, error) {
	j := &job{dir: dir}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, j.fail("there is no such directory", "", "", err)
	}
	if !info.IsDir() {
		return nil, j.fail("it is a file", "", "give the directory that holds the policy's source, or a built .wasm file", nil)
	}
	var found, entries []string
	var one language
	for _, l := range languages() {
		entries = append(entries, l.entry)
		if _, err := os.Stat(filepath.Join(dir, l.entry)); err == nil {
			one, found = l, append(found, l.entry)
		}
	}
	if len(found) == 0 {
		if files, _ := filepath.Glob(filepath.Join(dir, "*.go")); len(files) > 0 { // a bad pattern is the only error
			one, found = golang(), files[:1]
		}
	}
	switch len(found) {
	case 1:
		return &one, nil
	case 0:
		return nil, j.fail("it holds no policy", "", "the source is in one of these files: "+strings.Join(entries, ", "), nil)
	}
	return nil, j.fail("it holds more than one policy: "+strings.Join(found, ", "), "", "give each a directory of its own", nil)
}

// digest is that of everything that goes into the build.
func (j *job) digest(ctx context.Context) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "edgeftp build 4\n%q\n%q\n", j.language.name, j.version)
	if named(ctx) {
		fmt.Fprintf(h, "with names\n")
	}
	for _, name := range []string{manifest.File, manifest.TestsFile} {
		text, err := j.beside(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %t %x\n", name, text != nil, sha256.Sum256(text))
	}
	if err := j.language.key(ctx, j, h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:40], nil
}

// describe adds the sections that lie beside the source.
func (j *job) describe(module []byte) ([]byte, error) {
	for _, s := range []struct {
		file string
		add  func(module, text []byte) ([]byte, error)
	}{{manifest.File, manifest.Append}, {manifest.TestsFile, manifest.AppendTests}} {
		text, err := j.beside(s.file)
		if err != nil {
			return nil, err
		}
		if text == nil {
			continue
		}
		if module, err = s.add(module, text); err != nil {
			return nil, j.fail(s.file+" cannot be put into the module", place(s.file, text)+err.Error(), "", err)
		}
	}
	return module, nil
}

// beside reads a file of the directory, nil if there is none. Tests may lie in the
// folder above, where they are for the same policy in several languages.
func (j *job) beside(name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(j.dir, name))
	if errors.Is(err, fs.ErrNotExist) && name == manifest.TestsFile {
		text, err = os.ReadFile(filepath.Join(j.dir, "..", name))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, j.fail(name+" cannot be read", "", "", err)
	}
	return text, nil
}

// folders lists the folders of the sources, once the key has been made.
func (j *job) folders() ([]string, error) {
	given, err := filepath.Abs(j.dir)
	if err != nil {
		return nil, err
	}
	own, err := filepath.EvalSymlinks(given)
	if err != nil {
		return nil, err
	}
	all := []string{own}
	add := func(dir string) {
		rel, err := filepath.Rel(own, dir)
		if (err != nil || !filepath.IsLocal(rel)) && !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	for _, dir := range j.packages {
		add(dir)
	}
	// Tests of one policy in several languages lie above them.
	if above := filepath.Dir(given); !isFile(filepath.Join(own, manifest.TestsFile)) && isFile(filepath.Join(above, manifest.TestsFile)) {
		add(above)
	}
	if j.sdk == "" {
		return all, nil
	}
	sdk, err := filepath.EvalSymlinks(j.sdk)
	if err != nil {
		return nil, err
	}
	return all, filepath.WalkDir(sdk, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			if path != sdk && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			add(path)
		}
		return err
	})
}

// filesKey is the key of languages whose compilers read what lies in the policy's
// folder and in the SDK: all files there with one of the extensions.
func filesKey(extensions ...string) func(context.Context, *job, io.Writer) error {
	return func(_ context.Context, j *job, w io.Writer) error {
		for _, dir := range []string{j.dir, j.sdk} {
			if dir == "" {
				continue
			}
			if err := hashFiles(dir, extensions, w); err != nil {
				return j.fail("a source file cannot be read", "", "", err)
			}
		}
		return nil
	}
}

// maxSources bounds the files of one folder, so that a folder that was meant otherwise
// is not read for minutes.
const maxSources = 5000

// hashFiles tells the files below dir with one of the extensions, or all if there are
// none given, but never a built module.
func hashFiles(dir string, extensions []string, w io.Writer) error {
	n := 0
	dir, err := filepath.EvalSymlinks(dir) // a walk does not follow the link that it begins at
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || extensions != nil && !slices.Contains(extensions, filepath.Ext(path)) || filepath.Ext(path) == ".wasm":
			return nil
		}
		if n++; n > maxSources {
			return fmt.Errorf("more than %d source files in %s", maxSources, dir)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path) // path lies below
		fmt.Fprintf(w, "%q %x\n", filepath.ToSlash(name), sha256.Sum256(text))
		return nil
	})
}
