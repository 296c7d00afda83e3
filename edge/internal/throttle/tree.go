package throttle

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// Tree holds the limits that transfers share: the server's, one for each listener,
// one for each user however many sessions he has, and one for each session. A
// transfer's chain is made of them by [Chain]. All of them may be changed while
// transfers run, and the waits that are under way follow at once. A Tree is safe for
// concurrent use and runs no goroutine.
type Tree struct {
	server Node

	mu        sync.Mutex
	listeners map[string]*Node
	users     map[string]*user
	sessions  map[*Node]session
	leaving   map[string]bool // users without a session who owe for what has moved
	defaults  struct{ user, session, transfer Rates }
	set       map[uint64]Rates // by the operator, for sessions by their number
}

// session is one session's limit.
type session struct {
	number  uint64
	brought Rates
}

// user is one user name's limit.
type user struct {
	node     Node
	sessions int
	brought  Rates  // by the latest login
	set      *Rates // by the operator, and stronger than what logins bring
}

// NewTree returns a Tree in which the server has these rates and nothing else is
// limited.
func NewTree(server Rates) *Tree {
	t := &Tree{
		listeners: map[string]*Node{},
		users:     map[string]*user{},
		sessions:  map[*Node]session{},
		leaving:   map[string]bool{},
		set:       map[uint64]Rates{},
	}
	t.server.Set(server)
	return t
}

// Server returns the server's limit, under which everything is.
func (t *Tree) Server() *Node { return &t.server }

// Listener returns the limit of what comes in by the listener of that name. It is
// made, without a limit, when it is first asked for.
func (t *Tree) Listener(name string) *Node {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.listeners[name]
	if n == nil {
		n = new(Node)
		t.listeners[name] = n
	}
	return n
}

// SetListener changes the limit of a listener, which need not exist yet.
func (t *Tree) SetListener(name string, r Rates) { t.Listener(name).Set(r) }

// DropListener forgets the limit of a listener that no session is of.
func (t *Tree) DropListener(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.listeners, name)
}

// User returns the limit that all sessions of that user name share, for a session
// that has just logged in and brings the rates r. In a direction in which r has no
// limit, the default of SetDefaults holds. Of several logins the latest one's rates
// hold for all; what SetUser has set is stronger.
//
// release ends the session's part in it, and may be called again. When the last
// session has gone, and what it moved is paid for, the limit is forgotten.
func (t *Tree) User(name string, r Rates) (node *Node, release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	u := t.user(name)
	u.sessions++
	u.brought = r
	t.apply(u)
	return &u.node, sync.OnceFunc(func() { t.leave(name, u) })
}

// user returns the user of that name, who is made if need be. The caller holds the
// lock.
func (t *Tree) user(name string) *user {
	u := t.users[name]
	if u == nil {
		u = new(user)
		t.users[name] = u
	}
	return u
}

// apply puts a user's rates in force. The caller holds the lock.
func (t *Tree) apply(u *user) {
	if u.set != nil {
		u.node.Set(*u.set)
		return
	}
	u.node.Set(u.brought.or(t.defaults.user))
}

func (t *Tree) leave(name string, u *user) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u.sessions--
	t.forget(name, u)
}

// forget drops a user of whom nothing need be remembered. One who owes is kept for
// that long: to log in again does not make a limit void. The caller holds the lock.
func (t *Tree) forget(name string, u *user) {
	switch {
	case u.sessions > 0 || u.set != nil:
		delete(t.leaving, name)
	case u.node.clear():
		delete(t.leaving, name)
		delete(t.users, name)
	default:
		t.leaving[name] = true
	}
}

// sweep forgets those who have left and have paid since. The caller holds the lock.
func (t *Tree) sweep() {
	for name := range t.leaving {
		t.forget(name, t.users[name])
	}
}

// SetUser sets the rates of a user, who need not be logged in, until ClearUser:
// the operator's word, which no login changes. Zero rates lift the limit.
func (t *Tree) SetUser(name string, r Rates) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.user(name)
	u.set = &r
	t.apply(u)
}

// ClearUser takes back SetUser: what the latest login brought holds again.
func (t *Tree) ClearUser(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.users[name]
	if u == nil || u.set == nil {
		return
	}
	u.set = nil
	t.apply(u)
	t.forget(name, u)
}

// Bring changes what the latest login of a user has brought, for the sessions that he
// has. It does nothing for who has none.
func (t *Tree) Bring(name string, r Rates) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u := t.users[name]; u != nil {
		u.brought = r
		t.apply(u)
	}
}

// SetTransfer sets the rates of transfers that begin from now on and for which nobody
// names any.
func (t *Tree) SetTransfer(r Rates) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.defaults.transfer = r
}

// Transfer returns what SetTransfer has set.
func (t *Tree) Transfer() Rates {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.defaults.transfer
}

// Session returns a limit for the session of this number that brings the rates r; the
// default of SetDefaults holds in a direction in which r has none. What SetSession has
// set is stronger. release ends it, and may be called again.
func (t *Tree) Session(number uint64, r Rates) (node *Node, release func()) {
	n := new(Node)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[n] = session{number, r}
	t.pace(n)
	return n, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.sessions, n)
	}
}

// pace puts a session's rates in force. The caller holds the lock.
func (t *Tree) pace(n *Node) {
	s := t.sessions[n]
	if r, ok := t.set[s.number]; ok {
		n.Set(r)
		return
	}
	n.Set(s.brought.or(t.defaults.session))
}

// SetSession sets the rates of a session, which need not have moved anything yet, until
// ClearSession: the operator's word. Zero rates lift the limit.
func (t *Tree) SetSession(number uint64, r Rates) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set[number] = r
	t.paceAll(number)
}

// ClearSession takes back SetSession. It must be called when the session has ended.
func (t *Tree) ClearSession(number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.set[number]; ok {
		delete(t.set, number)
		t.paceAll(number)
	}
}

// SetSessions returns what SetSession has set.
func (t *Tree) SetSessions() map[uint64]Rates {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.set)
}

// paceAll is pace for what belongs to a session. The caller holds the lock.
func (t *Tree) paceAll(number uint64) {
	for n, s := range t.sessions {
		if s.number == number {
			t.pace(n)
		}
	}
}

// SetDefaults sets the rates of users and sessions that bring none of their own,
// those that exist already included.
func (t *Tree) SetDefaults(user, session Rates) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.defaults.user, t.defaults.session = user, session
	for _, u := range t.users {
		t.apply(u)
	}
	for n := range t.sessions {
		t.pace(n)
	}
}

// Snapshot is what limits are in force at one moment.
type Snapshot struct {
	Server    Rates
	User      Rates   // default of a user
	Session   Rates   // default of a session
	Listeners []Limit // those with a limit, by name
	Users     []Limit // those with a limit or an operator's word, by name
}

// Limit is a named limit in a [Snapshot].
type Limit struct {
	Name     string
	Rates    Rates
	Sessions int  // of a user
	Set      bool // by SetUser
}

// Snapshot returns the limits in force.
func (t *Tree) Snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	s := Snapshot{Server: t.server.Rates(), User: t.defaults.user, Session: t.defaults.session}
	for _, name := range slices.Sorted(maps.Keys(t.listeners)) {
		if r := t.listeners[name].Rates(); r != (Rates{}) {
			s.Listeners = append(s.Listeners, Limit{Name: name, Rates: r})
		}
	}
	for name, u := range t.users {
		if r := u.node.Rates(); r != (Rates{}) || u.set != nil {
			s.Users = append(s.Users, Limit{Name: name, Rates: r, Sessions: u.sessions, Set: u.set != nil})
		}
	}
	slices.SortFunc(s.Users, func(a, b Limit) int { return cmp.Compare(a.Name, b.Name) })
	return s
}
