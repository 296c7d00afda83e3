package build

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// text builds the text format of WebAssembly with wat2wasm. There is no SDK: the ABI
// is what there is.
func text() language {
	return language{name: "wat", entry: "policy.wat", find: findWat, key: filesKey(".wat"), compile: compileWat}
}

func findWat(ctx context.Context, j *job) (err error) {
	if j.tool, err = exec.LookPath("wat2wasm"); err != nil {
		return j.fail("the assembler wat2wasm is missing", "", "apt-get install wabt, or npm install -g wabt", err)
	}
	out, err := j.run(ctx, nil, nil, j.tool, "--version")
	j.version = "wat2wasm " + strings.TrimSpace(string(out))
	return err
}

func compileWat(ctx context.Context, j *job) ([]byte, error) {
	out := filepath.Join(j.tmp, "policy.wasm")
	if _, err := j.run(ctx, nil, watHelp, j.tool, "policy.wat", "-o", out); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// watHelp adds what the assembler's words leave open.
func watHelp(output string) string {
	switch {
	case strings.Contains(output, "type mismatch"):
		return "count what is on the stack: a hook takes the length (i32) and leaves the verdict (i64), ABI.md §6"
	case strings.Contains(output, "undefined"):
		return "a name begins with $ and must be declared in this file"
	}
	return ""
}
