package record

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Strip takes out of an exchange what is not written down, whether names are or not:
// stored hashes, wherever they stand, and the requests of fetch, which may hold what
// the server is known by elsewhere. With content it also takes the bytes of files, those
// that a data policy handed to itself among them. The parts of the exchange are made
// anew where they change.
func Strip(x *wasmhost.Exchange, content bool) {
	if content && x.Hook == abi.HookData.String() {
		x.Record, x.Reply = withoutContent(x.Record), withoutData(x.Verdict, x.Reply)
	}
	var hashes []string
	note := func(b []byte) {
		if masked := maskHash(b); !bytes.Equal(masked, b) {
			hashes = append(hashes, string(b), string(masked))
		}
	}
	if x.Hook == abi.HookAuth.String() {
		eachKey(x.Reply, func(key abi.Key, value []byte) {
			if key == abi.KeyPasswordHash {
				note(value)
			}
		})
	}
	x.Host = slices.Clone(x.Host)
	for i := range x.Host {
		switch c := &x.Host[i]; c.Import {
		case abi.ImportVerify:
			if len(c.In) > 4 {
				note(c.In[4:])
			}
			c.In = nil
		case abi.ImportFetch:
			c.In = nil
		}
	}
	if len(hashes) == 0 {
		return
	}
	r := strings.NewReplacer(hashes...)
	x.Record, x.Reply, x.Stderr = replaced(x.Record, r), replaced(x.Reply, r), r.Replace(x.Stderr)
	for i := range x.Host {
		x.Host[i].In, x.Host[i].Out = replaced(x.Host[i].In, r), replaced(x.Host[i].Out, r)
	}
	if x.Err != nil {
		x.Err = &Failure{Text: r.Replace(x.Err.Error()), Cause: causeOf(x.Err)}
	}
}

// replaced is nil for nil: what was not kept stays so.
func replaced(b []byte, r *strings.Replacer) []byte {
	if b == nil {
		return nil
	}
	return []byte(r.Replace(string(b)))
}

// maskHash replaces a stored hash behind its parameters, or all of one that has none.
func maskHash(b []byte) []byte {
	out := bytes.Clone(b)
	least := min(3, bytes.Count(b, []byte("$")))
	for i, c := range out {
		if c == '$' {
			least--
		} else if least <= 0 {
			out[i] = 'A'
		}
	}
	return out
}

// withoutContent clears the bytes of the file in a record of data, and CARRY.
func withoutContent(record []byte) []byte {
	out := bytes.Clone(record)
	for _, s := range []abi.Span{abi.SpanArg, abi.SpanExtra} {
		clear(spanOf(out, s))
	}
	return out
}

// withoutData clears them in a reply of data.
func withoutData(verdict uint64, reply []byte) []byte {
	out := bytes.Clone(reply)
	rest := out
	if v, err := abi.UnpackVerdict(verdict); err == nil && v.Action == policy.Rewrite && len(out) >= 4 {
		n := min(4+uint64(binary.LittleEndian.Uint32(out)), uint64(len(out)))
		clear(out[4:n])
		rest = out[n:]
	}
	eachKey(rest, func(key abi.Key, value []byte) {
		if key == abi.KeyCarry {
			clear(value)
		}
	})
	return out
}

// eachKey visits the entries of a reply, as far as there are whole ones.
func eachKey(reply []byte, visit func(abi.Key, []byte)) {
	for at := 0; at+4 <= len(reply); {
		key, n := binary.LittleEndian.Uint16(reply[at:]), int(binary.LittleEndian.Uint16(reply[at+2:]))
		if at += 4; at+n > len(reply) {
			return
		}
		visit(abi.Key(key), reply[at:at+n])
		at += n
	}
}

// sameReply reports whether a reply is the one that was written down, in which stored
// hashes are not what they were.
func sameReply(was, now *wasmhost.Exchange) bool {
	if bytes.Equal(was.Reply, now.Reply) {
		return true
	}
	if was.Hook != abi.HookAuth.String() {
		return false
	}
	masked := wasmhost.Exchange{Hook: now.Hook, Reply: now.Reply}
	Strip(&masked, false)
	return bytes.Equal(was.Reply, masked.Reply)
}
