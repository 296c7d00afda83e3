package control

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/audit"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/events"
)

// Role is what somebody may do. Each one may do what those before it may. The zero value
// may do nothing.
type Role int

// The roles.
const (
	NoRole   Role = iota
	Viewer        // look at everything but the audit log
	Operator      // act on what runs: sessions, transfers, bans, limits, the log, drain
	Admin         // change what the server is: users, policies, configuration, certificates
)

// String returns the role's name.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	case Admin:
		return "admin"
	}
	return "none"
}

// ParseRole reads a role's name. Another word is NoRole.
func ParseRole(s string) Role {
	for _, r := range []Role{Viewer, Operator, Admin} {
		if r.String() == s {
			return r
		}
	}
	return NoRole
}

// Grant gives a role to one user, group or client certificate.
type Grant struct {
	UID         *int   // of a user
	GID         *int   // of a group
	Certificate string // a name that a client's certificate has, over TCP
	Role        Role
}

// Access says who may do what, and where it is written down. The zero value lets the
// server's own user and root do everything, and writes nothing down.
type Access struct {
	Group  *int // whose members may connect, and look; nil is none
	Grants []Grant
	Names  map[int]string // of users, by their numbers: for the audit log
	Audit  *audit.Log     // nil is none
	Debug  bool           // /v1/debug is there
	TCP    *TCP           // nil: the socket alone
	// Away says why nothing can be changed while another process takes the server's place,
	// and after that; nil if it can, and where there is no such thing.
	Away func() error
	Parts
}

// Parts are what the API is about beside its [Controller]. Of one that is nil there is no
// path.
type Parts struct {
	Events  *events.Hub
	Levels  Leveler
	Drainer Drainer
	Backups Backuper
	Upgrade Upgrader
}

// Peer is the process at the other end of the socket.
type Peer struct {
	UID, PID int
	Groups   []int // all of them
}

// caller is who makes a request.
type caller struct {
	audit.Actor
	role Role
}

// peer returns the role of a process. Its user's own grant wins over those of groups, of
// which the greatest counts.
func (a *Access) peer(p Peer, own int) Role {
	if permitted(p.UID, own) {
		return Admin
	}
	role := NoRole
	if a.Group != nil && slices.Contains(p.Groups, *a.Group) {
		role = Viewer
	}
	for i := range a.Grants {
		g := &a.Grants[i]
		if g.UID != nil && *g.UID == p.UID {
			return g.Role
		}
		if g.GID != nil && slices.Contains(p.Groups, *g.GID) {
			role = max(role, g.Role)
		}
	}
	return role
}

// shared reports whether others than the owner may have a right.
func (a *Access) shared() bool {
	return a.Group != nil || slices.ContainsFunc(a.Grants, func(g Grant) bool { return g.UID != nil || g.GID != nil })
}

// certificate returns the role of a client's certificate, and the name that gives it; or
// the name that it calls itself by.
func (a *Access) certificate(c *x509.Certificate) (name string, role Role) {
	names := append([]string{c.Subject.CommonName}, c.DNSNames...)
	names = append(names, c.EmailAddresses...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	name = names[0]
	for i := range a.Grants {
		g := &a.Grants[i]
		if g.Certificate != "" && slices.Contains(names, g.Certificate) && g.Role > role {
			name, role = g.Certificate, g.Role
		}
	}
	return name, role
}

// peerKey is the key of a connection's Peer in its context.
type peerKey struct{}

// identify says who makes a request over the socket. A connection of which nothing is known
// is the owner's: where the system does not tell, the socket's mode keeps others out.
func (a *Access) identify(r *http.Request, own int) caller {
	c := caller{Actor: audit.Actor{Via: "socket"}, role: Admin}
	if p, ok := r.Context().Value(peerKey{}).(Peer); ok {
		c.UID, c.PID, c.Name = &p.UID, p.PID, a.Names[p.UID]
		c.role = a.peer(p, own)
	}
	c.Role = c.role.String()
	return c
}

// noRight is why somebody may not do something.
func noRight(c *caller, row *Route) *Refusal {
	r := &Refusal{Code: CodeRole, Message: fmt.Sprintf("%s has the role %s, and %s %s needs %s", c.Actor, c.role, row.Method, row.Pattern, row.Role)}
	switch {
	case c.role == NoRole:
		r.Help = "admin.roles in the configuration gives roles"
	default:
		r.Help = "ask somebody who has it, or have admin.roles in the configuration give you more"
	}
	return r
}
