package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// stated is the sentence of a document about the program's weight.
func stated(t *testing.T, file string) (megabytes float64, modules int, found bool) {
	t.Helper()
	text := strings.Join(strings.Fields(string(must(os.ReadFile(filepath.Join("..", "..", file)))(t))), " ")
	m := regexp.MustCompile(`one program of ([0-9.]+) MB \(linux/amd64, stripped\), made of (\d+) modules`).FindStringSubmatch(text)
	if m == nil {
		return 0, 0, false
	}
	return must(strconv.ParseFloat(m[1], 64))(t), must(strconv.Atoi(m[2]))(t), true
}

// What the program weighs is what is said of it: no more than 3 % above the size, or 6 %
// below; the modules to the one.
func TestWeight(t *testing.T) {
	t.Parallel()
	if os.Getenv(raceVar) != "" || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return // it is said of another program
	}
	size, modules, found := stated(t, "docs/weight.md")
	if !found {
		t.Fatal("docs/weight.md does not say it")
	}
	if s, m, found := stated(t, "README.md"); found && (s != size || m != modules) {
		t.Errorf("README.md says %v MB and %d modules, docs/weight.md %v and %d", s, m, size, modules)
	}
	to := filepath.Join(t.TempDir(), "edgeftp")
	if out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", to, "../../cmd/edgeftp").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	is := float64(must(os.Stat(to))(t).Size()) / 1e6
	if is > size*1.03 || is < size*0.94 {
		t.Errorf("it has %.1f MB, and is said to have %v: look at what has come in, and write it down", is, size)
	}
	list := string(must(exec.Command("go", "version", "-m", to).Output())(t))
	if n := strings.Count(list, "\tdep\t"); n != modules {
		t.Errorf("%d modules are in it, and are said to be %d\n%s", n, modules, list)
	}
}
