package pi

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/wire"
)

func representationType(s *Session, a Args) Outcome {
	switch a.Text {
	case "A", "A N", "AN", "L7", "L 7":
		s.with.ascii = true
		s.who.ASCII = true
		return Say(wire.CodeOK, "Transfers are text.")
	case "I", "L8", "L 8":
		s.with.ascii = false
		s.who.ASCII = false
		return Say(wire.CodeOK, "Transfers are binary.")
	}
	return Say(wire.CodeBadParameter, "That type is not supported; A and I are.")
}

// transferMode is MODE (RFC 959 §3.4): streams, or compressed ones
// (draft-preston-ftpext-deflate-04 §2).
func transferMode(s *Session, a Args) Outcome {
	switch a.Text {
	case "S":
		s.with.deflate = false
		return Say(wire.CodeOK, "Transfers are streams.")
	case "Z":
		if s.conf.NoDeflate {
			return Say(wire.CodeBadParameter, "That mode is not supported; S is.")
		}
		s.with.deflate = true
		return Say(wire.CodeOK, "Transfers are compressed.")
	case "B", "C":
		return Say(wire.CodeBadParameter, "That mode is not supported; S is.")
	}
	return Say(wire.CodeBadArgument, "That is not a mode; S is.")
}

// optsMode sets how hard the server compresses (draft-preston-ftpext-deflate-04
// §4): "Z LEVEL n", of 1 to 9. An engine cannot be chosen.
func optsMode(s *Session, a Args) Outcome {
	words := strings.Fields(strings.ToUpper(a.Text))
	switch {
	case s.conf.NoDeflate || len(words) == 0 || words[0] != "Z":
		return Say(wire.CodeBadParameter, "That mode has no options here.")
	case len(words) == 1:
		s.with.level = 0
	case len(words) == 3 && words[1] == "LEVEL" && len(words[2]) == 1 && words[2] >= "1" && words[2] <= "9":
		s.with.level = int(words[2][0] - '0')
	default:
		return Say(wire.CodeBadArgument, "OPTS MODE Z takes LEVEL and a number from 1 to 9.")
	}
	return Say(wire.CodeOK, "The level was set.")
}

func hasDeflate(s *Session) bool { return !s.conf.NoDeflate }

func structure(_ *Session, a Args) Outcome {
	switch a.Text {
	case "F":
		return Say(wire.CodeOK, "Files have no structure.")
	case "R", "P":
		return Say(wire.CodeBadParameter, "That structure is not supported; F is.")
	}
	return Say(wire.CodeBadArgument, "That is not a structure; F is.")
}

// dataAllowed checks what holds for all four commands that prepare a data
// connection.
func (s *Session) dataAllowed() error {
	if s.conf.TLSData && !s.with.protect {
		return wire.Say(wire.CodeUnavailable, "Data connections need TLS here: send PROT P first.")
	}
	return nil
}

func port(s *Session, a Args) Outcome {
	if s.carrier() != nil {
		return notHere()
	}
	if s.with.epsvAll {
		return Say(wire.CodeBadArgument, "After EPSV ALL only EPSV is possible.")
	}
	target, err := wire.ParsePort(a.Text)
	if err != nil {
		s.closePort()
		return Say(wire.CodeBadArgument, "PORT needs six numbers: h1,h2,h3,h4,p1,p2.")
	}
	return s.active(target)
}

func extendedPort(s *Session, a Args) Outcome {
	if s.carrier() != nil {
		return notHere()
	}
	if s.with.epsvAll {
		return Say(wire.CodeBadArgument, "After EPSV ALL only EPSV is possible.")
	}
	target, err := wire.ParseEPRT(a.Text)
	v4 := s.who.Peer.Addr().Is4()
	if errors.Is(err, wire.ErrEndpointFamily) || err == nil && target.Addr().Is4() != v4 || err != nil && wire.OtherFamily(a.Text, v4) {
		s.closePort()
		return s.wrongFamily()
	}
	if err != nil {
		s.closePort()
		return Say(wire.CodeBadArgument, "EPRT needs |protocol|address|port|.")
	}
	return s.active(target)
}

// wrongFamily names the protocol that the control connection uses (RFC 2428
// §2).
func (s *Session) wrongFamily() Outcome {
	if s.who.Peer.Addr().Is4() {
		return Say(wire.CodeWrongFamily, "That network protocol is not supported, use (1).")
	}
	return Say(wire.CodeWrongFamily, "That network protocol is not supported, use (2).")
}

// active prepares a connection to the client (RFC 959 §3.2: it is made when the
// transfer is asked for). Only the client's own address is connected to, and no
// privileged port, so that nobody is attacked from here (RFC 2577 §3).
func (s *Session) active(target netip.AddrPort) Outcome {
	if s.conf.Active.Off {
		return Say(wire.CodeNotImplemented, "Active mode is switched off here; use EPSV or PASV.")
	}
	if err := s.dataAllowed(); err != nil {
		return s.Fail(err)
	}
	if peer := s.who.Peer.Addr(); s.conf.Active.Unmask && target.Addr().IsPrivate() && target.Addr() != peer && target.Addr().Is4() == peer.Is4() {
		target = netip.AddrPortFrom(peer, target.Port())
	}
	if s.own(target) {
		s.closePort()
		return Say(wire.CodeBadArgument, "Data connections do not go to the server itself.")
	}
	open := s.conf.Active.Prepare
	if open == nil {
		open = func(c dtp.ActiveConfig, target netip.AddrPort) (dtp.Port, error) { return dtp.NewActive(c, target) }
	}
	p, err := open(dtp.ActiveConfig{Local: s.here(), Peer: s.who.Peer.Addr(),
		Foreign: s.conf.Active.Foreign, Privileged: s.conf.Active.Privileged, Wait: s.conf.Active.Wait, Congestion: s.conf.Congestion}, target)
	s.closePort() // the state before a refused PORT does not come back
	switch {
	case errors.Is(err, dtp.ErrForeign):
		return Say(wire.CodeBadArgument, "Data connections go to your own address only.")
	case errors.Is(err, dtp.ErrLowPort):
		return Say(wire.CodeBadArgument, "Data connections do not go to privileged ports.")
	case err != nil:
		return s.Fail(err)
	}
	s.setPort(p, time.Time{})
	s.port.to = unmap(target)
	s.who.Active = true
	return Say(wire.CodeOK, "The next data connection goes to your port %d.", target.Port())
}

// own reports whether a data port is the server's own control port, on which it
// would obey the commands of a file, at an address that is trusted more than the
// client's, perhaps.
func (s *Session) own(target netip.AddrPort) bool {
	if own := s.conf.Own; own != nil && (own(s.who.Local.Addr(), target) || own(s.here(), target)) {
		return true
	}
	return target == s.who.Local
}

func passive(s *Session, _ Args) Outcome {
	if s.carrier() != nil {
		return notHere()
	}
	if s.with.epsvAll {
		return Say(wire.CodeBadArgument, "After EPSV ALL only EPSV is possible.")
	}
	if !s.who.Local.Addr().Is4() {
		return Say(wire.CodeCantOpenData, "PASV cannot tell an IPv6 address; use EPSV.")
	}
	p, err := s.listen()
	if err != nil {
		return s.Fail(err)
	}
	told := s.advertised(p.Addr())
	return Say(wire.CodePassive, "Entering Passive Mode (%s).", told)
}

// advertised is the numbers of the 227 reply: the port, and the address that is
// to be told, which need not be one of this host's.
func (s *Session) advertised(at netip.AddrPort) string {
	if f := s.conf.Passive.Advertise; f != nil {
		if text := f(s.who.Local.Addr(), s.who.Peer.Addr()); text != "" {
			return fmt.Sprintf("%s,%d,%d", strings.ReplaceAll(text, ".", ","), at.Port()>>8, at.Port()&255)
		}
	}
	_, proxied := s.raw.(*dtp.Behind)                                              // the client knows the proxy's address alone
	if addr := at.Addr().Unmap(); !addr.Is4() || addr.IsUnspecified() || proxied { // or a port of an embedder's, on all addresses
		at = netip.AddrPortFrom(s.who.Local.Addr(), at.Port())
	}
	return wire.FormatPort(at)
}

func extendedPassive(s *Session, a Args) Outcome {
	if s.carrier() != nil {
		return notHere()
	}
	switch a.Text {
	case "":
	case "ALL":
		s.with.epsvAll = true
		return Say(wire.CodeOK, "From now on only EPSV is possible.")
	default:
		family, err := wire.ParseFamily(a.Text)
		if errors.Is(err, wire.ErrEndpointSyntax) {
			return Say(wire.CodeBadArgument, "EPSV takes 1, 2, ALL or nothing.")
		}
		if err != nil || (family == 1) != s.who.Local.Addr().Is4() {
			return s.wrongFamily()
		}
	}
	p, err := s.listen()
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeExtendedPassive, "Entering Extended Passive Mode (|||%d|)", p.Addr().Port())
}

// listen prepares a port for the client to connect to. An older one is closed
// first, so that a session never holds two.
func (s *Session) listen() (dtp.PassivePort, error) {
	if err := s.dataAllowed(); err != nil {
		return nil, err
	}
	s.closePort()
	conf := dtp.PassiveConfig{Local: s.here(), Ports: s.conf.Passive.Ports, Wait: s.conf.Passive.Wait,
		Backlog: s.conf.Passive.Backlog, Congestion: s.conf.Congestion, Ephemeral: s.conf.Passive.Ephemeral, Spare: s.spared(), Tally: s.conf.Tally, Proxies: s.proxies()}
	if !s.conf.Passive.AnyPeer {
		conf.Peer = s.who.Peer.Addr()
	}
	open := s.conf.Passive.Listen
	if open == nil {
		open = func(ctx context.Context, c dtp.PassiveConfig) (dtp.PassivePort, error) { return dtp.Listen(ctx, c) }
	}
	p, err := open(context.Background(), conf)
	if err != nil {
		s.log().Warn("no passive port", "error", err)
		return nil, dtp.ErrNoPort
	}
	s.setPort(p, p.Until())
	s.who.Active = false
	return p, nil
}
