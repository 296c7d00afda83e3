package e2e

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// haproxy returns a program: the system's, or Debian's package, unpacked where it stays for
// the next time and not installed, as it would start a service.
func haproxy(t *testing.T) (name string, env []string) {
	t.Helper()
	if path, err := exec.LookPath("haproxy"); err == nil {
		return path, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		cannot(t, "haproxy is not installed, nor is apt-get, which downloads it")
	}
	dir := filepath.Join(must(os.UserCacheDir())(t), "edgeftp-clients", "haproxy")
	name = filepath.Join(dir, "usr/sbin/haproxy")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err != nil {
		ok(t, os.MkdirAll(dir, 0o755))
		for _, args := range [][]string{{apt, "download", "-q", "haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"},
			{"sh", "-c", "for f in *.deb; do dpkg -x $f . && rm $f; done"}} {
			cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				cannot(t, fmt.Sprintf("haproxy cannot be had: %v: %s", err, out))
			}
		}
		ok(t, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644))
	}
	libs, _ := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-gnu*"))
	return name, []string{"LD_LIBRARY_PATH=" + strings.Join(libs, ":")}
}

// front has HAProxy stand before a server on another address: on its control port, and on
// each of its passive ports, with headers as send has it.
func (s *server) front(t *testing.T, send string, numbers []string) (address string) {
	t.Helper()
	const at = "127.0.0.9"
	conf := "global\n  maxconn 200\ndefaults\n  mode tcp\n  timeout connect 60s\n  timeout check 60s\n  timeout client 60s\n  timeout server 60s\n" +
		"listen control\n  bind " + at + ":" + numbers[0] + "\n  server s " + s.addr + " " + send + " check inter 1s\n"
	for _, p := range numbers[1:] {
		conf += "listen data" + p + "\n  bind " + at + ":" + p + "\n  server s 127.0.0.1:" + p + " " + send + "\n"
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	ok(t, os.WriteFile(file, []byte(conf), 0o600))
	name, env := haproxy(t)
	cmd := exec.Command(name, "-q", "-db", "-f", file)
	cmd.Env = append(os.Environ(), env...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	ok(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("HAProxy: %s\n%s", said.String(), conf)
		}
	})
	address = at + ":" + numbers[0]
	until(t, "HAProxy listens", func() bool {
		conn, err := net.DialTimeout("tcp", address, waitWithin)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address
}

// A client behind HAProxy, in both versions and both passive modes, in the clear and under
// TLS: the server knows it by its own address, and its files are whole. The proxy's health
// checks, which bring LOCAL or nothing, are no clients, and nobody else is let in.
func TestHAProxy(t *testing.T) {
	t.Parallel()
	const client = "127.0.0.7"
	for _, send := range []string{"send-proxy", "send-proxy-v2"} {
		for _, tls := range []string{"off", "required"} {
			t.Run(send+", TLS "+tls, func(t *testing.T) {
				numbers := ports.Some(t, 4)
				p := newPlace(t)
				s := p.serve(t, "listeners: [{ name: main, address: \"127.0.0.1:0\", tls: { control: "+tls+" }, passive: { ports: ["+strings.Join(numbers[1:], ", ")+"] },\n"+
					"  proxy_protocol: { mode: required, trusted: [127.0.0.1] } }]\n")
				direct := s.addr
				front := s.front(t, send, numbers)
				s.addr = "localhost:" + numbers[0] // a name of its certificate
				resolve := s.addr + ":" + strings.TrimSuffix(front, ":"+numbers[0])
				want := noiseFile(t, s.in("file"), 3*mib)
				for _, mode := range []string{"--epsv", "--no-epsv"} {
					r := s.curl(t, "-v", mode, "--resolve", resolve, "--interface", client, "-Q", "STAT", s.url("/file"), "-o", p.out("file")).must(t)
					got := digest(sha256.Sum256(must(os.ReadFile(p.out("file")))(t)))
					if got != want || !strings.Contains(r.stderr, "Connected to "+client+" ") {
						t.Errorf("%s: the file is whole: %v\n%s", mode, got == want, r.stderr)
					}
					s.curl(t, mode, "--resolve", resolve, "--interface", client, "-T", p.out("file"), s.url("/up"+mode)).must(t)
					if got := digest(sha256.Sum256(must(os.ReadFile(s.in("up" + mode)))(t))); got != want {
						t.Errorf("%s: the upload is not whole", mode)
					}
				}
				conn := must(net.Dial("tcp", direct))(t)
				defer conn.Close()
				ok(t, conn.SetDeadline(time.Now().Add(waitWithin)))
				_, err := conn.Write([]byte("USER dev\r\n"))
				ok(t, err)
				if n, _ := conn.Read(make([]byte, 100)); n > 0 {
					t.Error("somebody who comes past the proxy is answered")
				}
			})
		}
	}
}
