package pi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// answer turns an error into the reply that the client gets. It is the only
// place that does so. Nothing of the host, and no policy's name, gets out.
func (s *Session) answer(err error) wire.Reply {
	reply := s.worded(err)
	if reply.Cause == nil {
		reply.Cause = err
	}
	return reply
}

// worded is answer but for the reply's Cause.
func (s *Session) worded(err error) wire.Reply {
	var reply wire.Reply
	if errors.As(err, &reply) {
		return reply
	}
	var no *refused
	if errors.As(err, &no) {
		return s.answerRefused(no)
	}
	if r, ok := answerFile(err); ok {
		s.conf.Storage.add(err, true)
		return r
	}
	if r, ok := answerData(err); ok {
		if errors.Is(err, dtp.ErrStalled) {
			return or(s.conf.Replies.Stalled, r)
		}
		return r
	}
	s.conf.Storage.add(err, false)
	s.log().Error("a command failed by a fault of the server's", "error", err)
	return wire.Say(wire.CodeLocalError, "The server could not do that because of a fault of its own.")
}

// answerRefused reports a refusal to the observers and to the client, both with
// the reference that leads from one to the other: the session's number and that of
// the question, which the event bears too.
func (s *Session) answerRefused(no *refused) wire.Reply {
	d, a := no.denial, no.action
	ref := fmt.Sprintf("%d-%d", s.who.ID, a.Request)
	reply := no.reply(fmt.Sprintf("ref %s", ref))
	e := policy.Event{Kind: policy.EventDenied, Op: a.Op, Path: a.Path, Path2: a.Path2, Text: d.Error(),
		Code: int(reply.Code), Policy: d.Policy, Generation: d.Generation, DataPeer: a.DataPeer}
	if d.Failed {
		e.Kind = policy.EventPolicyFailed
	}
	attrs := []any{"event", e.Kind.String()}
	if no.stage != 0 {
		attrs = append(attrs, "stage", no.stage.String())
	}
	if no.command != "" {
		attrs = append(attrs, "command", no.command)
	}
	if a.Op != 0 {
		attrs = append(attrs, "op", a.Op.String())
	}
	attrs = append(attrs, "path", a.Path, "path2", a.Path2, "reason", d.Error(), "policy", d.Policy,
		"policy_gen", d.Generation, "reply", int(reply.Code), "ref", ref)
	s.log().Warn("refused", attrs...)
	s.follow(a.Request, e)
	return reply
}

// reply is what the client is told of a refusal.
func (no *refused) reply(ref string) wire.Reply {
	d := no.denial
	code := no.code
	if code == 0 {
		code = wire.CodeUnavailable
	}
	switch {
	case d.Hidden:
		return wire.Say(wire.CodeUnavailable, "No such file or directory.")
	case d.Failed:
		return wire.Say(wire.CodeLocalError, "That could not be decided and is refused (%s).", ref)
	case d.Code != 0:
		code = wire.Code(d.Code)
	}
	if len(no.lines) > 0 {
		reply := wire.Multi(code, slices.Clone(no.lines)...)
		reply.Lines[len(no.lines)-1] += " (" + ref + ")"
		return reply
	}
	switch {
	case d.Text != "" && d.Policy == "":
		return wire.Say(code, "%s (%s)", wire.Text(d.Text), ref)
	case d.Text != "":
		return wire.Multi(code, fmt.Sprintf("%s (%s)", d.Text, ref))
	}
	return wire.Say(code, "That is not permitted (%s).", ref)
}

// answerFile answers the errors of a filesystem.
func answerFile(err error) (wire.Reply, bool) {
	for _, c := range []struct {
		is   error
		code wire.Code
		text string
	}{
		{vfs.ErrEscapes, wire.CodeUnavailable, "That leads out of the served tree."},
		{vfs.ErrFolder, wire.CodeUnavailable, "That is a folder of the server's, or leads to one; it stays where it is."},
		{vfs.ErrUnavailable, wire.CodeUnavailable, "That folder is not available at the moment."},
		{vfs.ErrOtherFolder, wire.CodeUnavailable, "That lies in another folder; copy it there, and delete it here."},
		{vfs.ErrRoot, wire.CodeUnavailable, "That cannot be done to the root directory."},
		{vfs.ErrIsDirectory, wire.CodeUnavailable, "That is a directory."},
		{vfs.ErrNotDirectory, wire.CodeUnavailable, "That is not a directory."},
		{vfs.ErrNotEmpty, wire.CodeUnavailable, "The directory is not empty."},
		{vfs.ErrSpecial, wire.CodeUnavailable, "That is not a regular file."},
		{vfs.ErrCrossDevice, wire.CodeUnavailable, "That is on another filesystem."},
		{vfs.ErrReadOnly, wire.CodeUnavailable, "The files here cannot be changed."},
		{vfs.ErrNoSpace, wire.CodeNoSpace, "There is no space left for it."},
		{vfs.ErrBusy, wire.CodeFileBusy, "Another session is writing to that file."},
		{vfs.ErrOffset, wire.CodeBadRestart, "The restart offset is beyond the end of the file."},
		{vfs.ErrNameTooLong, wire.CodeBadName, "That name is too long."},
		{vfs.ErrBadName, wire.CodeBadName, "That name holds a character that no name may hold."},
		{fs.ErrNotExist, wire.CodeUnavailable, "No such file or directory."},
		{fs.ErrExist, wire.CodeUnavailable, "That name is taken already."},
		{fs.ErrPermission, wire.CodeUnavailable, "The server may not do that to the file."},
		{fs.ErrInvalid, wire.CodeUnavailable, "That is not possible with this file."},
	} {
		if errors.Is(err, c.is) {
			return wire.Say(c.code, "%s", c.text), true
		}
	}
	return wire.Reply{}, false
}

// answerData answers the ways in which a data connection fails. Codes: RFC 959
// §5.4, RFC 4217 §10.2, and the model's 421 for a connection that stalls.
func answerData(err error) (wire.Reply, bool) {
	for _, c := range []struct {
		is   error
		code wire.Code
		text string
	}{
		{errAborted, wire.CodeAborted, "The transfer was aborted."},
		{errShutdown, wire.CodeAborted, "The server is shutting down; the transfer was aborted."},
		{errStopped, wire.CodeAborted, "The operator has ended the transfer."},
		{errDismissed, wire.CodeAborted, "The operator has ended the session; the transfer was aborted."},
		{errLost, wire.CodeAborted, "The control connection was lost."},
		{dtp.ErrNobody, wire.CodeCantOpenData, "Nobody connected to the data port in time."},
		{dtp.ErrUnreached, wire.CodeCantOpenData, "Your data port could not be reached."},
		{dtp.ErrNoPort, wire.CodeCantOpenData, "No data port is free at the moment; try again."},
		{dtp.ErrNotBound, wire.CodeWrongFamily, "The data connection must resume the control connection's TLS session; set your client to reuse it."},
		{dtp.ErrHandshake, wire.CodeWrongFamily, "The TLS handshake on the data connection failed."},
		{ErrNoTurn, wire.CodeFileBusy, "Too many digests are being computed; try again later."},
		{ErrTurnOver, wire.CodeFileBusy, "That digest took too long; ask for the parts of the file one by one."},
		{dtp.ErrSlow, wire.CodeAborted, "The transfer was slower than is put up with here; it was given up."},
		{errNoRoom, wire.CodeCantOpenData, "The server has no memory for another transfer at the moment; try again."},
		{dtp.ErrStalled, wire.CodeNotAvailable, "The data connection stalled for too long; closing the control connection."},
		{dtp.ErrRatio, wire.CodeExceedsAllowance, "The file unpacks to far more than was sent."},
		{dtp.ErrDeflate, wire.CodeAborted, "The compressed data is damaged or cut short."},
		{dtp.ErrTooLarge, wire.CodeExceedsAllowance, "The file is larger than you may store."},
		{dtp.ErrTruncated, wire.CodeAborted, "The data connection ended without TLS close_notify; the file was not taken."},
		{dtp.ErrShort, wire.CodeLocalError, "The file became shorter while it was sent; what has come is not all of it."},
		{dtp.ErrBroken, wire.CodeAborted, "The data connection broke; the transfer was given up."},
		{context.Canceled, wire.CodeAborted, "The transfer was aborted."},
	} {
		if errors.Is(err, c.is) {
			return wire.Say(c.code, "%s", c.text), true
		}
	}
	return wire.Reply{}, false
}
