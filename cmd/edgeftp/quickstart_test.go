package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/quickstart"
)

// initArgs are those of init in a directory, with an account that every machine has.
func initArgs(dir string, more ...string) []string {
	return append([]string{"init", "--domain", "9.9.9.9", "--agree-to-terms", "--account", "nobody", "--listen", "127.0.0.1:0", "--dir", filepath.Join(dir, "etc"),
		"--root", filepath.Join(dir, "files"), "--state-dir", filepath.Join(dir, "state")}, more...)
}

// enterable is a directory that every user gets to.
func enterable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What init writes is in order for config validate; a second run overwrites nothing; the
// passwords are told once.
func TestQuickstart(t *testing.T) {
	dir := enterable(t)
	run := func(args ...string) (int, string, string) {
		var out, stderr bytes.Buffer
		code := run(t.Context(), args, &out, &stderr)
		return code, out.String(), stderr.String()
	}
	if code, out, stderr := run(initArgs(dir, "--dry-run")...); code != exitOK || !strings.Contains(out, "would write") || !strings.Contains(out, "agree_to_terms: true") {
		t.Fatal(code, out, stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("a dry run wrote %v, %v", left, err)
	}
	code, out, stderr := run(initArgs(dir, "--user", "anna", "--user", "ben", "-o", "json")...)
	var told foundingResult
	if err := json.Unmarshal([]byte(out), &told); code != exitOK || err != nil || len(told.Passwords) != 2 || len(told.Next) < 4 || len(told.Files) != 3 {
		t.Fatalf("%d, %v\n%s%s", code, err, out, stderr)
	}
	file := filepath.Join(dir, "etc", "edgeftp.yaml")
	if code, out, stderr := run("config", "validate", file); code != exitOK {
		t.Errorf("%d\n%s%s", code, out, stderr)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(initArgs(dir, "--user", "cy")...); code != exitChecks || !strings.Contains(stderr, file+" is there already") {
		t.Errorf("%d\n%s", code, stderr)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the second run changed the file (%v)", err)
	}
}

// What config validate refuses does not stay: here the path of a socket that is longer than
// the system takes.
func TestQuickstartCleansUp(t *testing.T) {
	dir := enterable(t)
	args := initArgs(dir)
	args[len(args)-1] = filepath.Join(dir, strings.Repeat("s", 100))
	var out, stderr bytes.Buffer
	if code := run(t.Context(), args, &out, &stderr); code != exitConfig || !strings.Contains(stderr.String(), "was removed") {
		t.Fatalf("%d\n%s%s", code, out.String(), stderr.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A refusal begins with what it is, and has a help for each thing.
func TestQuickstartRefusal(t *testing.T) {
	err := (&founding{}).refuse(&quickstart.Findings{Faults: []quickstart.Finding{{Text: "a\x1b", Help: "b"}}, Notes: []quickstart.Finding{{Text: "c"}}})
	const want = "nothing was written, as 1 thing stands in the way:\n - a?\n   = help: b\nand it is to be looked after:\n - c"
	if err.Error() != want {
		t.Errorf("%q", err)
	}
}
