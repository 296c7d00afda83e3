package abi

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// AppendAnswer appends the reply of an answer of the hook fs to dst and returns
// the extended slice and the verdict, whose Len counts what was appended. It
// allocates only if dst lacks room. It fails with [ErrEncode] for a value that
// the host would refuse, so that a policy hears of it on its own side.
func AppendAnswer(dst []byte, a *policy.Answer) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(a.Verdict, a.Final, a.Code)
	if (a.Path != "" || a.Path2 != "") != (a.Verdict == policy.Rewrite) {
		e.fail("a rewrite needs a path, and nothing else has one")
	}
	e.string(KeyText, a.Text)
	e.string(KeyPath, a.Path)
	e.string(KeyPath2, a.Path2)
	e.limits(&a.Limits)
	e.string(KeyLabel, a.Label)
	return e.finish()
}

// AppendIdentity appends the reply of an identity, as [AppendAnswer] does. This
// version of the ABI has no keys for Rules, Anonymous and Lenient: an identity with
// one of them fails.
func AppendIdentity(dst []byte, id *policy.Identity) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(id.Verdict, id.Final, id.Code)
	switch {
	case len(id.Rules) > 0 || id.Anonymous || id.Lenient != policy.Lenience{}:
		e.fail("Rules, Anonymous and Lenient have no key in this version of the ABI")
	case id.Verdict == policy.Rewrite || id.Verdict == policy.Hide:
		e.fail("a login cannot be answered with %s", id.Verdict)
	case id.PasswordHash != "" && id.Verdict != policy.Allow:
		e.fail("a password hash goes with allow alone")
	}
	e.string(KeyText, id.Text)
	e.string(KeyPasswordHash, id.PasswordHash)
	if id.Perms != nil {
		e.bytes(KeyPerms, id.Perms.String())
	}
	e.string(KeyHome, id.Home)
	e.string(KeyGroup, id.Group)
	e.string(KeyLabel, id.Label)
	e.limits(&id.Limits)
	e.uint(KeyMaxSessions, int64(id.MaxSessions), 4)
	e.expires(id.Expires)
	e.string(KeyMsgLogin, id.MsgLogin)
	e.string(KeyMsgQuit, id.MsgQuit)
	if len(id.State) > policy.MaxState {
		e.fail("state of %d bytes, at most %d", len(id.State), policy.MaxState)
	} else if len(id.State) > 0 {
		e.bytes(KeyState, string(id.State))
	}
	return e.finish()
}

// AppendFailure appends the reply of a policy that could not decide, with its
// error's text made fit for one line.
func AppendFailure(dst []byte, text string) ([]byte, Verdict) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(Fail, false, 0)
	e.string(KeyText, Clean(text, MaxText))
	buf, v, _ := e.finish() // a cleaned text cannot fail
	return buf, v
}

// Clean makes s one line: control characters and bytes that are not UTF-8
// become "?", and what is over limit bytes is cut at a character.
func Clean(s string, limit int) string {
	if OneLine(s, limit) {
		return s
	}
	out := make([]byte, 0, min(len(s), limit))
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == 0xfffd {
			r = '?'
		}
		if len(out)+len(string(r)) > limit {
			break
		}
		out = append(out, string(r)...)
	}
	return string(out)
}

// entries builds one reply at the end of buf.
type entries struct {
	buf  []byte
	base int
	v    Verdict
	err  error
}

func (e *entries) verdict(a policy.Verdict, final bool, code int) {
	e.v = Verdict{Action: a, Final: final, Code: code}
	if err := e.v.Check(); err != nil {
		e.fail("%s", err)
	}
}

func (e *entries) fail(format string, args ...any) {
	if e.err == nil {
		e.err = wrong(ErrEncode, format, args...)
	}
}

// keep takes an error that is of this package already.
func (e *entries) keep(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *entries) string(k Key, s string) {
	if s == "" {
		return
	}
	if err := checkString(ErrEncode, k, s); err != nil {
		e.keep(err)
		return
	}
	e.bytes(k, s)
}

func (e *entries) bytes(k Key, s string) {
	e.buf = binary.LittleEndian.AppendUint32(e.buf, uint32(k)|uint32(len(s))<<16)
	e.buf = append(e.buf, s...)
}

func (e *entries) uint(k Key, n int64, size int) {
	if n < 0 || size == 4 && n > math.MaxInt32 {
		e.fail("%s is out of range", k)
	}
	if n == 0 {
		return
	}
	e.buf = binary.LittleEndian.AppendUint32(e.buf, uint32(k)|uint32(size)<<16)
	for i := range size {
		e.buf = append(e.buf, byte(n>>(8*i)))
	}
}

func (e *entries) limits(l *policy.Limits) {
	e.uint(KeyRateDown, l.RateDown, 8)
	e.uint(KeyRateUp, l.RateUp, 8)
	e.uint(KeyMaxFileSize, l.MaxFileSize, 8)
	if l.DataTLS {
		e.uint(KeyDataTLS, 1, 1)
	}
}

func (e *entries) expires(t time.Time) {
	if t.IsZero() {
		return
	}
	if t.Year() < 1971 || t.Year() > 2200 {
		e.fail("EXPIRES in the year %d", t.Year())
		return
	}
	e.uint(KeyExpires, t.UnixNano(), 8)
}

func (e *entries) finish() ([]byte, Verdict, error) {
	e.v.Len = len(e.buf) - e.base
	if e.err == nil && e.v.Len > MaxMailbox {
		e.fail("a reply of %d bytes", e.v.Len)
	}
	if e.err != nil {
		return e.buf[:e.base], Verdict{}, e.err
	}
	return e.buf, e.v, nil
}
