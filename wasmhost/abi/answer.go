package abi

import (
	"github.com/edgeftp/edgeftp/edge/policy"
)

// AppendAnswer appends the reply of an answer of the hook fs to dst and returns
// the extended slice and the verdict, whose Len counts what was appended. It
// allocates only if dst lacks room. It fails with [ErrEncode] for a value that
// the host would refuse, so that a policy hears of it on its own side.
func AppendAnswer(dst []byte, a *policy.Answer) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookFS, a.Verdict, a.Final, a.Code)
	if (a.Path != "" || a.Path2 != "") != (a.Verdict == policy.Rewrite) {
		e.fail("a rewrite needs a path, and nothing else has one")
	}
	e.string(KeyText, a.Text)
	e.string(KeyPath, a.Path)
	e.string(KeyPath2, a.Path2)
	e.limits(&a.Limits)
	e.string(KeyLabel, a.Label)
	e.ttl(a.TTL)
	e.v.Cache = a.TTL > 0
	return e.finish()
}

// AppendIdentity appends the reply of an identity, as [AppendAnswer] does.
func AppendIdentity(dst []byte, id *policy.Identity) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookAuth, id.Verdict, id.Final, id.Code)
	if id.PasswordHash != "" && id.Verdict != policy.Allow {
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
		e.raw(KeyState, id.State)
	}
	e.rules(id.Rules)
	if id.Anonymous {
		e.uint(KeyAnonymous, 1, 1)
	}
	e.lenient(id.Lenient)
	e.networks(id.Networks)
	if len(id.DenyNetworks) > 0 {
		e.fail("networks that are denied, for which there is no entry: name those that are not")
	}
	return e.finish()
}

// AppendFailure appends the reply of a policy that could not decide, with its
// error's text made fit for one line.
func AppendFailure(dst []byte, text string) ([]byte, Verdict) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookEvent, Fail, false, 0) // every hook may fail
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

// AppendView appends the reply of a view (hook list), as [AppendAnswer] does.
func AppendView(dst []byte, v *policy.View) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookList, v.Verdict, false, v.Code)
	e.string(KeyText, v.Text)
	if v.Verdict == policy.Pass || v.Verdict == policy.Allow {
		e.bits(KeyHideBits, &v.Hidden)
	}
	return e.finish()
}

// AppendCommandAnswer appends the reply of an answer of the hook cmd, as
// [AppendAnswer] does. Only Verdict, Code and Text of it count; Hide is Deny.
func AppendCommandAnswer(dst []byte, a *policy.Answer) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookCmd, denied(a.Verdict), false, a.Code)
	e.string(KeyText, a.Text)
	return e.finish()
}

// AppendCertAnswer appends the reply of an answer of the hook cert, as
// [AppendCommandAnswer] does, without the code.
func AppendCertAnswer(dst []byte, a *policy.Answer) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookCert, denied(a.Verdict), false, 0)
	e.string(KeyText, a.Text)
	return e.finish()
}

// AppendSiteReply appends the reply of the hook site, as [AppendAnswer] does. Hide
// is Deny.
func AppendSiteReply(dst []byte, r *policy.SiteReply) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookSite, denied(r.Verdict), false, r.Code)
	if len(r.Lines) > policy.MaxLines {
		e.fail("%d lines, at most %d", len(r.Lines), policy.MaxLines)
	}
	for _, line := range r.Lines {
		if err := checkString(ErrEncode, KeyLine, line); err != nil {
			e.keep(err)
		}
		e.bytes(KeyLine, line)
	}
	return e.finish()
}

// AppendRate appends the reply of a rate (hook throttle), as [AppendAnswer] does.
func AppendRate(dst []byte, r *policy.Rate) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookThrottle, policy.Pass, false, 0)
	e.uint(KeyRate, r.Limit, 8)
	e.ttl(r.TTL)
	return e.finish()
}

// AppendPiece appends the reply of a piece (hook data), as [AppendAnswer] does. Data
// may be a part of dst's own array, as it is where a policy returns bytes of the
// chunk; Carry must not.
func AppendPiece(dst []byte, p *policy.Piece) ([]byte, Verdict, error) {
	e := entries{buf: dst, base: len(dst)}
	e.verdict(HookData, p.Verdict, false, p.Code)
	switch {
	case p.Verdict == policy.Rewrite && len(p.Data) > MaxMailbox:
		e.fail("a rewrite of %d bytes", len(p.Data))
	case p.Verdict == policy.Rewrite:
		e.number(p.Data)
	}
	e.string(KeyText, p.Text)
	if len(p.Carry) > policy.MaxCarry {
		e.fail("%d bytes carried, at most %d", len(p.Carry), policy.MaxCarry)
	} else if len(p.Carry) > 0 {
		e.raw(KeyCarry, p.Carry)
	}
	return e.finish()
}

// denied is the verdict where Hide is Deny.
func denied(v policy.Verdict) policy.Verdict {
	if v == policy.Hide {
		return policy.Deny
	}
	return v
}
