package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/succession"
)

// successor takes the place of the server that runs on the same state, see package
// succession. A nil one begins on its own.
type successor struct {
	way    *succession.Successor
	offer  succession.Offer
	last   uint64                  // session of the predecessor
	paused time.Time               // since when nobody accepts
	spare  map[socket]net.Listener // of the offer, that are no listener's
	serves bool                    // the way is the changes' from then on
	ended  chan struct{}           // closed when the predecessor has ended
}

// approach asks the server that runs on the same state for its sockets. Nothing has changed
// for it then. Where none runs, this one begins on its own.
func (in *generation) approach(ctx context.Context) error {
	conn, err := control.Client{Path: in.conf.Socket, Reason: "edgeftp serve --take-over"}.Upgrade(ctx)
	switch {
	case nobodyThere(err):
		in.log.Info("no server runs on this state: there is no place to take")
		return nil
	case err != nil:
		return exitWith(exitFailed, fmt.Errorf("the place of the server on %s cannot be taken: %w", in.conf.Socket, err))
	}
	way, offer, err := succession.Ask(ctx, conn, version())
	if err != nil {
		return exitWith(exitFailed, fmt.Errorf("the place of the server on %s cannot be taken: %w", in.conf.Socket, err))
	}
	in.succeeds = &successor{way: way, offer: offer, spare: map[socket]net.Listener{}, ended: make(chan struct{})}
	in.log.Info("taking a server's place", "predecessor_pid", offer.PID, "predecessor_version", offer.Version)
	return exitWith(exitFailed, in.given(offer.Sockets))
}

// nobodyThere reports whether no server answers on the socket.
func nobodyThere(err error) bool {
	return errors.Is(err, control.ErrUnreachable) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED))
}

// given has the listeners of the configuration use the sockets of the predecessor. Those
// that it has no use for are closed here, and by the predecessor when it leaves.
func (in *generation) given(sockets []succession.Socket) (err error) {
	for _, s := range sockets {
		l, e := listening(s.File)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("the socket of %s: %w", s.Listener, e))
			continue
		}
		at := socket{s.Listener, s.Address}
		switch place, found := in.wants(at, l.Addr()); {
		case found:
			in.sockets[place] = l
		case at == in.metricsAt() || at == in.adminAt():
			in.succeeds.spare[at] = l
		default:
			_ = l.Close()
			in.log.Info("a socket of the server before is not wanted", "listener", s.Listener, "address", s.Address)
		}
	}
	return err
}

// wants finds the listener that a socket is for: that of the same name and address, else as
// for those of a service manager.
func (in *generation) wants(at socket, addr net.Addr) (socket, bool) {
	if in.sockets[at] == nil && in.listensAt(at) {
		return at, true
	}
	return in.place(at.listener, addr)
}

// listensAt reports whether the configuration has a listener of that name and address.
func (in *generation) listensAt(at socket) bool {
	return slices.ContainsFunc(in.conf.Listeners, func(l config.Listener) bool {
		return l.Name == at.listener && slices.Contains(l.Addresses, at.address)
	})
}

// metricsAt and adminAt are the sockets beside the listeners.
func (in *generation) metricsAt() socket { return socket{metricsSocket, in.conf.Metrics.Listen} }

func (in *generation) adminAt() socket {
	if in.conf.Admin.TCP == nil {
		return socket{}
	}
	return socket{adminSocket, in.conf.Admin.TCP.Listen}
}

// listenAt listens at an address that is no listener's, or takes the predecessor's socket.
func (in *instance) listenAt(ctx context.Context, at socket) (net.Listener, error) {
	if s := in.succeeds; s != nil && s.spare[at] != nil {
		l := s.spare[at]
		delete(s.spare, at)
		return l, nil
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", at.address)
}

// succeed has the predecessor give up its state, when this process has tried that it could
// serve.
func (in *generation) succeed(ctx context.Context) error {
	s := in.succeeds
	if s == nil {
		return nil
	}
	faults, err := tryOut(ctx, in.conf, slog.New(slog.DiscardHandler), filepath.Join(in.conf.Instance.StateDir, "cache", "modules"))
	for _, f := range faults {
		err = errors.Join(err, fmt.Errorf("%s: %w", strings.Join(f.Key, "."), f.Err))
	}
	if err != nil {
		return exitWith(exitConfig, fmt.Errorf("this server could not serve, and the one that runs goes on: %w", err))
	}
	s.paused = time.Now()
	if s.last, err = s.way.Release(ctx); err != nil {
		return exitWith(exitFailed, fmt.Errorf("the server on %s does not give its place up: %w", in.conf.Socket, err))
	}
	return nil
}

// take tells the predecessor that its place is taken.
func (in *generation) take(ctx context.Context) error {
	s := in.succeeds
	if s == nil {
		return nil
	}
	if err := s.way.Serving(ctx); err != nil {
		return exitWith(exitFailed, fmt.Errorf("the server's place was not taken: %w", err))
	}
	s.serves = true
	in.log.Info("the server's place is taken", "predecessor_pid", s.offer.PID, "after_session", s.last, "paused_seconds", time.Since(s.paused).Seconds())
	return nil
}

// follow takes what the predecessor tells of policies' memory, to its end.
func (in *instance) follow(ctx context.Context) {
	s := in.succeeds
	defer close(s.ended)
	err := s.way.Follow(ctx, in.heir)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		in.log.Error("the server before has told less than it knew", "predecessor_pid", s.offer.PID, "error", err)
		return
	}
	in.log.Info("the server before has ended", "predecessor_pid", s.offer.PID)
}

// gone reports whether the predecessor has ended, or whether there was none.
func (s *successor) gone() bool {
	if s == nil {
		return true
	}
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// draining is the number of the predecessor's process while that has sessions, else 0.
func (s *successor) draining() int {
	if s.gone() {
		return 0
	}
	return s.offer.PID
}

// by is how the first configuration comes into force.
func (s *successor) by() string {
	if s == nil {
		return "start"
	}
	return "upgrade"
}

// fail gives up, unless this process serves: the predecessor goes on, and may open what this
// one has had open.
func (s *successor) fail() {
	if s == nil {
		return
	}
	for _, l := range s.spare {
		_ = l.Close() // nobody was let in
	}
	if !s.serves {
		s.way.Fail(errors.New("it has ended before it served"))
	}
}
