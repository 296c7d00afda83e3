package live

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// program is the server's file and what was built for it, once for each test process.
type program struct {
	mu    sync.Mutex
	dir   string // of it and of a cache; empty before the first use
	err   error
	tried bool
}

// one is a variable because the tests of a process share what was built for them.
var one program

// Clean removes what was built. It is called once, after the last test.
func Clean() {
	one.mu.Lock()
	defer one.mu.Unlock()
	_ = os.RemoveAll(one.dir) // in the system's temporary directory
}

// executable is the path of the program: that of EDGEFTP_BINARY, or one that is built.
func executable(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("EDGEFTP_BINARY"); path != "" {
		return path
	}
	dir := scratch(t)
	path := filepath.Join(dir, "edgeftp")
	one.mu.Lock()
	defer one.mu.Unlock()
	if !one.tried {
		one.tried = true
		cmd := exec.Command("go", "build", "-o", path, "github.com/edgeftp/edgeftp/cmd/edgeftp")
		if out, err := cmd.CombinedOutput(); err != nil {
			one.err = fmt.Errorf("building edgeftp: %w\n%s", err, out)
		}
	}
	if one.err != nil {
		t.Fatal(one.err)
	}
	return path
}

// Doctor has the real program look at a policy's folder or module.
func Doctor(t testing.TB, path string) Result {
	t.Helper()
	return run(t, executable(t), "policy", "doctor", path)
}

// Validate has the real program judge a configuration file.
func Validate(t testing.TB, file string) Result {
	t.Helper()
	return run(t, executable(t), "config", "validate", file)
}

// scratch is a directory that lasts as long as the process.
func scratch(t testing.TB) string {
	t.Helper()
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.dir == "" {
		var err error
		if one.dir, err = os.MkdirTemp("", "edgeftp-live"); err != nil {
			t.Fatal(err)
		}
	}
	return one.dir
}

// Need skips the test if a program is missing, and fails it in CI, where all are
// there. remedy says what to install.
func Need(t testing.TB, tool, remedy string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: %s", tool, remedy)
	}
	t.Skipf("%s is missing: %s", tool, remedy)
}

// Build builds the policy in a folder and returns the module. Without its language's
// tools the test is skipped, and fails in CI.
func Build(t testing.TB, dir string) []byte {
	t.Helper()
	lang, err := build.Detect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Toolchain(t.Context(), lang); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	r, err := build.Build(t.Context(), dir, filepath.Join(scratch(t), "modules"))
	if err != nil {
		t.Fatal(err)
	}
	return r.Module
}

// Rehost returns the module for another server than that of its source: the host, such as
// idp.example.org, is another one in its manifest, and its origin in its tests. url is
// such as http://127.0.0.1:8080.
func Rehost(t testing.TB, module []byte, host, url string) []byte {
	t.Helper()
	_, own, _ := strings.Cut(url, "://")
	out := bytes.Clone(module[:8])
	for rest := module[8:]; len(rest) > 0; {
		n, k := binary.Uvarint(rest[1:])
		end := 1 + k + int(n)
		body := rest[1+k : end]
		switch {
		case rest[0] == 0 && bytes.HasPrefix(body, []byte("\x10edgeftp.manifest")):
			body = bytes.ReplaceAll(body, []byte("fetch:"+host), []byte("fetch:"+own))
		case rest[0] == 0 && bytes.HasPrefix(body, []byte("\x0dedgeftp.tests")):
			body = bytes.ReplaceAll(body, []byte("https://"+host), []byte(url))
		}
		out = append(binary.AppendUvarint(append(out, rest[0]), uint64(len(body))), body...)
		rest = rest[end:]
	}
	if bytes.Equal(out, module) {
		t.Fatalf("the module has no %q", host)
	}
	return out
}
