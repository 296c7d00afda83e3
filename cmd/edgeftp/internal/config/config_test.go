package config

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/delivery"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// fakeInfo is a file or directory of the test machine.
type fakeInfo struct {
	fs.FileInfo
	dir, open bool // open to everybody's writing
}

func (f fakeInfo) Mode() fs.FileMode {
	if f.open {
		return fs.ModeDir | 0o777
	}
	return fs.ModeDir | 0o755
}

func (f fakeInfo) IsDir() bool { return f.dir }

// testMachine is a machine that has the directories /srv, /srv/no/${x} and /etc,
// the given files, and nothing else.
func testMachine(files, env map[string]string) outside {
	return outside{
		list: func(dir string) error {
			if files[dir] == "closed dir" {
				return &fs.PathError{Op: "open", Path: dir, Err: errors.New("permission denied")}
			}
			return nil
		},
		bind: func(address string) error {
			if strings.HasSuffix(address, ":8021") {
				return &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}
			}
			return &net.OpError{Op: "listen", Err: syscall.EACCES}
		},
		congestion: func() dtp.Algorithms {
			return dtp.Algorithms{Known: []string{"reno", "cubic", "bbr", "vegas"}, Free: []string{"reno", "bbr"}}
		},
		isRoot:  func() bool { return true },
		running: func(socket string) bool { return strings.HasPrefix(socket, "/run/") },
		getenv:  func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		read: func(path string, _ int64) ([]byte, error) {
			if s, ok := files[path]; ok {
				return []byte(s), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("no such file or directory")}
		},
		stat: func(path string) (fs.FileInfo, error) {
			if content, ok := files[path]; ok {
				return fakeInfo{dir: content == "dir" || content == "open dir" || content == "closed dir", open: content == "open dir"}, nil
			}
			if path == "/srv" || path == "/etc" || path == "/srv/no/${x}" {
				return fakeInfo{dir: true}, nil
			}
			return nil, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
		},
		real: func(path string) string { return path },
	}
}

// parse reads data as the file name in dir.
func parse(name, dir string, data []byte, machine outside) (*Config, error) {
	s, err := newSchema()
	if err != nil {
		return nil, err
	}
	return s.parse(name, dir, data, machine)
}

// golden compares got with a file; UPDATE_GOLDEN=1 in the environment writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestBrokenFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	machine := corpusMachine()
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			conf, err := s.parse(filepath.Base(name), "/etc", data, machine)
			var e *Error
			if conf != nil || !errors.As(err, &e) || e.Usage() {
				t.Fatalf("got %v, %v", conf, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the message shows what stood behind ${}")
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

// badUsers is a file of users with a fault in each line.
const badUsers = `version: 2
users:
  - { name: a, password: secret, password_hash: "plain", perm: xyz }
  - { name: b, root: nowhere, password_hash: "${env:NONE}" }
  - { name: b, certificates: [abc], quota: { bytes: 5 } }
  - 7
  - { name: d, home: in, disabled: 1 }
`

const bcryptHash = "$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

// full is what testdata/full.yaml says.
func full() *Config {
	c := fullWithout()
	c.Hosts = []Host{
		{Name: "tenant", Names: []string{"ftp.tenant.example", "*.xn--bcher-kva.example"}, Listeners: []string{"implicit", "public"}, Root: "/srv", Shared: true,
			Banner: "A tenant's.\nBe kind.", Certificates: c.Certificates[:1], Limits: edge.HostLimits{Sessions: 9, SessionsPerUser: -1},
			Bandwidth: edge.Rates{Down: 1e6, Up: 2e6}, Users: c.Users[:2], Groups: c.Groups, Defaults: c.Defaults, Anonymous: c.Anonymous},
		{Name: "small", Root: "/etc", Shared: true, Defaults: Defaults{Perms: policy.PermReadOnly},
			Anonymous: Anonymous{Enabled: true, Perms: policy.PermReadOnly, Home: "/"}},
	}
	c.Listeners[0].Host, c.Listeners[0].StrictHosts = "small", true
	c.Policies.Modules[0].Hosts = []string{"tenant", "default"}
	c.Sinks, c.Notify = fullSinks()
	return c
}

// fullSinks are the webhooks of full.
func fullSinks() ([]Webhook, Notify) {
	url, hash := Secret{value: "http://127.0.0.1:9/hook-path", from: "${cred:hook}"}, Secret{value: bcryptHash, from: "${cred:hash}"}
	sinks := []Webhook{{Name: "archive", URL: url, Secret: hash, Headers: map[string]Secret{"Authorization": hash}, On: []string{"file_received", "login_failed"},
		Retry: 2 * time.Hour, Timeout: 3 * time.Second, Private: true},
		{Name: "hooks.example.org", URL: Secret{value: "https://hooks.example.org/ftp"}, Retry: 24 * time.Hour, Timeout: 10 * time.Second}}
	return sinks, Notify{CertExpiry: 30 * 24 * time.Hour, DiskFreeBelow: 12.5, To: []Webhook{{Name: "ops", URL: url, Secret: hash, Headers: map[string]Secret{"X-Key": hash},
		On: []string{"disk_low"}, Retry: time.Hour, Timeout: time.Second, Private: true}}}
}

// fullWithout is full without virtual hosts.
func fullWithout() *Config {
	readOnly := policy.Perms(policy.PermReadOnly)
	return &Config{
		Instance: Instance{Name: "fra-1", StateDir: "/var/lib/edgeftp", DrainTimeout: 90 * time.Minute, User: "990:991", AllowRoot: true},
		Listeners: []Listener{{
			Name: "public", Protocol: ProtocolFTP, Congestion: "reno", Addresses: []string{":21", "[::]:21"}, Hosts: []string{"ftp.example.org", "[2001:db8::1]"},
			Banner: "Welcome to ${here}\nBe kind.",
			TLS: TLS{Control: "required", Data: "optional", Certificate: "files", MinVersion: "1.3", SessionReuse: "prefer",
				Ciphers: []string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}, ClientCerts: "optional", ClientCA: "/etc/clients.pem", StrictSNI: true},
			Passive: Passive{Ports: []PortSpan{{50000, 50009}, {50100, 50100}}, SamePeer: false, Timeout: 10 * time.Second, Backlog: 5,
				Advertise: edge.Advertise{Address: "203.0.113.9", ByLocal: map[netip.Addr]string{netip.MustParseAddr("10.0.0.1"): "256.256.256.256"},
					ByClient: map[netip.Prefix]string{netip.MustParsePrefix("10.0.0.0/8"): "10.0.0.5", netip.MustParsePrefix("2001:db8::7/128"): "ftp.example.org"}}},
			Active:   Active{Enabled: true, PrivilegedPorts: true, ForeignAddresses: true, ReplacePrivate: true, Timeout: 500 * time.Millisecond},
			Proxy:    Proxy{Mode: "required", Trusted: networks([]string{"10.0.0.0/8", "2001:db8::1"}), Timeout: 2500 * time.Millisecond},
			Encoding: edge.Encoding{Name: "iso-8859-1", OnError: "replace"}, LocalTime: true,
			Unlisted: []string{"SITE CHMOD", "MFMT"}, Optional: []string{"SITE SYMLINK"},
		}, {
			Name: "implicit", Protocol: ProtocolFTP, Implicit: true, Addresses: []string{"127.0.0.1:990"}, Banner: "edgeftp ready.",
			TLS: TLS{Control: "required", Data: "required", Certificate: "auto", DefaultName: "ftp.example.org", FallbackName: "a.files.example.org",
				MinVersion: "1.2", SessionReuse: "auto", ClientCerts: "off"},
			Passive: Passive{Ports: []PortSpan{{50000, 50000}, {50010, 50019}}, SamePeer: true, Reuse: true, Timeout: 30 * time.Second},
			Active:  Active{Timeout: 30 * time.Second}, Proxy: noProxy(), Encoding: edge.Encoding{Name: "utf-8"},
		}, {
			Name: "local", Protocol: ProtocolFTP, Addresses: []string{"localhost:2121"}, Banner: "edgeftp ready.",
			TLS:     plainTLS("off"),
			Passive: Passive{SamePeer: true, Reuse: true}, Proxy: noProxy(), Encoding: edge.Encoding{Name: "utf-8"},
		}, {
			Name: "web", Protocol: ProtocolHTTP, Addresses: []string{":443"}, Banner: "edgeftp ready.", TLS: plainTLS("required"), HTTP3: true,
			Passive: Passive{SamePeer: true, Reuse: true, Timeout: 30 * time.Second}, Active: Active{Timeout: 30 * time.Second},
			Proxy: Proxy{Mode: "optional", Trusted: networks([]string{"10.0.0.2"}), Timeout: 3 * time.Second, Data: true}, Encoding: edge.Encoding{Name: "utf-8"},
			Delivery: &Delivery{Anonymous: "anonymous", Basic: true, BasicInClear: true, Cache: []delivery.Rule{{Pattern: "*.iso", Header: "public, max-age=3600"}},
				Attachments: []string{"/pub/**", "*.html"}, HSTS: 365 * 24 * time.Hour},
			QUIC: &QUIC{Handshakes: 10, ControlSessions: 2, Streams: 4, Requests: 5, Idle: 30 * time.Second, Unused: time.Minute},
		}, {
			Name: "quic", Protocol: ProtocolQUIC, Addresses: []string{":443"}, Banner: "edgeftp ready.", TLS: plainTLS("required"),
			Passive: Passive{SamePeer: true, Reuse: true, Timeout: 30 * time.Second}, Active: Active{Timeout: 30 * time.Second}, Proxy: noProxy(), Encoding: edge.Encoding{Name: "utf-8"},
			QUIC: &QUIC{Handshakes: 10, ControlSessions: 2, Streams: 4, Requests: 5, Idle: 30 * time.Second, Unused: time.Minute},
		}},
		ACME:         fullACME(),
		Certificates: []CertFile{{Cert: "/etc/c.pem", Key: "/run/keys/k.pem"}, {Cert: "/etc/clients.pem", Key: "/etc/clients.pem", Watch: true}},
		Limits: Limits{Sessions: 100, SessionsPerIP: 5, SessionsPerUser: 4, Idle: 24 * time.Hour, Login: time.Second, Stall: 0, Awake: 2 * time.Second,
			LoginAttempts: 1, LoginDelay: 0, LoginsParallel: 2, LoginsRemember: 90 * time.Second, Listing: Listing{Matches: 1, Directories: 2, Depth: 0, Time: 3 * time.Second, Sort: 5},
			Commands: 50, CommandsPerIP: 500, Memory: 256 << 20, Descriptors: 4096, MinRate: edge.Rates{Down: 1000, Up: 500}, MinRateOver: time.Minute,
			HashesParallel: 3},
		Defender: Defender{Enabled: true, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")},
			Deny: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}, Score: 7, Within: time.Hour, Ban: 2 * time.Hour, Longest: 48 * time.Hour},
		Bandwidth: edge.Bandwidth{Server: edge.Rates{Down: 1e9}, Listeners: map[string]edge.Rates{"public": {Down: 800e6}, "local": {}},
			User: edge.Rates{Down: 50e6, Up: 20e6}, Session: edge.Rates{Up: 10 << 20}, Transfer: edge.Rates{Down: 1e6, Up: 2e6}},
		HideDotFiles: true, Transfer: Transfer{Buffer: 64 << 10, Binary: true, Deflate: true, MaxRatio: 0, Checksums: []pi.Digest{pi.CRC32, pi.SHA256}},
		Root: "/srv", ReadOnly: true, Durability: vfs.DurabilityFile, Mounts: vfs.MountsRefuse,
		Folders: []Folder{{Path: "/archive", Root: "/etc", ReadOnly: true}, {Path: "/archive/mine", Root: "/srv/no/$${x}"}},
		Defaults: Defaults{Root: "/srv/${user}/$${x}", Perms: policy.PermReadOnly | policy.PermWrite,
			Quota: Quota{Bytes: 50e9, Files: 1000, DayBytes: 1e9, DayFiles: 10, MonthBytes: 2e9, MonthFiles: 20},
			Umask: "027", Folders: []Folder{{Path: "/own", Root: "/srv/own/${user}"}, {Path: "/pub/all", Root: "/srv", ReadOnly: true}},
			Access: Access{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, DenyNetworks: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")},
				TLS: Demands{"required", "listener", "1.3", "required"}}},
		Groups: []Group{{"staff", Quota{Bytes: 1e12, Files: 1, DayBytes: 1, DayFiles: 2, MonthBytes: 2, MonthFiles: 3}, []Folder{{Path: "/staff", Root: "/srv", ReadOnly: true}},
			Access{Networks: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, DenyNetworks: []netip.Prefix{netip.MustParsePrefix("2001:db8:7::/48")},
				TLS: Demands{"listener", "required", "listener", "listener"}}}, {Name: "other"}},
		Users: []User{
			{Name: "alice", PasswordHash: bcryptHash, Certificates: []string{digest}, Perms: policy.PermReadOnly, Root: "/srv", Home: "/pub", Group: "staff",
				Quota:       &Quota{Bytes: 1e9, Files: 3, DayBytes: 1e6, DayFiles: 4, MonthBytes: 2e6, MonthFiles: 5},
				Rules:       []policy.PathRule{{Dir: "/in", Perms: policy.PermCwd | policy.PermWrite, Recursive: true}, {Dir: "/secret"}},
				MaxSessions: 3, Limits: policy.Limits{RateDown: 50e6, RateUp: 512 << 10, MaxFileSize: 1500},
				TLS: Demands{"required", "required", "1.3", "required"}, Umask: "002",
				Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}, DenyNetworks: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")},
				Folders: []Folder{{Path: "/projects", Root: "/srv", ReadOnly: true, Perms: &readOnly}, {Path: "/drop", Root: "/srv/${user}", Perms: new(policy.Perms)}},
				Lenient: policy.Lenience{Resumption: true, CloseNotify: true}, Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
				MsgLogin: "Hello.\n220 Be kind.", MsgQuit: "Bye.", Disabled: true, Note: "On leave until May.", Source: SourceList},
			{Name: "no", PasswordHash: bcryptHash, Perms: policy.PermReadOnly | policy.PermWrite, Root: "/srv/no/${x}", Home: "/", Quota: &Quota{}, Source: SourceList},
			{Name: "bob", PasswordHash: bcryptHash, Perms: policy.PermReadOnly | policy.PermWrite, Root: "/srv", Home: "/", Source: SourceFile},
		},
		Sources: []string{SourceList, SourceFile, SourceStore, SourcePolicies}, UsersFile: "/run/users.yaml",
		Shadowed: []Shadowed{{Name: "alice", Source: SourceFile, By: SourceList}},
		Anonymous: Anonymous{Enabled: true, Perms: policy.PermCwd | policy.PermRead | policy.PermWrite, AllowWrite: true, Root: "/etc", Home: "/in",
			MaxSessions: 7, Limits: policy.Limits{RateDown: 2 << 30, RateUp: 1e6, MaxFileSize: 1 << 20}, MsgLogin: "Hi.", MsgQuit: "Ho."},
		Policies:  fullPolicies(),
		Metrics:   Metrics{Listen: "127.0.0.1:9121", Path: "/m"},
		AccessLog: AccessLog{File: "/var/log/edgeftp/xferlog", Format: "json", Commands: true},
		Events:    "/var/log/edgeftp/events.json",
		Socket:    "/run/edgeftp/admin.sock",
		Log:       Log{Format: "human", Level: "debug", Prefix: "%(remote_ip)s-[%(username)s]", File: "/var/log/edgeftp/server.log", Commands: "all", Redact: []string{"path"}},
		Admin:     fullAdmin(),
		Audit:     Audit{File: "/var/log/edgeftp/audit.jsonl", MaxSize: 1 << 30},
		Languages: Languages{Default: "de", Catalogues: []string{"/etc/de-AT.json"}},
		Sandbox:   Sandbox{Landlock: "required"},
	}
}

const digest = "9f3ac2e1d4b5a6978877665544332211ffeeddccbbaa00998877665544332211"

func defaultTransfer() Transfer {
	return Transfer{Sendfile: true, NoDelay: true, Deflate: true, MaxRatio: 200, Checksums: pi.Digests()}
}

func defaultNotify() Notify {
	return Notify{CertExpiry: 14 * 24 * time.Hour, DiskFreeBelow: 5, PolicyRollback: true, PassivePorts: true}
}

func defaultDefender() Defender {
	return Defender{Enabled: true, Score: 150, Within: 30 * time.Minute, Ban: 15 * time.Minute, Longest: 24 * time.Hour}
}

func defaultListing() Listing {
	return Listing{Matches: 10_000, Directories: 1000, Depth: 8, Time: 10 * time.Second, Sort: 1000}
}

// plainTLS is what a listener has that only says how much TLS it wants.
func plainTLS(required string) TLS {
	return TLS{Control: required, Data: required, Certificate: "dev", MinVersion: "1.2", SessionReuse: "auto", ClientCerts: "off"}
}

func fullMachine() outside {
	return testMachine(map[string]string{
		"/srv/alice": "dir", "/etc/c.pem": "", "/run/keys/k.pem": "", "/etc/roots.pem": testRoots(), "/etc/mac": "Z2hp\n", "/etc/tsig": "aHVudGVyMiBrZXk=\n", "/etc/clients.pem": "", "/etc/de-AT.json": `{"language":"de-AT","name":"Deutsch (Österreich)","texts":{"Goodbye.":"Servus."}}`, "/etc/guard.wasm": "", "/etc/guard.sig": "", "/lib/modules.d": "dir", "/lib/second": "dir", "/run/users.yaml": "version: 1\nusers:\n  - { name: bob, password_hash: \"${cred:hash}\", root: /srv }\n  - { name: alice, root: /srv, password_hash: \"${cred:hash}\" }\n", "/etc/signers.pub": "untrusted comment: x\n" + signer + "\n", "/etc/hash": bcryptHash + "\n", "/run/cred/hash": bcryptHash, "/run/cred/hook": "http://127.0.0.1:9/hook-path",
	}, map[string]string{"STATE_DIRECTORY": "/var/lib/edgeftp", "KEYS": "/run/keys", "MAC": "YWJj", "ALG": "hmac-sha", "CREDENTIALS_DIRECTORY": "/run/cred"})
}

func TestFullFile(t *testing.T) {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse("full.yaml", "/etc", data, fullMachine())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got, alike()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	const least = "version: 1\nlisteners: [{ name: a, address: \":21\" }]\nstorage: [{ root: /srv }]\nusers: { anonymous: { enabled: true } }\n"
	got, err := parse("c", "/etc", []byte(least), testMachine(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Instance: Instance{Name: "edgeftp", StateDir: "/etc/.edgeftp", DrainTimeout: 10 * time.Minute},
		Listeners: []Listener{{
			Name: "a", Protocol: ProtocolFTP, Addresses: []string{":21"}, Banner: "edgeftp ready.", TLS: plainTLS("required"), Encoding: edge.Encoding{Name: "utf-8"},
			Passive: Passive{SamePeer: true, Reuse: true, Timeout: 30 * time.Second}, Active: Active{Timeout: 30 * time.Second}, Proxy: noProxy(),
		}},
		Transfer: defaultTransfer(),
		Limits: Limits{Sessions: 5000, SessionsPerIP: 20, Idle: 5 * time.Minute, Login: 30 * time.Second, Stall: time.Minute, Awake: 250 * time.Millisecond,
			LoginAttempts: 3, LoginDelay: 3 * time.Second, LoginsRemember: time.Minute, Listing: defaultListing(),
			Memory: Auto, Descriptors: Auto, MinRateOver: 30 * time.Second, HashTime: 5 * time.Minute},
		Defender: defaultDefender(),
		Root:     "/srv", Defaults: Defaults{Perms: policy.PermReadOnly}, Sources: []string{SourceList, SourceStore, SourcePolicies},
		Anonymous: Anonymous{Enabled: true, Perms: policy.PermReadOnly, Home: "/"},
		Metrics:   Metrics{Path: "/metrics"}, AccessLog: AccessLog{Format: "xferlog"},
		Sandbox:  Sandbox{Landlock: "on", Seccomp: true},
		Policies: Policies{History: 5, Rollout: Rollout{Percent: 100, Limits: defaultTrial()}},
		Notify:   defaultNotify(),
		Socket:   "/etc/.edgeftp/admin.sock", Audit: Audit{File: "/etc/.edgeftp/audit.jsonl", MaxSize: 64 << 20}, Log: Log{Format: "json", Level: "info", Commands: "summary"}, Languages: Languages{Default: "en", Negotiate: true},
	}
	if diff := cmp.Diff(want, got, alike()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// alike compares empty lists and maps with absent ones, and addresses.
func alike() cmp.Option {
	return cmp.Options{cmp.AllowUnexported(Challenges{}), cmp.Comparer(func(a, b Secret) bool { return a.value == b.value }), cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
		cmp.Comparer(func(a, b trust.Key) bool { return a.String() == b.String() })}
}

// again writes a configuration and reads it back.
func again(t *testing.T, c *Config, machine outside) {
	t.Helper()
	data, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse("written.yaml", "/elsewhere", data, machine.with(c.unwritten()))
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if diff := cmp.Diff(c, got, alike(), cmpopts.IgnoreFields(Config{}, "Password")); diff != "" {
		t.Errorf("(-written +read):\n%s\n%s", diff, data)
	}
}

func TestWrittenFileIsEqual(t *testing.T) {
	again(t, full(), fullMachine())
	data, err := full().YAML()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/full.written.yaml", string(data))
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	var e *Error
	_, err := Load(filepath.Join(dir, "none.yaml"))
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "none.yaml") && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "c.yaml")
	text := "version: 1\nlisteners: [{ name: a, address: \":21\" }]\nstorage: [{ root: root }]\nusers: { anonymous: { enabled: true } }\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(name)
	if err != nil || c.Root != root || c.Instance.StateDir != filepath.Join(dir, ".edgeftp") {
		t.Errorf("%v, %v", c, err)
	}
	if err := os.WriteFile(name, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(name); !errors.As(err, &e) || !strings.Contains(err.Error(), "longer than 1024 KiB") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(dir); !errors.As(err, &e) || !strings.Contains(err.Error(), "is a directory\n   = help: name the file in it") {
		t.Errorf("got %v", err)
	}
	if p := unreadable(&fs.PathError{Op: "open", Path: name, Err: syscall.EACCES}); !strings.Contains(p.Text, "permission denied") || !strings.Contains(p.Help, "let the user") {
		t.Errorf("%+v", p)
	}
	// A link that leads the state into the root does not deceive.
	if err := os.Symlink(root, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	text += "instance: { state_dir: link/state }\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(name); err == nil || !strings.Contains(err.Error(), "lies inside the root") {
		t.Errorf("got %v", err)
	}
}

// noProxy is what a listener has that says nothing of proxies.
func noProxy() Proxy { return Proxy{Mode: "off", Timeout: 3 * time.Second, Data: true} }
