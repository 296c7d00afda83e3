package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A server starts the builder when it starts itself, and no other program: whatever in
// its packages could start one is listed here with who needs it.
func TestWhoExecutes(t *testing.T) {
	allowed := []string{
		"cmd/edgeftp/cert_stores.go",                  // cert trust, which is no server
		"cmd/edgeftp/internal/builder/builder.go",     // the builder's process, for each build
		"cmd/edgeftp/internal/builder/child.go",       // the one start
		"cmd/edgeftp/internal/builder/group_other.go", // the same
		"cmd/edgeftp/internal/builder/group_unix.go",  // the same
		"cmd/edgeftp/internal/builder/judge.go",       // in that process, and in policy build
		"cmd/edgeftp/internal/workshop/shop.go",       // policy test and its kin
		"cmd/edgeftp/admin.go",                        // readModule, of subcommands
		"cmd/edgeftp/policy_build.go",                 // policy build
		"cmd/edgeftp/rehearsal.go",                    // config validate, which is no server: doctor, which puts the sandbox on itself
		"cmd/edgeftp/internal/builder/serve.go",       // in that process
	}
	var found []string
	for _, dir := range []string{"acme", "cmd", "edge", "policies", "wasmhost"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return filepath.SkipDir
			case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			text, err := os.ReadFile(path)
			for _, word := range []string{`"os/exec"`, "os.StartProcess(", "syscall.Exec(", "ForkExec(", "unix.Exec(", " builder.Build(", " build.Build(", "Build(ctx, dir, cache)"} {
				if bytes.Contains(text, []byte(word)) {
					found = append(found, strings.TrimPrefix(filepath.ToSlash(path), "../../"))
					break
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(allowed)
	slices.Sort(found)
	if !slices.Equal(found, allowed) {
		t.Errorf("got  %q\nwant %q", found, allowed)
	}
	for _, helper := range []string{"readModule(", "thisHost(", "rehearse("} {
		for _, file := range []string{"serve.go", "assemble.go", "policies.go", "bench.go", "watch.go", "modules.go", "modules_load.go"} {
			if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte(helper)) {
				t.Errorf("%s uses %s or cannot be read: %v", file, helper, err)
			}
		}
	}
}
