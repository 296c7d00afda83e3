package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// job is one build, or one run of unit tests.
type job struct {
	dir      string // of the policy, as it was given
	language language
	tool     string // path of the compiler
	version  string // of the tools, as people are told
	sdk      string // directory of the SDK, empty where the language has none
	tmp      string // to work in, only during compile and test
	cache    string // of built policies, empty if nothing is kept

	packages []string // folders that key has found beside the policy's own and the SDK
}

// entry is the source file that gives the language away.
func (j *job) entry() string { return filepath.Join(j.dir, j.language.entry) }

func (j *job) fail(summary, output, help string, err error) error {
	return &Error{Dir: j.dir, Summary: summary, Output: output, Help: help, Err: err}
}

// place is where a JSON text is broken, as compilers write it; empty if it is whole.
func place(file string, text []byte) string {
	var any json.RawMessage
	var at *json.SyntaxError
	if !errors.As(json.Unmarshal(text, &any), &at) || at.Offset < 1 || at.Offset > int64(len(text)) {
		return ""
	}
	before := text[:at.Offset-1]
	line := bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("%s:%d:%d: ", file, bytes.Count(before, []byte("\n"))+1, len(before)-line)
}

// temporary gives f a directory to work in.
func (j *job) temporary(f func() error) (err error) {
	if j.tmp, err = os.MkdirTemp("", "edgeftp-build-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(j.tmp) }() // what stays is in the system's temporary directory
	return f()
}

// findSDK sets the folder of the SDK: the policy's own sdk/, else guest-sdk/NAME of
// the nearest folder above that has one.
func (j *job) findSDK(name string) error {
	abs, err := filepath.Abs(j.dir)
	if err != nil {
		return err
	}
	if j.sdk = filepath.Join(abs, "sdk"); isDir(j.sdk) {
		return nil
	}
	for up := abs; ; up = filepath.Dir(up) {
		if j.sdk = filepath.Join(up, "guest-sdk", name); isDir(j.sdk) {
			return nil
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	j.sdk = ""
	return j.fail("the SDK is missing", "", "edgeftp policy init --lang "+name+" NAME  writes a folder that has it: copy its sdk/", nil)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// What a tool may write: its result, and its words on faults. A source can have a
// compiler talk without end.
const (
	maxStdout = 64 << 20
	maxWords  = 1 << 20
)

// head keeps the beginning of what is written to it, and takes everything.
type head struct {
	b    []byte
	most int
	cut  bool
}

// Write implements io.Writer.
func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), h.most-len(h.b))
	h.b = append(h.b, p[:n]...)
	h.cut = h.cut || n < len(p)
	return len(p), nil
}

// run runs a tool and returns its standard output. env is added to the environment.
// If the tool fails, its output is the author's message; what helpFor makes of
// it is the help.
func (j *job) run(ctx context.Context, env []string, helpFor func(output string) string, tool string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), env...)
	stdout, stderr := head{most: maxStdout}, head{most: maxWords}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil && stdout.cut {
		err = fmt.Errorf("it wrote more than %d bytes", maxStdout)
	}
	if err == nil {
		return stdout.b, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	name := filepath.Base(tool)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return nil, j.fail(name+" could not be run", "", "", err)
	}
	text := strings.TrimSpace(string(stdout.b[:min(len(stdout.b), maxWords)]) + string(stderr.b))
	help := ""
	if helpFor != nil {
		help = helpFor(text)
	}
	return nil, j.fail(name+" reports faults", text, help, err)
}

// writeFile puts the file there as a whole or not at all.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // fails after the rename, as it should
	if _, err := f.Write(b); err != nil {
		_ = f.Close() // the first error is the one to tell
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
