package bridge

import (
	"context"
	"io"
	"net"
	"net/netip"

	"github.com/edgeftp/edgeftp/edge/dtp"
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

// Here implements Placed. The socket is bound to no address: the system chooses one for each
// packet, and this asks it for the next one's. Nothing is sent.
func (q quicLink) Here() (netip.Addr, error) {
	conn, err := net.Dial("udp", q.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	return dtp.AddrPort(conn.LocalAddr()).Addr(), nil
}

type outgoing struct{ *quicnet.Upload }

// Reset implements Outgoing.
func (o outgoing) Reset() { o.Upload.Reset(quicnet.CodeAborted) }

var _ io.WriteCloser = outgoing{}
