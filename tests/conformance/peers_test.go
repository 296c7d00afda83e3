package conformance

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// peersVar, when set, asks for TestPeers. A directory in it keeps the unpacked
// packages for the next time; "1" is a directory that is thrown away.
const peersVar = "EDGEFTP_PEERS"

// readyWithin bounds the start of a server, runTime everything.
const (
	readyWithin = 20 * time.Second
	runTime     = 10 * time.Minute
)

// peer is one of the servers that the behaviours are tried on.
type peer struct {
	foreign
	name    string
	version string
	setup   string   // for the document: how it was set up
	command []string // that serves in the foreground
	env     []string
	log     bytes.Buffer
	cmd     *exec.Cmd
	ended   chan struct{}
	results []verdict // in the order of the scripts
}

// TestPeers plays the behaviours with four other servers and with the edgeftp
// program, side by side, and writes docs/behaviours.md.
func TestPeers(t *testing.T) {
	where := os.Getenv(peersVar)
	if where == "" {
		t.Skip(peersVar + " is not set: the other servers are compared by .ci/full")
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Fatal("the other servers are Debian packages and want root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	g := newGround(t, where)
	peers := []*peer{g.edgeftp(ctx, t), g.vsftpd(t), g.proftpd(t), g.pureftpd(t), g.pyftpdlib(t)}
	s, all := newForeignSuite(t), behaviours(t)
	var wg sync.WaitGroup
	for _, p := range peers {
		p.start(t)
		wg.Go(func() {
			for _, sc := range all {
				p.results = append(p.results, p.try(ctx, s, sc))
			}
		})
	}
	wg.Wait()
	for _, p := range peers {
		if !p.alive() {
			t.Errorf("%s has ended; its log:\n%s", p.name, tail(p.log.String(), 4000))
		}
		p.stop()
	}
	if err := ctx.Err(); err != nil {
		t.Fatalf("not all was tried within %v: %v", runTime, err)
	}
	report(t, all, peers)
	for i, v := range peers[0].results {
		if !v.passed {
			t.Errorf("%s: %v\nwhat was said:\n%s", all[i].name, v, v.said)
		}
	}
}

// ground is where the servers live: packages, configurations, roots, one
// certificate.
type ground struct {
	dir, packages, cert, key string
}

func newGround(t *testing.T, where string) *ground {
	t.Helper()
	dir, err := os.MkdirTemp("", "edgeftp-peers")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := &ground{dir: dir, packages: filepath.Join(dir, "packages")}
	if where != "1" {
		g.packages = where
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the servers drop their privileges
		t.Fatal(err)
	}
	g.unpack(t)
	g.certificate(t)
	return g
}

// debs are the four servers and the libraries that they need. They are unpacked,
// not installed: the packages conflict, and would start servers.
func debs() []string {
	return []string{
		"vsftpd", "libwrap0", "libcap2",
		"proftpd-core", "proftpd-mod-crypto", "libhiredis0.14", "libmemcached11", "libmemcachedutil2", "libhashkit2", "libpcre2-posix3",
		"pure-ftpd", "pure-ftpd-common", "libsodium23",
		"python3-pyftpdlib", "python3-openssl", "python3-cryptography", "python3-cffi-backend",
	}
}

// unpack fetches the packages and unpacks them.
func (g *ground) unpack(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(g.packages, "complete")); err == nil {
		return
	}
	if err := os.MkdirAll(g.packages, 0o755); err != nil {
		t.Fatal(err)
	}
	sh(t, g.packages, "apt-get", append([]string{"download", "-q"}, debs()...)...)
	files, err := filepath.Glob(filepath.Join(g.packages, "*.deb"))
	if err != nil || len(files) < len(debs()) {
		t.Fatalf("of %d packages there are %d: %v", len(debs()), len(files), err)
	}
	for _, f := range files {
		sh(t, g.packages, "dpkg", "-x", f, ".")
	}
	if err := os.WriteFile(filepath.Join(g.packages, "complete"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// version is that of a package.
func (g *ground) version(t *testing.T, name string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(g.packages, name+"_*.deb"))
	if err != nil || len(files) != 1 {
		t.Fatalf("package %s: %q, %v", name, files, err)
	}
	return strings.TrimSpace(sh(t, g.packages, "dpkg-deb", "-f", files[0], "Version"))
}

// sh runs a command that must succeed.
func sh(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// certificate writes one for all of them, which nobody vouches for.
func (g *ground) certificate(t *testing.T) {
	t.Helper()
	pair := newSuite(t).serverTLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	g.cert, g.key = g.file(t, "cert.pem", string(cert)), g.file(t, "key.pem", string(secret))
	g.file(t, "both.pem", string(secret)+string(cert))
}

// file writes a file that only root may read.
func (g *ground) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// in is the path of something in the packages.
func (g *ground) in(elements ...string) string {
	return filepath.Join(append([]string{g.packages}, elements...)...)
}

// peer prepares what all servers have: a port, a root, a user.
func (g *ground) peer(t *testing.T, name, version, owner string) *peer {
	t.Helper()
	root := filepath.Join(g.dir, name)
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	tree := hostTree{root: root, owner: owner}
	if err := tree.give(root, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &peer{
		foreign: foreign{addr: l.Addr().String(), user: user, password: password, root: tree},
		name:    name, version: version, ended: make(chan struct{}),
		env: []string{"TZ=UTC", "LD_LIBRARY_PATH=" + g.in("usr/lib/x86_64-linux-gnu") + ":" + g.in("lib/x86_64-linux-gnu")},
	}
}

func (p *peer) port() string {
	_, port, _ := net.SplitHostPort(p.addr)
	return port
}

// start begins to serve and waits until connections are taken.
func (p *peer) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command(p.command[0], p.command[1:]...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Dir = p.root.root
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	late := time.After(readyWithin)
	for {
		conn, err := net.Dial("tcp", p.addr)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-again.C:
		case <-p.ended:
			t.Fatalf("%s does not start: %s", p.name, &p.log)
		case <-late:
			t.Fatalf("%s takes no connection: %v", p.name, err)
		}
	}
}

func (p *peer) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// stop ends the server and what it has started.
func (p *peer) stop() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	endGroup(p.cmd.Process.Pid)
	<-p.ended
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// score counts what a server passed, failed, and what it could not be asked.
func (p *peer) score() (passed, failed, absent int) {
	for _, v := range p.results {
		switch {
		case v.passed:
			passed++
		case v.absent != "":
			absent++
		default:
			failed++
		}
	}
	return passed, failed, absent
}

func (p *peer) String() string { return fmt.Sprintf("%s %s", p.name, p.version) }
