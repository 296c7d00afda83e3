package bridge

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// The times of an upload that is to go on: how often the server is asked whether it can, and
// how long it may compute the digest of what it has.
const (
	asking  = 500 * time.Millisecond
	summing = 2 * time.Minute
)

// algorithm is how HASH names the digest of a window.
const algorithm = "SHA-256"

// wait is why an upload cannot go on yet. What it says may be over in a moment.
type wait struct{ error }

// sendOn has the upload go on behind what the server has of it, if that is what the client
// has sent.
func (r *restoration) sendOn(ctx context.Context, f *far) error {
	for until := time.Now().Add(r.settle); ; {
		r.cold = nil
		_ = f.conn.SetDeadline(time.Now().Add(dialogue))
		at, err := r.stored(f)
		if err == nil && r.cold == nil {
			err = r.store(f, at)
		}
		if _, again := r.cold.(wait); err != nil || !again || time.Now().After(until) {
			return err
		}
		if sleep(ctx, asking) != nil {
			return context.Cause(ctx)
		}
	}
}

// stored returns where in the file the upload can go on, or why it cannot.
func (r *restoration) stored(f *far) (at int64, err error) {
	sent := &r.job.sent
	again := r.job.from == 0 && sent.start == 0 // all of it can be sent once more
	code, lines, err := f.say("SIZE ", r.job.path())
	if err != nil {
		return 0, err
	}
	size, there := sizeIn(code, lines)
	has := size - r.job.from
	switch {
	case again && (!there || has > sent.total):
		return 0, nil
	case !there:
		r.cold = wait{errors.New("the server has kept nothing of it")}
	case has < 0 || has > sent.total:
		r.cold = fmt.Errorf("the server has %d bytes of it, which are not what was sent", size)
	case has < sent.start:
		r.cold = wait{fmt.Errorf("the server has %d bytes of it, and what follows is not kept here any more", size)}
	case has > 0:
		if err := r.compare(f, size); err != nil {
			return 0, err
		}
		if again && r.cold != nil {
			r.cold, size = nil, 0
		}
	}
	return size, nil
}

// sizeIn reads a reply to SIZE.
func sizeIn(code int, lines [][]byte) (int64, bool) {
	if code != int(wire.CodeFileStatus) || len(lines) != 1 {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(lines[0][len("213 "):])), 10, 63)
	return n, err == nil && n >= 0
}

// compare has the server tell the digest of what it has of the upload, up to a place in the
// file (draft-ietf-ftpext2-hash-03).
func (r *restoration) compare(f *far, to int64) error {
	code, lines, err := f.say("OPTS HASH", "\r\n")
	if err != nil {
		return err
	}
	if code != int(wire.CodeOK) || len(lines) != 1 {
		r.cold = errors.New("the server has no digests, by which it could be known that it has what was sent")
		return nil
	}
	chosen := strings.TrimSpace(string(lines[0][len("200 "):]))
	if chosen != algorithm {
		if code, lines, err = f.say("OPTS HASH ", algorithm+"\r\n"); err != nil {
			return err
		}
		if code != int(wire.CodeOK) {
			r.cold = answered("OPTS HASH", lines)
			return nil
		}
	}
	if err := r.sum(f, to); err != nil || chosen == algorithm {
		return err
	}
	_, _, err = f.say("OPTS HASH ", chosen+"\r\n") // as the client knows it
	return err
}

// sum compares the digest.
func (r *restoration) sum(f *far, to int64) error {
	from := r.job.from
	code, lines, err := f.say("RANG ", fmt.Sprintf("%d %d\r\n", from, to-1))
	if err != nil {
		return err
	}
	if code != int(wire.CodePending) {
		r.cold = answered("RANG", lines)
		return nil
	}
	_ = f.conn.SetDeadline(time.Now().Add(summing))
	defer func() { _ = f.conn.SetDeadline(time.Now().Add(dialogue)) }()
	if code, lines, err = f.say("HASH ", r.job.path()); err != nil {
		return err
	}
	want := fmt.Sprintf("213 %s %d-%d %s ", algorithm, from, to-1, hex.EncodeToString(r.job.sent.digest(to-from)))
	switch {
	case code >= 400 && code < 500:
		r.cold = wait{answered("HASH", lines)}
	case code != int(wire.CodeFileStatus):
		r.cold = answered("HASH", lines)
	case !strings.HasPrefix(strings.ToLower(string(lines[0])), strings.ToLower(want)):
		r.cold = errors.New("what the server has is not what was sent")
	}
	if code >= 400 { // the range may be in force still
		_, _, err = f.say("RANG ", "1 0\r\n")
	}
	return err
}

// store says the command once more. The bytes follow when the server has taken it.
func (r *restoration) store(f *far, at int64) error {
	token := f.link.Token()
	steps := [][2]string{{"QDAT ", token}, {"REST ", strconv.FormatInt(at, 10)}}
	if at == 0 {
		steps = steps[:1]
	}
	for _, step := range steps { // one after the other: without REST it would be another file
		code, lines, err := f.say(step[0], step[1]+"\r\n")
		if err != nil {
			return err
		}
		if code >= 400 {
			r.cold = answered(strings.TrimSpace(step[0]), lines)
			return nil
		}
	}
	if _, err := f.conn.Write(r.job.line); err != nil {
		return err
	}
	code, lines, err := f.in.one()
	switch {
	case err != nil:
		return err
	case code >= 500:
		r.cold = answered("STOR", lines)
	case code >= 200:
		r.cold = wait{answered("STOR", lines)}
	default:
		if !r.asked.again {
			r.mark = bytes.Join(lines, nil)
		}
		r.job.sent.stored = at - r.job.from
		r.job.next <- source{f.link, token}
	}
	return nil
}

// path is the argument of the command, with its end.
func (t *transfer) path() string { return string(t.line[len(t.verb)+1:]) }

// say sends a command and reads the last reply to it.
func (f *far) say(verb, arg string) (code int, lines [][]byte, err error) {
	return f.ask([]byte(verb + arg))
}
