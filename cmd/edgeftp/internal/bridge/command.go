package bridge

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// asked is a command of the client whose last reply it has not got yet.
type asked struct {
	verb, arg string
	line      []byte // as it is sent, with its end
	port      dtp.Port
	check     bool   // the file's facts are to be asked for
	unseen    bool   // and were refused
	sent      bool   // over the session that there is
	before    []byte // what was sent in front of it that is not answered: 'Q'DAT, 'M'LST, 'R'ANG and others
	token     string
	job       *transfer
	part      *part       // the first line of the last reply, which waits for the job
	answer    *wire.Reply // the bridge's own, in the place of the server's
	marked    bool        // a preliminary reply (1xx) was passed on
	again     bool        // it was sent a second time after that
	mute      bool        // what the server says is not passed on
	partial   bool        // it asks for the beginning of the file (see divide.go)
	cut       bool        // and gets no more than that
	decided   bool        // what comes behind the beginning
	spread    *spread     // of what comes behind the beginning; nil: nothing does
	lent      bool        // the session fetches it
}

// beside reports whether a server answers a command while a transfer runs.
func (a *asked) beside() bool {
	return a.verb == "NOOP" || a.verb == "ABOR" || a.verb == "STAT" && a.arg == ""
}

// command reads one line of the client.
func command(line []byte) *asked {
	c := wire.ParseCommand(line)
	if c.Verb == "" || c.Bad {
		return &asked{verb: c.Verb}
	}
	whole := bytes.ReplaceAll(bytes.TrimLeft(line, " "), []byte{255}, []byte{255, 255}) // RFC 854
	return &asked{verb: c.Verb, arg: c.Arg, line: append(whole, "\r\n"...)}
}

// shown is the command without a secret.
func (a *asked) shown() string {
	if a.verb == "PASS" || a.verb == "ACCT" {
		return a.verb + " ****"
	}
	return strings.TrimRight(string(a.line), "\r\n")
}

// take decides what becomes of a command of the client.
func (s *session) take(a *asked) {
	s.trace('>', a.shown())
	if s.beside(a) {
		return
	}
	switch a.verb {
	case "PASV", "EPSV", "PORT", "EPRT":
		s.prepare(a)
	case "AUTH":
		a.say(wire.CodePolicyDenied, "There is no TLS on this hop, which stays on this machine: edgeftp bridge protects all the rest of the way.")
	case "PBSZ":
		a.say(wire.CodeBadSequence, "AUTH comes first, and is not possible here: edgeftp bridge protects the way to the server.")
	case "PROT":
		if strings.EqualFold(a.arg, "C") {
			a.say(wire.CodeOK, "Data connections to the bridge are in the clear; it protects all the rest of the way.")
		} else {
			a.say(wire.CodePolicyDenied, "Only PROT C is possible on this hop, which stays on this machine: edgeftp bridge protects the rest.")
		}
	case "CCC", "ADAT", "MIC", "CONF", "ENC":
		a.say(wire.CodeCannotClear, "This hop is in the clear already; edgeftp bridge protects the way to the server.")
	case "QDAT":
		a.say(wire.CodeNotImplemented, "Data streams are the bridge's business; use EPSV or PASV.")
	case "RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD":
		s.transfer(a)
	case "ABOR":
		s.abort(a)
	}
	s.queue = append(s.queue, a)
}

// say answers a command in the server's place.
func (a *asked) say(code wire.Code, format string, args ...any) {
	r := wire.Say(code, format, args...)
	a.answer = &r
}

// transfer takes a command that needs a data connection.
func (s *session) transfer(a *asked) {
	if s.port == nil {
		a.say(wire.CodeCantOpenData, "There is no data connection: send EPSV or PASV first.")
		return
	}
	a.port, s.port = s.port, nil
	a.check = a.verb == "RETR"
}

// prepare makes a data port on this machine (RFC 959 §4.1.2, RFC 2428).
func (s *session) prepare(a *asked) {
	s.closePort()
	if !s.memory.in && len(s.queue) == 0 {
		a.say(wire.CodeNotLoggedIn, "Please log in with USER and PASS.")
		return
	}
	if s.extendedOnly && a.verb != "EPSV" {
		a.say(wire.CodeBadArgument, "After EPSV ALL only EPSV is possible.")
		return
	}
	if a.verb == "PORT" || a.verb == "EPRT" {
		s.active(a)
	} else {
		s.passive(a)
	}
}

// active notes a port that the client listens on: on its own address, as for any server
// (RFC 2577 §3).
func (s *session) active(a *asked) {
	read := wire.ParsePort
	if a.verb == "EPRT" {
		read = wire.ParseEPRT
	}
	target, err := read(a.arg)
	if err == nil {
		s.port, err = active(dtp.ActiveConfig{Local: s.here.Addr(), Peer: s.peer.Addr(), Wait: patience}, target)
	}
	switch {
	case errors.Is(err, wire.ErrEndpointFamily):
		a.say(wire.CodeWrongFamily, "That network protocol is not supported, use (%d).", s.family())
	case errors.Is(err, dtp.ErrForeign):
		a.say(wire.CodeBadArgument, "Data connections go to your own address only.")
	case errors.Is(err, dtp.ErrLowPort):
		a.say(wire.CodeBadArgument, "Data connections do not go to ports below 1024.")
	case err != nil:
		a.say(wire.CodeBadArgument, "%s needs an address and a port.", a.verb)
	default:
		a.say(wire.CodeOK, "The data connection will go to port %d.", int(target.Port()))
	}
}

func active(conf dtp.ActiveConfig, target netip.AddrPort) (dtp.Port, error) {
	p, err := dtp.NewActive(conf, target)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// passive listens for the client.
func (s *session) passive(a *asked) {
	word := strings.ToUpper(strings.TrimSpace(a.arg))
	v4 := s.here.Addr().Is4()
	switch {
	case a.verb == "PASV" && !v4:
		a.say(wire.CodeWrongFamily, "PASV cannot name an IPv6 address: use EPSV.")
		return
	case a.verb == "EPSV" && word == "ALL":
		s.extendedOnly = true
		a.say(wire.CodeOK, "Only EPSV from now on.")
		return
	case a.verb == "EPSV" && word != "":
		if family, err := wire.ParseFamily(word); err != nil || family != s.family() {
			a.say(wire.CodeWrongFamily, "That network protocol is not supported, use (%d).", s.family())
			return
		}
	}
	// How long it waits is the transfer's to say, which may come late behind others.
	p, err := dtp.Listen(s.ctx, dtp.PassiveConfig{Local: s.here.Addr(), Peer: s.peer.Addr(), Wait: -1})
	if err != nil {
		a.say(wire.CodeCantOpenData, "No port is free on this machine.")
		return
	}
	s.port = p
	if a.verb == "PASV" {
		a.say(wire.CodePassive, "Entering passive mode (%s).", wire.FormatPort(p.Addr()))
	} else {
		a.say(wire.CodeExtendedPassive, "Entering extended passive mode (|||%d|).", int(p.Addr().Port()))
	}
}

func (s *session) family() int {
	if s.here.Addr().Is4() {
		return 1
	}
	return 2
}

func (s *session) closePort() {
	if s.port != nil {
		_ = s.port.Close()
		s.port = nil
	}
}
