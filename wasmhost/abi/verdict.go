package abi

import (
	"github.com/edgeftp/edgeftp/edge/policy"
)

// Fail is the action of a guest that could not decide: the host takes it as an
// error of the policy, which refuses the question, and TEXT goes to the log and
// never to the client. It exists so that an ordinary error needs no trap, which
// would cost the instance.
const Fail policy.Verdict = 5

// Flags of a verdict (ABI §6).
const (
	VerdictFinal = 1 << 0 // ask no later policy
	VerdictCache = 1 << 1 // a hint that TTL_MS allows; hosts may ignore it
)

// Verdict is the i64 that every hook returns (ABI §6):
//
//	reply length << 32 | flags << 24 | action << 16 | code
//
// The zero value is no opinion.
type Verdict struct {
	Action policy.Verdict // pass 0, allow 1, deny 2, rewrite 3, hide 4, fail 5
	Final  bool
	Cache  bool
	Code   int // reply code 400 to 599 beside deny, 200 to 299 beside allow of site, 0 for the stage's own
	Len    int // bytes of the reply at the start of the mailbox
}

// Pack returns the wire form. Fields out of range are cut: pack what
// [Verdict.Check] accepts.
func (v Verdict) Pack() uint64 {
	var flags uint64
	if v.Final {
		flags |= VerdictFinal
	}
	if v.Cache {
		flags |= VerdictCache
	}
	return uint64(uint32(v.Len))<<32 | flags<<24 | uint64(v.Action)<<16 | uint64(uint16(v.Code))
}

// UnpackVerdict reads what a hook returned, or fails with [ErrReply] if it is no
// verdict of this version. Len may still be more than the mailbox holds.
func UnpackVerdict(raw uint64) (Verdict, error) {
	if raw&^(uint64(policy.Deny)<<16|uint64(policy.Allow)<<16) == 0 && raw>>16 <= uint64(policy.Deny) {
		return Verdict{Action: policy.Verdict(raw >> 16)}, nil // most are no more than that
	}
	flags := raw >> 24 & 0xff
	if raw>>32 > MaxMailbox {
		return Verdict{}, wrong(ErrReply, "a reply of %d bytes", raw>>32)
	}
	v := Verdict{
		Action: policy.Verdict(raw >> 16), Final: flags&VerdictFinal != 0,
		Cache: flags&VerdictCache != 0, Code: int(raw & 0xffff), Len: int(raw >> 32),
	}
	if flags&^(VerdictFinal|VerdictCache) != 0 {
		return Verdict{}, wrong(ErrReply, "verdict flags %d", flags)
	}
	return v, v.Check()
}

// Check fails with [ErrReply] if the action is unknown or the code is one that no
// hook has beside it.
func (v Verdict) Check() error {
	switch {
	case v.Action > Fail:
		return wrong(ErrReply, "action %d", int(v.Action))
	case v.Code == 0:
		return nil
	case v.Action == policy.Allow && v.Code >= 200 && v.Code <= 299:
		return nil
	case v.Code < 400 || v.Code > 599:
		return wrong(ErrReply, "code %d is not between 400 and 599", v.Code)
	case v.Action != policy.Deny:
		return wrong(ErrReply, "code %d beside %s, only deny has one", v.Code, actionName(v.Action))
	}
	return nil
}

// CheckFor fails as [Verdict.Check] does, and if the action, the code or a flag is
// none that the hook may return (ABI §6).
func (v Verdict) CheckFor(h Hook) error {
	if err := v.Check(); err != nil {
		return err
	}
	switch {
	case !h.Returns(v.Action):
		return wrong(ErrReply, "the hook %s cannot be answered with %s", h, actionName(v.Action))
	case v.Code != 0 && (h == HookCert || v.Action == policy.Allow && h != HookSite):
		return wrong(ErrReply, "the hook %s has no code beside %s", h, actionName(v.Action))
	case (v.Final || v.Cache) && h != HookAuth && h != HookFS && h != HookEvent:
		return wrong(ErrReply, "the hook %s has no flags", h)
	}
	return nil
}

// Returns reports whether the hook may return the action (ABI §6).
func (h Hook) Returns(a policy.Verdict) bool {
	switch a {
	case policy.Pass, policy.Allow, Fail:
		return true
	case policy.Deny:
		return h != HookThrottle
	case policy.Rewrite:
		return h == HookFS || h == HookData
	case policy.Hide:
		return h == HookFS || h == HookList || h == HookData
	}
	return false
}

// actionName is Verdict.String for all actions of the ABI.
func actionName(a policy.Verdict) string {
	if a == Fail {
		return "fail"
	}
	return a.String()
}
