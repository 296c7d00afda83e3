package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// ownAddress is a loopback address that nobody else uses, so that its ports are free, and stay
// so while one server takes the place of another.
func ownAddress() string {
	return fmt.Sprintf("127.%d.%d.%d:20990", 64+rand.N(128), rand.N(256), 1+rand.N(254))
}

// An ordinary client, the bridge and a server of a configuration, each a program of its own:
// files go both ways and in two parts; a reload is not noticed, and an upgrade neither by a
// client that waits, nor by an upload and a download that run.
func TestBridgeServed(t *testing.T) {
	t.Parallel()
	p, quic := newPlace(t), ownAddress()
	conf := func(banner string) string {
		return fmt.Sprintf("listeners:\n  - { name: files, address: \"127.0.0.1:0\", banner: %s }\n  - { name: quic, protocol: ftp+quic, address: %q }\n%s", banner, quic, everybody)
	}
	s := p.serve(t, conf("one"))
	b := bridgeTo(t, quic, s.ca)
	b.user, b.password = "dev", secret

	here := t.TempDir()
	up, down, head := filepath.Join(here, "up"), filepath.Join(here, "down"), filepath.Join(here, "head")
	want := noiseFile(t, up, mib)
	content := must(os.ReadFile(up))(t)
	b.curl(t, "-T", up, b.url("/whole")).must(t)
	sameSum(t, "an upload", p.in("whole"), want)
	ok(t, os.WriteFile(head, content[:mib/3], 0o600))
	b.curl(t, "-T", head, b.url("/parts")).must(t)
	b.curl(t, "-C", "-", "-T", up, b.url("/parts")).must(t)
	sameSum(t, "an upload in parts", p.in("parts"), want)
	ok(t, os.WriteFile(down, content[:mib/3], 0o600))
	b.curl(t, "-C", "-", "-o", down, b.url("/whole")).must(t)
	sameSum(t, "a download in parts", down, want)

	p.again(t, conf("two"))
	s.reload(t, 0)
	b.curl(t, "-o", down, b.url("/whole")).must(t)
	sameSum(t, "a download after a reload", down, want)
	if strings.Contains(b.log.String(), "connection lost") {
		t.Errorf("a reload has ended the connection:\n%s", b.log)
	}

	big := noiseFile(t, p.in("big"), 32*mib)
	idle, sends, gets := b.login(t), b.login(t), b.login(t)
	for _, c := range []*session{idle, sends, gets} {
		c.Timeout = patience() // they wait while one server takes the place of the other
	}
	in, out := gets.begin(t, "RETR big"), sends.begin(t, "STOR new")
	must(out.Write(content[:mib/2]))(t)
	var got bytes.Buffer
	must(io.CopyN(&got, in, mib))(t)
	next := p.upgraded(t, p.out("edgeftp.yaml"))
	until(t, "the server before ends QUIC", func() bool { return strings.Contains(b.log.String(), `"msg":"connection lost"`) })
	must(out.Write(content[mib/2:]))(t)
	ok(t, userpi.End(out))
	must(sends.Expect("STOR", 226))(t)
	sameSum(t, "an upload that goes on", p.in("new"), want)
	must(io.Copy(&got, in))(t)
	must(gets.Expect("RETR", 226))(t)
	if sum(t, &got) != big {
		t.Error("the download that goes on is not what the file is")
	}
	idle.want(t, "NOOP", 200)
	b.curl(t, "-T", up, b.url("/after")).must(t)
	sameSum(t, "an upload after an upgrade", p.in("after"), want)
	b.expect(t, `"msg":"upload goes on"`)
	b.expect(t, `"msg":"download goes on"`)
	if code := s.wait(t, stopWithin); code != 0 {
		t.Errorf("the server before has ended with %d", code)
	}
	next.stop(t)
}

// On a terminal the bridge shows its connection and what runs, the log above that, and leaves
// nothing behind.
func TestBridgeOnTerminal(t *testing.T) {
	t.Parallel()
	q := startQUIC(t)
	ok(t, os.WriteFile(filepath.Join(q.root, "big.bin"), nil, 0o600))
	ok(t, os.Truncate(filepath.Join(q.root, "big.bin"), 64*mib)) // more than all buffers on the way hold
	screen := newScreen(t)
	cmd := exec.Command(os.Getenv(binaryVar), "bridge", "--listen", "127.0.0.1:0", "--to", "ftpq://"+q.addr, "--ca-file", q.ca)
	cmd.Env, cmd.Stderr = environment("TERM=xterm", "NO_COLOR=1"), screen.side
	ok(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	screen.wait(t, "bridge ready")
	screen.wait(t, "ftpq://"+q.addr+": connected for 0:")
	screen.wait(t, " from 127.0.0.1, 0 clients")
	_, after, _ := strings.Cut(screen.String(), " listen=")
	addr, _, _ := strings.Cut(after, " ")
	c := must(userpi.Dial(addr))(t)
	t.Cleanup(func() { _ = c.Close() })
	c.Timeout = patience()
	ok(t, c.Login("anna", "secret"))
	must(c.Must("TYPE I", 200))(t)
	data := must(c.Begin(userpi.EPSV, "RETR big.bin"))(t)
	must(io.CopyN(io.Discard, data, 1000))(t)
	screen.wait(t, "%  ")
	screen.wait(t, " of 67.1 MB  ")
	screen.wait(t, "  big.bin")
	must(io.Copy(io.Discard, data))(t)
	_ = data.Close()
	must(c.Expect("RETR", 226))(t)
	screen.wait(t, "transferred")
	ok(t, cmd.Process.Signal(syscall.SIGTERM))
	ok(t, cmd.Wait())
	ok(t, screen.side.Close())
	screen.done.Wait()
	text := screen.String()
	if !regexp.MustCompile("\r(\x1b\\[A)*\x1b\\[J$").MatchString(text) {
		t.Errorf("lines are left standing: %q", text[max(0, len(text)-100):])
	}
	if strings.Contains(text, "\x1b[3") {
		t.Error("there are colours in spite of NO_COLOR")
	}
}

// screen is a pseudo-terminal, and all that was written to it.
type screen struct {
	side *os.File // that programs have
	done sync.WaitGroup
	mu   sync.Mutex
	text bytes.Buffer
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		cannot(t, "there are no pseudo-terminals: "+err.Error())
	}
	fd := int(control.Fd())
	ok(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n := must(unix.IoctlGetInt(fd, unix.TIOCGPTN))(t)
	ok(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120}))
	s := &screen{side: must(os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0))(t)}
	s.done.Go(func() {
		_, _ = io.Copy(s, control) // until nobody has the other side
	})
	t.Cleanup(func() {
		_ = s.side.Close()
		s.done.Wait()
		_ = control.Close()
	})
	return s
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) wait(t *testing.T, text string) {
	t.Helper()
	until(t, fmt.Sprintf("the terminal shows %q", text), func() bool { return strings.Contains(s.String(), text) })
}
