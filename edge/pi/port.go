package pi

import (
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// dataPort is the prepared data connection.
type dataPort struct {
	dtp.Port
	to    netip.AddrPort // where a client's port is (PORT, EPRT); the zero value of a server's
	until time.Time      // when it is given up; zero never
}

// setPort replaces the prepared data connection.
func (s *Session) setPort(p dtp.Port, until time.Time) {
	s.closePort()
	s.port = dataPort{Port: p, until: until}
}

func (s *Session) closePort() {
	if s.port.Port != nil {
		_ = s.port.Close()
	}
	s.port = dataPort{}
}

// spared is what keeps the socket of a passive port for the next.
func (s *Session) spared() *dtp.Spare {
	if s.last == nil && !s.conf.Passive.Fresh {
		s.last = new(dtp.Spare)
	}
	return s.last
}

// closeSpare gives it up: a session at rest holds no socket but its own.
func (s *Session) closeSpare() {
	if s.last != nil {
		s.last.Close()
		s.last = nil
	}
}

// target is where the data connection of the command at hand is to go, as far as the client
// has said.
func (s *Session) target() netip.AddrPort {
	if s.row == nil || s.row.Lane != Data {
		return netip.AddrPort{}
	}
	return s.port.to
}

// takePort hands the prepared data connection to a transfer.
func (s *Session) takePort() dtp.Port {
	p := s.port.Port
	s.port = dataPort{}
	return p
}
