package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

var (
	errNoOrder = errors.New("acme-tls/1: no order is pending for that name")
	errNotOnly = errors.New("acme-tls/1 was offered together with other protocols (RFC 8737 §3)")
	errNoACME  = errors.New("only acme-tls/1 is spoken here")
)

// handshake is the GetConfigForClient of configurations: it answers TLS-ALPN-01, and
// has nothing to say of other handshakes.
func (c *challenges) handshake(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if !slices.Contains(hello.SupportedProtos, acmez.ACMETLS1Protocol) {
		return nil, nil
	}
	if len(hello.SupportedProtos) != 1 {
		return nil, errNotOnly
	}
	got, ok := c.find(hello.Context(), rfc8555.ChallengeTypeTLSALPN01, alpnIdentifier(hello.ServerName), "")
	if !ok {
		return nil, errNoOrder
	}
	cert, err := acmez.TLSALPN01ChallengeCert(got)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{acmez.ACMETLS1Protocol},
		Certificates:           []tls.Certificate{*cert},
		SessionTicketsDisabled: true,
	}, nil
}

// serveTLS answers TLS-ALPN-01 on a listener until stop is called. A connection ends
// with its handshake.
func (c *challenges) serveTLS(l net.Listener) (stop func()) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		conf, err := c.handshake(hello)
		if conf == nil && err == nil {
			err = errNoACME
		}
		return conf, err
	}}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			switch {
			case err == nil:
				serving.Go(func() { shakeHands(ctx, tls.Server(conn, config)) })
			case errors.Is(err, net.ErrClosed):
				return
			default: // too many open files, say
				pauseFor(ctx, 100*time.Millisecond)
			}
		}
	})
	return func() {
		_ = l.Close()
		done := make(chan struct{})
		go func() { serving.Wait(); close(done) }()
		wait := time.NewTimer(leaveTime)
		defer wait.Stop()
		select {
		case <-done:
		case <-wait.C:
		}
		cancel()
		<-done
	}
}

// shakeHands does one handshake, and closes the connection.
func shakeHands(ctx context.Context, conn *tls.Conn) {
	ctx, cancel := context.WithTimeout(ctx, guestTime)
	defer cancel()
	_ = conn.SetDeadline(time.Now().Add(guestTime)) // the context ends what this does not
	_ = conn.HandshakeContext(ctx)                  // who fails has been told by an alert
	_ = conn.Close()
}

func pauseFor(ctx context.Context, d time.Duration) {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// alpnIdentifier is what a server name stands for: itself, or the address whose reverse
// name it is (RFC 8738 §6).
func alpnIdentifier(name string) string {
	name = plainName(name)
	if four, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		return fromReverse(strings.Split(four, "."), 4, ".", 10)
	}
	if six, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		return fromReverse(strings.Split(six, "."), 32, ":", 16)
	}
	return name
}

// fromReverse reads an address backwards. Empty: it is none.
func fromReverse(parts []string, want int, sep string, base int) string {
	if len(parts) != want {
		return ""
	}
	slices.Reverse(parts)
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, base, 8); err != nil || base == 16 && len(p) != 1 {
			return ""
		}
	}
	text := strings.Join(parts, sep)
	if want == 32 {
		var groups []string
		for nibbles := range slices.Chunk(parts, 4) {
			groups = append(groups, strings.Join(nibbles, ""))
		}
		text = strings.Join(groups, sep)
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	return ip.String()
}
