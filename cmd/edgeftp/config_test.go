package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// workplace is a directory with configuration files and what they need; it becomes
// the working directory.
func workplace(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("root", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const hashed = "$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

const smallConfig = `version: 1
storage: [{ root: root }] # here
listeners: [{ name: main, address: "127.0.0.1:2121" }]
users: { list: [{ name: alice, password_hash: "` + hashed + `" }] }
`

func TestConfigShow(t *testing.T) {
	dir := workplace(t, map[string]string{"c.yaml": smallConfig})
	code, out, errs := commanded(t, "config", "show", "--config", "c.yaml", "--log", "human")
	if code != 0 || errs != "" {
		t.Fatal(code, errs)
	}
	for _, want := range []string{"storage[0].root                  " + filepath.Join(dir, "root"), "(secret)", "flag --log"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "$2a$") || strings.Contains(out, "default") {
		t.Errorf("%s", out)
	}
	code, out, errs = commanded(t, "config", "show", "--config", "c.yaml", "--effective", "-o", "json")
	var list []config.Setting
	if err := json.Unmarshal([]byte(out), &list); code != 0 || err != nil || len(list) < 100 {
		t.Fatal(code, err, errs, len(list))
	}
	for _, args := range [][]string{{}, {"--config", "c.yaml", "--root", "root"}, {"--root", "root", "--tls", "none"}, {"--root", "root", "-o", "xml"}} {
		if code, out, errs := commanded(t, append([]string{"config", "show"}, args...)...); code != exitUsage || out != "" || errs == "" {
			t.Errorf("%v: %d %s", args, code, errs)
		}
	}
	if code, _, errs := commanded(t, "config", "show", "--config", "none.yaml"); code != exitConfig || !strings.Contains(errs, "none.yaml") {
		t.Errorf("%d, %s", code, errs)
	}
}

func TestConfigDiff(t *testing.T) {
	workplace(t, map[string]string{"a.yaml": smallConfig, "b.yaml": strings.Replace(smallConfig, "2121", "2122", 1), "bad.yaml": "version: 2\n",
		"same.yaml": "# other words\n" + smallConfig})
	code, out, errs := commanded(t, "config", "diff", "a.yaml", "b.yaml")
	if code != exitChecks || !strings.HasPrefix(out, `  ~ listeners[main].address   ["127.0.0.1:2121"] -> ["127.0.0.1:2122"]   ports; sessions stay`) || !strings.Contains(errs, "differ in 1 key") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	code, out, _ = commanded(t, "config", "diff", "-o", "json", "a.yaml", "same.yaml")
	if code != exitOK || !strings.Contains(out, `"changes": []`) {
		t.Errorf("%d, %s", code, out)
	}
	for _, args := range [][]string{{}, {"a.yaml"}, {"--against", "walking", "a.yaml"}, {"--against", "running", "a.yaml", "b.yaml"}} {
		if code, _, errs := commanded(t, append([]string{"config", "diff"}, args...)...); code != exitUsage || errs == "" {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	if code, _, errs := commanded(t, "config", "diff", "--against", "running", "a.yaml", "--socket", "none.sock"); code != exitUnreachable {
		t.Errorf("%d, %s", code, errs)
	}
	if code, _, errs := commanded(t, "config", "diff", "a.yaml", "bad.yaml"); code != exitConfig || !strings.Contains(errs, "bad.yaml") {
		t.Errorf("%d, %s", code, errs)
	}
}

func TestConfigFmt(t *testing.T) {
	workplace(t, map[string]string{"c.yaml": smallConfig, "bad.yaml": "a: 1\na: 2\n"})
	if code, _, errs := commanded(t, "config", "fmt", "--check", "c.yaml"); code != exitChecks || !strings.Contains(errs, "fmt --write c.yaml") {
		t.Errorf("%d, %s", code, errs)
	}
	code, neat, errs := commanded(t, "config", "fmt", "c.yaml")
	if code != exitOK || !strings.Contains(neat, "\nstorage: [{root: root}] # here\n") {
		t.Errorf("%d, %s%s", code, neat, errs)
	}
	if err := os.Symlink("c.yaml", "link.yaml"); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := commanded(t, "config", "fmt", "--write", "link.yaml"); code != exitOK || out != "" {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	data, err := os.ReadFile("c.yaml")
	info, err2 := os.Lstat("c.yaml")
	if err != nil || string(data) != neat || err2 != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v, %v: %s", err, err2, info.Mode(), data)
	}
	if info, err := os.Lstat("link.yaml"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	if code, out, _ := commanded(t, "config", "fmt", "--check", "c.yaml"); code != exitOK || out != "" {
		t.Errorf("%d, %s", code, out)
	}
	for _, args := range [][]string{{"--write", "bad.yaml"}, {"none.yaml"}} {
		if code, _, errs := commanded(t, append([]string{"config", "fmt"}, args...)...); code != exitConfig || errs == "" {
			t.Errorf("%v: %d, %s", args, code, errs)
		}
	}
	if data, err := os.ReadFile("bad.yaml"); err != nil || string(data) != "a: 1\na: 2\n" {
		t.Errorf("%v: %s", err, data)
	}
	if left, err := filepath.Glob(".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
