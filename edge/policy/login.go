package policy

import (
	"net/netip"
	"slices"
	"time"
)

// Login is the question of the auth stage: may this client be this user?
type Login struct {
	Meta
	// Password is what PASS brought. It is empty for a policy that was not
	// granted passwords; such a policy answers with a stored hash, and the
	// server verifies it (see Identity.PasswordHash).
	Password string
	// Early says that the client has shown a verified certificate (Meta.Session.TLS)
	// and named the user, but was not asked for a password yet (RFC 4217 §11). Allow
	// without a PasswordHash lets it in; any other answer has PASS asked for.
	Early bool
	// Binding is known to the two ends of the connection alone (RFC 9266 §2), so that what
	// the client proves may be bound to it: 32 bytes over QUIC, nil elsewhere. It is no
	// secret of the user's, and not to be logged.
	Binding []byte
}

// Identity is one authenticator's answer to a [Login]. The zero value is no
// opinion. Only Allow grants, and only with a verified password or none needed:
// see PasswordHash.
type Identity struct {
	Verdict Verdict // Pass, Allow or Deny; Hide is Deny, Rewrite a failure
	Final   bool    // ask no further authenticator
	Code    int     // reply code of a refusal, 0 for 530 (RFC 959 §4.2.1); 421 weighs more in edge.Defence
	Text    string  // one line for the client of a refusal
	// Reason is why it is refused, for the operator's log and for observers alone, so that
	// the client is told no more than of a wrong password. A policy in a sandbox cannot
	// say one: it has a log of its own.
	Reason string

	// PasswordHash, when set beside Allow, is the stored hash (PHC argon2id or
	// bcrypt) that the server verifies before the login holds. Without it, Allow
	// says that the policy has satisfied itself.
	PasswordHash string

	// Perms is what the session may do. Of several policies that allow, only what
	// all of them permit; nil is neutral, and nil from all is the listener's default
	// (edge.Config.Perms).
	Perms *Perms
	// Rules narrow or widen, below Perms of this identity, single directories.
	Rules []PathRule
	// Home is the virtual directory in which the session starts; empty is "/".
	Home string
	// Group, if any, that policies and events see.
	Group string
	// Label is a word about the login, for a later policy's author. It has no effect.
	Label string
	// Anonymous marks the session as nobody's in particular: nothing of it is
	// kept between sessions.
	Anonymous bool
	// Limits narrow what the user's sessions do. The rates are shared by all
	// transfers of the user, in all sessions; of several logins the latest one's
	// hold. The size is of each file.
	Limits Limits
	// Lenient lets the user's old clients off what TLS otherwise asks of them. Of
	// several policies that allow, the first one decides.
	Lenient Lenience
	// MaxSessions is the number of sessions this user may have, 0 no limit.
	MaxSessions int
	// Networks are where the user may come from, which the server looks at before the login
	// holds, and again when the client goes on from another address (RFC 9000 §9); empty:
	// anywhere. IPv4 networks are not to be in IPv6's form. Of several policies, what lies in
	// the networks of each. See From.
	Networks []netip.Prefix
	// DenyNetworks are where it may not be used from all the same; of several policies,
	// those of each.
	DenyNetworks []netip.Prefix
	// Expires ends the identity; zero never.
	Expires time.Time
	// MsgLogin and MsgQuit replace the server's words at 230 and 221.
	MsgLogin, MsgQuit string
	// State, at most 1,024 bytes, is handed back to this policy with every
	// question of the session: see Session.State.
	State []byte
}

// From reports whether the user may come from an address: from any, unless there are
// Networks, and from none in DenyNetworks.
func (id *Identity) From(a netip.Addr) bool {
	return (len(id.Networks) == 0 || within(id.Networks, a)) && !within(id.DenyNetworks, a)
}

// within reports whether an address lies in one of some networks.
func within(networks []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// Lenience is what a user's clients need not do on protected data connections.
// The zero value lets them off nothing.
type Lenience struct {
	// Resumption: a data connection need not resume the control connection's TLS
	// session. It is then held to the client's address and an unpredictable port.
	Resumption bool
	// CloseNotify: an upload may end with the connection, without TLS
	// close_notify (RFC 8446 §6.1). A cut connection then passes for a whole file.
	CloseNotify bool
}

// PathRule overrides permissions in one directory (the model's override_perm).
// The rule with the longest matching directory wins.
type PathRule struct {
	Dir       string // canonical virtual directory
	Perms     Perms  // in it, in place of the identity's
	Recursive bool   // also in every directory below
}

// MaxState is the greatest length of Identity.State, in bytes.
const MaxState = 1024
