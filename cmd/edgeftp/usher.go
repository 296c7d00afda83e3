package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
)

// usher implements control.Sessions.
type usher struct{ server *edge.Server }

// Sessions implements control.Sessions.
func (u usher) Sessions() []control.Session {
	all := u.server.Sessions()
	out := make([]control.Session, len(all))
	for i := range all {
		out[i] = session(&all[i])
	}
	return out
}

// session tells of one in the words of the admin API.
func session(s *edge.SessionStatus) control.Session {
	out := control.Session{ID: s.ID, State: control.StateIdle, User: s.User, LoggedIn: s.LoggedIn, Anonymous: s.Anonymous, Listener: s.Listener,
		Peer: s.Peer, Local: s.Local, Since: s.Since.UTC().Truncate(time.Second), Quiet: int64(s.Quiet / time.Second), TLS: s.TLS, Cipher: s.Cipher, Resumed: s.Resumed,
		VHost: s.VHost, Protocol: s.Protocol, Host: s.Host, Client: s.Client, Dir: s.Dir, Command: s.Command}
	if s.Limited {
		r := control.Rates(s.Limit)
		out.Limit = &r
	}
	switch {
	case s.Transfer != nil:
		out.State, out.Transfer = control.StateTransfer, transfer(s.Transfer, s.User)
	case !s.LoggedIn:
		out.State = control.StateLogin
	case s.Command != "":
		out.State = control.StateBusy
	}
	return out
}

func transfer(t *edge.TransferStatus, user string) *control.Transfer {
	return &control.Transfer{ID: t.ID, Session: t.Session, User: user, Command: t.Command, Path: t.Path, Up: t.Up, Data: t.Data, Bytes: t.Bytes, Size: t.Size,
		Since: t.Since.UTC().Truncate(time.Second), Seconds: t.Took.Seconds(), Rate: t.Rate, Average: t.Average, Limit: t.Limit, TLS: t.TLS, Resumed: t.Resumed}
}

// Kick implements control.Sessions.
func (u usher) Kick(k control.Kick) (int, error) {
	switch {
	case k.User != "":
		return u.server.KickUser(k.User, k.Reason), nil
	case k.From.IsValid():
		return u.server.KickNetwork(k.From, k.Reason), nil
	}
	if err := u.server.Kick(k.ID, k.Reason); err != nil {
		return 0, control.NoSession(k.ID)
	}
	return 1, nil
}

// Abort implements control.Sessions.
func (u usher) Abort(transfer string) error { return gone(u.server.Abort(transfer), transfer) }

// LimitSession implements control.Sessions.
func (u usher) LimitSession(id uint64, l control.LiveLimit) error {
	if l.Clear {
		if u.server.FreeSession(id) != nil {
			return control.NoSession(id)
		}
		return nil
	}
	s, err := u.server.Session(id)
	if err != nil {
		return control.NoSession(id)
	}
	rates := s.Limit
	if !s.Limited {
		rates = u.server.Bandwidth().Session
	}
	if u.server.LimitSession(id, over(l, rates)) != nil {
		return control.NoSession(id)
	}
	return nil
}

// LimitTransfer implements control.Sessions.
func (u usher) LimitTransfer(transfer string, l control.LiveLimit) error {
	return gone(u.server.LimitTransfer(transfer, over(l, edge.Rates{})), transfer)
}

// over is the limit that holds after a change.
func over(l control.LiveLimit, r edge.Rates) edge.Rates {
	if l.Down != nil {
		r.Down = *l.Down
	}
	if l.Up != nil {
		r.Up = *l.Up
	}
	return r
}

// gone is what is said of a transfer that is not there, or not of the kind.
func gone(err error, transfer string) error {
	switch {
	case errors.Is(err, edge.ErrNoTransfer):
		return &control.Refusal{Code: control.CodeGone, Message: fmt.Sprintf("there is no transfer %.40q", transfer),
			Help: "it may have ended; edgeftp transfers lists those that run"}
	case errors.Is(err, edge.ErrUnlimited):
		return &control.Refusal{Code: control.CodeUnlimited, Message: fmt.Sprintf("%s moves no bytes to or from its client: it can have no limit", transfer),
			Help: "edgeftp transfers abort ends it"}
	}
	return err
}
