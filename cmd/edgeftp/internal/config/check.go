package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// checker makes a Config of a file that fits the schema, and reports what a
// schema cannot say: names given twice, things that do not exist, settings that
// do not go together.
type checker struct {
	*report
	outside
	dir    string                             // relative paths are in it
	source func(path []string) (string, bool) // what the author wrote, secrets too
	given  func(path []string) bool           // whether the author wrote something; nil: nobody did
}

func (c *checker) config(f *file) *Config {
	conf := &Config{
		Instance: Instance{Name: f.Instance.Name, StateDir: beside(c.dir, f.Instance.StateDir), DrainTimeout: duration(f.Instance.DrainTimeout),
			User: string(f.Instance.User), AllowRoot: f.Instance.AllowRoot},
		Limits:   f.Limits.limits(),
		Defender: c.defender(&f.Defender),
		Transfer: c.transfer(&f.Transfer),
		Log:      Log(f.Telemetry.Log),

		HideDotFiles: f.Listing.HideDotFiles,
		Languages:    c.languages(&f.I18n),
		Sandbox:      Sandbox{Landlock: f.Sandbox.Landlock, Seccomp: f.Sandbox.Seccomp == "on"},
	}
	conf.Socket = filepath.Join(conf.Instance.StateDir, "admin.sock")
	if f.Admin.Socket != "" {
		conf.Socket = beside(c.dir, f.Admin.Socket)
	}
	conf.Listeners = c.listeners(f)
	conf.Bandwidth = c.bandwidth(f)
	conf.Certificates = c.certificates(f)
	c.storage(f, conf)
	c.users(f, conf)
	c.hosts(f, conf)
	c.policies(f, conf)
	c.moduleHosts(f, conf)
	c.events(f.Events.File, conf)
	c.webhooks(f, conf)
	c.telemetry(&f.Telemetry, conf)
	c.acme(f, conf)
	c.hostCertificates(conf)
	c.admin(&f.Admin, conf)
	c.audit(&f.Telemetry.Audit, conf)
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

// virtual is the one form of a virtual path.
func virtual(s string) string {
	p, _ := vfs.Clean(vfs.Root, s)
	return string(p)
}

// unique reports a name that an earlier entry of a list has.
func (c *checker) unique(seen map[string]bool, path []string, name, what string) {
	if seen[name] && name != "" {
		c.at(path, fmt.Sprintf("%q is the name of an earlier %s", name, what), "give each a name of its own")
	}
	seen[name] = true
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

// root checks a directory that is to be somebody's tree.
func (c *checker) root(path []string, dir string, conf *Config) {
	info := c.exists(path, dir, "root")
	switch {
	case info == nil:
	case !info.IsDir():
		c.at(path, fmt.Sprintf("the root %s is not a directory", dir), "name the directory that is to be served")
	case within(c.real(dir), c.real(conf.Instance.StateDir)):
		state, help := []string{"instance", "state_dir"}, "put it beside the root, or serve a directory below"
		if strings.HasPrefix(c.locate(state, false).name, "--") {
			help = "put it beside the root, such as --state-dir ../edgeftp-state, or serve a directory below"
		}
		c.at(state, fmt.Sprintf("the state directory %s lies inside the root %s: clients could reach the server's keys", conf.Instance.StateDir, dir), help)
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
