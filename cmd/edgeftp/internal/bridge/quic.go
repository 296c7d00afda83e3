package bridge

import (
	"context"
	"io"

	"github.com/edgeftp/edgeftp/edge/quicnet"
)

// Over makes a Link of a connection of FTP over QUIC.
func Over(c *quicnet.Client) Link { return quicLink{c} }

type quicLink struct{ *quicnet.Client }

// Send implements Streams.
func (q quicLink) Send(ctx context.Context, token string) (Outgoing, error) {
	u, err := q.Client.Send(ctx, token)
	if err != nil {
		return nil, err
	}
	return outgoing{u}, nil
}

type outgoing struct{ *quicnet.Upload }

// Reset implements Outgoing.
func (o outgoing) Reset() { o.Upload.Reset(quicnet.CodeAborted) }

var _ io.WriteCloser = outgoing{}
