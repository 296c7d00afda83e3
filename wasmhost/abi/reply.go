package abi

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// reply holds the decoded entries of one reply, each at most once.
type reply struct {
	seen uint32 // bits by key
	text [NumKeys]string
	num  [NumKeys]uint64
	perm policy.Perms
	raw  []byte
}

func (r *reply) has(k Key) bool { return r.seen&(1<<k) != 0 }

// DecodeAnswer turns what the hook fs returned into an answer. b is the reply, of
// v.Len bytes; nothing of the result points into it. It fails with [ErrReply] for
// bytes that break ABI §6, with [ErrUnsupported] for a key that this server
// cannot honour, and with [ErrFailed] for the action fail. In strict mode a key
// that no minor known to this host has is an error too; else it is skipped.
func DecodeAnswer(v Verdict, b []byte, strict bool) (policy.Answer, error) {
	var a policy.Answer
	if v.Len == 0 && len(b) == 0 && v.Action != policy.Rewrite && v.Action != Fail {
		a.Verdict, a.Final, a.Code = v.Action, v.Final, v.Code
		return a, v.Check()
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
	return a, nil
}

// DecodeIdentity turns what the hook auth returned into an identity, as
// [DecodeAnswer] does. Its actions are pass, allow, deny and fail.
func DecodeIdentity(v Verdict, b []byte, strict bool) (policy.Identity, error) {
	var id policy.Identity
	if v.Action == policy.Rewrite || v.Action == policy.Hide {
		return id, wrong(ErrReply, "a login cannot be answered with %s", v.Action)
	}
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
	if v.Action == policy.Rewrite || v.Action == policy.Hide {
		return wrong(ErrReply, "nothing can be answered with %s here", v.Action)
	}
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

// decode checks a whole reply of a hook.
func (r *reply) decode(h Hook, v Verdict, b []byte, strict bool) error {
	if err := v.Check(); err != nil {
		return err
	}
	if v.Len != len(b) {
		return wrong(ErrReply, "the verdict says %d bytes, there are %d", v.Len, len(b))
	}
	for len(b) > 0 {
		if len(b) < 4 {
			return wrong(ErrReply, "ends inside an entry")
		}
		k, n := Key(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		if len(b)-4 < n {
			return wrong(ErrReply, "key %d says %d bytes, %d are left", uint16(k), n, len(b)-4)
		}
		if err := r.entry(h, k, b[4:4+n], strict); err != nil {
			return err
		}
		b = b[4+n:]
	}
	if v.Action == Fail {
		return failed(r.text[KeyText])
	}
	return nil
}

// entry takes one entry if the hook does.
func (r *reply) entry(h Hook, k Key, b []byte, strict bool) error {
	switch {
	case k == 0:
		return wrong(ErrReply, "key 0")
	case k >= NumKeys && strict:
		return wrong(ErrReply, "unknown key %d", uint16(k))
	case k >= NumKeys:
		return nil
	case !k.Supported():
		return wrong(ErrUnsupported, "%s", k)
	case !k.Takes(h):
		return wrong(ErrReply, "the hook %s takes no %s", h, k)
	case r.has(k):
		return wrong(ErrReply, "%s is given twice", k)
	}
	r.seen |= 1 << k
	return r.value(k, b)
}

// value checks and stores the bytes of one entry by its kind.
func (r *reply) value(k Key, b []byte) error {
	switch k.info().kind {
	case kindText, kindPath:
		s := string(b)
		r.text[k] = s
		return checkString(ErrReply, k, s)
	case kindPerms:
		p, err := policy.ParsePerms(string(b))
		if err != nil {
			return wrong(ErrReply, "%s: %s", k, err)
		}
		r.perm = p
	case kindBytes:
		if len(b) > policy.MaxState {
			return wrong(ErrReply, "%s has %d bytes, at most %d", k, len(b), policy.MaxState)
		}
		r.raw = append([]byte(nil), b...)
	default:
		return r.number(k, b)
	}
	return nil
}

func (r *reply) number(k Key, b []byte) error {
	size := k.info().kind.size()
	if len(b) != size {
		return wrong(ErrReply, "%s has %d bytes, want %d", k, len(b), size)
	}
	var n uint64
	for i, c := range b {
		n |= uint64(c) << (8 * i)
	}
	if n > math.MaxInt64 || size == 4 && n > math.MaxInt32 || size == 1 && n > 1 {
		return wrong(ErrReply, "%s is out of range", k)
	}
	r.num[k] = n
	return nil
}

func (r *reply) limits() policy.Limits {
	return policy.Limits{
		RateDown: int64(r.num[KeyRateDown]), RateUp: int64(r.num[KeyRateUp]),
		MaxFileSize: int64(r.num[KeyMaxFileSize]), DataTLS: r.num[KeyDataTLS] == 1,
	}
}

// checkString is the rule for texts and paths, the same at both ends.
func checkString(kind error, k Key, s string) error {
	if k.info().kind == kindText {
		if !OneLine(s, MaxText) {
			return wrong(kind, "%s is not one line of UTF-8 of at most %d bytes", k, MaxText)
		}
		return nil
	}
	if !strings.HasPrefix(s, "/") || len(s) > MaxPath || strings.ContainsAny(s, "\x00\r\n") {
		return wrong(kind, "%s is not an absolute path of at most %d bytes", k, MaxPath)
	}
	return nil
}
