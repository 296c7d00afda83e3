package dtp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Port is one side of a data connection to be: prepared by one command (PASV,
// PORT and their extended forms) and opened by the next transfer, once.
type Port interface {
	// Open returns the data connection. It waits for it, no longer than ctx and
	// the port's own limit allow. After Open the port is used up.
	Open(ctx context.Context) (net.Conn, error)
	// Close gives the port up. It may be called more than once, and while Open
	// waits, which then fails.
	Close() error
}

// Readier is a Port that can tell, without waiting, whether its connection is
// there already (reply 125 instead of 150, RFC 959 §5.4).
type Readier interface{ Ready() bool }

// The ways in which a port fails to open.
var (
	ErrNoPort    = errors.New("no passive port is free")
	ErrNobody    = errors.New("nobody connected to the data port in time")
	ErrUnreached = errors.New("the client's data port could not be reached")
	ErrForeign   = errors.New("the address is not the client's")
	ErrLowPort   = errors.New("the port is privileged")
)

// WaitDefault is how long a port waits for its connection when nothing else is
// configured (the model's passive and active timeout).
const WaitDefault = 30 * time.Second

// PassivePort is a Port that listens, and so has an address to tell the client
// and a time until which it waits.
type PassivePort interface {
	Port
	// Addr is the address that the port listens on.
	Addr() netip.AddrPort
	// Until is when the port gives up waiting; zero never.
	Until() time.Time
}
