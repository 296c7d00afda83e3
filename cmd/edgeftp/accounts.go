package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/userdb"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/policies/quota"
)

// accounts are the users of every source, as they stand: those of the configuration, and
// those of the store, which change while the server runs. What is found here holds for the
// next login. It implements control.Accounts, for a server and for a command that has the
// store to itself.
type accounts struct {
	log    *slog.Logger
	db     *userdb.DB // nil: the store is none of the sources
	reader *config.EntryReader
	// kick ends the sessions of a user, and returns how many; nil where there are none.
	kick func(name, reason string) int
	// limit changes how fast the sessions of a user move bytes; nil where there are none.
	limit func(name string, r edge.Rates)
	// served reports whether a directory can be somebody's tree; nil looks whether it is
	// there.
	served func(root string) error

	changing sync.Mutex // one change at a time; it guards away
	away     bool       // another process has the file of the store

	// Of the users of the store, for who looks without a lock.
	metered atomic.Int64 // who have a quota
	sealed  atomic.Int64 // who need TLS

	mu     sync.RWMutex // guards what follows, briefly
	conf   *config.Config
	meter  *quota.Policy
	stored map[string]account   // it is changed by load, put and drop alone
	logins map[string]time.Time // that the store does not have yet
}

// account is a user of the store.
type account struct {
	userdb.Record
	entry *config.Entry // nil for one that this version cannot read
	fault string        // why
}

// metered reports whether the user has a quota of his own.
func (acc account) metered() bool { return acc.entry != nil && acc.entry.HasQuota() }

// needsTLS reports whether the account itself says that the user may log in over TLS alone.
func (acc account) needsTLS() bool { return acc.entry != nil && acc.entry.NeedsTLS() }

// put has the store's user of a name be acc, and drop that there is none. The caller holds
// mu.
func (a *accounts) put(name string, acc account) {
	was := a.stored[name]
	a.stored[name] = acc
	a.count(acc, 1) // first: nobody is left out for a moment
	a.count(was, -1)
}

func (a *accounts) drop(name string) {
	was := a.stored[name]
	delete(a.stored, name)
	a.count(was, -1)
}

func (a *accounts) count(acc account, n int64) {
	if acc.metered() {
		a.metered.Add(n)
	}
	if acc.needsTLS() {
		a.sealed.Add(n)
	}
}

// storeWait is how long a server waits for a command that has the store.
const storeWait = 5 * time.Second

// openAccounts opens the users of a configuration, with the store where that is one of
// its sources.
func openAccounts(conf *config.Config, log *slog.Logger, wait time.Duration) (_ *accounts, err error) {
	a := &accounts{log: log, conf: conf, stored: map[string]account{}, logins: map[string]time.Time{}}
	if !conf.From(config.SourceStore) {
		return a, nil
	}
	if a.reader, err = config.NewEntryReader(); err != nil {
		return nil, err
	}
	if a.db, err = userdb.Open(conf.UserStore(), wait); errors.Is(err, userdb.ErrInUse) {
		return nil, helped(err, "a command of edgeftp user may be at work, or a server that does not answer: try again")
	} else if err != nil {
		return nil, fmt.Errorf("the users' store cannot be opened: %w", err)
	}
	if err := a.load(); err != nil {
		return nil, errors.Join(err, a.db.Close())
	}
	return a, nil
}

// load reads the store into memory. A user whom this version cannot read stays in the
// file, and cannot log in.
func (a *accounts) load() error {
	records, err := a.db.All()
	if err != nil {
		return err
	}
	stored, metered, sealed := make(map[string]account, len(records)), int64(0), int64(0)
	for _, r := range records {
		acc := account{Record: r}
		entries, err := a.reader.Read([]rawEntry{r.Entry})
		switch {
		case err != nil:
			acc.fault = err.Error()
			a.log.Warn("a user of the store cannot log in", "user", r.Name, "reason", acc.fault, "help", "edgeftp user set or rm mends it")
		case entries[0].Name() != r.Name:
			acc.fault = "the record has the name " + fmt.Sprintf("%q", entries[0].Name())
		default:
			acc.entry = &entries[0]
		}
		stored[r.Name] = acc
		if acc.metered() {
			metered++
		}
		if acc.needsTLS() {
			sealed++
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stored = stored
	a.metered.Store(metered)
	a.sealed.Store(sealed)
	return nil
}

// release gives the file of the store up, for another process to open it. Logins find the
// users as they were then, and nothing can be changed.
func (a *accounts) release() error {
	if a.db == nil {
		return nil
	}
	err := a.flush()
	a.changing.Lock()
	defer a.changing.Unlock()
	if a.away {
		return nil
	}
	a.away = true
	return errors.Join(err, a.db.Close())
}

// retake opens the file again that release gave up, and reads what has become of it.
func (a *accounts) retake(wait time.Duration) (err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	if !a.away {
		return nil
	}
	if a.db, err = userdb.Open(a.configuration().UserStore(), wait); err != nil {
		return err
	}
	a.away = false
	return a.load()
}

// show has what is told of users be that of another configuration, and of its quotas. A
// store that was none of the sources at the start is not opened.
func (a *accounts) show(conf *config.Config, meter *quota.Policy) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conf, a.meter = conf, meter
}

// kept returns the user whom the store has under a name.
func (a *accounts) kept(name string) (account, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	acc, here := a.stored[name]
	return acc, here
}

// user is the account under the defaults of a configuration.
func (acc account) user(conf *config.Config) (config.User, error) {
	if acc.entry == nil {
		return config.User{Name: acc.Name, Source: config.SourceStore}, errors.New(acc.fault)
	}
	return acc.entry.User(conf)
}

// roots are the directories that users of the store name, each once.
func (a *accounts) roots() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	roots := map[string]bool{}
	for _, acc := range a.stored {
		if acc.entry != nil && acc.entry.OwnRoot() != "" {
			roots[acc.entry.OwnRoot()] = true
		}
	}
	return slices.Sorted(maps.Keys(roots))
}

// begin takes the server over whose sessions are those of the users, and what tells whether
// a directory can be served.
func (a *accounts) begin(served func(root string) error, server pacer) {
	a.served, a.limit = served, server.LimitLogins
	if k, able := server.(kicker); able {
		a.kick = k.KickUser
	}
}

// pacer is a server that changes how fast a user's sessions may move bytes.
type pacer interface {
	LimitLogins(name string, r edge.Rates)
}

// kicker is a server that can end the sessions of a user, and tells how many.
type kicker interface {
	KickUser(name, reason string) int
}

// tell says once what nobody would find out: users whom an earlier source hides.
func (a *accounts) tell() {
	for _, s := range a.shadowed() {
		a.log.Warn("two sources have a user of one name: the first one holds", "user", s.Name, "holds", s.By, "ignored", s.Source)
	}
}

// shadowed are the users whom an earlier source hides.
func (a *accounts) shadowed() []config.Shadowed {
	a.mu.RLock()
	defer a.mu.RUnlock()
	all := slices.Clone(a.conf.Shadowed)
	at := slices.Index(a.conf.Sources, config.SourceStore)
	for _, u := range a.conf.Users {
		if _, here := a.stored[u.Name]; !here {
			continue
		}
		s := config.Shadowed{Name: u.Name, Source: config.SourceStore, By: u.Source}
		if at < slices.Index(a.conf.Sources, u.Source) {
			s.Source, s.By = s.By, s.Source
		}
		all = append(all, s)
	}
	return all
}

// seen notes a login. It is written later: see keep.
func (a *accounts) seen(name string, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, here := a.stored[name]; here && a.db != nil {
		a.logins[name] = at
	}
}

// keepEvery is how long the time of a login may wait until it is written: a killed server
// loses as much of them, and nothing else.
const keepEvery = time.Minute

// keep writes the times of logins and ends sessions whose users have expired since they
// logged in, until done is closed.
func (a *accounts) keep(done <-chan struct{}) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for before := time.Now(); ; {
		select {
		case <-done:
			return
		case now := <-tick.C:
			if err := a.flush(); err != nil {
				a.log.Warn("the times of logins cannot be written", "error", err)
			}
			a.expire(before, now)
			before = now
		}
	}
}

// expire ends the sessions of users who have expired between two moments. What was so
// when they logged in, their sessions know themselves.
func (a *accounts) expire(from, to time.Time) {
	a.mu.RLock()
	var gone []string
	for name, acc := range a.stored {
		if acc.entry == nil {
			continue
		}
		if u, err := acc.entry.User(a.conf); err == nil && !u.Expires.IsZero() && u.Expires.After(from) && !u.Expires.After(to) {
			gone = append(gone, name)
		}
	}
	a.mu.RUnlock()
	for _, name := range gone {
		a.end(name, "This login has expired.")
	}
}

// end ends the sessions of a user of the store.
func (a *accounts) end(name, reason string) int {
	if a.kick == nil {
		return 0
	}
	n := a.kick(name, reason)
	if n > 0 {
		a.log.Info("sessions of a user were ended", "user", name, "sessions", n, "reason", reason)
	}
	return n
}

// flush writes the times of logins.
func (a *accounts) flush() error {
	a.changing.Lock()
	defer a.changing.Unlock()
	if a.away {
		return nil
	}
	a.mu.Lock()
	logins := a.logins
	a.logins = map[string]time.Time{}
	a.mu.Unlock()
	if len(logins) == 0 {
		return nil
	}
	err := a.db.Change(time.Now(), func(tx *userdb.Tx) error {
		for name, at := range logins {
			if err := tx.Login(name, at); err != nil {
				return err
			}
		}
		return nil
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, at := range logins {
		acc, here := a.stored[name]
		switch {
		case err != nil: // another time
			if _, later := a.logins[name]; !later {
				a.logins[name] = at
			}
		case here:
			acc.Login = at.UTC()
			a.put(name, acc)
		}
	}
	return err
}

// close writes what is left and gives the store back.
func (a *accounts) close() error {
	if a.db == nil {
		return nil
	}
	return a.release()
}

// mayServe reports what keeps a directory from being a user's tree.
func (a *accounts) mayServe(root string) error {
	if a.served != nil {
		return a.served(root)
	}
	return isThere(root)
}

// isThere reports what keeps a path from being a directory.
func isThere(root string) error {
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", root)
	}
	return err
}

var _ control.Accounts = (*accounts)(nil)

// Accounts implements control.Accountant.
func (m *modules) Accounts() control.Accounts { return m.users }
