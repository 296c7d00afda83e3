package pi

import (
	"context"
	"io"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// copyFrom is SITE CPFR: what the next SITE CPTO copies, a regular file.
func copyFrom(s *Session, a Args) Outcome {
	s.left.copy = ""
	g, err := s.Ask(Question{Op: policy.OpRead, Perm: policy.PermRead, Path: a.Path, Text: a.Text, sized: true})
	if err != nil {
		return s.Fail(err)
	}
	info, err := s.files().Stat(vfs.Path(g.Path))
	switch {
	case err != nil:
		return s.Fail(err)
	case info.IsDir():
		return s.Fail(vfs.ErrIsDirectory)
	case !info.Mode.IsRegular():
		return s.Fail(vfs.ErrSpecial)
	}
	s.left.copy = a.Path
	return Say(wire.CodePending, "Send the name of the copy.")
}

// copyTo is SITE CPTO. The policies are asked about both ends, as if the client
// had read the one file and written the other, and before the copy can be seen. The
// bytes stay on the server and are shown to no filter of transfers.
func copyTo(s *Session, a Args) Outcome {
	from := s.left.copy
	s.left.copy = ""
	size := s.sizeOf(from)
	read, err := s.Ask(Question{Op: policy.OpRead, Perm: policy.PermRead, Path: from, A: size})
	if err != nil {
		return s.Fail(err)
	}
	write, err := s.Ask(Question{Op: policy.OpWrite, Perm: policy.PermWrite, Path: a.Path, Text: a.Text, A: size})
	if err != nil {
		return s.Fail(err)
	}
	number := s.requests
	if read.Path == write.Path {
		return Say(wire.CodeBadName, "A file cannot be copied onto itself.")
	}
	if most := write.Limits.MaxFileSize; most > 0 && size > most {
		return s.Fail(dtp.ErrTooLarge)
	}
	w, err := s.writer()
	if err != nil {
		return s.Fail(err)
	}
	source, err := s.open(vfs.Path(read.Path), 0)
	if err != nil {
		return s.Fail(err)
	}
	stage, err := w.stage(vfs.Path(write.Path), vfs.StageOptions{})
	if err != nil {
		source.Close()
		return s.Fail(err)
	}
	up := &upload{stage: stage, tally: s.conf.Operations, commit: s.commit(stage.Path(), number), op: policy.OpWrite}
	return s.copying(source, up, write.Limits.MaxFileSize)
}

// copying copies piece by piece, so that it can be told to stop.
func (s *Session) copying(source vfs.File, up *upload, most int64) Outcome {
	const piece = 4 << 20
	count := &counter{}
	return Outcome{Job: &Job{Title: "Copying to", Subject: string(up.stage.Path()), Progress: count, Alone: true, Run: func(ctx context.Context) Settle {
		defer source.Close()
		began := time.Now()
		res := dtp.Result{}
		for res.Err == nil {
			n, err := up.stage.ReadFrom(&io.LimitedReader{R: source, N: piece})
			res.Bytes += n
			count.n.Add(n)
			switch {
			case err != nil:
				res.Err = err
			case ctx.Err() != nil:
				res.Err = context.Cause(ctx)
			case most > 0 && res.Bytes > most:
				res.Err = dtp.ErrTooLarge
			}
			if n < piece {
				break
			}
		}
		res.Took = time.Since(began)
		settle := up.finish(ctx, res)
		return func(s *Session) Outcome {
			out := settle(s)
			if out.Reply.Code == wire.CodeClosingData {
				out.Reply = wire.Say(wire.CodeFileActionOK, "The file was copied.")
			}
			return out
		}
	}}}
}
