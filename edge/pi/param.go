package pi

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/wire"
)

func representationType(s *Session, a Args) Outcome {
	switch a.Text {
	case "A", "A N", "AN", "L7", "L 7":
		s.with.ascii = true
		s.who.ASCII = true
		return say(wire.CodeOK, "Transfers are text.")
	case "I", "L8", "L 8":
		s.with.ascii = false
		s.who.ASCII = false
		return say(wire.CodeOK, "Transfers are binary.")
	}
	return say(wire.CodeBadParameter, "That type is not supported; A and I are.")
}

func transferMode(_ *Session, a Args) Outcome {
	switch a.Text {
	case "S":
		return say(wire.CodeOK, "Transfers are streams.")
	case "B", "C":
		return say(wire.CodeBadParameter, "That mode is not supported; S is.")
	}
	return say(wire.CodeBadArgument, "That is not a mode; S is.")
}

func structure(_ *Session, a Args) Outcome {
	switch a.Text {
	case "F":
		return say(wire.CodeOK, "Files have no structure.")
	case "R", "P":
		return say(wire.CodeBadParameter, "That structure is not supported; F is.")
	}
	return say(wire.CodeBadArgument, "That is not a structure; F is.")
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
	if s.with.epsvAll {
		return say(wire.CodeBadArgument, "After EPSV ALL only EPSV is possible.")
	}
	target, err := wire.ParsePort(a.Text)
	if err != nil {
		return say(wire.CodeBadArgument, "PORT needs six numbers: h1,h2,h3,h4,p1,p2.")
	}
	return s.active(target)
}

func extendedPort(s *Session, a Args) Outcome {
	if s.with.epsvAll {
		return say(wire.CodeBadArgument, "After EPSV ALL only EPSV is possible.")
	}
	target, err := wire.ParseEPRT(a.Text)
	if errors.Is(err, wire.ErrEndpointFamily) || err == nil && target.Addr().Is4() != s.who.Peer.Addr().Is4() {
		return s.wrongFamily()
	}
	if err != nil {
		return say(wire.CodeBadArgument, "EPRT needs |protocol|address|port|.")
	}
	return s.active(target)
}

// wrongFamily names the protocol that the control connection uses (RFC 2428
// §2).
func (s *Session) wrongFamily() Outcome {
	if s.who.Peer.Addr().Is4() {
		return say(wire.CodeWrongFamily, "That network protocol is not supported, use (1).")
	}
	return say(wire.CodeWrongFamily, "That network protocol is not supported, use (2).")
}

// active prepares a connection to the client (RFC 959 §3.2: it is made when the
// transfer is asked for). Only the client's own address is connected to, and no
// privileged port, so that nobody is attacked from here (RFC 2577 §3).
func (s *Session) active(target netip.AddrPort) Outcome {
	if s.conf.Active.Off {
		return say(wire.CodeNotImplemented, "Active mode is switched off here; use EPSV or PASV.")
	}
	if err := s.dataAllowed(); err != nil {
		return s.failed(err)
	}
	p, err := dtp.NewActive(dtp.ActiveConfig{Local: s.who.Local.Addr(), Peer: s.who.Peer.Addr(),
		Foreign: s.conf.Active.Foreign, Privileged: s.conf.Active.Privileged, Wait: s.conf.Active.Wait}, target)
	s.closePort() // the state before a refused PORT does not come back
	switch {
	case errors.Is(err, dtp.ErrForeign):
		return say(wire.CodeBadArgument, "Data connections go to your own address only.")
	case errors.Is(err, dtp.ErrLowPort):
		return say(wire.CodeBadArgument, "Data connections do not go to privileged ports.")
	case err != nil:
		return s.failed(err)
	}
	s.setPort(p, time.Time{})
	s.who.Active = true
	return say(wire.CodeOK, "The next data connection goes to your port %d.", target.Port())
}

func passive(s *Session, _ Args) Outcome {
	if s.with.epsvAll {
		return say(wire.CodeBadArgument, "After EPSV ALL only EPSV is possible.")
	}
	if !s.who.Local.Addr().Is4() {
		return say(wire.CodeCantOpenData, "PASV cannot tell an IPv6 address; use EPSV.")
	}
	p, err := s.listen()
	if err != nil {
		return s.failed(err)
	}
	told := p.Addr()
	if pub := s.conf.Passive.Advertise; pub.IsValid() {
		told = netip.AddrPortFrom(pub, told.Port())
	}
	return say(wire.CodePassive, "Entering Passive Mode (%s).", wire.FormatPort(told))
}

func extendedPassive(s *Session, a Args) Outcome {
	switch a.Text {
	case "":
	case "ALL":
		s.with.epsvAll = true
		return say(wire.CodeOK, "From now on only EPSV is possible.")
	default:
		family, err := wire.ParseFamily(a.Text)
		if errors.Is(err, wire.ErrEndpointSyntax) {
			return say(wire.CodeBadArgument, "EPSV takes 1, 2, ALL or nothing.")
		}
		if err != nil || (family == 1) != s.who.Local.Addr().Is4() {
			return s.wrongFamily()
		}
	}
	p, err := s.listen()
	if err != nil {
		return s.failed(err)
	}
	return say(wire.CodeExtendedPassive, "Entering Extended Passive Mode (|||%d|)", p.Addr().Port())
}

// listen prepares a port for the client to connect to. An older one is closed
// first, so that a session never holds two.
func (s *Session) listen() (*dtp.Passive, error) {
	if err := s.dataAllowed(); err != nil {
		return nil, err
	}
	s.closePort()
	conf := dtp.PassiveConfig{Local: s.who.Local.Addr(), Ports: s.conf.Passive.Ports, Wait: s.conf.Passive.Wait}
	if !s.conf.Passive.AnyPeer {
		conf.Peer = s.who.Peer.Addr()
	}
	p, err := dtp.Listen(context.Background(), conf)
	if err != nil {
		s.log().Warn("no passive port", "error", err)
		return nil, dtp.ErrNoPort
	}
	s.setPort(p, p.Until())
	s.who.Active = false
	return p, nil
}
