// Package quota is a policy that bounds what users and groups store: bytes and
// files at one time, and how much of both may be added in a day and in a month.
// An upload beyond that is refused with 552 (RFC 959 §4.2.1: exceeded storage
// allocation).
//
// # What is counted
//
// An upload is charged in one step, between its last byte and the moment at which
// it becomes visible, by what it adds: its size less that of the file it replaces,
// and one file if it replaces none. So appending and resuming cost their growth
// alone, and any number of uploads at one time stay within the limit. What shrinks
// a file gives bytes back once it is published. A file that is deleted gives its
// bytes and one file back to the user who deletes it, and to that user's group. An
// upload that was charged and then could not be published is given back whole.
//
// What days and months count is growth as well, and nothing of it is given back
// but for uploads that could not be published. They begin at midnight UTC.
//
// # What is not
//
// The policy counts from what it was told of, not from what lies on the disk:
// files that were there before it, or come or go behind the server's back, are not
// counted, nor are directories, links, and interrupted uploads that are kept but
// not published. The deletion of an empty file gives nothing back, because an event
// does not tell it from that of a link or an interrupted upload. A rename charges and
// returns nothing, whoever owned the file, and nor does what it replaces. A deletion
// by another user is given back to that one. Two uploads of one new name at one time
// are both charged, though one file is left. A counter never falls below zero. Events that the server had to drop, and the
// last second before it was killed, leave the counters at what they were.
package quota

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Limits bound one user or one group. Zero in any field is no limit.
type Limits struct {
	Bytes      int64 // stored at one time
	Files      int64 // stored at one time
	DayBytes   int64 // added in a day
	DayFiles   int64 // added in a day
	MonthBytes int64 // added in a month
	MonthFiles int64 // added in a month
}

// Config is what a [Policy] is made of. KV is required; the rest of the zero value
// limits nobody.
type Config struct {
	// Name of the policy in events; empty is "quota".
	Name string
	// KV keeps the counters.
	KV policy.KV
	// Each bounds every user by himself that Users does not name.
	Each Limits
	// Users bounds single users. An entry without limits frees its user of Each.
	Users map[string]Limits
	// Lookup, where it is there, finds the limits of a user whom Users does not name, as
	// they stand at that moment; false leaves him to Each. It must not block.
	Lookup func(user string) (Limits, bool)
	// Unlimited, where it is there, reports that Lookup finds limits for nobody at this
	// moment. It is called often, and must only look. Nil is that it may find some.
	Unlimited func() bool
	// Groups bounds all users of a group together, beside what bounds each of them.
	Groups map[string]Limits
}

// Policy charges uploads. It is a [policy.Policy] that takes part in the stages fs,
// event and site, and is safe for concurrent use.
type Policy struct {
	config Config
	bounds bool // somebody, whatever Lookup finds
}

// New returns the policy of config. The error names the limit that is below zero,
// or says that there is no KV.
func New(config Config) (*Policy, error) {
	if config.Name == "" {
		config.Name = "quota"
	}
	if config.KV == nil {
		return nil, errors.New("a quota needs somewhere to keep its counters")
	}
	config.Users, config.Groups = maps.Clone(config.Users), maps.Clone(config.Groups)
	if err := config.Each.check(); err != nil {
		return nil, err
	}
	for name, l := range config.Users {
		if err := l.check(); err != nil {
			return nil, fmt.Errorf("user %q: %w", name, err)
		}
	}
	for name, l := range config.Groups {
		if err := l.check(); err != nil {
			return nil, fmt.Errorf("group %q: %w", name, err)
		}
	}
	p := &Policy{config: config, bounds: config.Each != Limits{}}
	for _, of := range []map[string]Limits{config.Users, config.Groups} {
		for _, l := range of {
			p.bounds = p.bounds || l != Limits{}
		}
	}
	return p, nil
}

// dormant reports whether nobody is limited: then nothing is counted either.
func (p *Policy) dormant() bool {
	return !p.bounds && (p.config.Lookup == nil || p.config.Unlimited != nil && p.config.Unlimited())
}

func (l Limits) check() error {
	for _, f := range []struct {
		name  string
		value int64
	}{{"bytes", l.Bytes}, {"files", l.Files}, {"bytes of a day", l.DayBytes}, {"files of a day", l.DayFiles},
		{"bytes of a month", l.MonthBytes}, {"files of a month", l.MonthFiles}} {
		if f.value < 0 {
			return fmt.Errorf("the limit of %s is %d: zero is no limit, nothing is below it", f.name, f.value)
		}
	}
	return nil
}

// Name implements [policy.Policy].
func (p *Policy) Name() string { return p.config.Name }

// Hooks implements [policy.Policy].
func (p *Policy) Hooks() policy.Hooks {
	return policy.Hooks{Authorizer: p, Observer: p, Site: p, Dormant: p.dormant, Interest: policy.Interest{
		Ops:    []policy.Op{policy.OpWrite, policy.OpAppend, policy.OpUnique, policy.OpCommit},
		Events: []policy.EventKind{policy.EventFileReceived, policy.EventIncompleteFileReceived, policy.EventFileDeleted},
	}}
}

// Authorize implements [policy.Authorizer]. At the start of an upload it tells how
// large the file may become at most, at its end it charges. It fails if the
// counters cannot be read or written, which refuses the upload.
func (p *Policy) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	switch a.Op {
	case policy.OpWrite, policy.OpAppend, policy.OpUnique:
		return p.begin(a)
	case policy.OpCommit:
		return p.commit(ctx, a)
	}
	return policy.Answer{}, nil
}

// replaced returns what an upload will replace: its bytes, and whether there is a
// file.
func replaced(a *policy.Action) (int64, bool) {
	if a.Op == policy.OpUnique || !a.Exists || a.Dir { // the path of STOU is where it looks for a name
		return 0, false
	}
	return max(a.Size, 0), true
}

func (p *Policy) begin(a *policy.Action) (policy.Answer, error) {
	old, exists := replaced(a)
	left, limited, err := p.left(a.Session, a.Time)
	if err != nil || !limited {
		return policy.Answer{}, err
	}
	if !exists && left.files <= 0 {
		return noFile(), nil
	}
	if left.bytes == unlimited {
		return policy.Answer{}, nil
	}
	most := add(left.bytes, old)
	if most <= 0 || a.Op == policy.OpWrite && a.B == 0 && a.A > most {
		return tooLarge(left.bytes), nil
	}
	return policy.Answer{Limits: policy.Limits{MaxFileSize: most}}, nil
}

func noFile() policy.Answer { return refuse("The quota leaves no room for another file.") }

func tooLarge(left int64) policy.Answer {
	if left <= 0 {
		return refuse("The quota is used up.")
	}
	return refuse(fmt.Sprintf("The file is too large: the quota leaves %d bytes.", left))
}

func refuse(text string) policy.Answer {
	return policy.Answer{Verdict: policy.Deny, Code: 552, Text: text}
}

// commit charges what is about to become visible, to every account or to none.
func (p *Policy) commit(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	old, exists := replaced(a)
	c := change{bytes: max(a.A, 0) - old, period: periodOf(a.Time)}
	if !exists {
		c.files = 1
	}
	accounts := p.accounts(a.Session)
	for i, acc := range accounts {
		left, err := p.charge(ctx, acc, c, a.Shadow)
		if err == nil && left.fits(c) {
			continue
		}
		err = errors.Join(err, p.undo(ctx, accounts[:i], c, a.Shadow))
		switch {
		case err != nil:
			return policy.Answer{}, err
		case left.files < c.files:
			return noFile(), nil
		}
		return tooLarge(left.bytes), nil
	}
	if len(accounts) == 0 || a.Shadow {
		return policy.Answer{}, nil
	}
	if err := p.note(&a.Meta, a.Path, c); err != nil {
		return policy.Answer{}, errors.Join(err, p.undo(ctx, accounts, c, false))
	}
	return policy.Answer{}, nil
}

func (p *Policy) undo(ctx context.Context, accounts []account, c change, shadow bool) error {
	var errs []error
	for _, acc := range accounts {
		if !shadow {
			errs = append(errs, p.giveBack(ctx, acc, c))
		}
	}
	return errors.Join(errs...)
}

// Observe implements [policy.Observer]: it settles what was charged, and gives back
// what was deleted. It fails if the counters cannot be written.
func (p *Policy) Observe(ctx context.Context, e *policy.Event) error {
	if e.Shadow {
		return nil
	}
	var errs []error
	switch e.Kind {
	case policy.EventFileDeleted:
		if e.Size <= 0 { // perhaps a link or an interrupted upload, which was never charged
			return nil
		}
		gone := change{bytes: -e.Size, files: -1}
		for _, acc := range p.accounts(e.Session) {
			errs = append(errs, p.apply(ctx, acc, gone, e.Time))
		}
	case policy.EventFileReceived, policy.EventIncompleteFileReceived:
		c, found, err := p.take(&e.Meta, e.Path)
		if !found {
			return err
		}
		for _, acc := range p.accounts(e.Session) {
			switch {
			case e.Kind == policy.EventIncompleteFileReceived:
				errs = append(errs, p.giveBack(ctx, acc, c))
			case c.bytes < 0:
				errs = append(errs, p.apply(ctx, acc, change{bytes: c.bytes}, e.Time))
			}
		}
	}
	return errors.Join(errs...)
}

// account is one user's or one group's counters and their limits.
type account struct {
	key    string
	limits Limits
}

// accounts are those that bound a session.
func (p *Policy) accounts(s *policy.Session) []account {
	var all []account
	if limits := p.of(s.User); limits != (Limits{}) {
		all = append(all, account{key("u/", ownedBy(s, s.User)), limits})
	}
	if limits := p.config.Groups[s.Group]; limits != (Limits{}) {
		all = append(all, account{key("g/", ownedBy(s, s.Group)), limits})
	}
	return all
}

// ownedBy is a user or group as the counters know it: those of a virtual host are not those
// of another. No name of a client's holds a NUL.
func ownedBy(s *policy.Session, name string) string {
	if s.VHost == "" {
		return name
	}
	return s.VHost + "\x00" + name
}

// of returns the limits of one user.
func (p *Policy) of(user string) Limits {
	if l, named := p.config.Users[user]; named {
		return l
	}
	if p.config.Lookup != nil {
		if l, named := p.config.Lookup(user); named {
			return l
		}
	}
	return p.config.Each
}

// Usage is what a user has of what he may.
type Usage struct {
	Limits Limits
	Used   Limits // as it counts at that time; in a field without a limit it may be too little
}

// Usage returns what counts for a user by himself. It fails if the counters cannot be
// read.
func (p *Policy) Usage(user string, now time.Time) (Usage, error) {
	l := p.of(user)
	r, err := p.read(account{key("u/", user), l})
	r = r.in(periodOf(now))
	return Usage{l, Limits{Bytes: r.bytes, Files: r.files, DayBytes: r.dayBytes, DayFiles: r.dayFiles, MonthBytes: r.monthBytes, MonthFiles: r.monthFiles}}, err
}

// left returns what a session may still store, and whether there is any limit.
func (p *Policy) left(s *policy.Session, now time.Time) (room, bool, error) {
	all := room{unlimited, unlimited}
	accounts := p.accounts(s)
	for _, acc := range accounts {
		r, err := p.read(acc)
		if err != nil {
			return room{}, false, err
		}
		all = all.narrow(r.left(acc.limits, periodOf(now)))
	}
	return all, len(accounts) > 0, nil
}
