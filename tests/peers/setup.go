package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
	for user, hash := range map[string]string{User: crypted, OtherUser: otherCrypted} {
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
	conf := fmt.Sprintf(`listen=YES
listen_address=127.0.0.1
listen_port=%s
background=NO
anonymous_enable=NO
local_enable=YES
local_root=%s
chroot_local_user=YES
allow_writeable_chroot=YES
pam_service_name=vsftpd
nopriv_user=nobody
secure_chroot_dir=%s
write_enable=YES
local_umask=022
max_clients=0
max_per_ip=%d
xferlog_enable=NO
async_abor_enable=YES
ascii_download_enable=YES
ascii_upload_enable=YES
ls_recurse_enable=YES
ssl_enable=YES
force_local_logins_ssl=%s
force_local_data_ssl=%s
rsa_cert_file=%s
rsa_private_key_file=%s
ssl_ciphers=HIGH
strict_ssl_read_eof=YES
`, s.port(), s.Root, empty, site.perAddress(), force, force, g.cert, g.key)
	if !site.Guarded {
		conf += "delay_failed_login=0\n"
	}
	if site.Passive[1] > 0 {
		conf += fmt.Sprintf("pasv_min_port=%d\npasv_max_port=%d\n", site.Passive[0], site.Passive[1])
	}
	return conf
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
	list := ""
	for user, hash := range map[string]string{User: crypted, OtherUser: otherCrypted} {
		list += fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", user, hash, uid, gid, s.Root)
	}
	state := filepath.Join(g.Dir, site.Name+".proftpd")
	for name, text := range map[string]string{".passwd": list, ".group": fmt.Sprintf("nogroup:x:%d:\n", gid)} {
		if err := os.WriteFile(state+name, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	conf, err := g.file(site.Name+".proftpd.conf", proftpdConf(g, s, site, state))
	s.command = []string{g.in("usr/sbin/proftpd"), "-n", "-c", conf}
	s.Setup = "virtual users in a chroot; mod_tls, mod_site_misc, mod_copy, mod_digest and mod_deflate loaded, uploads may be resumed"
	return s, err
}

func proftpdConf(g *Ground, s *Server, site Site, state string) string {
	required := "off"
	if site.RequireTLS {
		required = "on"
	}
	conf := strings.NewReplacer("MODULES", g.in("usr/lib/proftpd"), "PORT", s.port(), "STATE", state, "CERT", g.cert, "KEY", g.key,
		"REQUIRED", required, "SESSIONS", fmt.Sprint(site.perAddress())).Replace(`ModulePath MODULES
LoadModule mod_tls.c
LoadModule mod_site_misc.c
LoadModule mod_copy.c
LoadModule mod_digest.c
LoadModule mod_deflate.c
ServerName test
ServerType standalone
DefaultAddress 127.0.0.1
Port PORT
User nobody
Group nogroup
UseIPv6 off
UseReverseDNS off
AuthPAM off
AuthOrder mod_auth_file.c
AuthUserFile STATE.passwd
AuthGroupFile STATE.group
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
MaxInstances none
MaxClientsPerHost SESSIONS
WtmpLog off
TransferLog none
SystemLog STATE.log
PidFile STATE.pid
ScoreboardFile STATE.score
ControlsSocket STATE.sock
DelayTable STATE.delay
TLSEngine on
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile CERT
TLSECCertificateKeyFile KEY
TLSRequired REQUIRED
TLSVerifyClient off
`)
	if !site.Guarded {
		conf += "DelayEngine off\n"
	}
	if site.Passive[1] > 0 {
		conf += fmt.Sprintf("PassivePorts %d %d\n", site.Passive[0], site.Passive[1])
	}
	return conf
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
	list := ""
	for user, hash := range map[string]string{User: crypted, OtherUser: otherCrypted} {
		list += fmt.Sprintf("%s:%s:%d:%d::%s/./::::::::::::\n", user, hash, uid, gid, s.Root)
	}
	base := filepath.Join(g.Dir, site.Name+".pdb")
	text, err := g.file(site.Name+".pure", list)
	if err != nil {
		return nil, err
	}
	if _, err := run(ctx, g.Dir, s.env, g.in("usr/bin/pure-pw"), "mkdb", base, "-f", text); err != nil {
		return nil, err
	}
	tls := "1"
	if site.RequireTLS {
		tls = "3" // data connections too
	}
	s.command = []string{g.in("usr/sbin/pure-ftpd"), "-S", "127.0.0.1," + s.port(), "-l", "puredb:" + base,
		"-E", "-A", "-H", "-4", "-c", "5000", "-C", fmt.Sprint(site.perAddress()), "-I", "10", "-u", "1", "-z", "-Y", tls,
		"-2", g.cert + "," + g.key, "-g", filepath.Join(g.Dir, site.Name+".pid"), "-f", "none"}
	if site.Passive[1] > 0 {
		s.command = append(s.command, "-p", fmt.Sprintf("%d:%d", site.Passive[0], site.Passive[1]))
	}
	s.Setup = "virtual users in a chroot; TLS as the client likes (`-Y 1`)"
	return s, nil
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
	more := ""
	if site.RequireTLS {
		more += "h.tls_control_required = h.tls_data_required = True\n"
	}
	if !site.Guarded {
		more += "h.auth_failed_timeout = 0\n"
	}
	if site.Passive[1] > 0 {
		more += fmt.Sprintf("h.passive_ports = range(%d, %d)\n", site.Passive[0], site.Passive[1]+1)
	}
	code, err := g.file(site.Name+".py", strings.NewReplacer("PACKAGES", g.in("usr/lib/python3/dist-packages"), "ROOT", s.Root,
		"PORT", s.port(), "PAIR", g.both, "MORE", more, "SESSIONS", fmt.Sprint(site.perAddress())).Replace(`
import sys, logging
sys.path[:0] = ['PACKAGES']
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib import handlers, servers
logging.basicConfig(level=logging.WARNING)
h = handlers.TLS_FTPHandler
h.authorizer = DummyAuthorizer()
for user, password in (('`+User+`', '`+Password+`'), ('`+OtherUser+`', '`+OtherPassword+`')):
    h.authorizer.add_user(user, password, 'ROOT', perm='elradfmwMT')
h.certfile = 'PAIR'
MORE
s = servers.FTPServer(('127.0.0.1', PORT), h)
s.max_cons, s.max_cons_per_ip = 5000, SESSIONS
s.serve_forever()
`))
	s.drop = os.Getuid() == 0
	s.command = []string{"/usr/bin/python3", code}
	s.Setup = "`TLS_FTPHandler` with all permissions, in one asynchronous process"
	return s, err
}
