package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What a packaged server is set up with whatever it is started for.

// vsftpd returns the file that vsftpd is configured by: where it listens, its certificate,
// and more lines. Empty is its secure_chroot_dir.
func (g *Ground) vsftpd(s *Server, empty, more string) string {
	return fmt.Sprintf(`listen=YES
listen_address=127.0.0.1
listen_port=%s
background=NO
nopriv_user=nobody
secure_chroot_dir=%s
write_enable=YES
max_clients=0
xferlog_enable=NO
ssl_enable=YES
rsa_cert_file=%s
rsa_private_key_file=%s
%s`, s.port(), empty, g.cert, g.key, more)
}

// proftpd writes the file that ProFTPD is configured by, for virtual users of root with these
// hashes, and returns what starts it.
func (g *Ground) proftpd(s *Server, name, root string, hashes map[string]string, more string) ([]string, error) {
	state := filepath.Join(g.Dir, name+".proftpd")
	list := ""
	for user, hash := range hashes {
		list += fmt.Sprintf("%s:%s:%d:%d::%s:/bin/sh\n", user, hash, uid, gid, root)
	}
	for end, text := range map[string]string{".passwd": list, ".group": fmt.Sprintf("nogroup:x:%d:\n", gid)} {
		if err := os.WriteFile(state+end, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	conf, err := g.file(name+".proftpd.conf", strings.NewReplacer("MODULES", g.in("usr/lib/proftpd"), "PORT", s.port(), "STATE", state,
		"CERT", g.cert, "KEY", g.key).Replace(`ModulePath MODULES
LoadModule mod_tls.c
`+more+`ServerName test
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
MaxInstances none
WtmpLog off
TransferLog none
SystemLog STATE.log
PidFile STATE.pid
ScoreboardFile STATE.score
ControlsSocket STATE.sock
TLSEngine on
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile CERT
TLSECCertificateKeyFile KEY
TLSVerifyClient off
`))
	return []string{g.in("usr/sbin/proftpd"), "-n", "-c", conf}, err
}

// pureFTPd makes the database of Pure-FTPd's virtual users of root with these hashes, and
// returns what starts it, with more flags.
func (g *Ground) pureFTPd(ctx context.Context, s *Server, name, root string, hashes map[string]string, more ...string) ([]string, error) {
	list := ""
	for user, hash := range hashes {
		list += fmt.Sprintf("%s:%s:%d:%d::%s/./::::::::::::\n", user, hash, uid, gid, root)
	}
	base := filepath.Join(g.Dir, name+".pdb")
	text, err := g.file(name+".pure", list)
	if err != nil {
		return nil, err
	}
	if _, err := run(ctx, g.Dir, s.env, g.in("usr/bin/pure-pw"), "mkdb", base, "-f", text); err != nil {
		return nil, err
	}
	return append([]string{g.in("usr/sbin/pure-ftpd"), "-S", "127.0.0.1," + s.port(), "-l", "puredb:" + base, "-E", "-A", "-H", "-4", "-u", "1", "-z",
		"-2", g.cert + "," + g.key, "-g", filepath.Join(g.Dir, name+".pid"), "-f", "none"}, more...), nil
}

// pyftpdlib writes a program that serves root to users with these passwords by the handler h
// that the lines of more make, on the server s, and returns what starts it.
func (g *Ground) pyftpdlib(s *Server, name, root string, passwords map[string]string, more string) ([]string, error) {
	users := ""
	for user, password := range passwords {
		users += fmt.Sprintf("h.authorizer.add_user(%q, %q, %q, perm='elradfmwMT')\n", user, password, root)
	}
	code, err := g.file(name+".py", fmt.Sprintf(`
import sys, resource, logging
sys.path[:0] = [%q]
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib import handlers, servers
logging.basicConfig(level=logging.WARNING)
address = ('127.0.0.1', %s)
%s
h.authorizer = DummyAuthorizer()
%ss.serve_forever()
`, g.in("usr/lib/python3/dist-packages"), s.port(), more, users))
	s.drop = os.Getuid() == 0
	return []string{"/usr/bin/python3", code}, err
}
