// Package guests holds one policy in every language that a guest is measured in: what
// exists below /archive stays as it is. The sources lie in testdata, each with the
// line that built the module beside it; the Go guest is built when it is asked for.
package guests

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

//go:embed testdata/*.wasm
var built embed.FS

// Text is what the policy says when it refuses.
const Text = "archive is write-once"

// Small lists the modules of the policy that are small: in WebAssembly's own text
// format, C, Zig and Rust.
func Small() []string {
	return []string{"write-once", "write-once-c", "write-once-zig", "write-once-rs"}
}

// Module returns the bytes of a module of testdata by its name without ".wasm".
func Module(name string) ([]byte, error) { return built.ReadFile("testdata/" + name + ".wasm") }

// Version returns a module that refuses to make directories, and says
// "refused by version A." or whichever capital letter it is given.
func Version(letter byte) ([]byte, error) {
	b, err := Module("version")
	if err != nil {
		return nil, err
	}
	said := []byte("version A.")
	if bytes.Count(b, said) != 1 {
		return nil, fmt.Errorf("version.wasm does not hold %q once", said)
	}
	return bytes.Replace(b, said, []byte("version "+string(letter)+"."), 1), nil
}

// Go builds the policy in Go. It needs the go tool and the repository; the working
// directory is anywhere in it.
func Go(ctx context.Context) ([]byte, error) {
	dir, err := source(ctx)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "guests")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "guest.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = filepath.Join(dir, "testdata", "go")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, b)
	}
	return os.ReadFile(out)
}

// source is where this package lies.
func source(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/edgeftp/edgeftp/tests/bench/policy/guests")
	b, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Question returns the question that decisions are measured with, about 200 bytes as
// most are: an upload to a name below /archive. It is refused if the name exists.
func Question(exists bool) *policy.Action {
	return &policy.Action{
		Meta: policy.Meta{Request: 1, Time: time.Unix(1_700_000_000, 0), Session: &policy.Session{
			ID: 7, User: "anna", Root: "/", Listener: "main",
			Memo: new(policy.Memo), // as every session of a server has
			Peer: netip.MustParseAddrPort("192.0.2.7:40001"), Local: netip.MustParseAddrPort("198.51.100.1:21"),
		}},
		Op: policy.OpWrite, Path: "/archive/2026/report.csv", Arg: "report.csv", A: -1, Exists: exists,
	}
}

// Native is the same policy linked in: what a decision costs without a sandbox.
type Native struct{}

var _ policy.Authorizer = Native{}

// Name implements [policy.Policy].
func (Native) Name() string { return "native" }

// Hooks implements [policy.Policy].
func (n Native) Hooks() policy.Hooks { return policy.Hooks{Authorizer: n} }

// Authorize implements [policy.Authorizer].
func (Native) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	switch a.Op {
	case policy.OpWrite, policy.OpAppend, policy.OpRmdir, policy.OpDelete, policy.OpRename, policy.OpChmod, policy.OpSetTime:
		if a.Exists && strings.HasPrefix(a.Path, "/archive/") {
			return policy.Answer{Verdict: policy.Deny, Text: Text}, nil
		}
	}
	return policy.Answer{}, nil
}
