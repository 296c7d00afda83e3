package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// errPaused says that a server which has given its listeners away takes no other
// configuration.
var errPaused = errors.New("edge: the server is paused, and takes no other configuration")

// standstill is how far a pause of the listeners has come. Server.mu guards it.
type standstill struct {
	over    chan struct{} // closed when it is; nil: there is none
	resting int           // listeners that accept nothing
	stopped bool          // another process serves (StopListening)
}

// unpaused waits for the end of a pause, and reports whether a session may begin then.
func (s *Server) unpaused(ctx context.Context) bool {
	for {
		s.mu.Lock()
		over, stopped := s.paused.over, s.paused.stopped
		s.mu.Unlock()
		if over == nil || stopped {
			return !stopped
		}
		select {
		case <-over:
		case <-s.drain:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// deadliner is a listener whose Accept can be called back, as that of net.TCPListener.
type deadliner interface{ SetDeadline(time.Time) error }

// Sockets returns the listeners in the order of the configuration; empty before Listen.
// They are the server's: they can be duplicated for another process, and not closed.
func (s *Server) Sockets() []net.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]net.Listener, len(s.listeners))
	for i, l := range s.listeners {
		out[i] = l.Listener
	}
	return out
}

// CountFrom has sessions numbered from the one after last, so that a server which takes
// another one's place (Pause) uses no number again. It is called before the first session.
func (s *Server) CountFrom(last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = last
}

// Pause accepts no connection until Resume: those that come wait in the listeners, and
// nobody is turned away. Sessions go on. What the defence knows is kept (Defence.Memory),
// so that another process can begin with it, to whom the listeners are given. last is the
// greatest number that a session of this server has or may get meanwhile: those whose
// proxy has not announced them yet are counted.
//
// A server that does not serve, or that has a listener without SetDeadline, cannot pause:
// the error says so, and nothing has changed; likewise when ctx ends. While it is paused
// Apply is an error.
func (s *Server) Pause(ctx context.Context) (last uint64, err error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.beginPause(); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.serving.quiet.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	for s.paused.resting < s.serving.open && ctx.Err() == nil && !s.draining() {
		s.serving.quiet.Wait()
	}
	last, resting := s.last+uint64(len(s.lobby)), s.paused.resting == s.serving.open
	s.mu.Unlock()
	switch {
	case s.draining():
		err = errDraining
	case !resting:
		err = fmt.Errorf("edge: the listeners do not pause: %w", context.Cause(ctx))
	}
	if err != nil {
		s.Resume()
		return 0, err
	}
	s.keepDefence(ctx)
	return last, nil
}

// beginPause calls the listeners back.
func (s *Server) beginPause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining():
		return errDraining
	case s.serving == nil || s.serving.open == 0:
		return errors.New("edge: the server accepts no connections, and cannot pause")
	case s.paused.over != nil:
		return errPaused
	}
	for _, l := range s.listeners {
		if _, ok := l.Listener.(deadliner); !ok {
			return fmt.Errorf("edge: the listener %s cannot be paused: it has no SetDeadline", l.Addr())
		}
	}
	s.paused.over = make(chan struct{})
	s.deadline(time.Unix(1, 0))
	return nil
}

// deadline sets that of all listeners. The caller holds mu.
func (s *Server) deadline(t time.Time) {
	for _, l := range s.listeners {
		if d, ok := l.Listener.(deadliner); ok {
			_ = d.SetDeadline(t) // it fails if the listener is closed, and then nobody waits for it
		}
	}
}

// Resume accepts connections again, those first that have waited since Pause.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused.over == nil {
		return
	}
	s.deadline(time.Time{})
	close(s.paused.over)
	s.paused.over = nil
	s.defence.reopen()
}

// StopListening closes the listeners and ends no session; no visit begins any more. Serve returns when the last one
// has gone. Sockets that another process has too go on there. It cannot be taken back.
func (s *Server) StopListening() {
	s.closeListeners()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused.stopped = true
	if s.paused.over != nil {
		close(s.paused.over)
		s.paused.over = nil
	}
}

// pausing reports whether the server is paused.
func (s *Server) pausing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused.over != nil
}

// rest has a listener wait for the end of a pause whose deadline has called it back.
func (s *Server) rest() {
	s.mu.Lock()
	over := s.paused.over
	if over == nil { // which has ended meanwhile
		s.mu.Unlock()
		return
	}
	s.paused.resting++
	s.serving.quiet.Broadcast()
	s.mu.Unlock()
	select {
	case <-over:
	case <-s.drain:
	}
	s.mu.Lock()
	s.paused.resting--
	s.mu.Unlock()
}

// called reports whether an error of Accept is a pause's.
func called(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
