package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/policies/quota"
)

// Users implements control.Accounts.
func (a *accounts) Users() ([]control.User, error) {
	conf := a.configuration()
	a.mu.RLock()
	kept := make([]account, 0, len(a.stored))
	for name, acc := range a.stored {
		if at, later := a.logins[name]; later {
			acc.Login = at.UTC().Truncate(time.Second)
		}
		kept = append(kept, acc)
	}
	a.mu.RUnlock()
	var all []control.User
	for _, acc := range kept {
		all = append(all, a.describe(conf, acc))
	}
	for i := range conf.Users {
		all = append(all, fixed(&conf.Users[i]))
	}
	hidden := map[[2]string]bool{}
	for _, s := range a.shadowed() {
		hidden[[2]string{s.Name, s.Source}] = true
	}
	for i := range all {
		all[i].Shadowed = hidden[[2]string{all[i].Name, all[i].Source}]
	}
	slices.SortFunc(all, func(x, y control.User) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), slices.Index(conf.Sources, x.Source)-slices.Index(conf.Sources, y.Source))
	})
	return all, nil
}

// User implements control.Accounts. Of two of one name it tells of the one that holds.
func (a *accounts) User(name string) (control.User, error) {
	all, err := a.Users()
	if err != nil {
		return control.User{}, err
	}
	i := slices.IndexFunc(all, func(u control.User) bool { return u.Name == name && !u.Shadowed })
	if i < 0 {
		return control.User{}, unknownUser(name)
	}
	u := look(all[i])
	if u.Quota, err = a.usage(name); err != nil {
		u.Problem = "the quota's counters cannot be read: " + err.Error()
	}
	return u, nil
}

// usage is what a user has stored, nil where nothing is counted.
func (a *accounts) usage(name string) (*control.Usage, error) {
	a.mu.RLock()
	meter := a.meter
	a.mu.RUnlock()
	if meter == nil {
		return nil, nil
	}
	got, err := meter.Usage(name, time.Now())
	if err != nil || got.Limits == (quota.Limits{}) {
		return nil, err
	}
	l, n := got.Limits, got.Used
	return &control.Usage{Bytes: control.Share{Used: n.Bytes, Limit: l.Bytes}, Files: control.Share{Used: n.Files, Limit: l.Files},
		DayBytes: control.Share{Used: n.DayBytes, Limit: l.DayBytes}, DayFiles: control.Share{Used: n.DayFiles, Limit: l.DayFiles},
		MonthBytes: control.Share{Used: n.MonthBytes, Limit: l.MonthBytes}, MonthFiles: control.Share{Used: n.MonthFiles, Limit: l.MonthFiles}}, nil
}

// fixed tells of a user of the configuration.
func fixed(u *config.User) control.User {
	text, err := u.Settings()
	if err != nil {
		text = []byte("{}")
	}
	out := control.User{Name: u.Name, Source: u.Source, Settings: withoutOwn(text), Password: u.PasswordHash != "", Disabled: u.Disabled,
		Note: u.Note, Perm: u.Perms.String(), Root: u.Root}
	out.Expired = expired(u)
	return out
}

func expired(u *config.User) bool { return !u.Expires.IsZero() && !time.Now().Before(u.Expires) }

// describe tells of a user of the store.
func (a *accounts) describe(conf *config.Config, acc account) control.User {
	u, err := acc.user(conf)
	out := control.User{Name: acc.Name, Source: config.SourceStore, Settings: withoutOwn(acc.Entry), Password: u.PasswordHash != "",
		Disabled: u.Disabled, Expired: expired(&u), Note: u.Note, Perm: u.Perms.String(), Root: u.Root,
		Created: acc.Created, Changed: acc.Changed, LastLogin: acc.Login}
	if err != nil {
		out.Problem = err.Error()
	}
	return out
}

// look adds what is wrong with the user's directory.
func look(u control.User) control.User {
	if u.Problem == "" && u.Root != "" {
		if err := isThere(u.Root); err != nil {
			u.Problem = "the root cannot be served: " + err.Error()
		}
	}
	return u
}

// withoutOwn takes those keys out of an entry that stand elsewhere, and the hash.
func withoutOwn(entry json.RawMessage) json.RawMessage {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(entry))
	d.UseNumber()
	if d.Decode(&m) != nil {
		return json.RawMessage("{}")
	}
	for _, key := range []string{"name", "password_hash", "disabled", "note"} {
		delete(m, key)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}
