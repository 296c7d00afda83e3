// Package peers starts FTP servers for tests that treat them all alike: the edgeftp
// program, and vsftpd, ProFTPD, Pure-FTPd and pyftpdlib of Debian. Their packages are
// unpacked and not installed, because they conflict and would start servers.
//
// All of them serve a directory of their own on 127.0.0.1 to the users dev and eve,
// with the same throw-away certificate. The four of Debian want root; edgeftp and
// pyftpdlib are then started as another user.
package peers

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// The users of every server, and their passwords.
const (
	User          = "dev"
	Password      = "secret"
	OtherUser     = "eve"
	OtherPassword = "other words"
)

// uid and gid own what is served, where root starts the servers.
const uid, gid = 65533, 65534

// Ground is where servers live: packages, configurations, directories that are served,
// one certificate.
type Ground struct {
	Dir      string // holds everything, and goes with Close
	Packages string // where Debian's packages are unpacked; below Dir unless it was named
	cert     string
	key      string
	both     string
	mounts   []string // that Close takes away
	ports    []func() // which Close gives back
}

// NewGround makes a place. Packages keeps the unpacked packages for the next time; with
// an empty one they are thrown away by Close.
func NewGround(packages string) (*Ground, error) {
	dir, err := os.MkdirTemp("", "edgeftp-peers")
	if err != nil {
		return nil, err
	}
	g := &Ground{Dir: dir, Packages: packages}
	if packages == "" {
		g.Packages = filepath.Join(dir, "packages")
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the servers drop their privileges
		return nil, err
	}
	if err := g.certificate(); err != nil {
		return nil, err
	}
	return g, nil
}

// Close removes everything below Dir. The servers must have ended.
func (g *Ground) Close() error {
	for _, m := range g.mounts {
		if out, err := exec.Command("umount", m).CombinedOutput(); err != nil {
			return fmt.Errorf("umount %s: %w: %s", m, err, out) // and nothing is removed through it
		}
	}
	for _, give := range g.ports {
		give()
	}
	g.ports = nil
	return os.RemoveAll(g.Dir)
}

// Address returns HOST:PORT of this machine that is nobody else's until Close.
func (g *Ground) Address() (string, error) {
	port, give, err := ports.Hold(1)
	if err != nil {
		return "", err
	}
	g.ports = append(g.ports, give)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// share makes what is mounted below dir later seen in mount namespaces, too.
func (g *Ground) share(ctx context.Context, dir string) error {
	if _, err := run(ctx, g.Dir, nil, "mount", "--bind", dir, dir); err != nil {
		return err
	}
	g.mounts = append(g.mounts, dir)
	_, err := run(ctx, g.Dir, nil, "mount", "--make-shared", dir)
	return err
}

// debs are the four servers and the libraries that they need.
func debs() []string {
	return []string{
		"vsftpd", "libwrap0", "libcap2",
		"proftpd-core", "proftpd-mod-crypto", "libhiredis0.14", "libmemcached11", "libmemcachedutil2", "libhashkit2", "libpcre2-posix3",
		"pure-ftpd", "pure-ftpd-common", "libsodium23",
		"python3-pyftpdlib", "python3-openssl", "python3-cryptography", "python3-cffi-backend",
	}
}

// Fetch downloads Debian's packages and unpacks them, unless Packages has them.
func (g *Ground) Fetch(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(g.Packages, "complete")); err == nil {
		return nil
	}
	if err := os.MkdirAll(g.Packages, 0o755); err != nil {
		return err
	}
	if _, err := run(ctx, g.Packages, nil, "apt-get", append([]string{"download", "-q"}, debs()...)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(g.Packages, "*.deb"))
	if err != nil || len(files) < len(debs()) {
		return fmt.Errorf("of %d packages there are %d: %v", len(debs()), len(files), err)
	}
	for _, f := range files {
		if _, err := run(ctx, g.Packages, nil, "dpkg", "-x", f, "."); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(g.Packages, "complete"), nil, 0o644)
}

// version is that of a package which Fetch has unpacked.
func (g *Ground) version(ctx context.Context, name string) (string, error) {
	files, err := filepath.Glob(filepath.Join(g.Packages, name+"_*.deb"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("package %s: %q, %v", name, files, err)
	}
	out, err := run(ctx, g.Packages, nil, "dpkg-deb", "-f", files[0], "Version")
	return strings.TrimSpace(out), err
}

// run runs a command that must succeed and returns what it prints.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// certificate writes one for all servers, which nobody vouches for.
func (g *Ground) certificate() error {
	server, _, err := userpi.ThrowAway()
	if err != nil {
		return err
	}
	pair := server.Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return err
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	if g.cert, err = g.file("cert.pem", cert); err == nil {
		g.key, err = g.file("key.pem", key)
	}
	if err == nil {
		g.both, err = g.file("both.pem", key+cert)
	}
	return err
}

// file writes a file that root and the servers' user may read.
func (g *Ground) file(name, text string) (string, error) {
	path := filepath.Join(g.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		return "", err
	}
	return path, lend(path)
}

// lend lets the servers' user read a file of root.
func lend(path string) error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(path, 0, gid)
}

// in is the path of something in the packages.
func (g *Ground) in(elements ...string) string {
	return filepath.Join(append([]string{g.Packages}, elements...)...)
}
