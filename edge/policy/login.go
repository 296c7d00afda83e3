package policy

import "time"

// Login is the question of the auth stage: may this client be this user?
type Login struct {
	Meta
	// Password is what PASS brought. It is empty for a policy that was not
	// granted passwords; such a policy answers with a stored hash, and the
	// server verifies it (see Identity.PasswordHash).
	Password string
}

// Identity is one authenticator's answer to a [Login]. The zero value is no
// opinion. Only Allow grants, and only with a verified password or none needed:
// see PasswordHash.
type Identity struct {
	Verdict Verdict
	Final   bool   // ask no further authenticator
	Code    int    // reply code of a refusal, 0 for 530 (RFC 959 §4.2.1)
	Text    string // one line for the client of a refusal

	// PasswordHash, when set beside Allow, is the stored hash (PHC argon2id or
	// bcrypt) that the server verifies before the login holds. Without it, Allow
	// says that the policy has satisfied itself.
	PasswordHash string

	// Perms narrows what the session may do; nil is neutral.
	Perms *Perms
	// Rules narrow or widen, below Perms of this identity, single directories.
	Rules []PathRule
	// Home is the virtual directory in which the session starts; empty is "/".
	Home string
	// Group, if any, that policies and events see.
	Group string
	// Label is a word that events of the session carry.
	Label string
	// Anonymous marks the session as nobody's in particular: nothing of it is
	// kept between sessions.
	Anonymous bool
	// Limits narrow every transfer of the session.
	Limits Limits
	// MaxSessions is the number of sessions this user may have, 0 no limit.
	MaxSessions int
	// Expires ends the identity; zero never.
	Expires time.Time
	// MsgLogin and MsgQuit replace the server's words at 230 and 221.
	MsgLogin, MsgQuit string
	// State, at most 1,024 bytes, is handed back to this policy with every
	// question of the session.
	State []byte
}

// PathRule overrides permissions in one directory (the model's override_perm).
// The rule with the longest matching directory wins.
type PathRule struct {
	Dir       string // canonical virtual directory
	Perms     Perms
	Recursive bool // also in every directory below
}

// MaxState is the greatest length of Identity.State, in bytes.
const MaxState = 1024
