package wasm

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

// TestReadmeConfigurations holds what the READMEs say to write to what a server takes. The
// modules are empty here, which a server finds once nothing else is wrong with the file.
func TestReadmeConfigurations(t *testing.T) {
	source := regexp.MustCompile(`source: (\S+)`)
	found := 0
	for _, dir := range folders(t) {
		b, err := os.ReadFile(filepath.Join(dir, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(b), "```yaml\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			found++
			at := t.TempDir()
			for _, m := range source.FindAllStringSubmatch(block, -1) {
				if err := os.WriteFile(filepath.Join(at, m[1]), []byte("\x00asm"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text := "version: 1\nlisteners: [{ name: main, address: \"127.0.0.1:0\" }]\nstorage: [{ root: . }]\n" +
				"instance: { state_dir: " + t.TempDir() + " }\nusers: { anonymous: { enabled: true } }\n" + block
			file := filepath.Join(at, "edgeftp.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			r := live.Validate(t, file).Want(t, 3, "EF2108")
			if told, modules := strings.Count(r.Both(), "error: "), strings.Count(r.Both(), "error: policies.modules["); told == 0 || told != modules {
				t.Errorf("%s: something else is wrong:\n%s", dir, r.Both())
			}
		}
	}
	if found < 7 {
		t.Errorf("%d configurations", found)
	}
}
