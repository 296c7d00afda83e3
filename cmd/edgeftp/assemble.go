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
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/machine"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/policies/metrics"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/ledger"
)

// instance is a server with everything that it stands on.
type instance struct {
	conf      *config.Config
	log       *slog.Logger
	accounts  *accounts // of every source, for as long as the process lives
	people    *people   // of this configuration
	homes     *homes
	host      *wasmhost.Host
	certs     *certificates
	built     map[string]string
	builder   *builder.Child // nil where no policy is to be built
	benches   []*bench       // the policies whose source is watched
	store     *kv.Store
	ledger    *ledger.Ledger
	server    *edge.Server
	metrics   *metrics.Policy // nil where nobody asks for figures
	scraped   *http.Server    // nil before listen
	figuresAt net.Listener    // of scraped
	modules   *modules
	admin     *control.Server
	sandbox   *sandbox.State // nil before everything is opened and bound
	budgets   *budgets
	ephemeral *dtp.Ephemeral          // of the passive ports of listeners without a range
	sockets   map[socket]net.Listener // that were there before the server
	gone      time.Time               // by when the process has to end; zero before that is known
}

// assemble makes everything but the listeners. After an error nothing is left.
func assemble(ctx context.Context, conf *config.Config, log *slog.Logger) (_ *instance, err error) {
	in := &instance{conf: conf, log: log, built: map[string]string{}, sockets: map[socket]net.Listener{}, certs: newCertificates()}
	defer func() {
		if err != nil {
			in.close()
		}
	}()
	in.findMemory()
	in.findPorts()
	if err := in.settle(ctx); err != nil {
		return nil, err
	}
	if err := prepareState(conf); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	// The socket comes first: it tells whether another server has this state.
	if in.admin, err = control.Listen(ctx, conf.Socket); errors.Is(err, control.ErrPathTooLong) {
		return nil, exitWith(exitConfig, err)
	} else if err != nil {
		return nil, exitWith(exitFailed, err)
	}
	if in.accounts, err = openAccounts(conf, log, storeWait); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	in.people = in.accounts.under(conf)
	in.accounts.tell()
	if in.homes, err = openHomes(conf, in.people, log); err != nil {
		return nil, exitWith(exitConfig, err)
	}
	if err := in.openModules(ctx); err != nil {
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
	in.budgets.tell(log, conf, in.server.Status().Budget)
	in.warnUnwritable()
	in.certs.told.Store(in.server)
	in.modules.begin(in.server)
	in.accounts.begin(in.homes, in.server)
	in.warnOnDemand()
	return in, nil
}

// openModules opens what the policy modules stand on.
func (in *instance) openModules(ctx context.Context) (err error) {
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
	if in.host, err = wasmhost.New(ctx, host); err != nil {
		return exitWith(exitFailed, err)
	}
	in.modules = &modules{host: in.host, log: in.log, store: in.store, ledger: in.ledger, rules: in.conf.Policies.Rules(),
		conf: &in.conf.Policies, users: in.accounts, spools: filepath.Join(dir, "spool"), slots: map[string]*slot{},
		crashes: newCrashes(filepath.Join(dir, "crashes"), in.log)}
	return nil
}

// settings turns the configuration into edge's, but for the policies.
func (in *instance) settings(ctx context.Context) (edge.Config, error) {
	listeners, err := in.listeners(ctx)
	if err != nil {
		return edge.Config{}, err
	}
	languages, err := in.conf.Languages.Set()
	if err != nil {
		return edge.Config{}, err
	}
	l, t := in.conf.Limits, in.conf.Transfer
	in.budgets.divide(in.conf, machine.ReadDescriptors())
	return edge.Config{FS: in.homes.shared, Home: in.homes.home(), Listeners: listeners, Log: in.log, LogPrefix: in.conf.Log.Prefix,
		Limits: edge.Limits{Sessions: unlimited(l.Sessions), SessionsPerIP: unlimited(l.SessionsPerIP), SessionsPerUser: unlimited(l.SessionsPerUser),
			Memory: unlimited(in.budgets.memory), Descriptors: in.budgets.descriptors},
		Timeouts: edge.Timeouts{Idle: unlimited(l.Idle), Login: unlimited(l.Login), Stall: unlimited(l.Stall), Awake: unlimited(l.Awake)},
		Logins:   edge.Logins{Attempts: unlimited(l.LoginAttempts), FailDelay: unlimited(l.LoginDelay), Parallel: l.LoginsParallel, Remember: unlimited(l.LoginsRemember)},
		Transfer: edge.Transfer{Binary: t.Binary, Nagle: !t.NoDelay, Copy: !t.Sendfile, Buffer: int(t.Buffer), NoDeflate: !t.Deflate, MaxRatio: unlimited(t.MaxRatio), Hashes: t.Checksums,
			HashParallel: l.HashesParallel, HashTime: unlimited(l.HashTime), Least: l.MinRate, LeastWindow: l.MinRateOver},
		Defence:   defence(in.conf),
		Bandwidth: in.conf.Bandwidth,
		Listing: pi.Listing{HideDotFiles: in.conf.HideDotFiles, Limits: pi.ListLimits{Entries: unlimited(l.Listing.Matches),
			Directories: unlimited(l.Listing.Directories), Depth: unlimited(l.Listing.Depth), Time: l.Listing.Time, Sorted: unlimited(l.Listing.Sort)}},
		Languages: languages, PolicyChanged: in.modules.changed}, nil
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

// close gives everything back.
func (in *instance) close() {
	var errs []error
	if in.budgets != nil {
		in.budgets.restore()
	}
	building := make(chan error, 1)
	go func() { // beside the rest: it takes a moment
		if in.builder != nil {
			building <- in.builder.Close()
		}
		close(building)
	}()
	if in.scraped != nil {
		errs = append(errs, in.scraped.Close())
		_ = in.figuresAt.Close() // it may have served nothing yet; else it is closed already
	}
	if in.server != nil {
		stopped, cancel := context.WithCancel(context.Background())
		cancel()
		_ = in.server.Shutdown(stopped)
	}
	in.closeSockets()
	in.certs.close()
	if in.modules != nil {
		in.modules.crashes.close()
	}
	if in.host != nil {
		errs = append(errs, in.host.Close())
	}
	if in.store != nil { // after the policies, which remember to the last
		errs = append(errs, in.store.Close())
	}
	if in.accounts != nil {
		errs = append(errs, in.accounts.close())
	}
	if in.ledger != nil {
		errs = append(errs, in.ledger.Close())
	}
	if in.homes != nil {
		errs = append(errs, in.homes.close())
	}
	errs = append(errs, <-building) // before the socket: a successor may begin behind that
	if in.admin != nil {
		errs = append(errs, in.admin.Close())
	}
	if err := errors.Join(errs...); err != nil {
		in.log.Warn("not everything could be put away", "error", err)
	}
}
