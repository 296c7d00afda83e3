package dtp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// Port is one side of a data connection to be: prepared by one command (PASV,
// PORT and their extended forms) and opened by the next transfer, once.
type Port interface {
	// Open returns the data connection. It waits for it, no longer than ctx and
	// the port's own limit allow: then it fails with an error that is ctx's, or
	// ErrNobody or ErrUnreached. After Open, however it ended, the port is used up:
	// nobody else can connect, and another Open fails with net.ErrClosed.
	//
	// A bare *net.TCPConn lets the kernel move the bytes of a plain binary transfer
	// by itself; any other connection works and costs copies.
	Open(ctx context.Context) (net.Conn, error)
	// Close gives the port up. It may be called more than once, before Open, after
	// it, and while it waits: Open then fails with net.ErrClosed. A connection that
	// Open has returned is not touched.
	Close() error
}

// PassivePort is a Port that clients connect to (PASV, EPSV). [Passive] is one;
// an embedder may supply ports of its own. Package dtptest holds the test that
// each Port must pass.
type PassivePort interface {
	Port
	// Addr returns where the port listens. Its port number is what the client is
	// told; the address, unless another one is to be advertised.
	Addr() netip.AddrPort
	// Until returns when the port gives up waiting. The zero value is never.
	Until() time.Time
}

// Readier is a Port that can tell, without waiting, whether its connection is
// there already (reply 125 instead of 150, RFC 959 §5.4).
type Readier interface{ Ready() bool }

// A Directed port is one that has to know who will send. Where a port is one, Transfer.Run
// calls OpenFor in the place of Open.
type Directed interface {
	// OpenFor is Open for a transfer whose bytes come from the client (up) or go to it.
	OpenFor(ctx context.Context, up bool) (net.Conn, error)
}

// An Ender is a data connection whose end says whether everything was moved: FIN or reset
// on a stream of QUIC (RFC 9000 §3). Transfer.Run calls End once, before Close, with how the
// transfer has ended, nil if it was well. What End fails with is an error of the connection.
// Close without End is the end of something incomplete.
type Ender interface{ End(err error) error }

// A FileTaker is a data connection of another kind than TCP that has the kernel move plain
// files all the same: its ReadFrom, given an *io.LimitedReader of an *os.File, hands it to a
// socket (sendfile(2)).
type FileTaker interface {
	net.Conn
	io.ReaderFrom
	// TakesFiles reports whether it does so; else the bytes are copied.
	TakesFiles() bool
}

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
