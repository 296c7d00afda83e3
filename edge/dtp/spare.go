package dtp

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Spare keeps the socket of a passive port from one transfer of a session to the next:
// [Listen] takes it from there if [PassiveConfig.Spare] is set, and [Passive.Open] puts
// it there. Meanwhile it does not listen: nobody can connect to it, and who waited to be
// accepted is turned away, as if it were closed. That saves the system calls of a new
// socket: of seven rounds the medians were 59 us of CPU for a download of 4 KiB against 78,
// and 90 for an upload against 97. Outside of Linux a Spare keeps nothing.
//
// The port is the same again, but for the same client alone, a few times and for a short
// while, and not after anybody else, or a second one, has connected to it: who shares the
// client's address and has found the port cannot wait there for long (RFC 2577 §3). Where
// the kernel has chosen it, the socket gets another one each time.
//
// The zero value is ready for use, by any goroutine. A Spare must not be copied.
type Spare struct {
	mu     sync.Mutex
	kept   *socket
	closed bool
}

// The bounds of a fixed port's use. With 8 uses what a socket costs is spread well enough.
const (
	spareUses = 8
	spareTime = 5 * time.Second
)

// socket is a listening socket, and what it was made for.
type socket struct {
	*net.TCPListener
	addr  netip.AddrPort
	conf  PassiveConfig
	fixed bool // its port is bound also when it does not listen
	uses  int
	born  time.Time
	held  atomic.Bool // it listens, and is counted
}

// hold counts the port as in use: nobody else can listen on it.
func (k *socket) hold() {
	if !k.held.Swap(true) {
		k.conf.Tally.hold()
	}
}

// release counts it as free: it does not listen any more.
func (k *socket) release() {
	if k.held.Swap(false) {
		k.conf.Tally.release()
	}
}

// Close gives the port back.
func (k *socket) Close() error {
	k.release()
	return k.TCPListener.Close()
}

// take returns the kept socket, listening, if it is fit for conf. Another one is closed.
func (s *Spare) take(conf *PassiveConfig) *socket {
	s.mu.Lock()
	k := s.kept
	s.kept = nil
	s.mu.Unlock()
	if k == nil {
		return nil
	}
	if !k.fits(conf) || k.fixed && k.worn() || k.wake() != nil {
		k.Close()
		return nil
	}
	k.conf.Tally = conf.Tally
	k.hold()
	return k
}

// worn reports whether a fixed port has been used often or long enough.
func (k *socket) worn() bool {
	return !k.conf.Peer.IsValid() || k.uses >= spareUses || time.Since(k.born) >= spareTime
}

func (k *socket) fits(conf *PassiveConfig) bool {
	return k.conf.Local == conf.Local && k.conf.Peer == conf.Peer && k.conf.Backlog == conf.Backlog && k.conf.Congestion == conf.Congestion &&
		k.conf.Ephemeral == conf.Ephemeral && k.conf.Proxies == conf.Proxies && slices.Equal(k.conf.Ports, conf.Ports)
}

// put keeps a socket that has just served its client.
func (s *Spare) put(k *socket) {
	k.uses++
	if k.rest() != nil {
		k.Close()
		return
	}
	k.release()
	s.mu.Lock()
	old := s.kept
	if s.closed {
		old = k
	} else {
		s.kept = k
	}
	s.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

// Close closes the socket that is kept, and those that are put there later.
func (s *Spare) Close() {
	s.mu.Lock()
	k := s.kept
	s.kept, s.closed = nil, true
	s.mu.Unlock()
	if k != nil {
		k.Close()
	}
}
