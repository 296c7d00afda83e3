package e2e

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	policies "github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/quicnet"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// quicSite is a server of FTP over QUIC in this process, for the bridge, which is one of its
// own.
type quicSite struct {
	root string
	addr string
	ca   string
	quic *quicnet.Listener
}

// startQUIC serves a directory.
func startQUIC(t *testing.T) *quicSite {
	t.Helper()
	q := &quicSite{root: t.TempDir(), ca: filepath.Join(t.TempDir(), "ca.pem")}
	server, _, err := userpi.ThrowAway()
	ok(t, err)
	ok(t, os.WriteFile(q.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificates[0].Certificate[0]}), 0o600))
	disk := must(vfs.OpenDisk(vfs.DiskConfig{Root: q.root}))(t)
	anna := users.User{Name: "anna", PasswordHash: must(edge.HashPassword("secret"))(t), Perms: policies.PermAll}
	srv := must(edge.New(edge.Config{FS: disk, Listeners: []edge.Listener{{Name: "quic"}}, Log: slog.New(slog.DiscardHandler),
		Policies: []edge.Slot{{Name: "users", Policy: must(users.New(users.Config{Users: []users.User{anna}}))(t)}}}))(t)
	q.quic = must(quicnet.Listen(must(net.ListenPacket("udp", "127.0.0.1:0"))(t), quicnet.Config{TLS: server, FTP: true,
		Limits: quicnet.Limits{Idle: 30 * time.Minute}}))(t) // the clients of a test may wait for their turn, and the connection is to be one
	q.addr = q.quic.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := q.quic.Accept()
			if err != nil {
				return
			}
			all.Go(func() { _ = srv.ServeConn(ctx, conn, "quic") })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = q.quic.Shutdown(ctx)
		all.Wait()
		_ = srv.Shutdown(context.Background())
		_ = disk.Close()
	})
	return q
}

// startBridge runs edgeftp bridge, and returns the process with what a client needs.
func startBridge(t *testing.T, q *quicSite, args ...string) *server {
	t.Helper()
	b := bridgeTo(t, q.addr, q.ca, args...)
	b.user, b.password = "anna", "secret"
	return b
}

// bridgeTo does the same for any server, without its users.
func bridgeTo(t *testing.T, addr, ca string, args ...string) *server {
	t.Helper()
	words := append([]string{os.Getenv(binaryVar), "bridge", "--listen", "127.0.0.1:0", "-o", "json", "--to", "ftpq://" + addr, "--ca-file", ca}, args...)
	s := launchAs(t, place{outside: t.TempDir()}, words)
	line, err := s.log.find(s.ended, readyWithin, func(line string) bool { return message(line) == "bridge ready" })
	if err != nil {
		t.Fatalf("the bridge is not ready: %v\n%s", err, s.log)
	}
	var ready struct{ Listen string }
	ok(t, json.Unmarshal([]byte(line), &ready))
	s.addr, s.plain = ready.Listen, true
	return s
}

// Ordinary clients, as they are, travel over QUIC: files there and back, and a tree; all of
// it on one connection.
func TestBridgeClients(t *testing.T) {
	t.Parallel()
	q := startQUIC(t)
	b := startBridge(t, q)
	size := bulk() / 16
	host, port, err := net.SplitHostPort(b.addr)
	ok(t, err)
	clients := map[string]func(t *testing.T, name, up, down string){
		"curl": func(t *testing.T, name, up, down string) {
			b.curl(t, "-T", up, b.url("/"+name)).must(t)
			b.curl(t, "-o", down, b.url("/"+name)).must(t)
		},
		"curl pasv": func(t *testing.T, name, up, down string) {
			b.curl(t, "--disable-epsv", "-T", up, b.url("/"+name)).must(t)
			b.curl(t, "--disable-epsv", "-o", down, b.url("/"+name)).must(t)
		},
		"curl active": func(t *testing.T, name, up, down string) {
			b.curl(t, "--ftp-port", "127.0.0.1", "-T", up, b.url("/"+name)).must(t)
			b.curl(t, "--ftp-port", "127.0.0.1", "-o", down, b.url("/"+name)).must(t)
		},
		"curl asking for TLS": func(t *testing.T, name, up, down string) { // it goes on without, where it may
			b.curl(t, "--ssl", "-T", up, b.url("/"+name)).must(t)
			b.curl(t, "--ssl", "-o", down, b.url("/"+name)).must(t)
		},
		"lftp": func(t *testing.T, name, up, down string) {
			program{name: need(t, "lftp"), args: []string{"--norc", "-c", strings.Join([]string{"set cmd:fail-exit yes", "set net:max-retries 1",
				"open -u anna,secret " + b.url(""), "put " + up + " -o " + name, "get " + name + " -o " + down}, "; ")}}.must(t)
		},
		"ftplib": func(t *testing.T, name, up, down string) {
			script := fmt.Sprintf("import ftplib\nwith ftplib.FTP() as f:\n f.connect(%q, %s)\n f.login('anna', 'secret')\n"+
				" f.storbinary('STOR %s', open(%q, 'rb'))\n f.retrbinary('RETR %[3]s', open(%[5]q, 'wb').write)\n assert %[3]q in f.nlst()\n f.quit()\n", host, port, name, up, down)
			program{name: need(t, "python3"), args: []string{"-c", script}}.must(t)
		},
		"rclone": func(t *testing.T, name, up, down string) {
			rclone := need(t, "rclone")
			hidden := strings.TrimSpace(program{name: rclone, args: []string{"obscure", "secret"}}.must(t).stdout)
			flags := []string{"--config", "", "--retries", "1", "--ftp-host", host, "--ftp-port", port, "--ftp-user", "anna", "--ftp-pass", hidden}
			program{name: rclone, args: append([]string{"copyto", up, ":ftp:/" + name}, flags...)}.must(t)
			program{name: rclone, args: append([]string{"copyto", ":ftp:/" + name, down}, flags...)}.must(t)
		},
		"edgeftp": func(t *testing.T, name, up, down string) {
			for _, words := range [][]string{{"put", up, "ftp://anna:secret@" + b.addr + "/" + name}, {"get", "ftp://anna:secret@" + b.addr + "/" + name, down}} {
				if r := edgeftp(t, append(words, "--insecure-plaintext")...); r.code != 0 {
					t.Errorf("%s: %s", words[0], r.both())
				}
			}
		},
	}
	t.Run("clients", func(t *testing.T) {
		for who, move := range clients {
			t.Run(who, func(t *testing.T) {
				t.Parallel()
				here := t.TempDir()
				name := strings.ReplaceAll(who, " ", "-") + ".bin"
				up, down := filepath.Join(here, "up"), filepath.Join(here, "down")
				want := noiseFile(t, up, size)
				move(t, name, up, down)
				sameSum(t, "the upload", filepath.Join(q.root, name), want)
				sameSum(t, "the download", down, want)
			})
		}
	})
	ok(t, b.cmd.Process.Signal(syscall.SIGTERM))
	<-b.ended
	if code := b.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("after SIGTERM the exit code is %d", code)
	}
	log := b.log.String()
	n := strings.Count(log, `"msg":"connected"`) + strings.Count(log, `"msg":"reconnected"`)
	if unused := strings.Count(log, "nobody used it"); n != 1+unused { // clients may wait for their turn for as long as one is kept
		t.Errorf("%d connections, of which %d were closed because nobody used them", n, unused)
	}
}

// Trees, over several sessions at once.
func TestBridgeTrees(t *testing.T) {
	t.Parallel()
	q := startQUIC(t)
	b := startBridge(t, q)
	src := filepath.Join(t.TempDir(), "src")
	for i := range 15 {
		dir := filepath.Join(src, fmt.Sprintf("d%d", i%3))
		ok(t, os.MkdirAll(dir, 0o777))
		noiseFile(t, filepath.Join(dir, fmt.Sprintf("f%d", i)), 32<<10)
	}
	back := filepath.Join(t.TempDir(), "back")
	program{name: need(t, "lftp"), args: []string{"--norc", "-c", strings.Join([]string{"set cmd:fail-exit yes", "set ftp:sync-mode off",
		"open -u anna,secret " + b.url(""), "mirror -R --parallel=4 " + src + " /tree", "mirror --parallel=4 /tree " + back}, "; ")}}.must(t)
	sameTree(t, src, filepath.Join(q.root, "tree"))
	sameTree(t, src, back)

	host, port, err := net.SplitHostPort(b.addr)
	ok(t, err)
	rclone := need(t, "rclone")
	hidden := strings.TrimSpace(program{name: rclone, args: []string{"obscure", "secret"}}.must(t).stdout)
	flags := []string{"--config", "", "--retries", "1", "--ftp-host", host, "--ftp-port", port, "--ftp-user", "anna", "--ftp-pass", hidden}
	again := filepath.Join(t.TempDir(), "again")
	program{name: rclone, args: append([]string{"copy", src, ":ftp:/rclone"}, flags...)}.must(t)
	program{name: rclone, args: append([]string{"copy", ":ftp:/rclone", again}, flags...)}.must(t)
	sameTree(t, src, again)
}

// What cannot be a server is told in one error, with what helps and an exit code of its own.
func TestBridgeRefuses(t *testing.T) {
	t.Parallel()
	q := startQUIC(t)
	plain := must(net.Listen("tcp", ports.Addr(t)))(t) // a server of FTP has nothing on its UDP port
	t.Cleanup(func() { _ = plain.Close() })
	web := startWeb(t)
	hole := must(net.ListenPacket("udp", "127.0.0.1:0"))(t) // what comes is dropped, as by a firewall
	t.Cleanup(func() { _ = hole.Close() })
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"plain server": {[]string{"--to", "ftpq://" + plain.Addr().String()}, 4, "no answer over UDP at " + plain.Addr().String()},
		"way out":      {[]string{"--to", "ftpq://" + plain.Addr().String()}, 4, "= help: for one file, without a bridge: edgeftp get ftps://127.0.0.1/"},
		"blocked":      {[]string{"--to", "ftpq://" + hole.LocalAddr().String()}, 4, "UDP may be blocked on the way, and FTPS over TCP is the way out"},
		"no host":      {[]string{"--to", "ftpq://no.such.host.invalid"}, 4, "no.such.host.invalid"},
		"stranger":     {[]string{"--to", "ftpq://" + q.addr}, 1, "--ca-file FILE trusts"},
		"protocol":     {[]string{"--to", "ftpq://" + web}, 1, "FTPS over TCP"},
		"user":         {[]string{"--to", "ftpq://anna@" + q.addr}, 2, "names a user"},
		"path":         {[]string{"--to", "ftpq://" + q.addr + "/in"}, 2, "names more than a server"},
		"scheme":       {[]string{"--to", "ftps://" + q.addr}, 2, "ftpq://HOST"},
		"port":         {[]string{"--to", "ftpq://h:0"}, 2, "is no port"},
		"remote":       {[]string{"--to", "ftpq://" + q.addr, "--listen", "0.0.0.0:0"}, 2, "no loopback address"},
		"all":          {[]string{"--to", "ftpq://" + q.addr, "--listen", ":2121"}, 2, "no loopback address"},
		"taken":        {[]string{"--to", "ftpq://" + q.addr, "--listen", plain.Addr().String()}, 1, "another program"},
		"nothing":      {nil, 2, "to"},
		"sessions":     {[]string{"--to", "ftpq://" + q.addr, "--sessions", "0"}, 2, "1 to 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := tt.args
			if !strings.Contains(strings.Join(args, " "), "--listen") {
				args = append(args, "--listen", "127.0.0.1:0")
			}
			if r := edgeftp(t, append([]string{"bridge"}, args...)...); r.code != tt.code || !strings.Contains(r.stderr, tt.says) || strings.Count(r.stderr, "= help:") > 1 {
				t.Errorf("exit code %d\n%s", r.code, r.both())
			}
		})
	}
}

// startWeb is a server of QUIC that has no FTP.
func startWeb(t *testing.T) string {
	t.Helper()
	server, _, err := userpi.ThrowAway()
	ok(t, err)
	l := must(quicnet.Listen(must(net.ListenPacket("udp", "127.0.0.1:0"))(t), quicnet.Config{TLS: server, HTTP: http.NotFoundHandler()}))(t)
	t.Cleanup(func() { ok(t, l.Shutdown(context.Background())) })
	return l.Addr().String()
}
