package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/machine"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/manager"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/redact"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/policies/metrics"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/ledger"
)

// instance is what lives as long as the process. What one configuration stands for is its
// generation.
type instance struct {
	log       *slog.Logger
	level     *levels          // of log
	hide      *redact.Redactor // of log, and of the logs of events and transfers; nil hides nothing
	origin    origin           // of the configuration
	accounts  *accounts        // of every source of users
	host      *wasmhost.Host
	builder   *builder.Child // nil where no policy is to be built
	store     *kv.Store
	ledger    *ledger.Ledger
	history   *history
	server    *edge.Server
	logs      logs
	requests  requests                    // of the admin API
	answered  answered                    // of HTTP
	told      atomic.Pointer[edge.Server] // server, for who may ask before it is there
	modules   *modules
	admin     *control.Server
	trees     *trees
	keys      *acme.TicketKeys
	rights    control.Access
	house     house
	succeeds  *successor     // whose place it takes; nil: nobody's
	sandbox   *sandbox.State // nil before everything is opened and bound
	manager   *manager.Manager
	machine   machine.Memory
	limits    machine.Descriptors     // at the start, when nobody had any
	restore   func()                  // what the runtime was held to
	ephemeral *dtp.Ephemeral          // of the passive ports of listeners without a range
	sockets   map[socket]net.Listener // that were there before the server
	expiry    chan struct{}           // holds one token when certificates are to be looked at again
	gone      time.Time               // by when the process has to end; zero before that is known

	now       atomic.Pointer[generation] // the configuration in force; nil before there is one
	reloading sync.Mutex                 // one change of the configuration at a time
	work      work                       // beside the server; empty before run
}

// generation is what one configuration stands for. Whatever is the same in the one before
// it is shared with that.
type generation struct {
	*instance
	conf   *config.Config
	text   *config.Source // nil where the configuration came from flags
	before *generation    // only while it is made, nil for the first one

	people    *people
	homes     *homes
	certs     *certificates
	budgets   *budgets
	natives   map[string]native
	placed    []placed          // of modules, in their order
	built     map[string]string // how modules were made, by name
	benches   []*bench          // the policies whose source is watched
	metrics   *metrics.Policy   // nil where nobody asks for figures
	scraped   *http.Server      // nil where nobody asks for figures, and before listen
	figuresAt net.Listener      // of scraped
	fronts    *fronts

	number uint64 // that people know it by, see history
	since  time.Time
}

// next is a generation that is to be made of a configuration.
func (in *instance) next(conf *config.Config, source *config.Source) *generation {
	return &generation{instance: in, conf: conf, text: source, before: in.now.Load(), built: map[string]string{},
		certs: newCertificates(in.keys), natives: map[string]native{}, fronts: newFronts(), since: time.Now()}
}

// assemble makes everything but the listeners. After an error nothing is left.
func assemble(ctx context.Context, from loaded, log *slog.Logger, level *levels) (_ *generation, err error) {
	conf := from.conf
	process := &instance{log: log, level: level, hide: from.hide, origin: from.origin, sockets: map[socket]net.Listener{}, keys: acme.NewTicketKeys(),
		expiry: make(chan struct{}, 1), trees: &trees{}, restore: func() {}}
	in := process.next(conf, from.source)
	defer func() {
		if err != nil {
			err = roomless(err, conf.Instance.StateDir)
			in.certs.leave(nil)
			in.closeFronts()
			in.close()
		}
	}()
	if in.manager, err = manager.Open(log); err != nil {
		return nil, exitWith(exitFailed, err)
	}
	in.findMemory()
	in.findPorts()
	if err := in.inherit(); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	if from.takeOver {
		if err := in.approach(ctx); err != nil {
			return nil, err
		}
	}
	if err := in.settle(ctx); err != nil {
		return nil, err
	}
	if err := prepareState(conf); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	if err := in.succeed(ctx); err != nil {
		return nil, err
	}
	// The socket comes first: it tells whether another server has this state.
	if err := in.openAdmin(ctx); err != nil {
		return nil, err
	}
	if in.accounts, err = openAccounts(conf, log, storeWait); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	in.people = in.accounts.under(conf)
	in.accounts.tell()
	if in.homes, err = openHomes(conf, in.trees, in.people, log); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	if err := in.openModules(ctx); err != nil {
		return nil, err
	}
	in.limits = machine.ReadDescriptors()
	if err := in.bindChosen(ctx); err != nil {
		return nil, err
	}
	settings, err := in.settings(ctx)
	if err != nil {
		return nil, exitWith(exitConfig, err)
	}
	if settings.Policies, err = in.policies(ctx); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	if in.server, err = edge.New(settings); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	if in.succeeds != nil {
		in.server.CountFrom(in.succeeds.last)
	}
	in.told.Store(in.server)
	in.modules.begin(in.server, in.placed)
	in.accounts.begin(in.mayServe, in.server)
	in.showUsers()
	in.remember(in.succeeds.by(), nil)
	in.now.Store(in)
	in.followLogs()
	in.advise(nil)
	return in, nil
}

// advise tells what the operator should know of a configuration that is in force, and of
// the budgets where they are others than before.
func (in *generation) advise(before *budgets) {
	if b := in.budgets; before == nil || b.memory != before.memory || b.policies != before.policies || b.descriptors != before.descriptors {
		b.tell(in.log, in.conf, in.server.Status().Budget)
	}
	in.warnUnwritable()
	in.warnOnDemand()
	in.warnUncovered()
	in.warnForgetful()
	in.warnOrphans()
}

// openModules opens what the policy modules stand on.
func (in *generation) openModules(ctx context.Context) (err error) {
	dir := in.conf.Instance.StateDir
	if in.store, err = openStore(dir, kv.Options{Log: in.log}); err != nil {
		return exitWith(exitConfig, err)
	}
	keep := in.conf.Policies.History
	if keep == 0 {
		keep = -1 // the ledger's zero is a default
	}
	if in.ledger, err = ledger.Open(filepath.Join(dir, "policies"), ledger.Options{Previous: keep}); err != nil {
		return exitWith(exitConfig, err)
	}
	host := hostConfig(&in.conf.Policies)
	host.CacheDir, host.Log = filepath.Join(dir, "cache", "modules"), in.log
	if in.hide != nil {
		host.Redact = func(line string, about wasmhost.Subject) string {
			return in.hide.Text(line, about.Session, about.Paths, about.Arguments)
		}
	}
	if in.host, err = wasmhost.New(ctx, host); err != nil {
		return exitWith(exitFailed, err)
	}
	if in.history, err = openHistory(filepath.Join(dir, "config")); err != nil {
		return exitWith(exitConfig, err)
	}
	in.modules = &modules{host: in.host, log: in.log, store: in.store, ledger: in.ledger, rules: in.conf.Policies.Rules(),
		conf: &in.conf.Policies, users: in.accounts, spools: filepath.Join(dir, "spool"), slots: map[string]*slot{},
		crashes: newCrashes(filepath.Join(dir, "crashes"), in.log), away: in.house.predecessor.Away, elder: in.succeeds.draining}
	return nil
}

// settings turns the configuration into edge's, but for the policies.
func (in *generation) settings(ctx context.Context) (edge.Config, error) {
	listeners, err := in.listeners(ctx)
	if err != nil {
		return edge.Config{}, err
	}
	languages, err := in.conf.Languages.Set()
	if err != nil {
		return edge.Config{}, err
	}
	hosts, err := in.hosts()
	if err != nil {
		return edge.Config{}, err
	}
	l, t := in.conf.Limits, in.conf.Transfer
	in.budgets.divide(in.conf, in.limits)
	return edge.Config{FS: in.homes.shared, Home: in.homes.home(), NeedsTLS: in.people.mayNeedTLS(), Listeners: listeners, Hosts: hosts, Log: in.log, LogPrefix: in.conf.Log.Prefix, LogCommands: commandLog(in.conf.Log.Commands),
		Limits: edge.Limits{Sessions: unlimited(l.Sessions), SessionsPerIP: unlimited(l.SessionsPerIP), SessionsPerUser: unlimited(l.SessionsPerUser),
			Memory: unlimited(in.budgets.memory), Descriptors: in.budgets.descriptors},
		Timeouts: edge.Timeouts{Idle: unlimited(l.Idle), Login: unlimited(l.Login), Stall: unlimited(l.Stall), Awake: unlimited(l.Awake)},
		Logins:   edge.Logins{Attempts: unlimited(l.LoginAttempts), FailDelay: unlimited(l.LoginDelay), Parallel: l.LoginsParallel, Remember: unlimited(l.LoginsRemember)},
		Transfer: edge.Transfer{Binary: t.Binary, Nagle: !t.NoDelay, Copy: !t.Sendfile, Buffer: int(t.Buffer), NoDeflate: !t.Deflate, MaxRatio: unlimited(t.MaxRatio), Hashes: t.Checksums,
			HashParallel: l.HashesParallel, HashTime: unlimited(l.HashTime), Least: l.MinRate, LeastWindow: l.MinRateOver},
		Defence:   in.defence(),
		Bandwidth: in.conf.Bandwidth,
		Listing: pi.Listing{HideDotFiles: in.conf.HideDotFiles, Limits: pi.ListLimits{Entries: unlimited(l.Listing.Matches),
			Directories: unlimited(l.Listing.Directories), Depth: unlimited(l.Listing.Depth), Time: l.Listing.Time, Sorted: unlimited(l.Listing.Sort)}},
		Languages: languages, PolicyChanged: in.modules.changed, Retired: in.retired}, nil
}

// unlimited turns the configuration's zero into edge's, where zero is a default and
// what lies below it is meant: no limit, or of listings nothing.
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
	for _, root := range conf.Roots() {
		if inside, err := within(root, dir); err != nil {
			return err
		} else if inside {
			return fmt.Errorf("the state directory %s lies in the served directory %s: its keys would be served\n"+
				"   = help: choose another one with --state-dir", dir, root)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("the state directory cannot be closed to others: %w\n   = help: it belongs to another user: start the server as that one, or give it away with chown -R USER", err)
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
	return below(root, dir), nil
}

// retired gives up what only sessions that began with the generation have needed.
func (in *generation) retired() { in.certs.detach(in.now.Load().certs) }

// close gives everything back.
func (in *instance) close() {
	var errs []error
	in.restore()
	defer in.manager.Close()
	building := make(chan error, 1)
	go func() { // beside the rest: it takes a moment
		if in.builder != nil {
			building <- in.builder.Close()
		}
		close(building)
	}()
	last := in.now.Load()
	if last != nil && last.scraped != nil {
		errs = append(errs, last.scraped.Close())
		_ = last.figuresAt.Close() // it may have served nothing yet; else it is closed already
	}
	if in.server != nil {
		stopped, cancel := context.WithCancel(context.Background())
		cancel()
		_ = in.server.Shutdown(stopped)
		if last != nil {
			last.endFronts(stopped)
		}
	}
	in.closeSockets()
	if last != nil {
		last.certs.leave(nil)
	}
	if in.modules != nil {
		in.modules.crashes.close()
	}
	if in.host != nil {
		errs = append(errs, in.host.Close())
	}
	if in.store != nil { // after the policies, which remember to the last
		errs = append(errs, in.store.Close())
	}
	in.house.predecessor.hangUp()
	if in.accounts != nil {
		errs = append(errs, in.accounts.close())
	}
	if in.ledger != nil {
		errs = append(errs, in.ledger.Close())
	}
	errs = append(errs, in.trees.close(), in.closeHouse(), <-building) // before the socket: a successor may begin behind that
	if in.admin != nil {
		errs = append(errs, in.admin.Close())
	}
	in.succeeds.fail()
	if err := errors.Join(errs...); err != nil {
		in.log.Warn("not everything could be put away", "error", err)
	}
}
