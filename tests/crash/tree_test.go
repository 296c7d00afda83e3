package crash

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/namespaces"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// many is how many files there are in the large tree.
func many() int {
	if full() {
		return 1_000_000
	}
	return 50_000
}

// within is what a server may take from its start to the first login (R17).
const within = time.Second

// memory returns a directory that is in memory, or the one for temporary files.
func memory() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return ""
}

// plant makes n empty files, a thousand in each directory.
func plant(t *testing.T, root string, n int) {
	t.Helper()
	start := time.Now()
	var dir string
	for i := range n {
		if i%1000 == 0 {
			dir = filepath.Join(root, fmt.Sprintf("many/%02d/%03d", i/100_000, i/1000%100))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	t.Logf("%d files made in %v", n, time.Since(start).Round(time.Millisecond))
}

// half begins an upload, sends half of the data and leaves it at that.
func half(t *testing.T, c *userpi.Client, line string, data []byte) {
	t.Helper()
	conn, err := c.Begin(userpi.EPSV, line)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write(data[:len(data)/2]); err != nil {
		t.Fatal(err)
	}
}

// grown waits until a file of the host has more bytes than n.
func grown(t *testing.T, path string, n int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > n {
			return
		}
	}
	t.Fatalf("%s does not grow", path)
}

// hiddenIn counts the hidden files in a directory.
func hiddenIn(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), hidden) {
			n++
		}
	}
	return n
}

// nameless is a way to start a program that cannot give names to unnamed files, so
// that it stages uploads under hidden names: there is no /proc for it but what says
// when the kernel was started, without which it would believe that it was.
func nameless(t *testing.T) (by []string) {
	t.Helper()
	if !namespaces.Have(t) {
		t.Log("uploads are staged without names alone")
		return nil
	}
	const script = `set -e
boot=/proc/sys/kernel/random/boot_id
id=$(cat $boot)
mount -t tmpfs none /proc
mkdir -p ${boot%/*}
echo $id >$boot
exec "$0" "$@"`
	return []string{"unshare", "-m", "sh", "-c", script}
}

// A killed server is back within a second however many files there are, and has
// tidied up by then: it reads its journal, and not one directory of the tree.
func TestStartWithManyFiles(t *testing.T) {
	p := newPlace(t, memory())
	p.configure(t, "full")
	plant(t, p.root, many())
	names := nameless(t)
	for run, by := range [][]string{nil, names} {
		// What else the machine does may cost a second; it does not five times in a row.
		took := p.back(t, by)
		for range 4 {
			if took > within {
				took = min(took, p.back(t, by))
			}
		}
		t.Logf("run %d: from the start to the first login %v", run, took.Round(time.Millisecond))
		if took > within {
			t.Errorf("run %d: the first login came after %v, want %v", run, took, within)
		}
	}
	p.reads(t)
}

// back kills a server in the middle of three uploads, and returns how long the next
// one takes to its first login.
func (p place) back(t *testing.T, by []string) time.Duration {
	t.Helper()
	deep := filepath.Join(p.root, "many/00/007")
	if err := os.WriteFile(filepath.Join(deep, "log"), []byte("whole\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 4<<20)
	_, _ = rand.Read(data)
	s := p.start(t, by...)
	for _, line := range []string{"STOR many/00/007/new", "STOR many/00/007/7000", "APPE many/00/007/log"} {
		half(t, s.must(t), line, data)
	}
	grown(t, filepath.Join(deep, "log"), 1000)
	if by != nil && hiddenIn(t, deep) != 2 {
		t.Errorf("%d hidden files of two uploads", hiddenIn(t, deep))
	}
	s.kill()
	s = p.start(t)
	c := s.must(t)
	took := time.Since(s.started)
	p.tidied(t, c)
	s.kill()
	return took
}

// tidied checks that what the killed uploads have left is gone.
func (p place) tidied(t *testing.T, c *userpi.Client) {
	t.Helper()
	deep := filepath.Join(p.root, "many/00/007")
	if n := hiddenIn(t, deep); n != 0 {
		t.Errorf("%d hidden files are left", n)
	}
	log, err := os.ReadFile(filepath.Join(deep, "log"))
	if err != nil || !bytes.Equal(log, []byte("whole\n")) {
		t.Errorf("the log has %d bytes, %v", len(log), err)
	}
	if info, err := os.Stat(filepath.Join(deep, "7000")); err != nil || info.Size() != 0 {
		t.Errorf("the file that was to be replaced: %v, %v", info, err)
	}
	if _, err := c.Must("SIZE many/00/007/new", 550); err != nil {
		t.Error(err)
	}
}

var tracedCall = regexp.MustCompile(`^\d+ +(\w+)\(`)

// reads starts the server once more after a kill, and looks at each system call that
// touches the tree until the first login.
func (p place) reads(t *testing.T) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("strace is not installed, and CI=true asks for every check")
	} else if err != nil {
		t.Skip("strace is not installed")
	}
	s := p.start(t)
	half(t, s.must(t), "APPE many/00/007/log", make([]byte, 4<<20))
	grown(t, filepath.Join(p.root, "many/00/007/log"), 1000)
	s.kill()
	out := filepath.Join(t.TempDir(), "calls")
	// -D: the server is this process's own child, which it can kill.
	s = p.start(t, strace, "-D", "-f", "-y", "-e", "trace=%file,%desc", "-o", out)
	c := s.must(t)
	s.kill()
	_ = c.Close()
	p.tidied(t, p.start(t).must(t))
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	calls, total := map[string]int{}, 0
	for line := range strings.Lines(string(text)) {
		if m := tracedCall.FindStringSubmatch(line); m != nil && strings.Contains(line, p.root) {
			calls[m[1]]++
			total++
		}
	}
	t.Logf("calls that touch the tree of %d files until the first login: %v", many(), calls)
	if total == 0 || calls["openat"] == 0 {
		t.Error("strace has seen nothing of the tree")
	}
	if calls["getdents64"]+calls["getdents"] > 0 || total > 200 {
		t.Error("the start reads the tree")
	}
}
