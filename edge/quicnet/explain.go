package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/quic-go/quic-go"
)

// The ways in which a connection does not come to be.
var (
	ErrSilent      = errors.New("no answer over UDP")
	ErrProtocol    = errors.New("ftpq/1 is not spoken there")
	ErrCertificate = errors.New("the server's certificate is not to be trusted")
	ErrRefused     = errors.New("the server takes no connection now")
)

// alert is how TLS's alerts are found among the codes of QUIC (RFC 9001 §4.8).
const alert = 0x100

// noApplicationProtocol is the alert of RFC 7301 §3.2.
const noApplicationProtocol = 120

// refusal says why Dial fails, and what may help.
func refusal(conf DialConfig, err error) error {
	var transport *quic.TransportError
	var untrusted *tls.CertificateVerificationError
	var silent *quic.HandshakeTimeoutError
	var idle *quic.IdleTimeoutError
	var versions *quic.VersionNegotiationError
	switch {
	case err == nil:
		return fmt.Errorf("quicnet: %s has no address", conf.Addr)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &untrusted):
		return fmt.Errorf("quicnet: %s: %w: %w", conf.Addr, ErrCertificate, untrusted.Err)
	case errors.As(err, &silent), errors.As(err, &idle), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("quicnet: %s: %w: a firewall on the way may drop it, or nothing listens there; FTPS over TCP is the way out", conf.Addr, ErrSilent)
	case errors.As(err, &versions):
		return fmt.Errorf("quicnet: %s: %w: it has none of our versions of QUIC", conf.Addr, ErrProtocol)
	case errors.As(err, &transport) && transport.Remote && transport.ErrorCode == alert+noApplicationProtocol:
		return fmt.Errorf("quicnet: %s: %w: the server speaks QUIC, and not FTP over it; it may have FTPS over TCP", conf.Addr, ErrProtocol)
	case errors.As(err, &transport) && transport.ErrorCode == quic.ConnectionRefused:
		return fmt.Errorf("quicnet: %s: %w: it shuts down, or has too many of your address; try again later", conf.Addr, ErrRefused)
	}
	return fmt.Errorf("quicnet: %s: %w", conf.Addr, err)
}

// explain says why something on a connection fails.
func (c *Client) explain(err error) error {
	err = fault(err)
	if err == nil || err == net.ErrClosed || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if l, ok := errors.AsType[lost](err); ok {
		if _, idle := errors.AsType[*quic.IdleTimeoutError](l.cause); idle {
			return fmt.Errorf("quicnet: %s has not answered for too long: %w", c.addr, err)
		}
	}
	return fmt.Errorf("quicnet: %s: %w", c.addr, err)
}
