package tutorials

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
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// blockTime bounds one block: the first build of Go code compiles the standard library.
const blockTime = 5 * time.Minute

// TestTutorials carries out each tutorial, some at a time: no two name the same port.
func TestTutorials(t *testing.T) {
	bin := program(t)
	docs, err := filepath.Glob("../../docs/authors/*.md")
	if err != nil || len(docs) < 7 {
		t.Fatalf("%d tutorials, %v", len(docs), err)
	}
	for _, doc := range docs {
		name := strings.TrimSuffix(filepath.Base(doc), ".md")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := build.Toolchain(t.Context(), name); err != nil && !strings.Contains(err.Error(), "no language") {
				if os.Getenv("CI") != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			carryOut(t, bin, doc)
		})
	}
}

// needs skips a test without the programs of every reader's system, and fails it in CI.
func needs(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// program returns the directory that the server's program is in.
func program(t *testing.T) string {
	t.Helper()
	needs(t)
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// place is the directory of what all tests share; TestMain removes it. Other users than
// that of the tests run the program.
var place = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "edgeftp-tutorials-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
})

// built builds the server for the first test that needs it.
var built = sync.OnceValues(func() (string, error) {
	dir, err := place()
	if err != nil {
		return "", err
	}
	if b, err := exec.Command("go", "build", "-o", filepath.Join(dir, "edgeftp"), "../../cmd/edgeftp").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, b)
	}
	return dir, nil
})

// carryOut does what a document says, in a directory of its own.
func carryOut(t *testing.T, bin, doc string) {
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	list, err := blocks(string(text))
	if err != nil || len(list) == 0 {
		t.Fatalf("%s: %d blocks, %v", doc, len(list), err)
	}
	r := &reader{dir: t.TempDir(), bin: bin}
	defer r.stop()
	for i := range list {
		b := &list[i]
		if err := r.do(t, b); err != nil {
			t.Fatalf("%s:%d: %v\n%s", filepath.Base(doc), b.line, err, r.server.String())
		}
	}
	if r.commands == 0 {
		t.Errorf("%s has no commands", doc)
	}
}

// reader does what a tutorial says.
type reader struct {
	dir, bin string
	said     string // by the last sh block
	commands int
	cmd      *exec.Cmd     // the server, nil if there is none
	ended    chan struct{} // closed when it has ended
	server   bytes.Buffer
}

func (r *reader) do(t *testing.T, b *block) error {
	switch {
	case b.file() != "":
		path := filepath.Join(r.dir, filepath.FromSlash(b.file()))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(b.text), 0o644)
	case b.kind == "sh" && b.options == "server":
		return r.serve(t, b.text)
	case b.kind == "sh":
		r.commands++
		return r.run(t.Context(), b.text)
	case b.kind == "text":
		return compare(b.text, r.said)
	}
	return nil // to be read
}

// shell makes a command of lines of shell.
func (r *reader) shell(ctx context.Context, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-e", "-c", text)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "PATH="+r.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

func (r *reader) run(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, blockTime)
	defer cancel()
	out, err := r.shell(ctx, text).CombinedOutput()
	if r.said = string(out); err != nil {
		return fmt.Errorf("%v\n%s\n%s", err, text, out)
	}
	return nil
}

// serve starts a server and waits until it answers on its admin socket.
func (r *reader) serve(t *testing.T, text string) error {
	r.stop()
	r.server.Reset()
	text = strings.TrimSpace(text)
	if os.Geteuid() == 0 && strings.Contains(text, "--config") { // as in a container
		text += " --allow-root"
	}
	r.cmd = r.shell(t.Context(), "exec "+text)
	r.cmd.Stdout, r.cmd.Stderr = &r.server, &r.server
	if err := r.cmd.Start(); err != nil {
		r.cmd = nil
		return err
	}
	cmd, ended := r.cmd, make(chan struct{})
	r.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its words tell why
	}()
	ctx, cancel := context.WithTimeout(t.Context(), blockTime)
	defer cancel()
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		if r.shell(ctx, "edgeftp status").Run() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", ctx.Err())
		case <-ended:
			return errors.New("the server has ended")
		case <-every.C:
		}
	}
}

// stop ends the server.
func (r *reader) stop() {
	if r.cmd != nil {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		<-r.ended // it was told to end
		r.cmd = nil
	}
}

func TestBlocks(t *testing.T) {
	list, err := blocks("# A\n```sh server\nserve\n```\ntext\n```c file=a/b.c\nint x;\n```\n")
	if err != nil || len(list) != 2 || list[0] != (block{2, "sh", "server", "serve\n"}) || list[1].file() != "a/b.c" || list[1].text != "int x;\n" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := blocks("```sh\n"); err == nil {
		t.Error("no end, no error")
	}
	for _, tt := range []struct {
		promised, said string
		same           bool
	}{
		{"a\n...\nc\n", "x a\nb\nc!\n", true}, {"c\na\n", "a\nc\n", false}, {"a\na\n", "a\n", false},
		{"took ... ms", "it took 3.2 ms", true}, {"took ... ms", "it took 3.2 s", false},
	} {
		if err := compare(tt.promised, tt.said); (err == nil) != tt.same {
			t.Errorf("%q in %q: %v", tt.promised, tt.said, err)
		}
	}
}

// TestATutorialThatLies sees that the reader finds out.
func TestATutorialThatLies(t *testing.T) {
	needs(t)
	r := &reader{dir: t.TempDir(), bin: t.TempDir()}
	for _, tt := range []struct {
		b  block
		ok bool
	}{
		{block{kind: "sh", text: "echo one\n"}, true}, {block{kind: "text", text: "one\n"}, true}, {block{kind: "text", text: "two\n"}, false},
		{block{kind: "sh", text: "false\necho on\n"}, false}, {block{kind: "go", options: "file=x/y.go", text: "package y\n"}, true}, {block{kind: "sh", text: "grep -q package x/y.go"}, true},
	} {
		if err := r.do(t, &tt.b); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.b, err)
		}
	}
}
