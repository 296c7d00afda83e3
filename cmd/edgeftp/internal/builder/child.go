package builder

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// Child is a builder that a server has started as a process of its own, before it
// listened to anybody. It may be used by several goroutines, and builds one policy at a
// time.
type Child struct {
	options Options
	log     *slog.Logger
	cmd     *exec.Cmd
	end     context.CancelFunc // ends the process at once, and the build's with it
	to      io.WriteCloser
	from    *bufio.Reader
	pipe    *os.File // under from
	stderr  *head

	busy    chan struct{} // holds a token while it builds
	last    uint64        // number of the last build; of who holds busy
	closing chan struct{} // closed when the process is no longer wanted
	gone    chan struct{} // closed when the process has ended
	why     error         // it ended, after gone
}

// Start starts the process; o.Program is asked to "--serve". It becomes the user as, or
// stays this one's for nil. When it ends before Close, that is logged, and every build
// fails from then on: a server does not start it again.
func Start(o Options, as *identity.User, log *slog.Logger) (*Child, error) {
	o = o.complete()
	args := append(o.Program[1:len(o.Program):len(o.Program)], "--serve", "--cache", o.Cache, "--limit", o.Limit.String())
	for _, dir := range o.Dirs {
		args = append(args, "--dir", dir)
	}
	for _, dir := range o.Once {
		args = append(args, "--once", dir)
	}
	ctx, end := context.WithCancel(context.Background())
	c := &Child{options: o, log: log, cmd: exec.CommandContext(ctx, o.Program[0], args...), end: end, stderr: &head{most: maxStderr},
		busy: make(chan struct{}, 1), closing: make(chan struct{}), gone: make(chan struct{})}
	c.cmd.Env = append(Environment(os.Environ()), o.Env...)
	c.cmd.WaitDelay = endTime
	c.cmd.Stderr = c.stderr
	alone(c.cmd, as)
	closeInherited()
	// No pipe of the package: Wait would close it under who reads.
	from, out, err := os.Pipe()
	if err != nil {
		end()
		return nil, fmt.Errorf("the builder does not start: %w", err)
	}
	c.pipe, c.from, c.cmd.Stdout = from, bufio.NewReaderSize(from, maxHead), out
	if c.to, err = c.cmd.StdinPipe(); err == nil {
		err = c.cmd.Start()
	}
	_ = out.Close() // the child has its own
	if err != nil {
		end()
		return nil, errors.Join(fmt.Errorf("the builder does not start: %w", err), from.Close())
	}
	go c.wait()
	return c, nil
}

// wait notes and tells the end of the process.
func (c *Child) wait() {
	defer close(c.gone)
	err := c.cmd.Wait()
	c.why = errors.New("it has ended")
	if err != nil {
		c.why = fmt.Errorf("it has ended (%w)", err)
	}
	select {
	case <-c.closing:
	default:
		c.log.Error("the builder of policies has ended: sources that change are not built any more", "error", c.why,
			"stderr", strings.TrimSpace(c.stderr.String()), "help", "restart the server, which starts no program while it serves")
	}
}

// Build makes the module of the policy in dir, which is one of Options.Dirs or Once. It fails
// with a [*build.Error] if it is none of them, the source is at fault, a tool is missing, the
// time was not enough or the process has ended, and with ctx's error if that ends.
func (c *Child) Build(ctx context.Context, dir string) (*build.Result, error) {
	select {
	case c.busy <- struct{}{}:
		defer func() { <-c.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.last++
	if err := c.ask(request{Build: c.last, Dir: dir}); err != nil {
		return nil, c.lost(dir, err)
	}
	r, err := c.answer(ctx, dir)
	var fault *build.Error
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil || errors.As(err, &fault):
		return r, err
	}
	return nil, c.lost(dir, err)
}

func (c *Child) ask(r request) error {
	r.Form = form
	line, err := json.Marshal(r)
	if err == nil {
		_, err = c.to.Write(append(line, '\n'))
	}
	return err
}

// answer waits for the answer to the last request. A process that does not give one, or
// gives something else, is ended: the next answer could be any.
func (c *Child) answer(ctx context.Context, dir string) (r *build.Result, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err = nextAnswer(c.from, c.last, dir)
	}()
	late := time.After(c.options.Limit + 2*endTime) // its own limit comes first
	stop := ctx.Done()
	for {
		select {
		case <-done:
			var fault *build.Error
			if err != nil && !errors.As(err, &fault) {
				c.end()
			}
			return r, err
		case <-stop:
			stop, late = nil, time.After(2*endTime)
			_ = c.ask(request{Cancel: c.last}) // one that is gone has cancelled it too
		case <-late:
			c.end() // which ends the answer
			late = nil
		}
	}
}

// lost says why there is no answer.
func (c *Child) lost(dir string, err error) error {
	select {
	case <-c.gone:
		err = c.why
	case <-time.After(endTime): // it speaks, but not our language
	}
	return &build.Error{Dir: dir, Summary: "there is no builder any more: " + err.Error(), Output: strings.TrimSpace(c.stderr.String()),
		Help: "restart the server, which starts no program while it serves", Err: err}
}

// Close ends the process, and the build that runs, and returns when they are gone, after
// some seconds at the latest. No build may begin any more.
func (c *Child) Close() error {
	close(c.closing)
	_ = c.to.Close() // the end of the pipe ends the process
	select {
	case <-c.gone:
	case <-time.After(endTime):
		c.end()
		<-c.gone
	}
	return c.pipe.Close()
}
