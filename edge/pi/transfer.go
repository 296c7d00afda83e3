package pi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// transfer prepares the data connection's use: everything that RETR, STOR and
// the listings have in common.
func (s *Session) transfer(limits policy.Limits) (*dtp.Transfer, error) {
	if s.port.Port == nil {
		if s.carrier() != nil {
			return nil, wire.Say(wire.CodeCantOpenData, "Send QDAT first.")
		}
		return nil, wire.Say(wire.CodeCantOpenData, "Send EPSV, PASV, EPRT or PORT first.")
	}
	if limits.DataTLS && !s.with.protect {
		return nil, wire.Say(wire.CodeProtNotHere, "That needs a protected data connection: send PROT P first.")
	}
	t := &dtp.Transfer{Protect: s.protection(), ASCII: s.with.ascii, Stall: s.conf.Stall, Copy: s.conf.Copy,
		Buffers: s.conf.Buffers, Progress: new(dtp.Progress), Tally: s.conf.Tally}
	if s.with.deflate {
		t.Deflate = &dtp.Deflate{Level: s.with.level, MaxRatio: s.conf.MaxRatio}
	}
	return t, nil
}

// mark returns the reply that opens a transfer: 125 when the client has
// connected already, else 150 (RFC 959 §5.4).
func (s *Session) mark(text string) wire.Reply {
	if r, ok := s.port.Port.(dtp.Readier); ok && r.Ready() {
		return wire.Say(wire.CodeDataOpen, "%s", text)
	}
	return wire.Say(wire.CodeFileOK, "%s", text)
}

// sealed tells the observers how the TLS of a data connection went.
func (s *Session) sealed(p *dtp.Protection, r dtp.Result) {
	switch {
	case p == nil:
	case errors.Is(r.Err, dtp.ErrHandshake), errors.Is(r.Err, dtp.ErrNotBound):
		s.event(policy.Event{Kind: policy.EventTLSFailed, Text: "data connection: " + brief(r.Err), DataPeer: r.Peer})
	case r.TLS != nil:
		text := fmt.Sprintf("data connection: TLS %s", tlsFacts(*r.TLS).Version)
		if !r.TLS.DidResume {
			text += ", not bound to the control connection's session"
		}
		if r.Unannounced {
			text += ", ended without close_notify"
		}
		s.event(policy.Event{Kind: policy.EventTLSEstablished, Took: r.Handshake, Text: text, DataPeer: r.Peer})
	}
}

// refuse ends a data command before its transfer. The data port stays until the
// next one is asked for or its time is up: resetting a connection that is there
// already makes curl, which then has its TLS handshake under way, take the reply
// for that of another command.
func (s *Session) refuse(err error) Outcome { return s.Fail(err) }

// closes reports whether an error ends the control connection too.
func closes(err error) bool { return errors.Is(err, dtp.ErrStalled) || errors.Is(err, errShutdown) }

// whole is the reply to a transfer that ended well (RFC 959 §5.4).
func whole(n int64, took time.Duration) wire.Reply {
	return wire.Say(wire.CodeClosingData, "Transfer complete: %d bytes in %.3f seconds.", n, took.Seconds())
}

// waited tells the observers where a data connection was waited for in vain.
func (s *Session) waited(r dtp.Result) {
	for _, err := range []error{dtp.ErrStalled, dtp.ErrNobody, dtp.ErrSlow} {
		if errors.Is(r.Err, err) {
			s.event(policy.Event{Kind: policy.EventTimeout, Text: err.Error(), DataPeer: r.Peer})
		}
	}
}

// sent is the outcome of a transfer that is no file's.
func (s *Session) sent(r dtp.Result) Outcome {
	s.waited(r)
	if r.Err != nil {
		return Outcome{Reply: s.answer(r.Err), Close: closes(r.Err)}
	}
	return Outcome{Reply: whole(r.Bytes, r.Took)}
}

func retrieve(s *Session, a Args) Outcome {
	part := s.ranged()
	rest := max(s.left.rest, part.from)
	s.left.rest = 0
	g, at, err := s.judge(Question{Op: policy.OpRead, Perm: policy.PermRead, Path: a.Path, Text: a.Text, sized: true, B: rest})
	if err != nil {
		return s.refuse(err)
	}
	number, path := s.requests, vfs.Path(g.Path)
	file, err := s.open(path, rest)
	if err != nil {
		return s.refuse(err)
	}
	t, err := s.transfer(g.Limits)
	if err != nil {
		file.Close()
		return s.refuse(err)
	}
	var size int64 // that the escort is to know
	if s.lease.Asks(policy.StageData) || s.lease.Asks(policy.StageThrottle) {
		size = max(s.sizeAt(path, at)-rest, 0)
	}
	t.Send = file
	if part.to > 0 {
		size = min(size, part.to-part.from)
		t.Send = io.LimitReader(file, part.to-part.from)
	}
	load := cargo{number: number, size: part.to - rest, from: rest, measure: part.to == 0}
	if s.errand != nil && s.errand.Offer != nil {
		if t.Send, size, err = s.offer(file); t.Send == nil {
			file.Close()
			if err != nil {
				return s.refuse(err)
			}
			return Say(wire.CodeFileActionOK, "Nothing of it is to be sent.")
		}
		load.size, load.measure = size, false
	}
	e := s.escort(policy.Action{Op: policy.OpRead, Path: g.Path}, number, size, rest)
	t.Limiter = s.limiter(true, g.Limits, e.limit())
	e.send(t)
	return s.run(t, e, "Sending the file.", wire.Text("Sending"), g.Path, load, func(_ context.Context, r dtp.Result) Settle {
		file.Close()
		return func(s *Session) Outcome {
			kind := policy.EventFileSent
			if r.Err != nil {
				kind = policy.EventIncompleteFileSent
			}
			return s.moved(number, policy.Event{Kind: kind, Op: policy.OpRead, Path: g.Path}, r)
		}
	})
}

// open opens a file at the restart offset.
func (s *Session) open(p vfs.Path, rest int64) (vfs.File, error) {
	file, err := s.files().Open(p)
	if err != nil {
		if _, perr := s.partial(p); perr == nil {
			return nil, wire.Say(wire.CodeFileBusy, "The upload of that file was interrupted; continue it first.")
		}
		return nil, err
	}
	if rest == 0 {
		return file, nil
	}
	info, err := file.Stat()
	if err == nil && rest > info.Size() {
		err = vfs.ErrOffset
	}
	if err == nil {
		_, err = file.Seek(rest, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (s *Session) sizeOf(p vfs.Path) int64 {
	info, err := s.stat(p)
	if err != nil {
		return -1
	}
	return info.Size
}

// moved reports a transfer to the observers and to the client. The event bears the
// number of the transfer's question.
func (s *Session) moved(number uint64, e policy.Event, r dtp.Result) Outcome {
	reply := whole(r.Bytes, r.Took)
	e.Size, e.Took, e.DataPeer = r.Bytes, r.Took, r.Peer
	if r.Err != nil {
		reply = s.answer(r.Err)
		e.Text = brief(r.Err)
	}
	e.Code = int(reply.Code)
	s.waited(r)
	s.follow(number, e)
	s.inform("transfer", slog.String("event", e.Kind.String()), slog.String("op", e.Op.String()), slog.String("path", e.Path),
		slog.Int64("bytes", r.Bytes), slog.Float64("seconds", r.Took.Seconds()), slog.Bool("complete", r.Err == nil),
		slog.Int("reply", e.Code), slog.String("reason", e.Text))
	return Outcome{Reply: reply, Close: closes(r.Err)}
}

func store(s *Session, a Args) Outcome {
	opt := vfs.StageOptions{Offset: s.left.rest, Owner: s.owner()}
	return s.upload(Question{Op: policy.OpWrite, Perm: policy.PermWrite, Path: a.Path, Text: a.Text, B: s.left.rest}, opt)
}

func appendTo(s *Session, a Args) Outcome {
	rest, size := s.left.rest, max(s.sizeOf(a.Path), 0)
	s.left.rest = 0
	if rest > 0 && rest != size { // whatever was meant, it is not what would happen
		return s.refuse(wire.Say(wire.CodeFileBusy, "APPE begins at the end of the file; REST is not possible with it."))
	}
	opt := vfs.StageOptions{Append: true, Owner: s.owner()}
	return s.upload(Question{Op: policy.OpAppend, Perm: policy.PermAppend, Path: a.Path, Text: a.Text, B: size}, opt)
}

func storeUnique(s *Session, a Args) Outcome {
	if s.left.rest > 0 {
		s.left.rest = 0
		return s.refuse(wire.Say(wire.CodeFileBusy, "STOU makes a new file; REST is not possible with it."))
	}
	if !a.Given || a.Path == vfs.Root {
		a.Path = a.Path.Join("ftpd")
	}
	return s.upload(Question{Op: policy.OpUnique, Perm: policy.PermWrite, Path: a.Path, Text: a.Text}, vfs.StageOptions{Unique: true})
}

// upload stages a file, moves the bytes into it and publishes it: three steps,
// of which only the last one is seen by anybody.
func (s *Session) upload(q Question, opt vfs.StageOptions) Outcome {
	q.A = s.left.allo
	s.left.rest, s.left.allo = 0, -1
	if s.ranged() != (span{}) {
		return s.refuse(wire.Say(wire.CodeBadArgument, "RANG is not possible with an upload; use REST."))
	}
	g, err := s.Ask(q)
	if err != nil {
		return s.refuse(err)
	}
	number := s.requests
	t, err := s.transfer(g.Limits)
	if err != nil {
		return s.refuse(cmp.Or(s.unfit(vfs.Path(g.Path), opt), err))
	}
	w, err := s.writer()
	if err != nil {
		return s.refuse(err)
	}
	stage, err := w.stage(vfs.Path(g.Path), opt)
	if err != nil {
		return s.refuse(err)
	}
	up := &upload{stage: stage, tally: s.conf.Operations, commit: s.commit(stage.Path(), number), op: q.Op}
	if most := g.Limits.MaxFileSize; most > 0 {
		t.MaxBytes = most - stage.Size()
		if t.MaxBytes <= 0 {
			up.discard(false)
			return s.refuse(dtp.ErrTooLarge)
		}
	}
	from := opt.Offset
	if opt.Append {
		from = stage.Size()
	}
	e := s.escort(policy.Action{Op: q.Op, Path: string(stage.Path())}, number, q.A, from)
	t.Receive, t.Limiter = stage, s.limiter(false, g.Limits, e.limit())
	e.receive(t)
	up.escort, up.sink = e, t.Receive
	text := "Taking the file."
	if opt.Unique {
		text = "FILE: " + stage.Path().Base() // RFC 1123 §4.1.2.9
	}
	load := cargo{number: number, size: q.A, up: true}
	return s.interruptible(s.run(t, e, text, wire.Text("Taking"), string(stage.Path()), load, up.finish), stage)
}

// interruptible makes the end of a job's context known to a stage that is busy with
// something else than the data connection.
func (s *Session) interruptible(out Outcome, stage vfs.Stage) Outcome {
	i, ok := stage.(vfs.Interrupter)
	if !ok || out.Job == nil {
		return out
	}
	run, conf, who := out.Job.Run, s.conf, out.Job.who
	out.Job.Run = func(ctx context.Context) Settle {
		stop := context.AfterFunc(ctx, func() { conf.guard(conf.logOf(who), i.Interrupt) })
		defer stop()
		return run(ctx)
	}
	return out
}

// unfit says what would be wrong with a file for an upload that has no data port.
// A client is told of that first, as the model does, but nothing is staged: that
// may cut what is kept of an upload back to where it is to go on.
func (s *Session) unfit(p vfs.Path, opt vfs.StageOptions) error {
	if guard, ok := s.fs.(vfs.Guard); ok {
		if _, inside := guard.Fixed(p); inside != nil {
			return inside
		}
	}
	info, err := s.stat(p)
	switch {
	case opt.Unique:
		return nil
	case err == nil && info.IsDir():
		return vfs.ErrIsDirectory
	case err == nil && opt.Offset > info.Size:
		return vfs.ErrOffset
	case !errors.Is(err, fs.ErrNotExist) || opt.Offset > 0:
		return err
	}
	_, err = s.stat(p.Dir())
	return err
}

// upload is an upload on its way from the last byte to its publication.
type upload struct {
	stage vfs.Stage
	tally *OperationTally
	commit
	op     policy.Op
	escort *escort   // nil of one that no policy looks into
	sink   io.Writer // the stage, or the filters before it
}

// finish runs in the helper goroutine, after the data connection has ended.
func (u *upload) finish(ctx context.Context, r dtp.Result) Settle {
	if r.Err != nil {
		u.discard(resumable(r.Err) && u.escort.keeps())
	} else {
		given := ctx
		ctx = context.WithoutCancel(ctx) // the last byte is here: ABOR came too late
		if r.Err = u.escort.last(ctx, u.sink); r.Err == nil {
			r.Err = u.ask(ctx, u.stage, r.Took.Milliseconds(), r.Peer)
		}
		if r.Err != nil {
			u.discard(false)
		} else {
			r.Err = u.tally.took(opCommit, time.Now(), u.stage.Commit(ctx))
		}
		if given.Err() != nil && errors.Is(r.Err, fs.ErrClosed) { // but in time for what Commit does first
			r.Err = context.Cause(given)
		}
	}
	return func(s *Session) Outcome {
		kind := policy.EventFileReceived
		if r.Err != nil {
			kind = policy.EventIncompleteFileReceived
		}
		return s.moved(u.action.Request, policy.Event{Kind: kind, Op: u.op, Path: string(u.stage.Path())}, r)
	}
}

// resumable reports whether a client may go on with an upload that has ended so. What
// did not fit on the disk would only keep it full.
func resumable(err error) bool {
	damaged := errors.Is(err, dtp.ErrDeflate) && !errors.Is(err, io.ErrUnexpectedEOF)
	var no *refused
	return !damaged && !errors.Is(err, dtp.ErrTooLarge) && !errors.Is(err, vfs.ErrNoSpace) && !errors.As(err, &no)
}

func (u *upload) discard(keep bool) { _ = u.tally.took(opDiscard, time.Now(), u.stage.Discard(keep)) }

// abort ends a running transfer: its own reply comes first, then that of ABOR
// (RFC 959 §4.1.3). A transfer that has just ended by itself was not aborted,
// and says so by its 226.
func abort(s *Session, _ Args) Outcome {
	switch {
	case s.job != nil && s.job.Progress != nil:
		s.job.aborts++
		s.job.cancel(errAborted)
		return Outcome{}
	case s.port.Port != nil:
		s.closePort()
		return Say(wire.CodeDataIdle, "The data port was closed.")
	}
	return Say(wire.CodeDataIdle, "There is no transfer to abort.")
}
