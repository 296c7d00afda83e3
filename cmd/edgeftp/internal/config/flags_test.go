package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

func flagMachine() outside {
	return testMachine(map[string]string{
		"/etc/pw": "a pass phrase\r\n", "/etc/two": "a\nb\n", "/etc/empty": "\n", "/etc/c.pem": "", "/etc/k.pem": "",
		"/etc/x/guard.wasm": "", "/etc/upload-guard/go": "", "/etc/upload-guard/go.wasm": "", "/etc/Bad Name.wasm": "",
	}, nil)
}

func TestFlagDefaults(t *testing.T) {
	got, err := Flags{Root: "/srv"}.config("/etc", flagMachine())
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[a-z]+-[a-z]+-[0-9][0-9]-[a-z]+-[a-z]+$`).MatchString(got.Password) {
		t.Errorf("password %q", got.Password)
	}
	if len(got.Users) != 1 || edge.CheckHash(got.Users[0].PasswordHash) != nil {
		t.Fatalf("users %v", got.Users)
	}
	want := &Config{
		Instance: Instance{Name: "edgeftp", StateDir: "/etc/.edgeftp", DrainTimeout: 30 * time.Second},
		Listeners: []Listener{{
			Name: "main", Protocol: ProtocolFTP, Addresses: []string{"127.0.0.1:2121"}, Banner: "edgeftp ready.", Encoding: edge.Encoding{Name: "utf-8"},
			TLS:     plainTLS("required"),
			Passive: Passive{SamePeer: true, Reuse: true, Timeout: 30 * time.Second}, Active: Active{Enabled: true, Timeout: 30 * time.Second}, Proxy: noProxy(),
		}},
		Limits: Limits{Sessions: 5000, SessionsPerIP: 20, Idle: 5 * time.Minute, Login: 30 * time.Second, Stall: time.Minute, Awake: 250 * time.Millisecond,
			LoginAttempts: 3, LoginDelay: 3 * time.Second, LoginsRemember: time.Minute, Listing: defaultListing(),
			Memory: Auto, Descriptors: Auto, MinRateOver: 30 * time.Second, HashTime: 5 * time.Minute},
		Defender: defaultDefender(),
		Transfer: defaultTransfer(),
		Root:     "/srv", Users: []User{{Name: "dev", Perms: policy.PermAll, Home: "/", Source: SourceList}},
		Sources:  []string{SourceList, SourceStore, SourcePolicies},
		Defaults: Defaults{Perms: policy.PermReadOnly}, Anonymous: Anonymous{Perms: policy.PermReadOnly, Home: "/"},
		Metrics: Metrics{Path: "/metrics"}, AccessLog: AccessLog{Format: "xferlog"}, Policies: Policies{AllowDowngrade: true, History: 5, Rollout: Rollout{Percent: 100, Limits: defaultTrial()}}, Socket: "/etc/.edgeftp/admin.sock", Audit: Audit{File: "/etc/.edgeftp/audit.jsonl", MaxSize: 64 << 20}, Log: Log{Format: "human", Level: "info", Commands: "summary"}, Languages: Languages{Default: "en", Negotiate: true},
		Sandbox: Sandbox{Landlock: "on", Seccomp: true}, Notify: defaultNotify(),
	}
	if diff := cmp.Diff(want, got, alike(), cmpopts.IgnoreFields(Config{}, "Password"),
		cmpopts.IgnoreFields(User{}, "PasswordHash")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	data, err := got.YAML()
	if err != nil || strings.Contains(string(data), got.Password) {
		t.Errorf("the password is in the file, or %v", err)
	}
	again(t, got, flagMachine())
}

func TestAllFlags(t *testing.T) {
	got, err := Flags{
		Root: ".", Listen: []string{"127.0.0.1:0", "[::1]:2121"}, Implicit: "127.0.0.1:2990", PassivePorts: "50000,50002",
		TLS: "optional", Cert: "c.pem", Key: "k.pem", User: "alice ${x}", PasswordFile: "pw", Perm: "elrw", Anonymous: true,
		ReadOnly: true, Policies: []string{"x/guard.wasm", "two=upload-guard/go"}, StateDir: "/var/state", Log: "json",
	}.config("/etc", flagMachine())
	if err != nil {
		t.Fatal(err)
	}
	main, implicit := got.Listeners[0], got.Listeners[1]
	switch {
	case got.Password != "", got.Root != "/etc", !got.Anonymous.Enabled, got.Instance.StateDir != "/var/state", got.Log.Format != "json":
		t.Errorf("%+v", got)
	case !slices.Equal(main.Addresses, []string{"127.0.0.1:0", "[::1]:2121"}), main.TLS.Control != "optional",
		main.TLS.Data != "optional", main.TLS.Certificate != "files", len(main.Passive.Ports) != 2:
		t.Errorf("%+v", main)
	case !implicit.Implicit, implicit.TLS.Control != "required", implicit.TLS.Certificate != "files", len(implicit.Passive.Ports) != 2:
		t.Errorf("%+v", implicit)
	case got.Users[0].Name != "alice ${x}", got.Users[0].Perms != policy.PermReadOnly:
		t.Errorf("%+v", got.Users)
	case got.Certificates[0] != CertFile{"/etc/c.pem", "/etc/k.pem", true}:
		t.Errorf("%+v", got.Certificates)
	case len(got.Policies.Modules) != 2, got.Policies.Modules[0].Name != "guard", got.Policies.Modules[1].Name != "two", got.Policies.Modules[1].Source != "/etc/upload-guard/go":
		t.Errorf("%+v", got.Policies)
	}
	if got.PasswordFile != "/etc/pw" {
		t.Errorf("password file %q", got.PasswordFile)
	}
	got.PasswordFile = "" // for the greeting alone, and in no file
	again(t, got, flagMachine())
}

func TestPlainOnLoopback(t *testing.T) {
	got, err := Flags{Root: "/srv", TLS: "off", Listen: []string{"127.0.0.2:21", "[::1]:21", "localhost:22"}}.config("/etc", flagMachine())
	if err != nil || got.Listeners[0].TLS.Control != "off" || got.Listeners[0].TLS.Data != "off" {
		t.Fatal(got, err)
	}
	again(t, got, flagMachine())
	// Plain beside implicit TLS with a certificate is of use.
	_, err = Flags{Root: "/srv", TLS: "off", Implicit: ":990", Cert: "c.pem", Key: "k.pem"}.config("/etc", flagMachine())
	if err != nil {
		t.Error(err)
	}
}

func TestBadFlags(t *testing.T) {
	cases := []struct {
		name  string
		flags Flags
		want  string
	}{
		{"no root", Flags{}, "--root: \"\" is empty"},
		{"root absent", Flags{Root: "/nowhere"}, "--root: the root /nowhere does not exist"},
		{"root a file", Flags{Root: "c.pem"}, "--root: the root /etc/c.pem is not a directory"},
		{"state in root", Flags{Root: "."}, "--state-dir: the state directory /etc/.edgeftp lies inside the root"},
		{"listen", Flags{Root: "/srv", Listen: []string{"127.0.0.1:21", "2121"}}, `--listen: "2121" is no address with a port`},
		{"listen twice", Flags{Root: "/srv", Listen: []string{":21", ":21"}}, `--listen: ":21" is listened on already`},
		{"listen ipv6", Flags{Root: "/srv", Listen: []string{"::1:21"}}, "an IPv6 address stands in brackets"},
		{"implicit", Flags{Root: "/srv", Implicit: "x"}, `--implicit: "x" is no address with a port`},
		{"implicit twice", Flags{Root: "/srv", Implicit: "127.0.0.1:2121"}, `--implicit: "127.0.0.1:2121" is listened on already`},
		{"ports", Flags{Root: "/srv", PassivePorts: "1-70000"}, `--passive-ports: "1-70000" has a port that does not exist`},
		{"tls", Flags{Root: "/srv", TLS: "of"}, `--tls: "of" is not allowed here` + "\n   = help: did you mean \"off\"?"},
		{"tls off", Flags{Root: "/srv", TLS: "off", Listen: []string{"127.0.0.1:1", "0.0.0.0:21"}}, `--tls: TLS may be off only on loopback addresses, and "0.0.0.0:21" is none`},
		{"cert alone", Flags{Root: "/srv", Cert: "c.pem"}, "--key: --cert needs --key"},
		{"key alone", Flags{Root: "/srv", Key: "k.pem"}, "--cert: --key needs --cert"},
		{"cert absent", Flags{Root: "/srv", Cert: "x.pem", Key: "k.pem"}, "--cert: the certificate file /etc/x.pem does not exist"},
		{"cert unused", Flags{Root: "/srv", Cert: "c.pem", Key: "k.pem", TLS: "off"}, "--cert: a certificate is of no use"},
		{"user", Flags{Root: "/srv", User: "a\nb"}, "--user: "},
		{"password file", Flags{Root: "/srv", PasswordFile: "none"}, "--password-file: none cannot be read"},
		{"password lines", Flags{Root: "/srv", PasswordFile: "two"}, "--password-file: two has more than one line"},
		{"password empty", Flags{Root: "/srv", PasswordFile: "empty"}, "--password-file: empty: unsuitable password: it is empty"},
		{"perm", Flags{Root: "/srv", Perm: "elx"}, "--perm: \"elx\" is no set of permissions"},
		{"perm read-only", Flags{Root: "/srv", Perm: "w", ReadOnly: true}, "--perm: nothing is left"},
		{"policy absent", Flags{Root: "/srv", Policies: []string{"guard.wasm"}}, "--policy: the policy source /etc/guard.wasm does not exist"},
		{"policy empty", Flags{Root: "/srv", Policies: []string{"guard="}}, `--policy: "guard=" names no module`},
		{"policy twice", Flags{Root: "/srv", Policies: []string{"x/guard.wasm", "guard=upload-guard/go"}}, `--policy: "guard" is the name of an earlier policy`},
		{"policy name", Flags{Root: "/srv", Policies: []string{"Bad Name.wasm"}}, `--policy: "Bad Name" is not a usable name`},
		{"policy remote", Flags{Root: "/srv", Policies: []string{"a=oci://x/y"}}, "--policy: sources other than files are not built yet"},
		{"domain and cert", Flags{Root: "/srv", Domains: []string{"a.example.org"}, AgreeToTerms: true, Cert: "c.pem", Key: "k.pem"}, "--domain: certificates are either issued"},
		{"domain, plain", Flags{Root: "/srv", Domains: []string{"a.example.org"}, AgreeToTerms: true, TLS: "off"}, "--domain: a certificate is of no use"},
		{"terms", Flags{Root: "/srv", Domains: []string{"a.example.org"}}, "--agree-to-terms: an authority issues"},
		{"email alone", Flags{Root: "/srv", Email: "a@example.org"}, "--domain: --email, --agree-to-terms and --acme-ca are for"},
		{"terms alone", Flags{Root: "/srv", AgreeToTerms: true}, "add --domain NAME"},
		{"authority alone", Flags{Root: "/srv", CA: "letsencrypt"}, "add --domain NAME"},
		{"email", Flags{Root: "/srv", Domains: []string{"a.example.org"}, AgreeToTerms: true, Email: "ops"}, `--email: "ops" is no email address`},
		{"domain", Flags{Root: "/srv", Domains: []string{"a.example.org", "localhost"}, AgreeToTerms: true}, `--domain: "localhost" is this machine for every client`},
		{"domain with port", Flags{Root: "/srv", Domains: []string{"a.example.org:21"}, AgreeToTerms: true}, `--domain: "a.example.org:21" has a port`},
		{"wildcard", Flags{Root: "/srv", Domains: []string{"*.example.org"}, AgreeToTerms: true}, `--domain: "*.example.org" is a wildcard`},
		{"authority", Flags{Root: "/srv", Domains: []string{"a.example.org"}, AgreeToTerms: true, CA: "letsencrpt"}, "--acme-ca: \"letsencrpt\" is no authority\n   = help: did you mean \"letsencrypt\"?"},
		{"authority's account", Flags{Root: "/srv", Domains: []string{"a.example.org"}, AgreeToTerms: true, CA: "google"}, "--acme-ca: google wants an account"},
		{"challenge port", Flags{Root: "/srv", Domains: []string{"a.example.org"}, AgreeToTerms: true, Listen: []string{":443"}}, `--domain: ":443" is an address of the listener "main"`},
		{"log", Flags{Root: "/srv", Log: "xml"}, `--log: "xml" is not allowed here`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conf, err := c.flags.config("/etc", flagMachine())
			var e *Error
			if conf != nil || !errors.As(err, &e) || !e.Usage() {
				t.Fatalf("got %v, %v", conf, err)
			}
			if len(e.Problems) != 1 || !strings.Contains(err.Error(), "error: "+c.want) && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got:\n%v\nwant: %s", err, c.want)
			}
		})
	}
	_, err := Flags{Root: "/nowhere", TLS: "x", Perm: "?"}.config("/etc", flagMachine())
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != 3 {
		t.Errorf("not all at once: %v", err)
	}
}

func TestModuleNames(t *testing.T) {
	for path, want := range map[string]string{
		"upload-guard/go": "upload-guard", "examples/wasm/readonly/wat/": "readonly", "./x/guard.wasm": "guard",
		"x/readonly/wat/readonly.wasm": "readonly", "upload-guard/go.wasm": "upload-guard", "guard": "guard",
		"rust/": "config", ".": "config", "..": "internal",
	} {
		if got := moduleName(path); got != want {
			t.Errorf("%q is named %q, want %q", path, got, want)
		}
	}
}

func TestFromFlags(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	c, err := FromFlags(Flags{Root: "files"})
	if err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil || filepath.Base(c.Root) != "files" || c.Instance.StateDir != filepath.Join(real, ".edgeftp") && c.Instance.StateDir != filepath.Join(dir, ".edgeftp") {
		t.Errorf("%+v, %v", c, err)
	}
	again(t, c, thisMachine())
}

func TestMadeUpPasswords(t *testing.T) {
	for name, words := range map[string]string{"adjectives": adjectives, "animals": animals, "things": things} {
		list := strings.Fields(words)
		sorted := slices.Compact(slices.Sorted(slices.Values(list)))
		if len(sorted) != len(list) || len(list) != 64 {
			t.Errorf("%d %s, %d of them different", len(list), name, len(sorted))
		}
	}
	seen := map[string]bool{}
	for range 1000 {
		seen[makeUpPassword()] = true
	}
	if len(seen) < 999 {
		t.Errorf("1,000 passwords, %d different", len(seen))
	}
}
