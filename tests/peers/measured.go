package peers

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// quick is the hash of Password with as little work as the format has, so that
// logins measure the server and not argon2id; the peers' hashes are as cheap.
const quick = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$39tbUSD70LTTCIyCWo9t5sDidhNPptw1P94ISzTyALc"

// many is the limit of sessions where none is to be met.
const many = 20000

// Measured is how a server is set up to be measured against others: limits, delays,
// logs and the resumption of TLS sessions by data connections are out of the way,
// passwords cost nothing, and all serve one directory.
type Measured struct {
	// Name is that of the server's files in the ground, and so is used once.
	Name string
	// Root is what is served as /. It is the caller's and stays.
	Root string
	// Rate limits each session, in bytes a second in each direction; 0 does not.
	Rate int64
	// Program is an edgeftp to run instead of that of Build.
	Program string
	// Durability is edgeftp's; empty is none, as no peer syncs.
	Durability string
	// Memory is edgeftp's budget; empty is what it finds for itself.
	Memory string
	// Env is of edgeftp's process, beside the environment.
	Env []string
	// More is text behind edgeftp's configuration.
	More string
	// Hashes are further users of edgeftp, user0, user1, and so on, by the hashes of
	// their passwords.
	Hashes []string
}

// Lend gives a file or directory to the user as which servers run that root starts.
func Lend(path string) error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(path, uid, gid)
}

// measured prepares what all have.
func (g *Ground) measured(name string, m Measured) (*Server, error) {
	s, err := g.server(name, Site{Name: m.Name})
	if err != nil {
		return nil, err
	}
	s.Root, s.Owner, s.User, s.Password = m.Root, "", User, Password
	return s, nil
}

// MeasuredEdgeFTP is the program of Build, or another one.
func (g *Ground) MeasuredEdgeFTP(m Measured) (*Server, error) {
	s, err := g.measured("edgeftp", m)
	if err != nil {
		return nil, err
	}
	state := filepath.Join(g.Dir, m.Name+".state")
	if err := os.Mkdir(state, 0o700); err != nil {
		return nil, err
	}
	if err := Lend(state); err != nil {
		return nil, err
	}
	durability, memory, bandwidth := cmp.Or(m.Durability, "none"), cmp.Or(m.Memory, "auto"), ""
	if m.Rate > 0 {
		bandwidth = fmt.Sprintf("bandwidth: { session_default: { down: %dB, up: %dB } }\n", m.Rate, m.Rate)
	}
	var users strings.Builder
	for i, hash := range append([]string{quick}, m.Hashes...) {
		name := User
		if i > 0 {
			name = fmt.Sprint("user", i-1)
		}
		fmt.Fprintf(&users, "    - { name: %s, password_hash: %q, perm: elradfmwMT }\n", name, hash)
	}
	conf, err := g.file(m.Name+".yaml", fmt.Sprintf(`version: 1
instance: { state_dir: %q }
listeners:
  - name: main
    protocol: ftp
    address: %q
    tls: { control: optional, data: optional, certificate: files, session_reuse: off }
certificates:
  files:
    - { cert: %q, key: %q }
limits:
  sessions: { per_ip: %d, total: %d }
  descriptors: 0
  memory: %s
  timeouts: { idle: 15m }
  logins: { delay_after_failure: 0s }
defender: { allow: [127.0.0.0/8] }
telemetry: { log: { level: warn } }
users:
  list:
%sstorage:
  - { root: %q, durability: %s }
%s%s`, state, s.Addr, g.cert, g.key, many, many, memory, users.String(), m.Root, durability, bandwidth, m.More))
	if err != nil {
		return nil, err
	}
	s.Version, s.command = "(this tree)", []string{g.program(), "serve", "--config", conf}
	if m.Program != "" {
		s.Version, s.command[0] = "("+m.Program+")", m.Program
	}
	s.drop, s.env = os.Getuid() == 0, append(s.env, m.Env...)
	s.Setup = "no syncs, no limits, data connections need not resume TLS; a password hash that costs nothing"
	return s, nil
}

// MeasuredVSFTPD lets anonymous users do everything, which spares it PAM.
func (g *Ground) MeasuredVSFTPD(ctx context.Context, m Measured) (*Server, error) {
	s, err := g.measured("vsftpd", m)
	if err != nil {
		return nil, err
	}
	if s.Version, err = g.version(ctx, "vsftpd"); err != nil {
		return nil, err
	}
	s.User, s.Password = "anonymous", "dev@example.test"
	etc := filepath.Join(g.Dir, m.Name+".etc")
	if err := os.MkdirAll(filepath.Join(etc, "empty"), 0o755); err != nil {
		return nil, err
	}
	passwd := fmt.Sprintf("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nftp:x:%d:%d::%s:/bin/false\n", uid, gid, m.Root)
	conf := g.vsftpd(s, filepath.Join(etc, "empty"), fmt.Sprintf(`anonymous_enable=YES
local_enable=NO
anon_root=%s
ftp_username=ftp
anon_upload_enable=YES
anon_other_write_enable=YES
anon_mkdir_write_enable=YES
anon_umask=022
anon_world_readable_only=NO
max_per_ip=0
idle_session_timeout=900
allow_anon_ssl=YES
force_anon_logins_ssl=NO
force_anon_data_ssl=NO
ssl_ciphers=ECDHE-ECDSA-AES128-GCM-SHA256:HIGH
require_ssl_reuse=NO
anon_max_rate=%d
`, m.Root, m.Rate))
	for name, text := range map[string]string{"passwd": passwd, "conf": conf} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	s.command = []string{"unshare", "-m", "sh", "-c", `mount --bind "$0/passwd" /etc/passwd && exec "$1" "$0/conf"`, etc, g.in("usr/sbin/vsftpd")}
	s.Setup = "anonymous users in a chroot who may write, `require_ssl_reuse=NO`, no log"
	return s, nil
}

// MeasuredPureFTPd has a virtual user.
func (g *Ground) MeasuredPureFTPd(ctx context.Context, m Measured) (*Server, error) {
	s, err := g.measured("Pure-FTPd", m)
	if err != nil {
		return nil, err
	}
	if s.Version, err = g.version(ctx, "pure-ftpd"); err != nil {
		return nil, err
	}
	more := []string{"-c", fmt.Sprint(many), "-C", fmt.Sprint(many), "-I", "30", "-L", "300000:5", "-Y", "1"}
	if m.Rate > 0 {
		more = append(more, "-T", fmt.Sprintf("%d:%d", m.Rate>>10, m.Rate>>10))
	}
	s.command, err = g.pureFTPd(ctx, s, m.Name, m.Root, map[string]string{User: crypted}, more...)
	s.Setup = "one virtual user in a chroot with an md5 password, no names of hosts (`-H`), `-Y 1`, limits raised, no log"
	return s, err
}

// MeasuredProFTPD has a virtual user.
func (g *Ground) MeasuredProFTPD(ctx context.Context, m Measured) (*Server, error) {
	s, err := g.measured("ProFTPD", m)
	if err != nil {
		return nil, err
	}
	if s.Version, err = g.version(ctx, "proftpd-core"); err != nil {
		return nil, err
	}
	more := `TimeoutIdle 900
TimeoutNoTransfer 900
TimeoutStalled 900
DelayEngine off
UseSendfile on
TLSOptions NoSessionReuseRequired
TLSRequired off
`
	if m.Rate > 0 {
		more += fmt.Sprintf("TransferRate RETR %d\nTransferRate STOR %d\n", m.Rate>>10, m.Rate>>10)
	}
	s.command, err = g.proftpd(s, m.Name, m.Root, map[string]string{User: crypted}, more)
	s.Setup = "one virtual user in a chroot with an md5 password, `UseSendfile on`, `DelayEngine off`, no names of hosts, no log"
	return s, err
}

// MeasuredPyftpdlib is its asynchronous server in one process.
func (g *Ground) MeasuredPyftpdlib(ctx context.Context, m Measured) (*Server, error) {
	s, err := g.measured("pyftpdlib", m)
	if err != nil {
		return nil, err
	}
	if s.Version, err = g.version(ctx, "python3-pyftpdlib"); err != nil {
		return nil, err
	}
	more := fmt.Sprintf("h = handlers.TLS_FTPHandler\nh.certfile = %q\n", g.both)
	if m.Rate > 0 {
		more = fmt.Sprintf("h = handlers.FTPHandler\nh.dtp_handler = handlers.ThrottledDTPHandler\nh.dtp_handler.read_limit = h.dtp_handler.write_limit = %d\n", m.Rate)
	}
	more += fmt.Sprintf(`h.timeout = 900
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
s = servers.FTPServer(address, h, backlog=4096)
s.max_cons, s.max_cons_per_ip = %d, 0
`, many)
	s.command, err = g.pyftpdlib(s, m.Name, m.Root, map[string]string{User: Password}, more)
	s.Setup = "`FTPServer` in one asynchronous process, its TLS handler (throttled: its throttled one, in the clear), `max_cons` lifted"
	return s, err
}

// Command is any other server, which runs by a command with env beside the
// environment. It serves what root says to user and listens at addr.
func (g *Ground) Command(name, root, addr string, env, command []string) (*Server, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil || len(command) == 0 {
		return nil, fmt.Errorf("server %s: address %q, command %q\n   = help: say HOST:PORT and a command", name, addr, command)
	}
	return &Server{Name: name, Version: "(" + command[0] + ")", Root: root, Addr: addr, User: User, Password: Password,
		dir: g.Dir, command: command, env: env, Setup: strings.Join(command, " ")}, nil
}

// Certificate is the pair of files that all servers of the ground show.
func (g *Ground) Certificate() (cert, key string) { return g.cert, g.key }
