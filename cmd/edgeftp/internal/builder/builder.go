// Package builder has policies built by processes of their own, so that a server runs no
// compiler and none of the code around one. A server starts one [Child], before it
// listens to anybody, and nothing else ever after: it is this program anew, as
// "edgeftp policy builder --serve", and modules, or why there are none, come over its
// pipes. The child has each build done by a further process, see [Builder].
//
// The process of a build and the compilers that it starts are a group that is ended as a
// whole: when the module is there, when the time is over, when the caller gives up, and
// when the caller is gone, however that came about. Of the environment they see what
// compilers need and nothing else, and of the server's open files none.
package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// maxStderr is how much is kept of what a builder writes beside its answer.
const maxStderr = 16 << 10

// endTime is how long a process that was killed may take to be gone.
const endTime = 5 * time.Second

// scratch begins the names of the folders that builds work in.
const scratch = "tmp-"

// Options say how policies are built. Program and Cache are needed.
type Options struct {
	// Program is the builder's command line, to which the cache and the policy's
	// folder are added. See [Self].
	Program []string
	// Cache is a folder for what was built, made with mode 0700. Builds also work
	// there, in folders that are removed behind them.
	Cache string
	// Limit is how long one build may take, 0 for 10 minutes: on a small machine the
	// first build of Go compiles its library.
	Limit time.Duration
	// Env is added, by Start, to what builds see of the environment.
	Env []string
	// Dirs are the folders that a [Child] builds, and it builds no others: what a folder
	// holds may have a compiler run programs, and whoever has got into the server could
	// name one that he has filled himself. Those of Once it builds one time each, so
	// before anybody is let in: clients may be able to change them later.
	Dirs, Once []string
}

// complete fills in what is zero.
func (o Options) complete() Options {
	if o.Limit <= 0 {
		o.Limit = 10 * time.Minute
	}
	return o
}

// Builder builds, one policy at a time, each in a process of its own. It may be used by
// several goroutines.
type Builder struct {
	options Options
	busy    chan struct{} // holds a token while it builds
}

// New returns a Builder. It removes what the builds of a killed server have left, so
// nobody else may be building in that cache.
func New(o Options) *Builder {
	o = o.complete()
	left, _ := filepath.Glob(filepath.Join(o.Cache, scratch+"*")) // the pattern is in order
	for _, dir := range left {
		_ = os.RemoveAll(dir) // in a cache, which may be removed as a whole
	}
	return &Builder{options: o, busy: make(chan struct{}, 1)}
}

// Build makes the module of the policy in dir. It fails with a [*build.Error] if the
// source is at fault, a tool is missing or the time was not enough, and with ctx's
// error if that ends.
func (b *Builder) Build(ctx context.Context, dir string) (*build.Result, error) {
	select {
	case b.busy <- struct{}{}:
		defer func() { <-b.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := os.MkdirAll(b.options.Cache, 0o700); err != nil {
		return nil, fmt.Errorf("cache of built policies: %w", err)
	}
	tmp, err := os.MkdirTemp(b.options.Cache, scratch)
	if err != nil {
		return nil, fmt.Errorf("cache of built policies: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // else the next start does
	limit, cancel := context.WithTimeout(ctx, b.options.Limit)
	defer cancel()
	r, err := b.run(limit, dir, tmp)
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limit.Err() != nil:
		return nil, &build.Error{Dir: dir, Summary: fmt.Sprintf("it took longer than %v and was ended", b.options.Limit),
			Help: "edgeftp policy build " + dir + "  builds it without a limit", Err: limit.Err()}
	}
	return nil, err
}

// run runs one builder to its end.
func (b *Builder) run(ctx context.Context, dir, tmp string) (*build.Result, error) {
	args := append(b.options.Program[1:len(b.options.Program):len(b.options.Program)], "--cache", b.options.Cache, "--", dir)
	cmd := exec.CommandContext(ctx, b.options.Program[0], args...)
	cmd.Env = append(Environment(os.Environ()), "TMPDIR="+tmp, "TMP="+tmp, "TEMP="+tmp)
	cmd.WaitDelay = endTime
	alone(cmd, nil)
	stderr := &head{most: maxStderr}
	cmd.Stderr = stderr
	// The pipe says nothing. Its end tells the builder that the server is gone.
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(err, life.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("the builder does not start: %w", err), life.Close())
	}
	r, answered := readAnswer(answer, dir)
	var fault *build.Error
	if answered != nil && !errors.As(answered, &fault) {
		_ = cmd.Cancel() // it may have more to say, to nobody
	}
	ended := cmd.Wait()
	if answered == nil || fault != nil || ctx.Err() != nil {
		return r, answered
	}
	why := fmt.Sprint(answered)
	if ended != nil {
		why += " (" + ended.Error() + ")"
	}
	return nil, &build.Error{Dir: dir, Summary: "the builder did not answer: " + why, Output: strings.TrimSpace(stderr.String()), Err: answered}
}

// Self is the command line of this program's builder. On Linux it is the running
// program also after another one took its place.
func Self() ([]string, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("the builder is this program, which cannot be found: %w", err)
	}
	if same, err := os.Stat("/proc/self/exe"); err == nil && !same.IsDir() {
		path = "/proc/self/exe"
	}
	return []string{path, "policy", "builder"}, nil
}

// Environment returns those of the variables that compilers need: where programs and
// their libraries are, the user's folders, the language, and what the six toolchains
// read. A server's configuration may name any other one as a secret (${env:NAME}).
func Environment(all []string) []string {
	var out []string
	for _, v := range all {
		name, _, _ := strings.Cut(v, "=")
		if name = strings.ToUpper(name); needed(name) && !private(name) {
			out = append(out, v)
		}
	}
	return out
}

// needed reports whether compilers may need a variable.
func needed(name string) bool {
	switch name {
	case "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "NO_COLOR", "SOURCE_DATE_EPOCH",
		"CC", "AR", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "DYLD_LIBRARY_PATH", "SDKROOT", "DEVELOPER_DIR",
		"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA",
		"PROGRAMFILES", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE":
		return true
	}
	if rest, ok := strings.CutPrefix(name, "GO"); ok { // GOFLAGS, and not GOOGLE_...
		return !strings.Contains(rest, "_")
	}
	for _, prefix := range []string{"LC_", "XDG_", "CGO_", "RUST", "CARGO_", "ZIG_", "NODE_", "NIX_", "ASDF_", "NVM_", "VOLTA_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// private reports whether a variable that a compiler might need has the name of a secret.
func private(name string) bool {
	for _, word := range []string{"PASS", "SECRET", "TOKEN", "CREDENTIAL", "AUTH", "_KEY"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// head keeps the beginning of what is written to it.
type head struct {
	mu   sync.Mutex
	b    bytes.Buffer
	most int
}

// Write implements io.Writer; it takes everything.
func (t *head) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p[:min(len(p), t.most-t.b.Len())])
	return len(p), nil
}

func (t *head) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
