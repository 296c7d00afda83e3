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
func decodeAnswer(in *instance, v abi.Verdict, reply []byte, out *policy.Answer) (err error) {
	if len(reply) == 0 {
		*out, err = abi.DecodeAnswer(v, reply, in.policy.limits.Strict)
		return err
	}
	last := &in.last
	if v == last.verdict && bytes.Equal(reply, last.reply) {
		*out = last.answer
		return nil
	}
	if *out, err = abi.DecodeAnswer(v, reply, in.policy.limits.Strict); err == nil {
		last.verdict, last.reply, last.answer = v, append(last.reply[:0], reply...), *out
	}
	return err
}

func decodeIdentity(in *instance, v abi.Verdict, reply []byte, out *policy.Identity) (err error) {
	*out, err = abi.DecodeIdentity(v, reply, in.policy.limits.Strict)
	return err
}

func decodeCommand(in *instance, v abi.Verdict, reply []byte, out *policy.Answer) (err error) {
	*out, err = abi.DecodeCommandAnswer(v, reply, in.policy.limits.Strict)
	return err
}

func decodeCert(in *instance, v abi.Verdict, reply []byte, out *policy.Answer) (err error) {
	*out, err = abi.DecodeCertAnswer(v, reply, in.policy.limits.Strict)
	return err
}

func decodeSite(in *instance, v abi.Verdict, reply []byte, out *policy.SiteReply) (err error) {
	*out, err = abi.DecodeSiteReply(v, reply, in.policy.limits.Strict)
	return err
}

func decodeRate(in *instance, v abi.Verdict, reply []byte, out *policy.Rate) (err error) {
	*out, err = abi.DecodeRate(v, reply, in.policy.limits.Strict)
	return err
}

// decodePiece copies what the answer points to: the instance serves others between
// two chunks.
func decodePiece(in *instance, v abi.Verdict, reply []byte, out *policy.Piece) (err error) {
	*out, err = abi.DecodePiece(v, reply, in.policy.limits.Strict)
	out.Data, out.Carry = bytes.Clone(out.Data), bytes.Clone(out.Carry)
	return err
}

func decodeDone(in *instance, v abi.Verdict, reply []byte, _ *struct{}) error {
	return abi.DecodeDone(v, reply, in.policy.limits.Strict)
}
