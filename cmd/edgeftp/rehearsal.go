package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/machine"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
	"github.com/edgeftp/edgeftp/edge"
)

// rehearsal is a start that opens no port and leaves nothing behind: the server's own
// directories are temporary ones. Each part is tried, whatever became of those before.
type rehearsal struct {
	real   *config.Config // as the file has it
	trial  *config.Config // with directories that may be written to
	in     *generation    // of trial
	faults []config.Fault
}

// tryOut does everything for a configuration that serve does, but for listening, and returns
// what is wrong. Modules that are compiled are kept in cache, unless that is empty.
func tryOut(ctx context.Context, conf *config.Config, log *slog.Logger, cache string) ([]config.Fault, error) {
	scratch, err := scratchDir(conf)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(scratch) }() // a temporary directory, which the system clears, too
	r := newRehearsal(conf, scratch, log)
	if cache != "" {
		r.keepModules(cache)
	}
	defer r.end()
	r.run(ctx)
	return r.faults, nil
}

// newRehearsal prepares one that keeps what it makes in a directory, until end.
func newRehearsal(conf *config.Config, scratch string, log *slog.Logger) *rehearsal {
	r := &rehearsal{real: conf, trial: onTrial(conf, scratch)}
	process := &instance{log: log, level: newLevels("info"), sockets: map[socket]net.Listener{},
		keys: acme.NewTicketKeys(), trees: &trees{}, restore: func() {}}
	r.in = process.next(r.trial, nil)
	return r
}

// end gives everything back.
func (r *rehearsal) end() {
	r.in.certs.leave(nil)
	r.in.close()
}

// keepModules has what is compiled kept in the server's own cache, where it is found again.
func (r *rehearsal) keepModules(cache string) {
	own := filepath.Join(r.trial.Instance.StateDir, "cache", "modules")
	_ = os.MkdirAll(cache, 0o700) // without it a module is compiled twice
	_ = os.MkdirAll(filepath.Dir(own), 0o700)
	_ = os.Symlink(cache, own)
}

// scratchDir makes a directory that lies in no tree that is served.
func scratchDir(conf *config.Config) (string, error) {
	for _, parent := range []string{os.TempDir(), "/var/tmp", "/dev/shm", "/run"} {
		if slices.ContainsFunc(conf.Roots(), func(root string) bool { return root != "" && below(realPath(root), realPath(parent)) }) {
			continue
		}
		if dir, err := os.MkdirTemp(parent, "edgeftp-validate-"); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("there is no temporary directory outside of what is served\n   = help: set TMPDIR to one")
}

// onTrial is a configuration that keeps everything in a directory of its own.
func onTrial(conf *config.Config, dir string) *config.Config {
	trial := *conf
	trial.Instance.StateDir, trial.Socket = filepath.Join(dir, "state"), filepath.Join(dir, "admin.sock")
	trial.Events, trial.AccessLog.File = "", ""
	if conf.ACME != nil {
		authority := *conf.ACME
		authority.Storage = filepath.Join(dir, "certificates")
		trial.ACME = &authority
	}
	return &trial
}

func (r *rehearsal) fault(err error, key ...string) {
	if err != nil {
		r.faults = append(r.faults, config.Fault{Key: key, Err: err})
	}
}

func (r *rehearsal) run(ctx context.Context) {
	r.own()
	if !r.people() {
		return
	}
	r.logs()
	r.in.findMemory()
	r.in.findPorts()
	r.roots()
	r.listeners(ctx)
	r.policies(ctx)
	if len(r.faults) == 0 {
		r.whole(ctx)
	}
	r.shut(ctx)
}

// people reads the users, of whom the store is empty here.
func (r *rehearsal) people() bool {
	accounts, err := openAccounts(r.trial, r.in.log, 0)
	if err != nil {
		r.fault(err, "users", "sources")
		return false
	}
	r.in.accounts, r.in.people = accounts, accounts.under(r.trial)
	return true
}

// own looks at what the server keeps for itself, and whom it is to become.
func (r *rehearsal) own() {
	if err := os.MkdirAll(r.trial.Instance.StateDir, 0o700); err != nil {
		r.fault(err, "instance", "state_dir")
	}
	r.fault(mayMake(r.real.Instance.StateDir), "instance", "state_dir")
	r.fault(control.CheckPath(r.real.Socket), "admin", "socket")
	if dir := filepath.Dir(r.real.Socket); dir != r.real.Instance.StateDir {
		r.fault(mayUse(dir, "the directory of the admin socket"), "admin", "socket")
	}
	if name := r.real.Instance.User; name != "" {
		_, err := identity.Lookup(name)
		r.fault(err, "instance", "user")
	}
}

// logs looks at the files that are appended to.
func (r *rehearsal) logs() {
	r.fault(mayAppend(r.real.Events), "events", "file")
	r.fault(mayAppend(r.real.AccessLog.File), "telemetry", "access_log", "file")
}

// roots opens what is served.
func (r *rehearsal) roots() {
	owned := &homes{conf: r.real}
	at := func(root string, key ...string) {
		if root == "" {
			return
		}
		err := owned.apart(realPath(root))
		if err == nil {
			one := *r.trial
			one.Root, one.Users, one.Anonymous.Root = root, nil, ""
			own := new(trees)
			_, err = openHomes(&one, own, r.in.accounts.under(&one), r.in.log)
			err = errors.Join(err, own.close())
		}
		r.fault(err, key...)
	}
	at(r.real.Root, "storage", "0", "root")
	for i := range r.real.Users {
		at(r.real.Users[i].Root, "users", "list", strconv.Itoa(i), "root")
	}
	at(r.real.Anonymous.Root, "users", "anonymous", "root")
}

// listeners opens the certificates that each of them needs.
func (r *rehearsal) listeners(ctx context.Context) {
	for i := range r.trial.Listeners {
		err := r.in.protect(ctx, new(edge.Listener), &r.trial.Listeners[i])
		r.fault(err, "listeners", strconv.Itoa(i), "tls")
	}
	_, err := r.trial.Languages.Set()
	r.fault(err, "i18n")
}

// policies builds, judges and loads each module.
func (r *rehearsal) policies(ctx context.Context) {
	if err := r.in.openModules(ctx); err != nil {
		r.fault(err, "policies")
		return
	}
	if dir := buildCache(); dir != "" { // what policy build has built already
		_ = os.MkdirAll(filepath.Dir(r.in.buildCache()), 0o700)
		_ = os.MkdirAll(dir, 0o700)
		_ = os.Symlink(dir, r.in.buildCache())
	}
	if err := r.in.startBuilder(nil); err != nil {
		r.fault(err, "policies", "modules")
		return
	}
	for i := range r.trial.Policies.Modules {
		slot, err := r.in.module(ctx, &r.trial.Policies.Modules[i])
		if err == nil {
			r.in.closeSlots([]edge.Slot{slot})
		}
		r.fault(err, "policies", "modules", strconv.Itoa(i), "source")
	}
}

// whole makes the server itself, of parts that are all in order.
func (r *rehearsal) whole(ctx context.Context) {
	var err error
	if r.in.homes, err = openHomes(r.trial, r.in.trees, r.in.people, r.in.log); err != nil {
		r.fault(err, "storage")
		return
	}
	r.in.limits = machine.ReadDescriptors()
	settings, err := r.in.settings(ctx)
	if err == nil {
		settings.Policies, err = r.in.policies(ctx)
	}
	if err == nil {
		r.in.server, err = edge.New(settings)
	}
	if err != nil {
		r.fault(err)
		return
	}
	real := r.in.next(r.real, nil)
	real.warnUnwritable()
}

// shut asks what the sandbox would be, which is put on another process, for good.
func (r *rehearsal) shut(ctx context.Context) {
	plan := *r.real
	plan.Instance.StateDir, plan.Socket, plan.ACME = r.trial.Instance.StateDir, r.trial.Socket, r.trial.ACME
	for _, text := range sandbox.PlanFor(&plan).Left {
		r.in.log.Info("sandbox: no rule", "for", text)
	}
	if sandbox.Mode(r.real.Sandbox.Landlock) != sandbox.Required {
		return
	}
	program, err := builder.Self()
	if err != nil {
		r.fault(err, "sandbox", "landlock")
		return
	}
	out, err := exec.CommandContext(ctx, program[0], "doctor", "-o", "json").Output()
	var state sandbox.State
	if len(out) == 0 || json.Unmarshal(out, &state) != nil {
		r.fault(fmt.Errorf("the sandbox cannot be tried: %w", err), "sandbox", "landlock")
		return
	}
	for _, l := range state.Lacking() {
		r.fault(fmt.Errorf("the sandbox is required, and %s is %s here: %s\n   = help: landlock: on starts with what the machine has", l.Name, l.State, l.Text), "sandbox", "landlock")
	}
}

// mayMake says why a directory can neither be used nor made.
func mayMake(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return mayUse(dir, "the state directory")
	}
	at := filepath.Dir(dir)
	for at != filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = filepath.Dir(at)
	}
	return mayUse(at, "the directory that the state directory is made in")
}

// mayUse says why names cannot be made in a directory.
func mayUse(dir, what string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("%s cannot be used: %w\n   = help: create it for the user that runs the server", what, err)
	case !info.IsDir():
		return fmt.Errorf("%s, %s, is not a directory\n   = help: name a directory", what, dir)
	case !identity.MayWrite(dir):
		return fmt.Errorf("nothing can be made in %s, %s\n   = help: give it to the user that runs the server (chown), or check as that user", what, dir)
	}
	return nil
}

// mayAppend says why a log cannot be written; empty is none.
func mayAppend(file string) error {
	if file == "" {
		return nil
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return mayUse(filepath.Dir(file), "the directory of the log")
	case err != nil:
		return fmt.Errorf("the log cannot be used: %w\n   = help: check the path and its permissions", err)
	case info.IsDir():
		return fmt.Errorf("the log %s is a directory\n   = help: name a file in it", file)
	case !info.Mode().IsRegular():
		return nil // a pipe or a device, which opening might wait for
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("the log cannot be written: %w\n   = help: give it to the user that runs the server (chown), or check as that user", err)
	}
	return f.Close()
}
