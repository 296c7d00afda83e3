package abi

import (
	"encoding/binary"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// DecodeAnswer turns what the hook fs returned into an answer. b is the reply, of
// v.Len bytes; nothing of the result points into it. It fails with [ErrReply] for
// bytes that break ABI §6, with [ErrUnsupported] for a key that this server
// cannot honour, and with [ErrFailed] for the action fail. In strict mode a key
// that no minor known to this host has is an error too; else it is skipped.
func DecodeAnswer(v Verdict, b []byte, strict bool) (policy.Answer, error) {
	var a policy.Answer
	if v.Len == 0 && len(b) == 0 && v.Action != policy.Rewrite && v.Action != Fail {
		a.Verdict, a.Final, a.Code = v.Action, v.Final, v.Code
		return a, v.CheckFor(HookFS)
	}
	var r reply
	if err := r.decode(HookFS, v, b, strict); err != nil {
		return a, err
	}
	rewritten := r.has(KeyPath) || r.has(KeyPath2)
	if rewritten != (v.Action == policy.Rewrite) {
		return a, wrong(ErrReply, "a rewrite needs PATH or PATH2, and nothing else has them")
	}
	a = policy.Answer{
		Verdict: v.Action, Final: v.Final, Code: v.Code, Text: r.text[KeyText],
		Path: r.text[KeyPath], Path2: r.text[KeyPath2], Label: r.text[KeyLabel],
		Limits: r.limits(),
	}
	if v.Cache {
		a.TTL = r.ttl()
	}
	return a, nil
}

// DecodeIdentity turns what the hook auth returned into an identity, as
// [DecodeAnswer] does. Its actions are pass, allow, deny and fail.
func DecodeIdentity(v Verdict, b []byte, strict bool) (policy.Identity, error) {
	var id policy.Identity
	var r reply
	if err := r.decode(HookAuth, v, b, strict); err != nil {
		return id, err
	}
	if r.has(KeyPasswordHash) && v.Action != policy.Allow {
		return id, wrong(ErrReply, "PWHASH beside %s, only allow has one", v.Action)
	}
	id = policy.Identity{
		Verdict: v.Action, Final: v.Final, Code: v.Code, Text: r.text[KeyText],
		PasswordHash: r.text[KeyPasswordHash], Home: r.text[KeyHome], Group: r.text[KeyGroup],
		Label: r.text[KeyLabel], Limits: r.limits(), MaxSessions: int(r.num[KeyMaxSessions]),
		MsgLogin: r.text[KeyMsgLogin], MsgQuit: r.text[KeyMsgQuit], State: r.raw,
		Rules: r.rules, Networks: r.nets, Anonymous: r.num[KeyAnonymous] == 1,
		Lenient: policy.Lenience{Resumption: r.num[KeyLenient]&LenientResumption != 0,
			CloseNotify: r.num[KeyLenient]&LenientCloseNotify != 0},
	}
	if r.has(KeyPerms) {
		id.Perms = &r.perm
	}
	if ns := int64(r.num[KeyExpires]); ns != 0 {
		id.Expires = time.Unix(0, ns).UTC()
	}
	return id, nil
}

// DecodeDone reads what the hook event or edgeftp_config returned: nil for pass
// and allow; [ErrFailed] with TEXT for deny and fail, which mean the same here.
func DecodeDone(v Verdict, b []byte, strict bool) error {
	var r reply
	if err := r.decode(HookEvent, v, b, strict); err != nil {
		return err
	}
	if v.Action == policy.Deny {
		return failed(r.text[KeyText])
	}
	return nil
}

func failed(text string) error {
	if text == "" {
		return ErrFailed
	}
	return wrong(ErrFailed, "%s", text)
}

// DecodeView turns what the hook list returned for n entries into a view, as
// [DecodeAnswer] does. A bit for an entry that was not there is an error.
func DecodeView(v Verdict, b []byte, n int, strict bool) (policy.View, error) {
	if v.Len == 0 && len(b) == 0 && v.Action != Fail {
		return policy.View{Verdict: v.Action, Code: v.Code}, v.CheckFor(HookList)
	}
	var r reply
	if err := r.decode(HookList, v, b, strict); err != nil {
		return policy.View{}, err
	}
	if r.has(KeyHideBits) && v.Action != policy.Pass && v.Action != policy.Allow {
		return policy.View{}, wrong(ErrReply, "HIDE_BITS beside %s", v.Action)
	}
	for i := max(n, 0); i < policy.MaxEntries; i++ {
		if r.bits.Has(i) {
			return policy.View{}, wrong(ErrReply, "HIDE_BITS has bit %d, there are %d entries", i, n)
		}
	}
	return policy.View{Verdict: v.Action, Code: v.Code, Text: r.text[KeyText], Hidden: r.bits}, nil
}

// DecodeCommandAnswer turns what the hook cmd returned into an answer, as
// [DecodeAnswer] does. Its actions are pass, allow, deny and fail.
func DecodeCommandAnswer(v Verdict, b []byte, strict bool) (policy.Answer, error) {
	return decodeWord(HookCmd, v, b, strict)
}

// DecodeCertAnswer turns what the hook cert returned into an answer, as
// [DecodeCommandAnswer] does; it has no code.
func DecodeCertAnswer(v Verdict, b []byte, strict bool) (policy.Answer, error) {
	return decodeWord(HookCert, v, b, strict)
}

func decodeWord(h Hook, v Verdict, b []byte, strict bool) (policy.Answer, error) {
	if v.Len == 0 && len(b) == 0 && v.Action != Fail {
		return policy.Answer{Verdict: v.Action, Code: v.Code}, v.CheckFor(h)
	}
	var r reply
	if err := r.decode(h, v, b, strict); err != nil {
		return policy.Answer{}, err
	}
	return policy.Answer{Verdict: v.Action, Code: v.Code, Text: r.text[KeyText]}, nil
}

// DecodeSiteReply turns what the hook site returned into a reply, as
// [DecodeAnswer] does. Its actions are pass, allow, deny and fail.
func DecodeSiteReply(v Verdict, b []byte, strict bool) (policy.SiteReply, error) {
	var r reply
	if err := r.decode(HookSite, v, b, strict); err != nil {
		return policy.SiteReply{}, err
	}
	return policy.SiteReply{Verdict: v.Action, Code: v.Code, Lines: r.lines}, nil
}

// DecodeRate turns what the hook throttle returned into a rate, as [DecodeAnswer]
// does. Its actions are pass, allow and fail, of which the first two mean the same.
func DecodeRate(v Verdict, b []byte, strict bool) (policy.Rate, error) {
	var r reply
	if err := r.decode(HookThrottle, v, b, strict); err != nil {
		return policy.Rate{}, err
	}
	return policy.Rate{Limit: int64(r.num[KeyRate]), TTL: r.ttl()}, nil
}

// DecodePiece turns what the hook data returned into a piece, as [DecodeAnswer]
// does. Data and Carry of the result point into b, and so into the guest's memory:
// copy or use them before the instance is called again.
func DecodePiece(v Verdict, b []byte, strict bool) (policy.Piece, error) {
	if v.Len == 0 && len(b) == 0 && v.Action != policy.Rewrite && v.Action != Fail {
		return policy.Piece{Verdict: v.Action, Code: v.Code}, v.CheckFor(HookData)
	}
	p := policy.Piece{Verdict: v.Action, Code: v.Code}
	if v.Action == policy.Rewrite {
		if v.Len != len(b) || len(b) < 4 {
			return policy.Piece{}, wrong(ErrReply, "a rewrite of %d bytes has no length", len(b))
		}
		n := uint64(binary.LittleEndian.Uint32(b))
		if n > uint64(len(b)-4) {
			return policy.Piece{}, wrong(ErrReply, "a rewrite says %d bytes, %d are there", n, len(b)-4)
		}
		p.Data = b[4 : 4+n : 4+n]
		b = b[4+n:]
		v.Len = len(b)
	}
	var r reply
	if err := r.decode(HookData, v, b, strict); err != nil {
		return policy.Piece{}, err
	}
	p.Text, p.Carry = r.text[KeyText], r.raw
	return p, nil
}

// ttl is TTL_MS as a duration.
func (r *reply) ttl() time.Duration { return time.Duration(r.num[KeyTTL]) * time.Millisecond }
