package bridge

import (
	"context"
	"io"
	"net"
)

// Link is one QUIC connection to the server. Its methods may be called at the same time.
type Link interface {
	// Session opens a control session, on which the server greets.
	Session(ctx context.Context) (net.Conn, error)
	Streams
	// Done is closed when the connection has ended.
	Done() <-chan struct{}
	// Err says why it has ended; nil while it has not.
	Err() error
	Close() error
}

// Streams are the data streams of a Link.
type Streams interface {
	// Token returns a token for QDAT that was not used before.
	Token() string
	// Send opens the stream of a token for bytes to the server.
	Send(ctx context.Context, token string) (Outgoing, error)
	// Receive waits for the server's stream with a token. Reading it ends with io.EOF only
	// when everything has come; Close before that asks the server to stop.
	Receive(ctx context.Context, token string) (io.ReadCloser, error)
}

// Outgoing is a data stream to the server. Close says that everything was written.
type Outgoing interface {
	io.WriteCloser
	// Reset says that something is missing. It may be called while Write waits, and does
	// nothing after Close.
	Reset()
}
