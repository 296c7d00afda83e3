package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/tests/namespaces"
)

// roomy starts a server whose state is on a file system of its own, of which all but some
// bytes are taken, and returns it and the folder as others see it.
func roomy(t *testing.T, p place, file string, size, left int) *server {
	t.Helper()
	unshare := need(t, "unshare")
	namespaces.Need(t)
	ok(t, os.MkdirAll(p.state, 0o700))
	script := fmt.Sprintf(`exe=$1; shift; mount -t tmpfs -o mode=0700,size=%[2]d tmpfs %[1]s || exit 99
[ %[3]d = %[2]d ] || head -c $((%[2]d - %[3]d)) /dev/zero >%[1]s/fill; exec "$exe" "$@"`, p.state, size, left)
	return launchBy(t, p, []string{unshare, "-m", "sh", "-c", script, "sh", os.Getenv(binaryVar)}, "--config", file)
}

// A start on a full disk fails with what to do, wherever the disk gets full, and opens no
// port; with room it succeeds.
func TestStartWithoutRoom(t *testing.T) {
	t.Parallel()
	const size = 512 << 10
	for left := 0; left <= 128<<10; left += 8 << 10 {
		p := newPlace(t)
		s := roomy(t, p, p.file(t, listener()), size, left)
		for {
			line, err := s.log.find(s.ended, readyWithin, func(line string) bool { return message(line) == "ready" })
			if err == nil && line != "" {
				s.stop(t)
				if left < 16<<10 {
					t.Errorf("%d bytes were enough", left)
				}
				break
			}
			if code, log := s.wait(t, stopWithin), s.log.String(); code != 1 || !strings.Contains(log, "no space left on device") ||
				!strings.Contains(log, "= help: make room") || !strings.Contains(log, p.state) || left == 128<<10 {
				t.Errorf("with %d bytes: exit code %d\n%s", left, code, log)
			}
			break
		}
	}
}

// A disk that gets full under a running server costs what cannot be kept and nothing else:
// sessions and transfers go on, the configuration is reloaded and says that there is no way
// back to it, commands answer. With room again all is as it was, and no two configurations
// have one number.
func TestRoomRunsOut(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	file := p.file(t, listener("banner: one"))
	s := roomy(t, p, file, 2<<20, 2<<20)
	s.awaitReady(t)
	s.plain, s.user, s.password = true, "dev", secret
	want := noiseFile(t, s.in("big"), 8*mib)
	c := s.login(t)
	conn := c.begin(t, "RETR big")
	state := filepath.Join("/proc", pid(s), "root", p.state)
	fill := filepath.Join(state, "fill")
	exhaust(t, fill)
	reload := func(from, to, event string) string {
		text := strings.Replace(string(must(os.ReadFile(file))(t)), "banner: "+from, "banner: "+to, 1)
		ok(t, os.WriteFile(file, []byte(text), 0o600))
		ok(t, s.cmd.Process.Signal(syscall.SIGHUP))
		return s.expect(t, event, "-> "+to)
	}
	if line := reload("one", "two", "config_reloaded"); !strings.Contains(line, `"generation":2`) {
		t.Error(line)
	}
	s.expect(t, `"level":"ERROR"`, "could not be kept")
	if _, hello := s.raw(t); !strings.Contains(hello.String(), "two") {
		t.Errorf("%v", hello)
	}
	ok(t, os.WriteFile(file, append(must(os.ReadFile(file))(t), "nonsense: 1\n"...), 0o600))
	ok(t, s.cmd.Process.Signal(syscall.SIGHUP))
	s.expect(t, "config_rejected")
	other := s.login(t)
	other.want(t, "PWD", 257)
	got := noHash(t, conn)
	_, err := c.Expect("the download", 226)
	ok(t, err)
	if got != want {
		t.Error("the download is not whole")
	}
	ok(t, os.Remove(fill))
	ok(t, os.WriteFile(file, []byte(strings.Replace(string(must(os.ReadFile(file))(t)), "nonsense: 1\n", "", 1)), 0o600))
	if line := reload("two", "three", "config_reloaded"); !strings.Contains(line, `"generation":3`) {
		t.Error(line)
	}
	other.put(t, "STOR up", strings.NewReader("content"))
	s.stop(t)
}

// noHash reads a data connection to its end.
func noHash(t *testing.T, conn io.ReadCloser) digest {
	t.Helper()
	defer conn.Close()
	return sum(t, conn)
}

// exhaust fills a file system to its last byte.
func exhaust(t *testing.T, file string) {
	t.Helper()
	f := must(os.Create(file))(t)
	for _, size := range []int{4096, 1} {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
	ok(t, f.Close())
}

// An admin socket without its directory is told of, with what to do, and no port is opened.
func TestSocketDirectoryMissing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := launch(t, p, "--config", p.file(t, listener()+fmt.Sprintf("admin: { socket: %q }\n", p.out("none", "admin.sock"))))
	if code, log := s.wait(t, stopWithin), s.log.String(); code != 1 || !strings.Contains(log, p.out("none")) || !strings.Contains(log, "= help: make the directory") {
		t.Errorf("exit code %d\n%s", code, log)
	}
}
