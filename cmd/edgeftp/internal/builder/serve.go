package builder

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// Serve is one build's side: it builds the policy in dir and writes the answer to
// out. When life ends, who asked is gone, and so are this process and its compilers
// at once. It fails if the answer cannot be written.
func Serve(ctx context.Context, dir, cache string, life io.Reader, out io.Writer) error {
	go func() {
		_, _ = io.Copy(io.Discard, life)
		endGroup()
	}()
	lower()
	r, err := Build(ctx, dir, cache)
	return writeAnswer(out, 0, r, err)
}

// maxRequest is the longest request in bytes.
const maxRequest = 64 << 10

// request is one line that a server writes to its builder: the number of a build
// with a folder, or of the running build to end it.
type request struct {
	Form   int    `json:"form"`
	Build  uint64 `json:"build,omitempty"`
	Dir    string `json:"dir,omitempty"`
	Cancel uint64 `json:"cancel,omitempty"`
}

// job is a build that was asked for.
type job struct {
	request
	ctx  context.Context
	stop context.CancelFunc
}

// Attend is the side of the process that a server has started: it carries out the
// requests that it reads from in, and writes the answers to out, until in ends, which
// also says that the server is gone: the build that runs ends then. It fails if it
// does not understand the server, or cannot answer.
func Attend(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	// A service manager signals every process of a service, and a server that drains
	// ends its builder itself. What is caught here is not ignored in compilers.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs, heard := make(chan job), make(chan error, 1)
	go func() {
		defer close(jobs)
		defer cancel()
		heard <- listen(ctx, in, jobs)
	}()
	var b *Builder
	for j := range jobs {
		if b == nil { // not before the server has the state directory for itself
			b = New(o)
		}
		r, err := b.named(j.ctx, j.Dir)
		if ctx.Err() != nil {
			break
		}
		if err := writeAnswer(out, j.Build, r, err); err != nil {
			return err
		}
	}
	return <-heard
}

// named builds a folder that was named when the process was started.
func (b *Builder) named(ctx context.Context, dir string) (*build.Result, error) {
	once := slices.Index(b.options.Once, dir)
	if once < 0 && !slices.Contains(b.options.Dirs, dir) {
		return nil, &build.Error{Dir: dir, Summary: "the builder was not started for this folder, or has built it already and it is not watched",
			Help: "restart the server: a start names the folders anew"}
	}
	if once >= 0 {
		b.options.Once = slices.Delete(slices.Clone(b.options.Once), once, once+1) // of two policies of one source each is built
	}
	return b.Build(ctx, dir)
}

// listen reads requests until in ends.
func listen(ctx context.Context, in io.Reader, jobs chan<- job) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxRequest)
	running := job{stop: func() {}}
	defer func() { running.stop() }()
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Form != form {
			return fmt.Errorf("the server said %.100q", lines.Text())
		}
		if r.Build == 0 {
			if r.Cancel == running.Build {
				running.stop()
			}
			continue
		}
		running.stop()
		running = job{request: r}
		running.ctx, running.stop = context.WithCancel(ctx)
		select {
		case jobs <- running:
		case <-ctx.Done():
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("the server said what is no request: %w", err)
	}
	return nil
}
