package conformance

import (
	"context"
	"fmt"
	"strconv"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Stored hashes of the password, of little cost so that the race detector does
// not make them last.
const (
	argon2idHash = "$argon2id$v=19$m=64,t=1,p=1$ZWRnZWZ0cHNhbHQ$" + argon2idKey
	argon2idKey  = "kgOr+EZDS5yft7mO67VmNhL4iUqZnj2viRFxYmvV3Lw"
	bcryptHash   = "$2a$04$E5gUFLmLZibTArnZEDpUTOiXWUMUdFnpr1nU3W.iOsULqhc9ZT/Ya"
)

// rules is the policy of a dialogue's server: it knows one user, refuses what
// the script says, and writes events down.
type rules struct {
	identity  policy.Identity
	hash      string // verified by the server; empty: the policy looks itself
	anonymous bool
	answers   map[string]policy.Answer // by operation
	hidden    map[string]bool          // paths
	rewrites  map[string]string
	stages
	journal
}

func newRules() *rules {
	all := policy.Perms(policy.PermAll)
	return &rules{
		identity: policy.Identity{Verdict: policy.Allow, Perms: &all},
		answers:  map[string]policy.Answer{}, hidden: map[string]bool{}, rewrites: map[string]string{},
		stages:  stages{forbidden: map[string]string{}},
		journal: journal{more: make(chan struct{})},
	}
}

// set reads a "server" line about the policy; ok says that it is one.
func (r *rules) set(key string, args []string) (err error, ok bool) {
	switch {
	case key == "anonymous":
		r.anonymous = true
	case len(args) == 0:
		return nil, false
	case r.stages.set(key, args):
	case key == "perms":
		var p policy.Perms
		p, err = policy.ParsePerms(args[0])
		r.identity.Perms = &p
	case key == "rule" && len(args) >= 2:
		var p policy.Perms
		p, err = policy.ParsePerms(args[1])
		r.identity.Rules = append(r.identity.Rules, policy.PathRule{Dir: args[0], Perms: p, Recursive: len(args) > 2})
	case key == "home":
		r.identity.Home = args[0]
	case key == "hash":
		r.hash = map[string]string{"argon2id": argon2idHash, "bcrypt": bcryptHash, "broken": "$argon2id$nonsense"}[args[0]]
	case key == "deny" && len(args) >= 2:
		r.answers[args[0]] = policy.Answer{Verdict: policy.Deny, Text: args[1]}
	case key == "hide":
		r.hidden[args[0]] = true
	case key == "rewrite" && len(args) >= 2:
		r.rewrites[args[0]] = args[1]
	case key == "max-size":
		r.identity.Limits.MaxFileSize, err = strconv.ParseInt(args[0], 10, 64)
	case key == "data-tls":
		r.identity.Limits.DataTLS = args[0] == "on"
	case key == "lenient":
		r.identity.Lenient = policy.Lenience{Resumption: args[0] == "resumption", CloseNotify: args[0] == "close-notify"}
	case key == "max-sessions":
		r.identity.MaxSessions, err = strconv.Atoi(args[0])
	case key == "welcome":
		r.identity.MsgLogin = args[0]
	case key == "farewell":
		r.identity.MsgQuit = args[0]
	default:
		return nil, false
	}
	return err, true
}

func (r *rules) Name() string { return "test" }

func (r *rules) Hooks() policy.Hooks {
	h := policy.Hooks{Authenticator: r, Authorizer: r, Observer: r}
	r.stages.hooks(&h)
	return h
}

// Authenticate knows the user dev, and the user other with the same rights.
func (r *rules) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if r.anonymous && l.Session.User == "anonymous" {
		read := policy.Perms(policy.PermReadOnly | policy.PermWrite)
		return policy.Identity{Verdict: policy.Allow, Anonymous: true, Perms: &read}, nil
	}
	if l.Session.User != user && l.Session.User != "other" {
		return policy.Identity{}, nil
	}
	id := r.identity
	if r.hash != "" {
		id.PasswordHash = r.hash
		return id, nil
	}
	if l.Password != password {
		return policy.Identity{}, nil
	}
	return id, nil
}

func (r *rules) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	if r.hidden[a.Path] || r.hidden[a.Path2] {
		return policy.Answer{Verdict: policy.Hide}, nil
	}
	if a.Op.String() == "invalid" {
		return policy.Answer{}, fmt.Errorf("operation %d does not exist", a.Op)
	}
	if to, ok := r.rewrites[a.Path]; ok {
		return policy.Answer{Verdict: policy.Rewrite, Path: to}, nil
	}
	return r.answers[a.Op.String()], nil
}

func (r *rules) Observe(_ context.Context, e *policy.Event) error {
	r.add(*e)
	return nil
}
