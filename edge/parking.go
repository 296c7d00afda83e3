package edge

import (
	"context"
	"errors"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/idle"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// awakeDefault is Timeouts.Awake. To park a session and to wake it up takes some 6 us of
// processor time more than a read that goes on, and at most four times a second that is
// nothing; a goroutine that is awake takes 12 KiB.
const awakeDefault = 250 * time.Millisecond

// unparkable is for how long a session stays in a read whose connection could not be parked,
// as when the kernel has no room for another watch.
const unparkable = time.Minute

// crowd is how many sessions may be awake before they are parked in an eighth of the time.
// The runtime never gives the record of a goroutine back (480 bytes): 10,000 clients who
// came within a second left 2,600 of them behind, a tenth of what they take at rest.
const crowd = 512

// parking makes the lot in which the sessions of Serve are parked, if they are to be and
// there is none.
func (s *Server) parking(ctx context.Context) {
	if s.now.Load().conf.Timeouts.Awake == 0 || s.parkedIn() != nil {
		return
	}
	lot, err := idle.New(idle.Config{Wake: func(id uint64, _ idle.Reason) { s.wake(ctx, id) }})
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			s.log.Warn("idle sessions keep their goroutines: they cannot be parked", "error", err)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining() { // which has found none to stop
		lot.Close()
		return
	}
	s.lot = lot
}

// parkedIn returns the lot, nil where there is none.
func (s *Server) parkedIn() *idle.Lot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lot
}

// wake goes on with a session that was parked, in the goroutine that is its from now on: there
// is one for each that is awake. What there is to do, the session finds out by itself.
func (s *Server) wake(ctx context.Context, id uint64) {
	s.mu.Lock()
	sess, lot := s.sessions[id], s.lot
	s.mu.Unlock()
	s.own(ctx, lot, sess)
}

// own is the goroutine of an awake session. It ends with the session, or when that is
// parked; then another one owns it, sooner or later.
func (s *Server) own(ctx context.Context, lot *idle.Lot, sess *pi.Session) {
	parked := false
	s.awake.Add(1)
	defer func() {
		s.awake.Add(-1)
		s.left.add()
	}()
	defer func() {
		if p := recover(); p != nil {
			s.guard(func() { sess.Panic(p) }) // which closes what it can
		}
		if !parked {
			s.forget(sess)
		}
	}()
	parked = s.attend(ctx, lot, sess)
}

// attend stays with a session until it has ended, or was parked: then nothing of it may be
// touched any more.
func (s *Server) attend(ctx context.Context, lot *idle.Lot, sess *pi.Session) (parked bool) {
	id, socket, wait := sess.ID(), sess.Socket(), s.patience()
	if lot == nil || socket == nil || wait == 0 {
		lot, wait = nil, time.Hour
	}
	for sess.Step(ctx, wait) != pi.Closed {
		if lot == nil {
			continue
		}
		until := sess.Until()
		sess.Rest()
		switch err := lot.Park(socket, id, until); {
		case err == nil:
			if sess.Dismissed() { // since Step has returned, so that sendOff may have found nothing to wake
				lot.Wake(id)
			}
			return true
		case errors.Is(err, idle.ErrNear), errors.Is(err, idle.ErrStopped):
			if wait = s.patience(); wait == 0 {
				wait = unparkable
			}
		default:
			wait = unparkable
		}
	}
	return false
}

// patience is for how long a session stays awake.
func (s *Server) patience() time.Duration {
	awake := s.now.Load().conf.Timeouts.Awake
	if s.awake.Load() > crowd {
		return awake / 8
	}
	return awake
}

// forget takes away what the server knows of a session that has ended.
func (s *Server) forget(sess *pi.Session) {
	defer s.running.Done()
	defer s.gate.leave(&s.gate.sessions, sess.Who().Peer.Addr())
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sess.ID())
	delete(s.live.reasons, sess.ID())
	s.tree.ClearSession(sess.ID())
	s.closedOf(sess.ID())
}

// kill closes a session's connection, from any goroutine. Of a parked one the kernel would
// not tell: a descriptor that is closed has left the set.
func (s *Server) kill(sess *pi.Session) {
	sess.Kill()
	s.mu.Lock()
	lot := s.lot
	s.mu.Unlock()
	if lot != nil {
		lot.Wake(sess.ID())
	}
}
