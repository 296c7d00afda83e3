package tutorials

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestInstall goes the ways of docs/install.md: from a clone of this repository, and with
// files such as a release has.
func TestInstall(t *testing.T) {
	bin := program(t)
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOURCE", "file://"+top)
	const doc = "../../docs/install.md"
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	list, err := blocks(string(text))
	if err != nil || len(list) < 6 {
		t.Fatalf("%d blocks, %v", len(list), err)
	}
	r := &reader{dir: t.TempDir(), bin: bin}
	defer r.stop()
	for i := range list {
		b := list[i]
		if b.options == "release" {
			release(t, r)
			b.options = ""
		}
		if err := r.do(t, &b); err != nil {
			t.Fatalf("install.md:%d: %v\n%s", b.line, err, r.server.String())
		}
	}
}

// release puts the files of one beside what the reader has.
func release(t *testing.T, r *reader) {
	t.Helper()
	program, err := os.ReadFile(filepath.Join(r.bin, "edgeftp"))
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x  edgeftp-linux-amd64\n%x  edgeftp-linux-arm64\n", sha256.Sum256(program), sha256.Sum256(nil))
	for name, text := range map[string][]byte{"edgeftp-linux-amd64": program, "SHA256SUMS": []byte(sum)} {
		if err := os.WriteFile(filepath.Join(r.dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
