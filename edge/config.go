package edge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Config is what a Server is made from. The zero value of each field works
// unless it says otherwise.
type Config struct {
	FS        vfs.FS     // what is served; required
	Listeners []Listener // at least one
	Policies  []Slot     // in the order in which they are asked
	Perms     policy.Perms
	Limits    Limits
	Timeouts  Timeouts
	Logins    Logins
	Commands  *pi.Table      // nil: pi.Standard
	Zone      *time.Location // of the times in LIST; nil: UTC
	Log       *slog.Logger   // nil: slog.Default
}

// Slot is a policy under the name by which it can be swapped.
type Slot struct {
	Name   string
	Policy policy.Policy
}

// Require says how much TLS a listener asks for.
type Require uint8

// The requirements. The zero value is TLSOptional.
const (
	TLSOptional Require = iota // the client decides
	TLSRequired                // no login and no data connection in the clear
	TLSControl                 // no login in the clear
)

// Listener is one address that control connections are accepted on.
type Listener struct {
	Name     string // in events and logs; Address by default
	Address  string // host:port for net.Listen("tcp"); required
	TLS      *tls.Config
	Implicit bool // connections begin with TLS
	Require  Require
	// Binding says how data connections prove that they belong to their control
	// connection.
	Binding dtp.Binding
	Banner  string // the text of the 220 reply; "edgeftp ready." by default
	Passive pi.Passive
	Active  pi.Active
}

// Limits bound what clients may take. Zero is the default that each field names;
// a negative number is no limit.
type Limits struct {
	Sessions      int // at once, in all; 5000
	SessionsPerIP int // at once, of one IPv4 address or IPv6 /64; 20
}

// Timeouts bound how long things may take. Zero is the default that each field
// names; a negative duration is no limit.
type Timeouts struct {
	Idle  time.Duration // between two lines of a client; 5 minutes
	Login time.Duration // from the connection to the login; 1 minute
	Stall time.Duration // without a byte on a data connection; 1 minute
}

// Logins say what failed logins cost.
type Logins struct {
	Attempts  int           // failures that close the connection; 0: 3, negative: no limit
	FailDelay time.Duration // before the reply to a failure; 0: 3 s, negative: none
	Parallel  int           // passwords verified at once; 0: one for each processor
}

// check completes and validates c.
func (c Config) check() (Config, error) {
	if c.FS == nil {
		return c, errors.New("edge: Config.FS is missing: say what is to be served")
	}
	if len(c.Listeners) == 0 {
		return c, errors.New("edge: Config.Listeners is empty: say where to listen")
	}
	if c.Perms == 0 {
		c.Perms = policy.PermReadOnly
	}
	if c.Commands == nil {
		c.Commands = pi.Standard()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Limits.Sessions = byDefault(c.Limits.Sessions, 5000)
	c.Limits.SessionsPerIP = byDefault(c.Limits.SessionsPerIP, 20)
	c.Timeouts.Idle = byDefault(c.Timeouts.Idle, 5*time.Minute)
	c.Timeouts.Login = byDefault(c.Timeouts.Login, time.Minute)
	c.Timeouts.Stall = byDefault(c.Timeouts.Stall, time.Minute)
	c.Logins.Attempts = byDefault(c.Logins.Attempts, 3)
	c.Logins.FailDelay = byDefault(c.Logins.FailDelay, 3*time.Second)
	for i := range c.Listeners {
		if err := c.Listeners[i].check(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// byDefault returns v, or def where v is zero, or zero (no limit) where v is
// negative.
func byDefault[T int | time.Duration](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return 0
	}
	return v
}

func (l *Listener) check() error {
	if l.Name == "" {
		l.Name = l.Address
	}
	if l.Banner == "" {
		l.Banner = "edgeftp ready."
	}
	if l.TLS == nil && (l.Implicit || l.Require != TLSOptional) {
		return fmt.Errorf("edge: listener %s asks for TLS but has no TLS configuration", l.Name)
	}
	if a := l.Passive.Advertise; a.IsValid() && !a.Is4() {
		return fmt.Errorf("edge: listener %s: Passive.Advertise is %s, but the 227 reply can only tell an IPv4 address", l.Name, a)
	}
	return nil
}

// prefix is what SessionsPerIP counts by: an IPv4 address, or the /64 that one
// IPv6 client has at least.
func prefix(a netip.Addr) netip.Prefix {
	bits := 32
	if a = a.Unmap().WithZone(""); a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
