package pi

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Config is what the sessions of one listener share. It is not changed once a
// session uses it.
type Config struct {
	Name  string // the listener's name
	Table *Table
	Chain *chain.Chain
	FS    vfs.FS

	TLS         *tls.Config // the long-lived base configuration; nil: no TLS
	Implicit    bool        // the connection begins with TLS (RFC 4217 Appendix A's port 990)
	TLSControl  bool        // no login in the clear
	TLSData     bool        // no data connection in the clear
	Binding     dtp.Binding
	Banner      string
	Perms       policy.Perms // of a login for which no policy named any
	Verifier    Verifier
	Census      Census
	Buffers     *dtp.Buffers
	Drain       <-chan struct{} // closed when no new command may begin
	Log         *slog.Logger
	Zone        *time.Location // of times in LIST; nil is UTC
	Passive     Passive
	Active      Active
	Idle        time.Duration // between two lines of a logged-in client; 0 no limit
	LoginWithin time.Duration // from the connection to the login; 0 no limit
	Stall       time.Duration // without a byte on the data connection; 0 no limit
	Attempts    int           // failed logins before the connection is closed; 0 no limit
	FailDelay   time.Duration // before the reply to a failed login
}

// Passive says how passive ports are opened and told to clients.
type Passive struct {
	Ports     dtp.PortRange
	Advertise netip.Addr // told to clients in the 227 reply; the zero value tells the local address
	AnyPeer   bool       // accept data connections of other addresses
	Wait      time.Duration
}

// Active says which data ports of clients are connected to.
type Active struct {
	Off        bool // refuse PORT and EPRT
	Foreign    bool
	Privileged bool
	Wait       time.Duration
}

// Verifier checks passwords against stored hashes, at a bounded rate.
type Verifier interface {
	// Verify reports whether password matches the stored hash. An error says
	// that the hash cannot be used or that ctx ended.
	Verify(ctx context.Context, hash, password string) (bool, error)
	// VerifyNobody takes as long as Verify does, so that the name of a user who
	// does not exist costs what a wrong password costs.
	VerifyNobody(ctx context.Context, password string) error
}

// Census counts the sessions of each user.
type Census interface {
	// Enter counts one more session of user, unless there are most already.
	Enter(user string, most int) bool
	// Leave takes one away.
	Leave(user string)
}
