package delivery

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// session is a session of the server's: an edge.Visit. It does one thing at a time.
type session interface {
	Do(ctx context.Context, verb, argument string) wire.Reply
	Get(ctx context.Context, path string, to taker) wire.Reply
	List(ctx context.Context, path string, to io.Writer) wire.Reply
	Closed() bool
	Close()
}

// taker is what a file is sent to.
type taker interface {
	// Offer is told of the open file, and says which parts of it are to be sent.
	Offer(f file) (parts []part, ok bool)
	// Open is called before the first byte.
	Open() (net.Conn, error)
}

// file is an open file that may be sent.
type file struct {
	Size     int64
	ModTime  time.Time
	ID       string // of the file itself, whatever it is called; empty: unknown
	Filtered bool   // a policy may change the bytes
}

// part is a piece of a file, and what is sent before it.
type part struct {
	Before     string
	From, Size int64
}
