package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// Flags are the flags of serve that stand for a configuration. An empty field is
// the default that it names.
type Flags struct {
	Root         string   // required
	Listen       []string // 127.0.0.1:2121
	Implicit     string   // none
	PassivePorts string   // the kernel's choice
	TLS          string   // required
	Cert, Key    string   // the development authority
	Domains      []string // no authority is asked
	Email        string   // none is told to the authority
	AgreeToTerms bool
	CA           string // letsencrypt
	User         string // dev
	PasswordFile string // a password is made up
	Perm         string // elradfmwMT
	Anonymous    bool
	ReadOnly     bool
	Policies     []string // [NAME=]PATH
	StateDir     string   // .edgeftp
	Events       string   // no event log
	Log          string   // human
	Sandbox      string   // on; off is without the system calls' list too
}

// maxPassword is how many bytes of a password file are read.
const maxPassword = 4 << 10

// FromFlags returns the configuration that f stands for. Relative paths are in
// the working directory. Without a password file the password is made up, and
// Config.Password holds it.
//
// The error is an [*Error] whose problems name the flags.
func FromFlags(f Flags) (*Config, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return f.config(dir, thisMachine())
}

func (f Flags) config(dir string, machine outside) (*Config, error) {
	s, err := newSchema()
	if err != nil {
		return nil, err
	}
	r := newReport(locateFlag)
	hash, password := f.password(r, dir, machine)
	value := f.value(r, hash, machine)
	raw := func(path []string) (string, bool) { return lookup(value, path) }
	v := &validator{report: r, schema: s, value: value, raw: raw, empty: func([]string) bool { return false }}
	c := &checker{report: r, outside: machine, dir: dir, source: raw}
	conf, err := finish(v, c)
	if err != nil {
		return nil, err
	}
	if err := r.err(""); err != nil {
		return nil, err
	}
	c.develop(conf)
	conf.Password = password
	if f.PasswordFile != "" {
		conf.PasswordFile = beside(dir, f.PasswordFile)
	}
	return conf, nil
}

// value builds what a configuration file would say.
func (f Flags) value(r *report, hash string, machine outside) map[string]any {
	tls := map[string]any{"control": orElse(f.TLS, "required")}
	switch {
	case f.Cert != "" || f.Key != "":
		tls["certificate"] = "files"
	case f.issued() && f.TLS != "off":
		tls["certificate"] = auto
	}
	listener := func(name, protocol string, tls map[string]any, addresses []any) map[string]any {
		l := map[string]any{"name": name, "protocol": protocol, "address": addresses, "tls": tls,
			"active": map[string]any{"enabled": true}}
		if f.PassivePorts != "" {
			l["passive"] = map[string]any{"ports": f.PassivePorts}
		}
		return l
	}
	listen := f.Listen
	if len(listen) == 0 {
		listen = []string{"127.0.0.1:2121"}
	}
	listeners := []any{listener("main", "ftp", tls, anys(listen))}
	if f.Implicit != "" {
		implicit := map[string]any{}
		if c, set := tls["certificate"]; set {
			implicit["certificate"] = c
		} else if f.issued() {
			implicit["certificate"] = auto
		}
		listeners = append(listeners, listener("implicit", "ftps", implicit, []any{f.Implicit}))
	}
	events := map[string]any{}
	if f.Events != "" {
		events["file"] = f.Events
	}
	sandbox := map[string]any{"landlock": orElse(f.Sandbox, "on")}
	if f.Sandbox == "off" {
		sandbox["seccomp"] = "off"
	}
	return map[string]any{
		"version":      json.Number("1"),
		"instance":     map[string]any{"state_dir": orElse(f.StateDir, ".edgeftp"), "drain_timeout": "30s"},
		"listeners":    listeners,
		"certificates": f.certificates(r, machine),
		"storage":      []any{map[string]any{"root": f.Root}},
		"users": map[string]any{
			"list":      []any{map[string]any{"name": orElse(f.User, "dev"), "password_hash": hash, "perm": f.perm(r)}},
			"anonymous": map[string]any{"enabled": f.Anonymous},
		},
		"policies":  map[string]any{"modules": f.modules(r), "allow_downgrade": true},
		"events":    events,
		"sandbox":   sandbox,
		"telemetry": map[string]any{"log": map[string]any{"format": orElse(f.Log, "human")}},
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func (f Flags) certificates(r *report, machine outside) map[string]any {
	f.contradictions(r)
	if f.issued() {
		return f.authority(machine)
	}
	if f.Cert == "" && f.Key == "" {
		return map[string]any{}
	}
	path := []string{"certificates", "files", "0"}
	switch {
	case f.Cert == "":
		r.at(sub(path, "cert"), "--key needs --cert beside it", "name the certificate file")
	case f.Key == "":
		r.at(sub(path, "key"), "--cert needs --key beside it", "name the key file")
	case f.TLS == "off" && f.Implicit == "":
		r.at(sub(path, "cert"), "a certificate is of no use while TLS is off", "leave one of the two out")
	}
	return map[string]any{"files": []any{map[string]any{"cert": f.Cert, "key": f.Key}}}
}

// password returns the hash of the password in the file, or of a made-up one.
func (f Flags) password(r *report, dir string, machine outside) (hash, madeUp string) {
	path := []string{"users", "list", "0", "password_hash"}
	password := ""
	if f.PasswordFile == "" {
		madeUp = makeUpPassword()
		password = madeUp
	} else {
		data, err := machine.read(beside(dir, f.PasswordFile), maxPassword)
		if err != nil {
			r.at(path, fmt.Sprintf("%s cannot be read: %s", f.PasswordFile, reason(err)), "write the password into a file of one line")
			return "", ""
		}
		password = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		if strings.ContainsAny(password, "\r\n\x00") {
			r.at(path, f.PasswordFile+" has more than one line", "write the password into a file of one line")
			return "", ""
		}
	}
	hash, err := edge.HashPassword(password)
	if err != nil {
		r.at(path, f.PasswordFile+": "+err.Error(), "write the password into a file of one line")
	}
	return hash, madeUp
}

// perm returns the permission letters of the user, of which --read-only leaves
// those that change nothing.
func (f Flags) perm(r *report) string {
	letters := orElse(f.Perm, policy.PermAll.String())
	p, err := policy.ParsePerms(letters)
	if err != nil || !f.ReadOnly {
		return letters
	}
	if p &= policy.PermReadOnly; p == 0 {
		r.at([]string{"users", "list", "0", "perm"}, fmt.Sprintf("nothing is left of %q under --read-only", letters), "permit some of e, l and r")
	}
	return p.String()
}

// modules reads [NAME=]PATH. What a module declares is granted as far as it can do
// no harm beyond the policies. Without a name the module is called after its file
// or directory; a directory that is named for a language has its parent's name.
func (f Flags) modules(r *report) []any {
	list := []any{}
	for i, spec := range f.Policies {
		name, path, named := strings.Cut(spec, "=")
		if !named || strings.ContainsAny(name, "/\\") {
			name, path = moduleName(spec), spec
		}
		if path == "" {
			r.at([]string{"policies", "modules", fmt.Sprint(i), "source"}, fmt.Sprintf("%q names no module", spec), "write [NAME=]PATH")
		}
		list = append(list, map[string]any{"name": name, "source": path,
			"grants": map[string]any{"kv": []any{AnySpace}, "metric": true, "random": true}})
	}
	return list
}

// develop watches the directories that --policy names, where that is safe.
func (c *checker) develop(conf *Config) {
	for i := range conf.Policies.Modules {
		m := &conf.Policies.Modules[i]
		if info, err := c.stat(m.Source); err == nil && info.IsDir() {
			m.Unwatched, _ = c.watchable(m, conf)
			m.WatchSource = m.Unwatched == ""
		}
	}
}

// ModuleName is how a module is called that nobody has named: after its file or
// directory, or the parent of a directory that is named for a language.
func ModuleName(path string) string { return moduleName(path) }

func moduleName(path string) string {
	base := strings.TrimSuffix(filepath.Base(path), ".wasm")
	if slices.Contains([]string{"go", "rust", "c", "zig", "wat", "assemblyscript", ".", ".."}, base) {
		if abs, err := filepath.Abs(path); err == nil {
			base = filepath.Base(abs)
			if filepath.Base(path) == base || strings.HasSuffix(path, ".wasm") {
				base = filepath.Base(filepath.Dir(abs))
			}
		}
	}
	return base
}

// lookup returns a string within a value.
func lookup(v any, path []string) (string, bool) {
	for _, p := range path {
		switch here := v.(type) {
		case map[string]any:
			v = here[p]
		case []any:
			var i int
			if _, err := fmt.Sscanf(p, "%d", &i); err != nil || i < 0 || i >= len(here) {
				return "", false
			}
			v = here[i]
		default:
			return "", false
		}
	}
	s, ok := v.(string)
	return s, ok
}

// locateFlag names the flag that stands for a path. Paths that no flag stands for
// keep their name.
func locateFlag(path []string, _ bool) spot {
	at := dotted(path)
	name := at
	for _, f := range [...]struct{ path, flag string }{
		{"listeners[0].address", "--listen"}, {"listeners[1]", "--implicit"},
		{"listeners[0].passive.ports", "--passive-ports"}, {"listeners[0].tls", "--tls"}, {"listeners[0]", "--listen"},
		{"certificates.files[0].cert", "--cert"}, {"certificates.files[0].key", "--key"},
		{"certificates.acme.email", "--email"}, {"certificates.acme.agree_to_terms", "--agree-to-terms"},
		{"certificates.acme.ca", "--acme-ca"}, {"certificates.acme.account_binding", "--acme-ca"}, {"certificates.acme", "--domain"},
		{"storage", "--root"}, {"instance.state_dir", "--state-dir"}, {"telemetry.log.format", "--log"},
		{"users.list[0].name", "--user"}, {"users.list[0].perm", "--perm"}, {"users.list[0].password_hash", "--password-file"},
		{"policies", "--policy"}, {"events.file", "--events"},
		{"users.anonymous.enabled", "--anonymous"}, {"sandbox", "--sandbox"},
	} {
		if strings.HasPrefix(at, f.path) {
			name = f.flag
			break
		}
	}
	return spot{name: name}
}
