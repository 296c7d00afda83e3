// Package system is a policy that knows the users of account files in the form of
// passwd(5), shadow(5) and group(5). Like policies/users it answers with the stored
// hash, and the server verifies it; it never sees a password.
//
// The hashes are those that the server can verify: argon2id in PHC form and bcrypt.
// A file with a hash of another kind, such as crypt's $6$, is refused as a whole,
// with the line: an operator is to hear of it when the server starts, not a user
// when the login fails. Accounts that are locked or have no hash at all are known
// to nobody, which is what system accounts usually are.
//
// The files are read again when they have changed; what cannot be read then leaves
// the accounts as they were, and is logged. The policy needs the host's files, and
// what it tells of an account is for the program that serves it with the rights of
// that account (vfs.AsUser). So it is linked natively only.
package system

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Config is what a [Policy] is made of. Passwd is required.
type Config struct {
	// Name of the policy in events; empty is "system".
	Name string

	// Passwd is a file in the form of passwd(5), such as "/etc/passwd".
	Passwd string
	// Shadow holds the hashes of those whose password is "x" in Passwd; empty is
	// none. Its dates of expiry are kept to.
	Shadow string
	// Group is a file in the form of group(5) for the other groups of an account,
	// and the names of all; empty is none.
	Group string
	// Shells lists the shells of users who may log in, one a line (shells(5));
	// empty takes every shell but those that let nobody in, such as nologin.
	Shells string

	// MinUID is the least number of a user who may log in; 0 is 1000. Below zero
	// there is none, but for root, who never may.
	MinUID int64
	// Allow, unless empty, are the only users who may log in, and Deny are some who
	// may not.
	Allow, Deny []string

	// Check says what is wrong with a stored hash (edge.CheckHash). Nil looks at
	// the kind of hash alone.
	Check func(hash string) error

	// Perms is what users may do; the zero value is everything.
	Perms policy.Perms
	// Root is the directory of the host that the server serves as "/". A session
	// starts in the user's home as it is seen from there, and a user whose home lies
	// outside of it is unknown. Empty starts every session in "/", which is right
	// where the program serves each user the own home.
	Root string
	// Limits narrow every transfer; zero fields do not limit.
	Limits policy.Limits
	// MaxSessions is how many sessions each user may have, 0 no limit.
	MaxSessions int

	// Log is told what is wrong with a file that has changed; nil is nobody.
	Log *slog.Logger
}

// Account is what the files say of a user who may log in.
type Account struct {
	Name   string
	UID    uint32
	GID    uint32
	Groups []uint32 // the others, sorted
	Group  string   // name of GID, or empty
	Home   string   // absolute path of the host
	Shell  string

	hash    string
	expires time.Time // zero never
}

// Policy answers logins from the files. It is a [policy.Policy] that takes part in
// the auth stage alone, and is safe for concurrent use.
type Policy struct {
	config Config
	now    func() time.Time
	table  atomic.Pointer[table]

	mu     sync.Mutex // one look at the files at a time
	looked time.Time
	failed stamps // files that were found wrong, so as to say it once
}

// New reads the files. The error names the file and the line that is wrong.
func New(config Config) (*Policy, error) { return newPolicy(config, time.Now) }

func newPolicy(config Config, now func() time.Time) (*Policy, error) {
	if config.Name == "" {
		config.Name = "system"
	}
	switch {
	case config.Passwd == "":
		return nil, errors.New("system accounts need a file in the form of passwd(5)")
	case config.Root != "" && !path.IsAbs(config.Root):
		return nil, errors.New("the served directory must be an absolute path")
	}
	if config.MinUID == 0 {
		config.MinUID = 1000
	}
	if config.Perms == 0 {
		config.Perms = policy.PermAll
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Allow, config.Deny = slices.Clone(config.Allow), slices.Clone(config.Deny)
	p := &Policy{config: config, now: now, looked: now()}
	t, err := p.read()
	if err != nil {
		return nil, err
	}
	p.table.Store(t)
	return p, nil
}

// Name implements [policy.Policy].
func (p *Policy) Name() string { return p.config.Name }

// Hooks implements [policy.Policy].
func (p *Policy) Hooks() policy.Hooks { return policy.Hooks{Authenticator: p} }

// Authenticate implements [policy.Authenticator]. It allows a user who may log in
// with the stored hash, which the server verifies, and has no opinion on any other.
// It never fails.
func (p *Policy) Authenticate(_ context.Context, login *policy.Login) (policy.Identity, error) {
	a, known := p.Account(login.Session.User)
	if !known || !a.expires.IsZero() && !login.Time.Before(a.expires) {
		return policy.Identity{}, nil
	}
	home := ""
	if p.config.Root != "" {
		home, _ = below(p.config.Root, a.Home) // else the account is unknown
	}
	perms := p.config.Perms
	return policy.Identity{Verdict: policy.Allow, PasswordHash: a.hash, Perms: &perms, Home: home, Group: a.Group,
		Limits: p.config.Limits, MaxSessions: p.config.MaxSessions, Expires: a.expires}, nil
}

// Account returns what the files say of a user, false of one who may not log in.
func (p *Policy) Account(user string) (Account, bool) {
	p.refresh()
	a, known := p.table.Load().accounts[user]
	a.Groups = slices.Clone(a.Groups)
	return a, known
}

// lookEvery is how long a change of the files may go unseen.
const lookEvery = time.Second

// refresh reads the files again if they have changed. Who comes while somebody
// looks is answered from what was there before.
func (p *Policy) refresh() {
	if !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	now := p.now()
	if now.Sub(p.looked) < lookEvery {
		return
	}
	p.looked = now
	s := p.stamp()
	if s == p.table.Load().stamps || s == p.failed {
		return
	}
	t, err := p.read()
	if err != nil {
		p.failed = s
		p.config.Log.Error("the account files have changed and cannot be used; the accounts stay as they were", "policy", p.config.Name, "error", err)
		return
	}
	p.table.Store(t)
	p.failed = stamps{}
	p.config.Log.Info("the account files were read again", "policy", p.config.Name, "accounts", len(t.accounts))
}

// below returns dir as it is seen from root.
func below(root, dir string) (string, bool) {
	root, dir = path.Clean(root), path.Clean(dir)
	switch {
	case root == "/":
		return dir, true
	case dir == root:
		return "/", true
	}
	rest, ok := strings.CutPrefix(dir, root+"/")
	return "/" + rest, ok
}
