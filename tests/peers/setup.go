package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/edgeftp/edgeftp/edge"
)

// The passwords in the form of crypt(3), for the servers of Debian.
const (
	crypted      = "$1$ab$dslkcXxVH.x8LwW1W/oAB/"
	otherCrypted = "$1$ab$aY8Ksw.FW4lgINDpZKfht1"
)

// Build builds the edgeftp program of this tree, whose root is given, for EdgeFTP.
func (g *Ground) Build(ctx context.Context, tree string) error {
	if _, err := run(ctx, tree, nil, "go", "build", "-o", g.program(), "./cmd/edgeftp"); err != nil {
		return err
	}
	return os.Chmod(g.program(), 0o755)
}

func (g *Ground) program() string { return filepath.Join(g.Dir, "edgeftp.bin") }

// EdgeFTP is the program of this tree with its defaults, but for what site says.
func (g *Ground) EdgeFTP(site Site) (*Server, error) {
	s, err := g.server("edgeftp", site)
	if err != nil {
		return nil, err
	}
	hashes := [2]string{}
	for i, p := range []string{Password, OtherPassword} {
		if hashes[i], err = edge.HashPassword(p); err != nil {
			return nil, err
		}
	}
	tls, ports, telemetry := "optional", "", ""
	if site.RequireTLS {
		tls = "required"
	}
	if site.Passive[1] > 0 {
		ports = fmt.Sprintf("    passive: { ports: %d-%d }\n", site.Passive[0], site.Passive[1])
	}
	if site.Metrics != "" {
		telemetry = fmt.Sprintf("telemetry: { metrics: { listen: %q } }\n", site.Metrics)
	}
	limits := fmt.Sprintf("  sessions: { per_ip: %d }\n", site.perAddress())
	if !site.Guarded {
		limits += "  logins: { delay_after_failure: 0s }\n"
	}
	state := filepath.Join(g.Dir, site.Name+".state")
	conf, err := g.file(site.Name+".yaml", fmt.Sprintf(`version: 1
instance: { state_dir: %q }
listeners:
  - name: main
    protocol: ftp
    address: %q
    tls: { control: %s, data: %s, certificate: files }
    active: { enabled: true }
    hosts: [ftp.example.test]
%scertificates:
  files:
    - { cert: %q, key: %q }
limits:
%susers:
  list:
    - { name: %s, password_hash: %q, perm: elradfmwMT }
    - { name: %s, password_hash: %q, perm: elradfmwMT }
storage:
  - { root: %q }
%s`, state, s.Addr, tls, tls, ports, g.cert, g.key, limits, User, hashes[0], OtherUser, hashes[1], s.Root, telemetry))
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		return nil, err
	}
	s.drop = os.Getuid() == 0
	if s.drop {
		err = os.Chown(state, uid, gid)
	}
	s.Version, s.command = "(this tree)", []string{g.program(), "serve", "--config", conf}
	if os.Geteuid() == 0 { // as the peers, which become somebody else by themselves
		s.command = append(s.command, "--allow-root")
	}
	s.Setup = "defaults, but TLS as the client likes and active mode on"
	return s, err
}

// VSFTPD runs for local users of PAM, in a mount namespace of its own that has these
// users alone.
func (g *Ground) VSFTPD(ctx context.Context, site Site) (*Server, error) {
	s, err := g.server("vsftpd", site)
	if err != nil {
		return nil, err
	}
	if s.Version, err = g.version(ctx, "vsftpd"); err != nil {
		return nil, err
	}
	etc := filepath.Join(g.Dir, site.Name+".etc")
	if err := os.MkdirAll(filepath.Join(etc, "empty"), 0o755); err != nil {
		return nil, err
	}
	passwd, shadow := "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n", "root:*:19000::::::\nnobody:*:19000::::::\n"
	for user, hash := range hashed() {
		passwd += fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", user, uid, gid, s.Root)
		shadow += fmt.Sprintf("%s:%s:19000::::::\n", user, hash)
	}
	pam := "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n"
	conf := vsftpdConf(g, s, site, filepath.Join(etc, "empty"))
	for name, text := range map[string]string{"passwd": passwd, "shadow": shadow, "pam": pam, "conf": conf} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if err := g.share(ctx, filepath.Dir(s.Root)); err != nil {
		return nil, err
	}
	s.command = []string{"unshare", "-m", "--propagation", "slave", "sh", "-c", `set -e
mount -t tmpfs none /etc/pam.d; cp "$0/pam" /etc/pam.d/vsftpd
mount --bind "$0/passwd" /etc/passwd; mount --bind "$0/shadow" /etc/shadow
exec "$1" "$0/conf"`, etc, g.in("usr/sbin/vsftpd")}
	s.Setup = "local users in a chroot; async_abor_enable, ascii_download_enable, ascii_upload_enable, ls_recurse_enable and strict_ssl_read_eof on"
	return s, nil
}

func vsftpdConf(g *Ground, s *Server, site Site, empty string) string {
	force := "NO"
	if site.RequireTLS {
		force = "YES"
	}
	more := fmt.Sprintf(`anonymous_enable=NO
local_enable=YES
local_root=%s
chroot_local_user=YES
allow_writeable_chroot=YES
pam_service_name=vsftpd
local_umask=022
max_per_ip=%d
async_abor_enable=YES
ascii_download_enable=YES
ascii_upload_enable=YES
ls_recurse_enable=YES
force_local_logins_ssl=%s
force_local_data_ssl=%s
ssl_ciphers=HIGH
strict_ssl_read_eof=YES
`, s.Root, site.perAddress(), force, force)
	if !site.Guarded {
		more += "delay_failed_login=0\n"
	}
	if site.Passive[1] > 0 {
		more += fmt.Sprintf("pasv_min_port=%d\npasv_max_port=%d\n", site.Passive[0], site.Passive[1])
	}
	return g.vsftpd(s, empty, more)
}

// hashed are both users with the hashes of their passwords.
func hashed() map[string]string {
	return map[string]string{User: crypted, OtherUser: otherCrypted}
}

// ProFTPD runs for virtual users, with the modules that its packages have.
func (g *Ground) ProFTPD(ctx context.Context, site Site) (*Server, error) {
	s, err := g.server("ProFTPD", site)
	if err != nil {
		return nil, err
	}
	if s.Version, err = g.version(ctx, "proftpd-core"); err != nil {
		return nil, err
	}
	required := "off"
	if site.RequireTLS {
		required = "on"
	}
	more := fmt.Sprintf(`LoadModule mod_site_misc.c
LoadModule mod_copy.c
LoadModule mod_digest.c
LoadModule mod_deflate.c
AllowStoreRestart on
AllowRetrieveRestart on
MaxClientsPerHost %d
DelayTable STATE.delay
TLSRequired %s
`, site.perAddress(), required)
	if !site.Guarded {
		more += "DelayEngine off\n"
	}
	if site.Passive[1] > 0 {
		more += fmt.Sprintf("PassivePorts %d %d\n", site.Passive[0], site.Passive[1])
	}
	s.command, err = g.proftpd(s, site.Name, s.Root, hashed(), more)
	s.Setup = "virtual users in a chroot; mod_tls, mod_site_misc, mod_copy, mod_digest and mod_deflate loaded, uploads may be resumed"
	return s, err
}

// PureFTPd runs for virtual users.
func (g *Ground) PureFTPd(ctx context.Context, site Site) (*Server, error) {
	s, err := g.server("Pure-FTPd", site)
	if err != nil {
		return nil, err
	}
	if s.Version, err = g.version(ctx, "pure-ftpd"); err != nil {
		return nil, err
	}
	tls := "1"
	if site.RequireTLS {
		tls = "3" // data connections too
	}
	more := []string{"-c", "5000", "-C", fmt.Sprint(site.perAddress()), "-I", "10", "-Y", tls}
	if site.Passive[1] > 0 {
		more = append(more, "-p", fmt.Sprintf("%d:%d", site.Passive[0], site.Passive[1]))
	}
	s.command, err = g.pureFTPd(ctx, s, site.Name, s.Root, hashed(), more...)
	s.Setup = "virtual users in a chroot; TLS as the client likes (`-Y 1`)"
	return s, err
}

// Pyftpdlib runs with its TLS handler.
func (g *Ground) Pyftpdlib(ctx context.Context, site Site) (*Server, error) {
	s, err := g.server("pyftpdlib", site)
	if err != nil {
		return nil, err
	}
	if s.Version, err = g.version(ctx, "python3-pyftpdlib"); err != nil {
		return nil, err
	}
	more := fmt.Sprintf("h = handlers.TLS_FTPHandler\nh.certfile = %q\n", g.both)
	if site.RequireTLS {
		more += "h.tls_control_required = h.tls_data_required = True\n"
	}
	if !site.Guarded {
		more += "h.auth_failed_timeout = 0\n"
	}
	if site.Passive[1] > 0 {
		more += fmt.Sprintf("h.passive_ports = range(%d, %d)\n", site.Passive[0], site.Passive[1]+1)
	}
	more += fmt.Sprintf("s = servers.FTPServer(address, h)\ns.max_cons, s.max_cons_per_ip = 5000, %d\n", site.perAddress())
	s.command, err = g.pyftpdlib(s, site.Name, s.Root, map[string]string{User: Password, OtherUser: OtherPassword}, more)
	s.Setup = "`TLS_FTPHandler` with all permissions, in one asynchronous process"
	return s, err
}
