package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// documented returns the Python class that docs/clients.md tells its readers to
// use.
func documented(t *testing.T) string {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join("..", "..", "docs", "clients.md")))(t))
	_, code, found := strings.Cut(text, "```python\n")
	code, _, closed := strings.Cut(code, "```")
	if !found || !closed || !strings.Contains(code, "class FTP_TLS(") {
		t.Fatal("docs/clients.md has no Python class FTP_TLS any more")
	}
	return code
}

// manyFiles runs testdata/manyfiles.py, with the module "resuming" if there is
// one, on 200 files of 0 to 200 KiB, and returns the folder, the copy that came
// back and what the program said.
func manyFiles(t *testing.T, s *server, resuming string) (folder, back string, r result) {
	t.Helper()
	dir := t.TempDir()
	folder, back = filepath.Join(dir, "folder"), filepath.Join(dir, "back")
	for _, d := range []string{folder, back} {
		ok(t, os.Mkdir(d, 0o755))
	}
	for i := range int64(200) {
		noiseFile(t, filepath.Join(folder, fmt.Sprintf("file %03d.bin", i)), i*i*5)
	}
	program := program{name: python(t)}
	script := filepath.Join(dir, "manyfiles.py")
	ok(t, os.WriteFile(script, must(os.ReadFile(filepath.Join("testdata", "manyfiles.py")))(t), 0o644))
	if resuming != "" {
		ok(t, os.WriteFile(filepath.Join(dir, "resuming.py"), []byte(resuming), 0o644))
	}
	host, port, err := net.SplitHostPort(s.addr)
	ok(t, err)
	program.args = []string{script, host, port, s.user, s.password, s.ca, folder, back}
	return folder, back, program.run(t)
}

func TestPythonResuming(t *testing.T) {
	t.Parallel()
	s := start(t)
	folder, back, r := manyFiles(t, s, documented(t))
	if r.code != 0 || !strings.Contains(r.stdout, "200 files") {
		t.Fatalf("exit code %d: %s", r.code, r.both())
	}
	t.Log(strings.TrimSpace(r.stdout))
	sameTree(t, folder, back)
	sameTree(t, folder, s.in("many"))
	s.stop(t)
}

func TestPythonAsShipped(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, _, r := manyFiles(t, s, "")
	if r.code == 0 || !strings.Contains(r.stderr, "522 ") || !strings.Contains(r.stderr, "resum") {
		t.Errorf("exit code %d, want 522 and the reason: %s", r.code, r.both())
	}
	s.holds(t, "many")
	s.stop(t)
}
