package edge

import (
	"context"
	"errors"
	"time"
)

// abortGrace is how long sessions may take to end that were told to end at once: a
// client that does not read its last replies is waited for a part of it.
const abortGrace = 320 * time.Millisecond

// keepGrace is how long the defence may then take to keep what it knows.
const keepGrace = 100 * time.Millisecond

// ErrLeft says that a session or a policy did not end and was left behind: native code
// that it has called did not come back.
var ErrLeft = errors.New("edge: not everything has ended; what did not come back was left behind")

// Serve accepts connections until Shutdown was called, and returns nil when the last session
// has ended and each connection that was handed on (Listener.HandOn) is closed. When ctx
// ends, everything is ended at once, and those connections are closed here.
// A server without listeners serves what ServeConn is given. What does not end is left
// behind as Shutdown has it.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		s.beginDrain()
		s.closeHanded()
	})
	defer stop()
	s.abortable(0, cancel)
	s.parking(ctx)
	defer func() {
		if lot := s.parkedIn(); lot != nil {
			lot.Close()
		}
	}()
	go s.guard(func() { s.names.refresh(ctx, s.log) })
	s.receiving(ctx)
	if ended := s.ended(); !s.await(ctx, ended) {
		s.leave()
	}
	s.keepDefence(ctx)
	_ = s.chain.CloseWithin(ctx) // Shutdown tells what came of it
	return nil
}

// Shutdown lets no new session begin and ends idle ones with 421; running
// transfers go on until ctx ends and are then aborted with 426. Connections that were handed
// on have to be closed by whoever has them; when ctx ends they are closed here. It returns when every
// session has ended, all of those are closed, and the policies were closed: ctx's error if
// transfers had to be aborted, else nil. Serve returns thereafter. A server that never
// served closes its policies here.
//
// Calls of policies and other native code that do not come back hold nothing up: within
// a second after the end of ctx Shutdown returns with an error that is ErrLeft, and what
// they were about is left as it is. The same goes for observers that take longer than
// some seconds for the events that wait.
func (s *Server) Shutdown(ctx context.Context) error {
	s.beginDrain()
	var err error
	ended := s.ended()
	select {
	case <-ended:
	case <-s.over:
	case <-ctx.Done():
		if s.abort() {
			err = ctx.Err()
		}
	}
	if !s.await(ctx, ended) {
		s.leave()
		err = errors.Join(err, ErrLeft)
	}
	if !s.keepDefence(ctx) {
		err = errors.Join(err, ErrLeft)
	}
	if left := s.chain.CloseWithin(ctx); left != nil {
		err = errors.Join(err, ErrLeft, left)
	}
	return err
}

// keepDefence has the defence keep what it knows, and reports whether that is done: a
// memory that does not come back is waited for a little longer than ctx.
func (s *Server) keepDefence(ctx context.Context) bool {
	kept := make(chan struct{})
	go s.guard(func() {
		defer close(kept)
		s.defence.close()
	})
	return within(ctx, keepGrace, kept, nil)
}

// ended returns what is closed when no session is left.
func (s *Server) ended() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.running.Wait()
	}()
	return done
}

// await waits until the sessions have ended, and reports whether they have: a little
// longer than ctx, or until they were left behind.
func (s *Server) await(ctx context.Context, ended <-chan struct{}) bool {
	return within(ctx, abortGrace, ended, s.over)
}

// within reports whether done was closed before over was, or grace after the end of ctx.
func within(ctx context.Context, grace time.Duration, done, over <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-over:
		return false
	case <-ctx.Done():
	}
	left := time.NewTimer(grace)
	defer left.Stop()
	select {
	case <-done:
		return true
	case <-over:
	case <-left.C:
	}
	return false
}

// abort ends everything at once, and reports whether transfers ran.
func (s *Server) abort() (transfers bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		transfers = transfers || sess.Transferring()
	}
	for _, abort := range s.aborts {
		abort()
	}
	return transfers
}

// leave gives up the sessions that are still there.
func (s *Server) leave() {
	s.leaves.Do(func() {
		close(s.over)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, sess := range s.sessions {
			s.log.Error("a session did not end and was left behind: what it has called did not come back", "sess", sess.ID())
			time.AfterFunc(abortGrace, func() { s.kill(sess) }) // its last words may be under way
		}
	})
}

func (s *Server) beginDrain() {
	s.ending.Do(func() {
		close(s.drain)
		s.left.stop()
		s.closeListeners()
		s.mu.Lock()
		for _, sess := range s.sessions {
			sess.Interrupt()
		}
		for conn := range s.lobby {
			_ = conn.Close()
		}
		lot := s.lot
		s.mu.Unlock()
		if lot != nil {
			lot.Stop()
		}
	})
}

func (s *Server) draining() bool {
	select {
	case <-s.drain:
		return true
	default:
		return false
	}
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
}
