package pi

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// span is a range of a file's bytes, the end not included. The zero value is the
// whole file.
type span struct{ from, to int64 }

// within fits a span into a file; a start beyond its end is refused.
func (r span) within(size int64) (span, error) {
	if r.from > size {
		return r, vfs.ErrOffset
	}
	if r.to == 0 || r.to > size {
		r.to = size
	}
	return r, nil
}

// ranged takes the range that RANG has left.
func (s *Session) ranged() span {
	r := s.left.rang
	s.left.rang = span{}
	return r
}

// setRange is RANG (draft-bryan-ftp-range-08 §3): both ends are bytes of the
// range, and "1 0" takes it back.
func setRange(s *Session, a Args) Outcome {
	first, second, _ := strings.Cut(strings.TrimSpace(a.Text), " ")
	from, err1 := strconv.ParseUint(first, 10, 62)
	to, err2 := strconv.ParseUint(strings.TrimSpace(second), 10, 62)
	switch {
	case err1 != nil || err2 != nil:
		return Say(wire.CodeBadArgument, "RANG takes the first and the last byte.")
	case s.with.ascii && (from != 1 || to != 0):
		return Say(wire.CodeBadArgument, "Text has no byte ranges; send TYPE I first.")
	case from == 1 && to == 0:
		s.left.rang = span{}
		return Say(wire.CodePending, "The range was taken back.")
	case to < from:
		return Say(wire.CodeBadArgument, "The range ends before it begins.")
	}
	s.left.rest = 0
	s.left.rang = span{int64(from), int64(to) + 1}
	return Say(wire.CodePending, "The next transfer is of the bytes %d to %d.", from, to)
}

// hashFile is HASH (draft-ietf-ftpext2-hash-03 §3.2).
func hashFile(s *Session, a Args) Outcome {
	kind := s.digest()
	return s.sum(a, kind, s.ranged(), func(r span, sum string) wire.Reply {
		return wire.Say(wire.CodeFileStatus, "%s %d-%d %s %s", string(kind), r.from, max(r.to-1, r.from), sum, string(a.Path))
	})
}

// digest is what HASH computes for this session.
func (s *Session) digest() Digest {
	if s.with.digest != "" {
		return s.with.digest
	}
	return s.conf.digests()[0]
}

// optsHash chooses the algorithm, or tells it (draft-ietf-ftpext2-hash-03 §4).
func optsHash(s *Session, a Args) Outcome {
	if a.Given {
		kind, ok := ParseDigest(strings.TrimSpace(a.Text))
		if !ok || !slices.Contains(s.conf.digests(), kind) {
			return Say(wire.CodeBadParameter, "That algorithm is not offered; FEAT lists those that are.")
		}
		s.with.digest = kind
	}
	return Say(wire.CodeOK, "%s", string(s.digest()))
}

// featHash lists the algorithms, with an asterisk behind the one in use.
func featHash(s *Session) []string {
	var names []string
	for _, d := range s.conf.digests() {
		if d == s.digest() {
			d += "*"
		}
		names = append(names, string(d))
	}
	return []string{"HASH " + strings.Join(names, ";")}
}

// hasDigest tells whether an algorithm is offered.
func hasDigest(d Digest) func(*Session) bool {
	return func(s *Session) bool { return slices.Contains(s.conf.digests(), d) }
}

// sumOf makes the handler of an X command: a name, in quotes or not, and
// optionally where to begin and where to end (the end is not included).
func sumOf(d Digest) Handler {
	return func(s *Session, a Args) Outcome {
		if !hasDigest(d)(s) {
			return Say(wire.CodeNotImplemented, "That algorithm is not offered here.")
		}
		var r span
		var err error
		if _, gone := s.stat(a.Path); gone != nil {
			a.Text, r, err = cutSpan(a.Text)
		}
		if err == nil {
			a.Path, err = s.Resolve(a.Text)
		}
		if err != nil {
			return s.Fail(err)
		}
		return s.sum(a, d, r, func(_ span, sum string) wire.Reply {
			return wire.Say(wire.CodeFileActionOK, "%s", strings.ToUpper(sum))
		})
	}
}

// cutSpan cuts up to two numbers off the end of a name, and quotes off what is
// left.
func cutSpan(text string) (name string, r span, err error) {
	name = strings.TrimRight(text, " ")
	var numbers []int64
	for len(numbers) < 2 {
		i := strings.LastIndexByte(name, ' ')
		if i < 0 {
			break
		}
		n, err := strconv.ParseUint(name[i+1:], 10, 62)
		if err != nil {
			break
		}
		numbers = append([]int64{int64(n)}, numbers...)
		name = strings.TrimRight(name[:i], " ")
	}
	if len(numbers) > 0 {
		r.from = numbers[0]
	}
	if len(numbers) > 1 {
		if r.to = numbers[1]; r.to <= r.from {
			return name, r, wire.Say(wire.CodeBadArgument, "The range ends before it begins.")
		}
	}
	if n := len(name); n > 2 && name[0] == '"' && name[n-1] == '"' {
		name = strings.ReplaceAll(name[1:n-1], `""`, `"`)
	}
	return name, r, nil
}

// counter counts the bytes of work that is no transfer.
type counter struct{ n atomic.Int64 }

// Bytes implements Meter.
func (c *counter) Bytes() int64 { return c.n.Load() }

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// sum computes a digest in a helper goroutine.
func (s *Session) sum(a Args, d Digest, r span, reply func(span, string) wire.Reply) Outcome {
	g, err := s.Ask(Question{Op: policy.OpHash, Perm: policy.PermRead, Path: a.Path, Text: a.Text})
	if err != nil {
		return s.Fail(err)
	}
	number := s.requests
	file, err := s.summed(vfs.Path(g.Path))
	if err != nil {
		return s.Fail(err)
	}
	info, err := file.Stat()
	if err == nil {
		r, err = r.within(info.Size())
	}
	if err == nil {
		_, err = file.Seek(r.from, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return s.Fail(err)
	}
	count := &counter{}
	turns, user := s.conf.Turns, s.conf.person(s.who.User)
	return Outcome{Job: &Job{Title: "Hashing", Subject: g.Path, Progress: count, Alone: true, cargo: cargo{number: number, size: r.to - r.from}, Run: func(ctx context.Context) Settle {
		defer file.Close()
		if turns != nil {
			work, done, err := turns.Take(ctx, user)
			if err != nil {
				return func(s *Session) Outcome { return s.Fail(err) }
			}
			defer done()
			ctx = work
		}
		h := d.new()
		_, err := io.Copy(io.MultiWriter(h, count), &upTo{ctx: ctx, r: io.LimitReader(file, r.to-r.from)})
		return func(s *Session) Outcome {
			if err != nil {
				return s.Fail(err)
			}
			return Outcome{Reply: reply(r, hex.EncodeToString(h.Sum(nil)))}
		}
	}}}
}

// summed opens a file for a digest, or what is kept of the user's interrupted upload of it:
// so it can be told whether it is the beginning of what is to be sent.
func (s *Session) summed(p vfs.Path) (vfs.File, error) {
	file, err := s.fs.Open(p)
	if parts, ok := s.fs.(vfs.Partials); ok && s.owner() != "" && errors.Is(err, fs.ErrNotExist) {
		return parts.OpenPartial(s.owner(), p)
	}
	return file, err
}

// upTo reads until a context ends.
type upTo struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (u *upTo) Read(b []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(b)
}
