package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// need returns the path of a program. Without it the test is skipped, and fails
// where all programs have to be.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		cannot(t, name+" is not installed")
	}
	return path
}

// cannot skips a test that the machine does not allow, or fails it with CI=true.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s, and CI=true asks for every check", why)
	}
	t.Skipf("%s", why)
}

// patience bounds one run of a program.
func patience() time.Duration {
	if full() {
		return 30 * time.Minute
	}
	return 3 * time.Minute
}

// program is one run of a client or of edgeftp itself.
type program struct {
	name  string
	args  []string
	stdin string
	dir   string
	env   []string
}

// result is how it ended.
type result struct {
	code   int
	stdout string
	stderr string
}

// both returns everything that was written.
func (r result) both() string { return r.stdout + r.stderr }

// run runs it to its end. Its home is an empty folder, so that nobody's own
// settings change what it does.
func (p program) run(t *testing.T) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience())
	defer cancel()
	cmd := p.command(ctx, t)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(p.stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v (%v)\n%s%s", cmd, err, ctx.Err(), &stdout, &stderr)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func (p program) command(ctx context.Context, t *testing.T) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.name, p.args...)
	cmd.Dir = p.dir
	if cmd.Dir == "" {
		cmd.Dir = t.TempDir()
	}
	cmd.Env = environment(append([]string{"HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}, p.env...)...)
	cmd.WaitDelay = waitWithin
	return cmd
}

// must runs it and asks for exit code 0.
func (p program) must(t *testing.T) result {
	t.Helper()
	r := p.run(t)
	if r.code != 0 {
		t.Fatalf("%s %q: exit code %d\n%s", p.name, p.args, r.code, r.both())
	}
	return r
}

// asRoot lets a server with a configuration file serve as root, where the tests are root,
// as in a container.
func asRoot(args []string) []string {
	if os.Geteuid() == 0 && len(args) > 0 && args[0] == "serve" && slices.Contains(args, "--config") {
		return append(slices.Clone(args), "--allow-root")
	}
	return args
}

// edgeftp runs the program under test.
func edgeftp(t *testing.T, args ...string) result {
	t.Helper()
	args = asRoot(args)
	return program{name: os.Getenv(binaryVar), args: args}.run(t)
}
