package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/userdb"
	"github.com/edgeftp/edgeftp/edge"
)

type rawEntry = json.RawMessage

// AddUsers implements control.Accounts.
func (a *accounts) AddUsers(n control.NewUsers) ([]control.User, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	if err := a.storing(); err != nil {
		return nil, err
	}
	entries, err := a.reader.Read(n.Users)
	if err != nil {
		return nil, entryRefusal(err)
	}
	conf := a.configuration()
	added, err := a.addable(conf, entries, n.Skip)
	if err != nil {
		return nil, err
	}
	if n.DryRun || len(added) == 0 {
		return a.wouldBe(conf, added), nil
	}
	now := time.Now()
	err = a.db.Change(now, func(tx *userdb.Tx) error {
		for i := range added {
			if err := tx.Add(added[i].Name(), added[i].Text()); err != nil {
				return fmt.Errorf("user %q: %w", added[i].Name(), err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("nothing was added: %w", err)
	}
	var made []control.User
	for i := range added {
		if err := a.reread(added[i].Name()); err != nil {
			return nil, err
		}
		acc, _ := a.kept(added[i].Name())
		made = append(made, look(a.describe(conf, acc)))
		a.log.Info("user added", "user", acc.Name)
	}
	return made, nil
}

// addable are those entries that can be added. The error tells of all that cannot, unless
// they are there already and skip leaves those out.
func (a *accounts) addable(conf *config.Config, entries []config.Entry, skip bool) (added []config.Entry, err error) {
	var all []*control.Refusal
	for i := range entries {
		name := entries[i].Name()
		var no *control.Refusal
		if _, here := a.kept(name); here {
			no = &control.Refusal{Code: control.CodeUserExists, Message: fmt.Sprintf("there is a user %q already", name),
				Help: "edgeftp user set or passwd changes one that is there"}
		} else {
			no = a.hidden(conf, name)
		}
		switch {
		case no != nil && skip:
			continue
		case no == nil:
			no = a.rooted(conf, &entries[i])
		}
		if no != nil {
			all = append(all, no)
		}
		added = append(added, entries[i])
	}
	if len(all) == 0 {
		return added, nil
	}
	const most = 20
	first := *all[0]
	if len(all) > 1 {
		var lines []string
		for _, no := range all[:min(len(all), most)] {
			lines = append(lines, no.Message)
		}
		if len(all) > most {
			lines = append(lines, fmt.Sprintf("and %d more", len(all)-most))
		}
		first.Message = strings.Join(lines, "\n")
	}
	first.Message += "; nothing was added"
	return nil, &first
}

// wouldBe tells of users who were not added.
func (a *accounts) wouldBe(conf *config.Config, entries []config.Entry) []control.User {
	var all []control.User
	for i := range entries {
		acc := account{Record: userdb.Record{Name: entries[i].Name(), Entry: entries[i].Text()}, entry: &entries[i]}
		all = append(all, look(a.describe(conf, acc)))
	}
	return all
}

// storing refuses what the store is needed for where it is not in use. The caller holds
// changing.
func (a *accounts) storing() error {
	switch {
	case a.away:
		return &control.Refusal{Code: control.CodeUserSource, Message: "the next server has the store of users: this one drains", Help: "ask the next one"}
	case a.db != nil:
		return nil
	}
	return &control.Refusal{Code: control.CodeUserSource, Message: "the store of users is not in use: it is not among users.sources",
		Help: "add store to users.sources, and restart the server"}
}

// hidden refuses a name that an earlier source has: nobody would ask for this one.
func (a *accounts) hidden(conf *config.Config, name string) *control.Refusal {
	for _, source := range conf.Sources {
		if source == config.SourceStore {
			return nil
		}
		if slices.ContainsFunc(conf.Users, func(u config.User) bool { return u.Name == name && u.Source == source }) {
			return &control.Refusal{Code: control.CodeUserExists, Message: fmt.Sprintf("users.%s of the configuration has a user %q, and comes first", source, name),
				Help: "choose another name, or change that one in the configuration"}
		}
	}
	return nil
}

// rooted refuses a directory that cannot be served.
func (a *accounts) rooted(conf *config.Config, e *config.Entry) *control.Refusal {
	u, err := e.User(conf)
	if err == nil && u.Root != "" && e.OwnRoot() != "" {
		err = a.mayServe(u.Root)
	}
	for _, f := range e.OwnFolders() {
		root, wrong := f.RootOf(e.Name())
		if wrong == nil && err == nil {
			wrong = a.mayServe(root)
		}
		if err == nil && wrong != nil {
			err = fmt.Errorf("the folder %s: %w", f.Path, wrong)
		}
	}
	if err == nil {
		return nil
	}
	what, help, found := strings.Cut(err.Error(), "\n   = help: ")
	if !found {
		help = "name a directory that is there with --root, or make it first"
	}
	return &control.Refusal{Code: control.CodeUserRoot, Message: fmt.Sprintf("user %q: %s", e.Name(), what), Help: help}
}

// ChangeUser implements control.Accounts.
func (a *accounts) ChangeUser(name string, c control.UserChange) (control.User, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	acc, err := a.own(name)
	if err != nil {
		return control.User{}, err
	}
	merged, err := merge(acc.Entry, c)
	if err != nil {
		return control.User{}, err
	}
	entries, err := a.reader.Read([]rawEntry{merged})
	if err != nil {
		return control.User{}, entryRefusal(err)
	}
	conf, next := a.configuration(), &entries[0]
	if acc.entry == nil || next.OwnRoot() != acc.entry.OwnRoot() || !reflect.DeepEqual(next.OwnFolders(), acc.entry.OwnFolders()) {
		if no := a.rooted(conf, next); no != nil {
			return control.User{}, no
		}
	}
	err = a.db.Change(time.Now(), func(tx *userdb.Tx) error { return tx.Set(name, next.Text()) })
	if err == nil {
		err = a.reread(name)
	}
	if err != nil {
		return control.User{}, fmt.Errorf("the user %q was not changed: %w", name, err)
	}
	was, _ := acc.user(conf)
	acc, _ = a.kept(name)
	if is, err := acc.user(conf); err == nil && a.hidden(conf, name) == nil {
		a.rate(was, is)
	}
	u := look(a.describe(conf, acc))
	a.log.Info("user changed", "user", name, "disabled", u.Disabled)
	if u.Disabled || u.Expired || c.End {
		u.Ended = a.endHolding(conf, name, "Your account was changed; log in again, if you may.")
	}
	return u, nil
}

// endHolding ends a user's sessions, unless they are those of another source's user of
// that name.
func (a *accounts) endHolding(conf *config.Config, name, reason string) int {
	if a.hidden(conf, name) != nil {
		return 0
	}
	return a.end(name, reason)
}

// merge makes the entry that a change leaves.
func merge(entry json.RawMessage, c control.UserChange) (json.RawMessage, error) {
	var m map[string]any
	if err := json.Unmarshal(entry, &m); err != nil {
		return nil, err
	}
	if c.Settings != nil {
		var with map[string]any
		if err := json.Unmarshal(c.Settings, &with); err != nil {
			return nil, &control.Refusal{Code: control.CodeUserRequest, Message: "settings is no object of JSON: " + err.Error()}
		}
		for _, key := range []string{"name", "password_hash"} {
			if _, given := with[key]; given {
				return nil, &control.Refusal{Code: control.CodeUserEntry, Message: fmt.Sprintf("%q cannot be among the settings", key),
					Help: "a user keeps the name; edgeftp user passwd changes the password"}
			}
		}
		patch(m, with)
	}
	if c.PasswordHash != "" {
		if err := edge.CheckHash(c.PasswordHash); err != nil {
			return nil, &control.Refusal{Code: control.CodeUserEntry, Message: "password_hash: " + err.Error()}
		}
		m["password_hash"] = c.PasswordHash
	}
	return json.Marshal(m)
}

// patch merges as RFC 7396 §2 has it.
func patch(into, with map[string]any) {
	for key, value := range with {
		inner, isMap := value.(map[string]any)
		old, wasMap := into[key].(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isMap && wasMap:
			patch(old, inner)
		case isMap:
			fresh := map[string]any{}
			patch(fresh, inner)
			into[key] = fresh
		default:
			into[key] = value
		}
	}
}

// RemoveUser implements control.Accounts.
func (a *accounts) RemoveUser(name string) (control.User, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	acc, err := a.own(name)
	if err != nil {
		return control.User{}, err
	}
	conf := a.configuration()
	u := a.describe(conf, acc)
	if err := a.db.Change(time.Now(), func(tx *userdb.Tx) error { return tx.Remove(name) }); err != nil {
		return control.User{}, fmt.Errorf("the user %q was not removed: %w", name, err)
	}
	a.mu.Lock()
	a.drop(name)
	delete(a.logins, name)
	a.mu.Unlock()
	a.log.Info("user removed", "user", name)
	u.Ended = a.endHolding(conf, name, "This account is no more.")
	return u, nil
}

// own returns a user of the store, or says where else he stands.
func (a *accounts) own(name string) (account, error) {
	if acc, here := a.kept(name); here {
		return acc, a.storing()
	}
	conf := a.configuration()
	if i := slices.IndexFunc(conf.Users, func(u config.User) bool { return u.Name == name }); i >= 0 {
		u := &conf.Users[i]
		where := "users.list of the configuration"
		if u.Source == config.SourceFile {
			where = conf.UsersFile
		}
		return account{}, &control.Refusal{Code: control.CodeUserSource, Message: fmt.Sprintf("the user %q stands in %s", name, where), Help: "change it there, and reload"}
	}
	if err := a.storing(); err != nil {
		return account{}, err
	}
	return account{}, unknownUser(name)
}

func unknownUser(name string) error {
	return &control.Refusal{Code: control.CodeUserUnknown, Message: fmt.Sprintf("there is no user %q", name), Help: "edgeftp user list shows them"}
}

// reread takes over what the store has of a user.
func (a *accounts) reread(name string) error {
	r, err := a.db.Get(name)
	if err != nil {
		return err
	}
	entries, err := a.reader.Read([]rawEntry{r.Entry})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(name, account{Record: r, entry: &entries[0]})
	return nil
}

func (a *accounts) configuration() *config.Config {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.conf
}

// entryRefusal words what is wrong with an entry.
func entryRefusal(err error) error {
	var e *config.Error
	if !errors.As(err, &e) {
		return &control.Refusal{Code: control.CodeUserRequest, Message: err.Error()}
	}
	return &control.Refusal{Code: control.CodeUserEntry, Message: strings.TrimPrefix(e.Error(), "error: ")}
}
