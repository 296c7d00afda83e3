package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// checker makes a Config of a file that fits the schema, and reports what a
// schema cannot say: names given twice, things that do not exist, settings that
// do not go together.
type checker struct {
	*report
	outside
	dir string // relative paths are in it
}

func (c *checker) config(f *file) *Config {
	conf := &Config{
		Instance: Instance{Name: f.Instance.Name, StateDir: beside(c.dir, f.Instance.StateDir), DrainTimeout: duration(f.Instance.DrainTimeout)},
		Limits: Limits{
			Sessions: f.Limits.Sessions.Total, SessionsPerIP: f.Limits.Sessions.PerIP,
			Idle: duration(f.Limits.Timeouts.Idle), Login: duration(f.Limits.Timeouts.Login), Stall: duration(f.Limits.Timeouts.TransferStall),
			LoginAttempts: f.Limits.Logins.Attempts, LoginDelay: duration(f.Limits.Logins.DelayAfterFailure),
		},
		Anonymous: Anonymous{Enabled: f.Users.Anonymous.Enabled, Perms: perms(f.Users.Anonymous.Perm)},
		Log:       Log{Format: f.Telemetry.Log.Format, Level: f.Telemetry.Log.Level},
	}
	conf.Socket = filepath.Join(conf.Instance.StateDir, "admin.sock")
	if f.Admin.Socket != "" {
		conf.Socket = beside(c.dir, f.Admin.Socket)
	}
	conf.Listeners = c.listeners(f)
	conf.Certificates = c.certificates(f)
	c.storage(f, conf)
	conf.Users = c.users(f)
	conf.Policies = c.modules(f)
	if changing := conf.Anonymous.Perms &^ policy.PermReadOnly; changing != 0 {
		c.at([]string{"users", "anonymous", "perm"}, fmt.Sprintf("anonymous users may not have the permissions %q", changing), "use of e, l and r what they need")
	}
	if len(f.Users.List) == 0 && !conf.Anonymous.Enabled && len(f.Policies.Modules) == 0 {
		c.key([]string{"users"}, "nobody can log in", "add users.list, enable users.anonymous, or add a policy module that decides on logins")
	}
	return conf
}

// duration reads what the schema has checked; what it refused is zero.
func duration(s string) time.Duration {
	d, _ := parseDuration(s, 0)
	return d
}

func perms(s string) policy.Perms {
	p, _ := parsePerms(s)
	return p
}

func size(s string) int64 {
	n, _ := parseSize(s)
	return n
}

// unique reports a name that an earlier entry of a list has.
func (c *checker) unique(seen map[string]bool, path []string, name, what string) {
	if seen[name] && name != "" {
		c.at(path, fmt.Sprintf("%q is the name of an earlier %s", name, what), "give each a name of its own")
	}
	seen[name] = true
}

func (c *checker) listeners(f *file) []Listener {
	var list []Listener
	names, addresses := map[string]bool{}, map[string]bool{}
	for i, l := range f.Listeners {
		path := []string{"listeners", strconv.Itoa(i)}
		c.unique(names, sub(path, "name"), l.Name, "listener")
		for _, a := range l.Address {
			if addresses[a] && a != "" && !strings.HasSuffix(a, ":0") {
				c.at(sub(path, "address"), fmt.Sprintf("%q is listened on already", a), "give each listener addresses of its own")
			}
			addresses[a] = true
		}
		made := Listener{
			Name: l.Name, Implicit: l.Protocol == "ftps", Addresses: l.Address, Banner: l.Banner, TLS: c.tls(&l, path),
			Passive: Passive{SamePeer: l.Passive.SamePeer, Timeout: duration(l.Passive.Timeout)},
			Active:  Active{Enabled: l.Active.Enabled, PrivilegedPorts: l.Active.PrivilegedPorts, Timeout: duration(l.Active.Timeout)},
		}
		if l.Passive.Ports != "" {
			made.Passive.Ports, _ = parsePorts(string(l.Passive.Ports))
		}
		if l.Passive.Advertise != "" {
			made.Passive.Advertise, _ = netip.ParseAddr(l.Passive.Advertise)
		}
		list = append(list, made)
	}
	return list
}

// tls checks what one listener says of TLS.
func (c *checker) tls(l *fileListener, listener []string) TLS {
	path := sub(listener, "tls")
	control, data := sub(path, "control"), sub(path, "data")
	t := TLS{Control: l.TLS.Control, Data: l.TLS.Data, Certificate: l.TLS.Certificate,
		MinVersion: l.TLS.MinVersion, SessionReuse: l.TLS.SessionReuse}
	if t.Data == "" {
		t.Data = t.Control
	}
	if l.Protocol == "ftps" && t.Control != "required" && t.Control != "" {
		c.at(control, fmt.Sprintf("%q does not go with implicit TLS", t.Control), "implicit TLS is always required")
	}
	if t.Data == "required" && (t.Control == "optional" || t.Control == "off") {
		c.at(data, fmt.Sprintf("data connections cannot require TLS where control connections have it %q", t.Control), "require it for both")
	}
	if t.Control == "off" {
		t.Data = "off"
		for _, a := range l.Address {
			if host, err := parseAddress(a); err == nil && !isLoopback(host) {
				c.at(control, fmt.Sprintf("TLS may be off only on loopback addresses, and %q is none", a),
					"listen on 127.0.0.1 or [::1], or let TLS be required")
			}
		}
	}
	return t
}

func (c *checker) certificates(f *file) []CertFile {
	path := []string{"certificates", "files"}
	var list []CertFile
	for i, p := range f.Certificates.Files {
		at := sub(path, strconv.Itoa(i))
		pair := CertFile{Cert: beside(c.dir, p.Cert), Key: beside(c.dir, p.Key)}
		c.exists(sub(at, "cert"), pair.Cert, "certificate file")
		c.exists(sub(at, "key"), pair.Key, "key file")
		list = append(list, pair)
	}
	used := false
	for i, l := range f.Listeners {
		if l.TLS.Certificate != "files" {
			continue
		}
		used = true
		if len(list) == 0 {
			c.at([]string{"listeners", strconv.Itoa(i), "tls", "certificate"}, "there are no certificate files", "name one in certificates.files, or use dev")
		}
	}
	if len(list) > 0 && !used {
		c.key(path, "no listener uses these certificates", "set tls.certificate: files at a listener, or remove them")
	}
	return list
}

// exists reports a path at which nothing is, or what cannot be looked at.
func (c *checker) exists(path []string, name, what string) fs.FileInfo {
	if c.isFaulty(path) {
		return nil
	}
	info, err := c.stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.at(path, fmt.Sprintf("the %s %s does not exist", what, name), "create it, or correct the path")
	case err != nil:
		c.at(path, fmt.Sprintf("the %s %s cannot be looked at: %s", what, name, reason(err)), "check the path and its permissions")
	default:
		return info
	}
	return nil
}

func (c *checker) storage(f *file, conf *Config) {
	if len(f.Storage) == 0 {
		return
	}
	path := []string{"storage", "0", "root"}
	conf.Root = beside(c.dir, f.Storage[0].Root)
	info := c.exists(path, conf.Root, "root")
	switch {
	case info == nil:
	case !info.IsDir():
		c.at(path, fmt.Sprintf("the root %s is not a directory", conf.Root), "name the directory that is to be served")
	case within(c.real(conf.Root), c.real(conf.Instance.StateDir)):
		c.at([]string{"instance", "state_dir"}, fmt.Sprintf("the state directory %s lies inside the root %s: clients could reach the server's keys",
			conf.Instance.StateDir, conf.Root), "put it beside the root, or serve a directory below")
	}
}

// within reports whether path is dir or below it; both are absolute and clean.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// realPath resolves the symbolic links of that part of path which exists.
func realPath(path string) string {
	for rest := ""; ; {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Join(real, rest)
		}
		parent := filepath.Dir(path)
		if parent == path {
			return filepath.Join(path, rest)
		}
		rest = filepath.Join(filepath.Base(path), rest)
		path = parent
	}
}

func (c *checker) users(f *file) []User {
	var list []User
	names := map[string]bool{}
	for i, u := range f.Users.List {
		path := []string{"users", "list", strconv.Itoa(i), "name"}
		c.unique(names, path, u.Name, "user")
		if u.Name == "anonymous" && f.Users.Anonymous.Enabled {
			c.at(path, "the user anonymous is there already", "rename this one, or disable users.anonymous")
		}
		list = append(list, User{
			Name: u.Name, PasswordHash: u.PasswordHash, Perms: perms(u.Perm), Home: u.Home, Group: u.Group, MaxSessions: u.MaxSessions,
			Limits: policy.Limits{RateDown: size(u.Bandwidth.Down), RateUp: size(u.Bandwidth.Up), MaxFileSize: size(u.MaxFileSize)},
		})
	}
	return list
}

func (c *checker) modules(f *file) []Module {
	var list []Module
	names := map[string]bool{}
	for i, m := range f.Policies.Modules {
		path := []string{"policies", "modules", strconv.Itoa(i)}
		c.unique(names, sub(path, "name"), m.Name, "policy")
		if slices.Contains([]string{"users", "anonymous"}, m.Name) {
			c.at(sub(path, "name"), fmt.Sprintf("%q is the name of a policy of the server's own", m.Name), "give the module another name")
		}
		source := sub(path, "source")
		if strings.Contains(m.Source, "://") {
			c.at(source, "sources other than files are not built yet", "name a .wasm file, or a directory with a Go main package")
		}
		made := Module{Name: m.Name, Source: beside(c.dir, m.Source), Settings: m.Settings}
		c.exists(source, made.Source, "policy source")
		list = append(list, made)
	}
	return list
}
