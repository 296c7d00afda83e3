package dtp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// ErrNotReady refuses a handshake on a control connection before there is a
// certificate (Control.Ready).
var ErrNotReady = errors.New("there is no certificate yet")

// ErrNotServed refuses a handshake for a name that is not served (Control.Serves).
var ErrNotServed = errors.New("the client asked for a name that is not served here")

// Control is what a control connection's handshake and those of its data connections
// have in common. The zero value is one without a tag.
type Control struct {
	Tag Tag // of its tickets
	// Host is the host that the client has named by HOST in the clear (RFC 7151 §3):
	// a name, or an address, of IPv6 in brackets. A handshake that names no server
	// (RFC 6066 §3) gets this one's certificate. Empty: none.
	Host string
	// Ready reports whether there is a certificate. While there is none, only
	// handshakes of another protocol are done (see Foreign). Nil: there always is.
	Ready func() bool
	// Serves reports whether a handshake for a name is to be done. Nil: each is.
	Serves func(name string) bool

	// Name is what the handshake was for: the server's name in it, or by default
	// Host, an address without brackets. Empty: the client has named nothing.
	// ControlTLS sets it, and what follows, when the handshake has begun.
	Name    string
	Tickets bool // the client can take tickets at all
	// Lacking says that the handshake failed as there was no certificate for it.
	Lacking bool

	cert  *tls.Certificate // that was presented
	until time.Time        // cert's end
}

// ControlTLS returns the configuration for one control connection's handshake:
// its tickets carry the tag, and it never resumes, so that every control
// connection authenticates afresh. base must be the one long-lived configuration
// that holds the ticket keys. When the handshake is done, the connection's negotiated
// protocol says whether Protection.FileZilla is to be set, or by Foreign that the
// connection is not for FTP.
func ControlTLS(base *tls.Config, k *Control) *tls.Config {
	k.Name = plain(k.Host)
	c := base.Clone()
	k.bind(base, c)
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return k.choose(base, c, hello) }
	return c
}

// bind makes c, which is a copy of base or was chosen by it, one of this connection.
func (k *Control) bind(base, c *tls.Config) {
	c.NextProtos = []string{ProtocolFileZilla, ProtocolControl} // FileZilla offers both
	c.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		ss.Extra = append(ss.Extra, k.Tag.extra())
		return base.EncryptTicket(cs, ss)
	}
	c.UnwrapSession = func([]byte, tls.ConnectionState) (*tls.SessionState, error) { return nil, nil }
	own := certificates(c)
	c.Certificates = nil
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := own(k.named(hello))
		k.Lacking = err != nil
		k.keep(cert)
		return cert, err
	}
}

// choose is the GetConfigForClient of a control connection, whose configuration is own.
func (k *Control) choose(base, own *tls.Config, hello *tls.ClientHelloInfo) (*tls.Config, error) {
	hello = k.named(hello)
	var chosen *tls.Config
	if base.GetConfigForClient != nil {
		var err error
		if chosen, err = base.GetConfigForClient(hello); err != nil {
			return nil, err
		}
	}
	if chosen != nil && allForeign(hello.SupportedProtos) && allForeign(chosen.NextProtos) {
		return alone(chosen), nil
	}
	if k.Ready != nil && !k.Ready() {
		return nil, ErrNotReady
	}
	if k.Serves != nil && hello.ServerName != "" && !k.Serves(hello.ServerName) {
		k.Lacking = true
		return nil, ErrNotServed
	}
	used := own
	if chosen != nil {
		chosen = adopt(base, chosen, func(c *tls.Config) { k.bind(base, c) })
		used = chosen
	}
	k.Name = hello.ServerName
	k.Tickets = !used.SessionTicketsDisabled && takesTickets(hello, used.MaxVersion)
	if k.Tickets || !slices.Contains(hello.SupportedProtos, ProtocolFileZilla) {
		return chosen, nil
	}
	if chosen == nil {
		chosen = own.Clone()
		chosen.GetConfigForClient = nil
	}
	chosen.NextProtos = []string{ProtocolControl} // it could not resume, as the other demands
	return chosen, nil
}

// Foreign reports whether what a control connection has negotiated (RFC 7301) is
// another protocol than FTP. That can be where the GetConfigForClient of the base
// configuration answers, to a client that offers no protocol of FTP's, with a
// configuration whose NextProtos has none either, such as acme-tls/1 (RFC 8737 §3).
// The handshake is all that it gets: nothing may be said on the connection.
func Foreign(protocol string) bool {
	return protocol != "" && protocol != ProtocolControl && protocol != ProtocolFileZilla
}

// allForeign reports whether there are protocols, and all of them foreign.
func allForeign(protocols []string) bool {
	return len(protocols) > 0 && !slices.ContainsFunc(protocols, func(p string) bool { return !Foreign(p) })
}

// alone is the configuration of a handshake that is no control connection's: it has no
// tickets, which would be sealed with our keys.
func alone(chosen *tls.Config) *tls.Config {
	c := chosen.Clone()
	c.SessionTicketsDisabled, c.WrapSession, c.UnwrapSession = true, nil, nil
	return c
}

// adopt returns a copy of what base's GetConfigForClient has chosen, changed as the
// copy of base itself is, or it would lead around the binding.
func adopt(base, chosen *tls.Config, set func(*tls.Config)) *tls.Config {
	c := chosen.Clone()
	c.SessionTicketsDisabled = c.SessionTicketsDisabled || base.SessionTicketsDisabled
	set(c)
	return c
}

// named is the hello as if it had named what the connection is for, where it names
// nothing itself.
func (k *Control) named(hello *tls.ClientHelloInfo) *tls.ClientHelloInfo {
	if hello.ServerName != "" || k.Name == "" {
		return hello
	}
	h := *hello
	h.ServerName = k.Name
	return &h
}

// plain is what a host of HOST is called in a certificate: an address has no brackets
// there, and one form.
func plain(host string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(inner); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	return host
}

// Agrees reports whether a host of HOST is what the handshake was for, or the handshake
// was for nothing in particular.
func (k *Control) Agrees(host string) bool {
	return k.Name == "" || strings.EqualFold(plain(k.Name), plain(host))
}

// keep notes what was presented, for the data connections.
func (k *Control) keep(cert *tls.Certificate) {
	k.cert, k.until = nil, time.Time{}
	if cert == nil || len(cert.Certificate) == 0 {
		return
	}
	leaf := cert.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return
		}
	}
	k.cert, k.until = cert, leaf.NotAfter
}

// presented returns, for a handshake of a data connection, the certificate of its
// control connection: some clients compare the two, and a session of TLS 1.2 cannot be
// resumed beside a new certificate whose key is of another kind. It is nil when the
// certificate has ended, or the client has named another server.
func (k *Control) presented(hello *tls.ClientHelloInfo, now time.Time) *tls.Certificate {
	if k.cert == nil || now.After(k.until) || hello.ServerName != "" && hello.ServerName != k.Name {
		return nil
	}
	return k.cert
}

// certificates is how package tls finds the certificate of a handshake in c, as c is
// now.
func certificates(c *tls.Config) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	get, list := c.GetCertificate, c.Certificates
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if get != nil && (len(list) == 0 || hello.ServerName != "") {
			if cert, err := get(hello); cert != nil || err != nil {
				return cert, err
			}
		}
		for i := range list {
			if hello.SupportsCertificate(&list[i]) == nil {
				return &list[i], nil
			}
		}
		if len(list) == 0 {
			return nil, nil
		}
		return &list[0], nil
	}
}

// now is the time by a configuration's clock.
func now(c *tls.Config) time.Time {
	if c.Time != nil {
		return c.Time()
	}
	return time.Now()
}
