package acme

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
)

// Config returns a new configuration that presents the certificates. It is to be
// long-lived, with ticket keys of [TicketKeys]; sessions and tickets outlast a renewal.
// It answers TLS-ALPN-01 (RFC 8737): such a connection has negotiated the protocol
// acme-tls/1 and is to be closed after its handshake. NextProtos is otherwise left to
// the caller, and so is a higher MinVersion.
func (m *Manager) Config(choice Choice) *tls.Config {
	c := base()
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return m.present(hello, choice) }
	if m.solving != nil {
		c.GetConfigForClient = m.solving.handshake
	}
	return c
}

// errNone tells a client's handshake that there is nothing to present.
var errNone = errors.New("there is no certificate yet")

// present chooses the certificate of a handshake: that of the name which the client
// asks for, issued now if that is granted; for a client that names none that of the
// address to which it has come; else the one of choice.
func (m *Manager) present(hello *tls.ClientHelloInfo, choice Choice) (*tls.Certificate, error) {
	name, other := serverName(hello), choice.Fallback
	if name == "" {
		name, other = address(hello), choice.Default
	}
	if cert := m.pick(hello, name); cert != nil {
		return cert, nil
	}
	if m.demand != nil && m.demand.may(name) {
		return m.demand.present(hello, name)
	}
	for _, name := range append([]string{other}, m.conf.Names...) {
		if cert := m.pick(hello, name); cert != nil {
			return cert, nil
		}
	}
	return nil, m.nothing(name)
}

// nothing says why there is no certificate for a client, in the words of the log. The
// name may be anything that clients send.
func (m *Manager) nothing(name string) error {
	switch {
	case name == "":
		return errNone
	case m.demand != nil && !slices.Contains(m.conf.Names, name):
		return fmt.Errorf("%.255q is not among the names that may be issued on demand, and %w", name, errNone)
	}
	return fmt.Errorf("%.255q: %w", name, errNone)
}

// pick returns a certificate for name that the client can use, of several the one that
// is valid for the longest time; nil if there is none for the name.
func (m *Manager) pick(hello *tls.ClientHelloInfo, name string) *tls.Certificate {
	if name == "" {
		return nil
	}
	var best *certmagic.Certificate
	usable := false
	for _, c := range m.cache.AllMatchingCertificates(name) {
		can := hello.SupportsCertificate(&c.Certificate) == nil
		if best == nil || can && !usable || can == usable && c.Leaf.NotAfter.After(best.Leaf.NotAfter) {
			best, usable = &c, can
		}
	}
	if best == nil {
		return nil
	}
	if m.demand != nil {
		m.demand.touch(best.Names[0])
	}
	return &best.Certificate
}

// address is that to which the client has come, or by which it names the server, which
// is no name but what some clients send (RFC 6066 §3).
func address(hello *tls.ClientHelloInfo) string {
	if ip, err := netip.ParseAddr(hello.ServerName); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	if hello.Conn == nil || hello.Conn.LocalAddr() == nil {
		return ""
	}
	local, err := netip.ParseAddrPort(hello.Conn.LocalAddr().String())
	if err != nil {
		return ""
	}
	return local.Addr().Unmap().WithZone("").String()
}

// Certificates describes what is served and what is wanted, the configured names first
// and in their order.
func (m *Manager) Certificates() []Certificate {
	names := m.names()
	list := make([]Certificate, 0, len(names))
	for i, name := range names {
		list = append(list, m.certificate(name, i >= len(m.conf.Names)))
	}
	return list
}

// names are the configured names, and those on demand that are in memory.
func (m *Manager) names() []string {
	if m.demand == nil {
		return m.conf.Names
	}
	return slices.Concat(m.conf.Names, m.demand.names())
}

func (m *Manager) certificate(name string, onDemand bool) Certificate {
	c := Certificate{Name: name, Source: "acme", OnDemand: onDemand}
	if m.conf.Local != nil {
		c.Source = "dev"
	}
	last := m.attempts.get(name)
	c.Failed, c.Help, c.FailedAt, c.Failures, c.Next = last.Failed, last.Help, last.At, last.InRow, last.Next
	if leaf := m.leaf(name); leaf != nil {
		c.describe(leaf)
		c.Renew = leaf.NotAfter.Add(-time.Duration(renewRatio(leaf) * float64(leaf.NotAfter.Sub(leaf.NotBefore))))
		from := m.origin(name, c.Serial)
		if c.CA = from.ca; !from.renew.IsZero() && from.renew.Before(c.Renew) {
			c.Renew = from.renew
		}
		if last.InRow > 0 && c.Next.Before(c.Renew) { // it was ordered before its time, and is not again
			c.Next = c.Renew
		}
	}
	return c
}

// Ready reports whether there is a certificate for some client.
func (m *Manager) Ready() bool {
	return m.demand != nil || slices.ContainsFunc(m.conf.Names, func(name string) bool { return len(m.held(name)) > 0 })
}
