package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/gobuild"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/policies/anonymous"
	"github.com/edgeftp/edgeftp/policies/users"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// instance is a server with everything that it stands on.
type instance struct {
	conf    *config.Config
	log     *slog.Logger
	disk    *vfs.Disk
	host    *wasmhost.Host
	ca      *acme.DevCA // nil with the operator's own certificate, or without TLS
	keys    *acme.TicketKeys
	leaf    string
	built   map[string]string
	server  *edge.Server
	modules *modules
	admin   *control.Server
}

// assemble makes everything but the listeners. After an error nothing is left.
func assemble(ctx context.Context, conf *config.Config, log *slog.Logger) (_ *instance, err error) {
	in := &instance{conf: conf, log: log, built: map[string]string{}, keys: acme.NewTicketKeys()}
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	if err := prepareState(conf); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	// The socket comes first: it tells whether another server has this state.
	if in.admin, err = control.Listen(ctx, conf.Socket); errors.Is(err, control.ErrPathTooLong) {
		return nil, exitWith(exitConfig, err)
	} else if err != nil {
		return nil, exitWith(exitFailed, err)
	}
	in.disk, err = vfs.OpenDisk(vfs.DiskConfig{Root: conf.Root, State: filepath.Join(conf.Instance.StateDir, "uploads")})
	if err != nil {
		return nil, exitWith(exitConfig, fmt.Errorf("--root %s: %w", conf.Root, err))
	}
	in.host, err = wasmhost.New(ctx, wasmhost.Config{CacheDir: filepath.Join(conf.Instance.StateDir, "cache", "modules"), Log: log})
	if err != nil {
		return nil, exitWith(exitFailed, err)
	}
	in.modules = &modules{host: in.host, slots: map[string]*slot{}}
	slots, err := in.policies(ctx)
	if err != nil {
		return nil, exitWith(exitConfig, err)
	}
	listeners, err := in.listeners()
	if err != nil {
		closeSlots(slots)
		return nil, exitWith(exitConfig, err)
	}
	l := conf.Limits
	in.server, err = edge.New(edge.Config{FS: in.disk, Listeners: listeners, Policies: slots, Log: log,
		Limits:   edge.Limits{Sessions: unlimited(l.Sessions), SessionsPerIP: unlimited(l.SessionsPerIP)},
		Timeouts: edge.Timeouts{Idle: unlimited(l.Idle), Login: unlimited(l.Login), Stall: unlimited(l.Stall)},
		Logins:   edge.Logins{Attempts: unlimited(l.LoginAttempts), FailDelay: unlimited(l.LoginDelay)}})
	if err != nil {
		return nil, exitWith(exitConfig, err)
	}
	in.modules.server = in.server
	return in, nil
}

// unlimited turns the configuration's zero, no limit, into edge's.
func unlimited[T ~int | ~int64](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

// prepareState makes the state directory, for the owner alone, and keeps it out
// of version control.
func prepareState(conf *config.Config) error {
	dir := conf.Instance.StateDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the state directory cannot be made: %w\n   = help: choose another one with --state-dir", err)
	}
	if inside, err := within(conf.Root, dir); err != nil {
		return err
	} else if inside {
		return fmt.Errorf("the state directory %s lies in the served directory %s: its keys would be served\n"+
			"   = help: choose another one with --state-dir", dir, conf.Root)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("the state directory cannot be closed to others: %w", err)
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	return os.WriteFile(ignore, []byte("*\n"), 0o600)
}

// within reports whether dir is root or lies below it, links resolved.
func within(root, dir string) (bool, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return false, fmt.Errorf("--root: %w\n   = help: name a directory that exists", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return false, err
	}
	rel, err := filepath.Rel(root, dir)
	return err == nil && filepath.IsLocal(rel), nil
}

// policies makes the native policies and then the modules, in their order.
func (in *instance) policies(ctx context.Context) (slots []edge.Slot, err error) {
	defer func() {
		if err != nil {
			closeSlots(slots)
			slots = nil
		}
	}()
	list := make([]users.User, 0, len(in.conf.Users))
	for _, u := range in.conf.Users {
		list = append(list, users.User{Name: u.Name, PasswordHash: u.PasswordHash, Perms: u.Perms, Home: u.Home,
			Group: u.Group, MaxSessions: u.MaxSessions, Limits: u.Limits})
	}
	known, err := users.New(users.Config{Users: list})
	if err != nil {
		return nil, err
	}
	slots = append(slots, edge.Slot{Name: "users", Policy: known})
	if in.conf.Anonymous.Enabled {
		anybody, err := anonymous.New(anonymous.Config{Perms: in.conf.Anonymous.Perms})
		if err != nil {
			return slots, err
		}
		slots = append(slots, edge.Slot{Name: "anonymous", Policy: anybody})
	}
	for _, m := range in.conf.Policies {
		module, how, err := in.read(ctx, m.Source)
		if err != nil {
			return slots, fmt.Errorf("policy %q: %w", m.Name, err)
		}
		p, err := in.modules.load(ctx, m.Name, module, m.Settings)
		if err != nil {
			return slots, fmt.Errorf("policy %q (%s): %w", m.Name, m.Source, err)
		}
		in.built[m.Name] = how
		slots = append(slots, edge.Slot{Name: m.Name, Policy: p})
	}
	return slots, nil
}

// read reads a module, or builds it, and says how.
func (in *instance) read(ctx context.Context, source string) (module []byte, how string, err error) {
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		module, how, err := gobuild.Build(ctx, source, in.buildCache())
		if err == nil {
			how = "  (" + how + ")"
		}
		return module, how, err
	}
	module, err = readModule(ctx, source, in.buildCache())
	return module, "", err
}

func (in *instance) buildCache() string {
	return filepath.Join(in.conf.Instance.StateDir, "cache", "build")
}

// closeSlots closes the policies of a server that was not made.
func closeSlots(slots []edge.Slot) {
	for _, s := range slots {
		if c, ok := s.Policy.(interface{ Close() error }); ok {
			_ = c.Close()
		}
	}
}

// listeners turns the configuration's listeners into edge's, one for each
// address.
func (in *instance) listeners() ([]edge.Listener, error) {
	base, err := in.tls()
	if err != nil {
		return nil, err
	}
	var out []edge.Listener
	for _, l := range in.conf.Listeners {
		e := edge.Listener{Implicit: l.Implicit, Banner: l.Banner,
			Passive: pi.Passive{AnyPeer: !l.Passive.SamePeer, Wait: l.Passive.Timeout},
			Active:  pi.Active{Off: !l.Active.Enabled, Privileged: l.Active.PrivilegedPorts, Wait: l.Active.Timeout}}
		if l.Passive.Advertise.IsValid() {
			e.Advertise.Address = l.Passive.Advertise.String()
		}
		for _, span := range l.Passive.Ports {
			e.Passive.Ports = append(e.Passive.Ports, dtp.PortSpan(span))
		}
		e.Binding = map[string]dtp.Binding{"require": dtp.BindRequire, "prefer": dtp.BindPrefer, "off": dtp.BindOff}[l.TLS.SessionReuse]
		switch {
		case l.TLS.Control == "required" && l.TLS.Data == "required":
			e.Require = edge.TLSRequired
		case l.TLS.Control == "required":
			e.Require = edge.TLSControl
		}
		if l.TLS.Control != "off" || l.Implicit {
			e.TLS = in.version(base, l.TLS.MinVersion)
		}
		for i, address := range l.Addresses {
			e.Address, e.Name = address, l.Name
			if i > 0 {
				e.Name = fmt.Sprintf("%s-%d", l.Name, i+1)
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// version returns base, or a long-lived configuration like it with another
// lowest version and the same ticket keys.
func (in *instance) version(base *tls.Config, lowest string) *tls.Config {
	if lowest != "1.3" {
		return base
	}
	c := base.Clone()
	c.MinVersion = tls.VersionTLS13
	in.keys.Attach(c)
	return c
}

// tls makes the base configuration: the operator's certificate or that of the
// development authority. It is nil when no listener wants TLS.
func (in *instance) tls() (*tls.Config, error) {
	wanted := func(l config.Listener) bool { return l.TLS.Control != "off" || l.Implicit }
	if !slices.ContainsFunc(in.conf.Listeners, wanted) {
		return nil, nil
	}
	var base *tls.Config
	if len(in.conf.Certificates) > 0 {
		files := acme.FilePair{Cert: in.conf.Certificates[0].Cert, Key: in.conf.Certificates[0].Key}
		set, warnings, err := acme.OpenFiles([]acme.FilePair{files}, acme.FileOptions{Log: in.log})
		for _, w := range warnings {
			in.log.Warn(w)
		}
		if err != nil {
			return nil, fmt.Errorf("%w\n   = help: name a certificate and the key that belongs to it, both PEM", err)
		}
		base = set.Config()
	} else {
		ca, err := acme.NewDevCA(in.conf.Instance.StateDir, nil)
		if err != nil {
			return nil, err
		}
		if base, err = ca.Config(in.names()); err != nil {
			return nil, err
		}
		in.ca = ca
	}
	in.keys.Attach(base)
	if leaf, err := acme.Leaf(base); err == nil {
		in.leaf = acme.Fingerprint(leaf)
	}
	return base, nil
}

// names are the hosts that clients may know the server by.
func (in *instance) names() []string {
	names := []string{"localhost"}
	for _, l := range in.conf.Listeners {
		for _, a := range l.Addresses {
			if h, _, err := net.SplitHostPort(a); err == nil && !slices.Contains(names, h) {
				names = append(names, h)
			}
		}
	}
	return names
}

// close gives everything back.
func (in *instance) close() {
	var errs []error
	if in.server != nil {
		stopped, cancel := context.WithCancel(context.Background())
		cancel()
		_ = in.server.Shutdown(stopped)
	}
	if in.host != nil {
		errs = append(errs, in.host.Close())
	}
	if in.disk != nil {
		errs = append(errs, in.disk.Close())
	}
	if in.admin != nil {
		errs = append(errs, in.admin.Close())
	}
	if err := errors.Join(errs...); err != nil {
		in.log.Warn("not everything could be put away", "error", err)
	}
}
