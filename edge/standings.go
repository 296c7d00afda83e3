package edge

import (
	"slices"
	"sync"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// standings are what sessions at rest have in common: ten thousand of one user keep what
// its login has brought once.
type standings struct {
	mu     sync.Mutex
	byUser map[string]*standing
}

// standing is one with the number of sessions that keep it.
type standing struct {
	pi.Standing
	held int
}

var _ pi.Standings = (*standings)(nil)

// Keep implements pi.Standings. Of a user whose logins differ, the first one is shared.
func (t *standings) Keep(user string, id *policy.Identity) *pi.Standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.byUser[user]
	switch {
	case k == nil:
		k = &standing{Standing: pi.Standing{User: user, Identity: *id}}
		t.byUser[user] = k
	case !same(&k.Identity, id):
		return &pi.Standing{User: user, Identity: *id}
	}
	k.held++
	return &k.Standing
}

// Leave implements pi.Standings.
func (t *standings) Leave(s *pi.Standing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.byUser[s.User]
	if k == nil || &k.Standing != s {
		return // it was one session's alone
	}
	if k.held--; k.held == 0 {
		delete(t.byUser, s.User)
	}
}

// same reports whether two logins have brought the same.
func same(a, b *policy.Identity) bool {
	perms := a.Perms == b.Perms || a.Perms != nil && b.Perms != nil && *a.Perms == *b.Perms
	return perms && a.Verdict == b.Verdict && a.Final == b.Final && a.Code == b.Code && a.Text == b.Text && a.Reason == b.Reason &&
		a.PasswordHash == b.PasswordHash && slices.Equal(a.Rules, b.Rules) && a.Home == b.Home && a.Group == b.Group &&
		a.Label == b.Label && a.Anonymous == b.Anonymous && a.Limits == b.Limits && a.Lenient == b.Lenient &&
		a.MaxSessions == b.MaxSessions && slices.Equal(a.Networks, b.Networks) && slices.Equal(a.DenyNetworks, b.DenyNetworks) && a.Expires.Equal(b.Expires) && a.MsgLogin == b.MsgLogin && a.MsgQuit == b.MsgQuit &&
		string(a.State) == string(b.State)
}
