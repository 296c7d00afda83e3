package wasmhost

import (
	"bytes"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// lastAnswer is the last answer of an instance's hook fs with the bytes that it was
// made of. A policy refuses in few words, again and again.
type lastAnswer struct {
	verdict abi.Verdict
	reply   []byte
	answer  policy.Answer
}

// decodeAnswer reads the answer of the hook fs. One that was read before costs no
// memory.
func decodeAnswer(in *instance, v abi.Verdict, reply []byte) (policy.Answer, error) {
	last := &in.last
	if len(reply) == 0 {
		return abi.DecodeAnswer(v, reply, in.policy.limits.Strict)
	}
	if v == last.verdict && bytes.Equal(reply, last.reply) {
		return last.answer, nil
	}
	a, err := abi.DecodeAnswer(v, reply, in.policy.limits.Strict)
	if err == nil {
		last.verdict, last.reply, last.answer = v, append(last.reply[:0], reply...), a
	}
	return a, err
}

func decodeIdentity(in *instance, v abi.Verdict, reply []byte) (policy.Identity, error) {
	return abi.DecodeIdentity(v, reply, in.policy.limits.Strict)
}

func decodeCommand(in *instance, v abi.Verdict, reply []byte) (policy.Answer, error) {
	return abi.DecodeCommandAnswer(v, reply, in.policy.limits.Strict)
}

func decodeCert(in *instance, v abi.Verdict, reply []byte) (policy.Answer, error) {
	return abi.DecodeCertAnswer(v, reply, in.policy.limits.Strict)
}

func decodeSite(in *instance, v abi.Verdict, reply []byte) (policy.SiteReply, error) {
	return abi.DecodeSiteReply(v, reply, in.policy.limits.Strict)
}

func decodeRate(in *instance, v abi.Verdict, reply []byte) (policy.Rate, error) {
	return abi.DecodeRate(v, reply, in.policy.limits.Strict)
}

// decodePiece copies what the answer points to: the instance serves others between
// two chunks.
func decodePiece(in *instance, v abi.Verdict, reply []byte) (policy.Piece, error) {
	p, err := abi.DecodePiece(v, reply, in.policy.limits.Strict)
	p.Data, p.Carry = bytes.Clone(p.Data), bytes.Clone(p.Carry)
	return p, err
}

func decodeDone(in *instance, v abi.Verdict, reply []byte) (struct{}, error) {
	return struct{}{}, abi.DecodeDone(v, reply, in.policy.limits.Strict)
}
