// Mirror is the guest of the golden vectors (tests/sdk): it reads a question, builds an
// answer or calls an import, as a chunk tells it to, and returns what came of it as the
// chunk's new bytes. What an author would use does the work; the bytes of questions
// and answers are package abi's, as they are in every module.
package main

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/data"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

type mirror struct {
	decoder abi.Decoder
	kv      policy.KV
}

var errInstruction = errors.New("the instruction ends early")

// Filter carries out the instruction in the chunk.
func (m *mirror) Filter(ctx context.Context, c *policy.Chunk) (policy.Piece, error) {
	in := input{rest: c.Data}
	out := "unknown\n"
	switch in.byte() {
	case 'Q':
		out = m.question(abi.Hook(in.byte()), in.rest)
	case 'A':
		out = answer(&in)
	case 'I':
		out = m.call(ctx, &in)
	}
	if in.short {
		return policy.Piece{}, errInstruction
	}
	return policy.Piece{Verdict: policy.Rewrite, Data: []byte(out)}, nil
}

// input is an instruction of which the beginning has been read.
type input struct {
	rest  []byte
	short bool
}

// take returns the next n bytes.
func (in *input) take(n int) []byte {
	if n > len(in.rest) {
		in.short = true
		return make([]byte, n)
	}
	b := in.rest[:n]
	in.rest = in.rest[n:]
	return b
}

func (in *input) byte() byte     { return in.take(1)[0] }
func (in *input) uint16() uint16 { return binary.LittleEndian.Uint16(in.take(2)) }
func (in *input) uint32() uint32 { return binary.LittleEndian.Uint32(in.take(4)) }
func (in *input) int64() int64   { return int64(binary.LittleEndian.Uint64(in.take(8))) }

// bytes reads a byte string with its length, nil for the absent one.
func (in *input) bytes() []byte {
	n := in.uint32()
	switch {
	case n == abi.NoValue:
		return nil
	case uint64(n) > uint64(len(in.rest)):
		in.short = true
		return nil
	}
	return append([]byte{}, in.take(int(n))...)
}

func init() { data.Export(&mirror{decoder: abi.Decoder{Slot: "mirror"}, kv: kv.Open()}) }

func main() {}
