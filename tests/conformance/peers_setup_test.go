package conformance

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// nobody owns what the servers serve that drop their privileges to it.
const nobody = "65534:65534"

// md5Hash is the password's, for the servers that take crypt(3)'s hashes.
const md5Hash = "$1$ab$dslkcXxVH.x8LwW1W/oAB/"

// edgeftp is the program of this tree.
func (g *ground) edgeftp(ctx context.Context, t *testing.T) *peer {
	t.Helper()
	p := g.peer(t, "edgeftp", "(this tree)", "")
	program := filepath.Join(g.dir, "edgeftp.bin")
	sh(t, filepath.Join("..", ".."), "go", "build", "-o", program, "./cmd/edgeftp")
	conf := g.file(t, "edgeftp.yaml", fmt.Sprintf(`version: 1
instance: { state_dir: %q }
listeners:
  - name: main
    protocol: ftp
    address: %q
    tls: { control: optional, data: optional, certificate: files }
    active: { enabled: true }
    hosts: [ftp.example.test]
certificates:
  files:
    - { cert: %q, key: %q }
limits:
  sessions: { per_ip: 1000 }
users:
  list:
    - { name: %s, password_hash: %q, perm: elradfmwMT }
storage:
  - { root: %q }
`, filepath.Join(g.dir, "edgeftp.state"), p.addr, g.cert, g.key, user, bcryptHash, p.root.root))
	p.command = []string{program, "serve", "--config", conf}
	p.setup = "defaults, but TLS as the client likes and active mode on"
	return p
}

// vsftpd runs for a local user of PAM, in a mount namespace of its own where PAM
// lets everybody in.
func (g *ground) vsftpd(t *testing.T) *peer {
	t.Helper()
	p := g.peer(t, "vsftpd", g.version(t, "vsftpd"), "5:60")
	p.user = "games"
	empty := filepath.Join(g.dir, "empty")
	sh(t, g.dir, "mkdir", empty)
	conf := g.file(t, "vsftpd.conf", fmt.Sprintf(`listen=YES
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
max_per_ip=0
xferlog_enable=NO
delay_failed_login=0
async_abor_enable=YES
ascii_download_enable=YES
ascii_upload_enable=YES
ls_recurse_enable=YES
ssl_enable=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
rsa_cert_file=%s
rsa_private_key_file=%s
ssl_ciphers=HIGH
strict_ssl_read_eof=YES
`, p.port(), p.root.root, empty, g.cert, g.key))
	pam := "auth required pam_permit.so\\naccount required pam_permit.so\\nsession required pam_permit.so\\n"
	p.command = []string{"unshare", "-m", "sh", "-c",
		`mount -t tmpfs none /etc/pam.d && printf '` + pam + `' >/etc/pam.d/vsftpd && exec "$0" "$1"`, g.in("usr/sbin/vsftpd"), conf}
	p.setup = "a local user in a chroot; async_abor_enable, ascii_download_enable, ascii_upload_enable, ls_recurse_enable and strict_ssl_read_eof on"
	return p
}

// proftpd runs with the modules that its packages have for what is asked.
func (g *ground) proftpd(t *testing.T) *peer {
	t.Helper()
	p := g.peer(t, "ProFTPD", g.version(t, "proftpd-core"), nobody)
	users := g.file(t, "proftpd.passwd", fmt.Sprintf("%s:%s:65534:65534::%s:/bin/sh\n", user, md5Hash, p.root.root))
	groups := g.file(t, "proftpd.group", "nogroup:x:65534:\n")
	state := filepath.Join(g.dir, "proftpd")
	conf := g.file(t, "proftpd.conf", fmt.Sprintf(`ModulePath %s
LoadModule mod_tls.c
LoadModule mod_site_misc.c
LoadModule mod_copy.c
LoadModule mod_digest.c
LoadModule mod_deflate.c
ServerName test
ServerType standalone
DefaultAddress 127.0.0.1
Port %s
User nobody
Group nogroup
UseIPv6 off
UseReverseDNS off
AuthPAM off
AuthOrder mod_auth_file.c
AuthUserFile %s
AuthGroupFile %s
RequireValidShell off
DefaultRoot ~
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
MaxInstances none
WtmpLog off
TransferLog none
SystemLog %s.log
PidFile %s.pid
ScoreboardFile %s.score
ControlsSocket %s.sock
DelayEngine off
TLSEngine on
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile %s
TLSECCertificateKeyFile %s
TLSRequired off
TLSVerifyClient off
`, g.in("usr/lib/proftpd"), p.port(), users, groups, state, state, state, state, g.cert, g.key))
	p.command = []string{g.in("usr/sbin/proftpd"), "-n", "-c", conf}
	p.setup = "a virtual user in a chroot; mod_tls, mod_site_misc, mod_copy, mod_digest and mod_deflate loaded, uploads may be resumed"
	return p
}

// pureftpd runs for a virtual user.
func (g *ground) pureftpd(t *testing.T) *peer {
	t.Helper()
	p := g.peer(t, "Pure-FTPd", g.version(t, "pure-ftpd"), nobody)
	list := g.file(t, "pure.passwd", fmt.Sprintf("%s:%s:65534:65534::%s/./::::::::::::\n", user, md5Hash, p.root.root))
	base := filepath.Join(g.dir, "pure.pdb")
	sh(t, g.dir, "env", p.env[1], g.in("usr/bin/pure-pw"), "mkdb", base, "-f", list)
	p.command = []string{g.in("usr/sbin/pure-ftpd"), "-S", "127.0.0.1," + p.port(), "-l", "puredb:" + base,
		"-E", "-A", "-H", "-4", "-c", "1000", "-C", "1000", "-I", "10", "-u", "1", "-z", "-Y", "1",
		"-2", g.cert + "," + g.key, "-g", filepath.Join(g.dir, "pure.pid"), "-f", "none"}
	p.setup = "a virtual user in a chroot; TLS as the client likes (`-Y 1`)"
	return p
}

// pyftpdlib runs with its TLS handler.
func (g *ground) pyftpdlib(t *testing.T) *peer {
	t.Helper()
	p := g.peer(t, "pyftpdlib", g.version(t, "python3-pyftpdlib"), "")
	code := g.file(t, "serve.py", strings.NewReplacer("PACKAGES", g.in("usr/lib/python3/dist-packages"),
		"USER", p.user, "PASSWORD", p.password, "ROOT", p.root.root, "PORT", p.port(), "PAIR", filepath.Join(g.dir, "both.pem")).Replace(`
import sys, logging
sys.path[:0] = ['PACKAGES']
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib import handlers, servers
logging.basicConfig(level=logging.WARNING)
h = handlers.TLS_FTPHandler
h.authorizer = DummyAuthorizer()
h.authorizer.add_user('USER', 'PASSWORD', 'ROOT', perm='elradfmwMT')
h.certfile = 'PAIR'
servers.FTPServer(('127.0.0.1', PORT), h).serve_forever()
`))
	p.command = []string{"/usr/bin/python3", code}
	p.setup = "`TLS_FTPHandler` with all permissions, in one asynchronous process"
	return p
}
