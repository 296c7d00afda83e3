package abi

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// badNewRecords breaks one rule of ABI §4 in each, of the hooks that came with minor
// 2, and of §5 in what came with minor 4.
func badNewRecords(t *testing.T) []badVector {
	le := binary.LittleEndian
	span := func(b []byte, s Span) []byte { return b[HeaderSize+8*int(s):] }
	arg := func(b []byte) []byte { return b[le.Uint32(span(b, SpanArg)):] }
	m := bareMeta()
	listing := &policy.Listing{Meta: m, Path: "/", Entries: []policy.Entry{{Name: "ab"}, {Name: "c"}}}
	command := &policy.Command{Meta: m, Verb: "NOOP"}
	call := &policy.SiteCall{Meta: m, Verb: "ECHO"}
	transfer := &policy.Transfer{Meta: m, Op: policy.OpRead, Path: "/a", Took: 1}
	chunk := &policy.Chunk{Meta: m, Op: policy.OpRead, Path: "/a", Data: []byte("x"), Carry: make([]byte, policy.MaxCarry)}
	login := &policy.Login{Meta: m, Binding: sampleBinding()}
	resize := func(n byte) func(b []byte) { // of BINDING, which stands alone in ATTR
		return func(b []byte) {
			attr := b[le.Uint32(span(b, SpanAttr)):]
			attr[2] = n
			le.PutUint32(span(b, SpanAttr)[4:], 4+uint32(n))
			attr[4+n] = 0
		}
	}
	peer := netip.MustParseAddrPort("192.0.2.10:12345")
	spoil := func(i int) func(b []byte) { // a character of DATA_PEER, which stands alone in ATTR
		return func(b []byte) { b[int(le.Uint32(span(b, SpanAttr)))+4+i] = 'x' }
	}
	cases := []struct {
		name   string
		q      any
		damage func(b []byte)
	}{
		{"list, no entries", listing, func(b []byte) { le.PutUint64(b[OffA:], 0) }},
		{"list, 257 entries", listing, func(b []byte) { le.PutUint64(b[OffA:], 257) }},
		{"list, negative entries", listing, func(b []byte) { le.PutUint64(b[OffA:], 1<<63) }},
		{"list, entries that wrap", listing, func(b []byte) { le.PutUint64(b[OffA:], 1<<59+2) }},
		{"list, more entries than bytes", listing, func(b []byte) { le.PutUint64(b[OffA:], 3) }},
		{"list, an operation", listing, func(b []byte) { b[OffOp] = 2 }},
		{"list, not aligned", listing, func(b []byte) {
			le.PutUint32(span(b, SpanArg), le.Uint32(span(b, SpanArg))+1)
			le.PutUint32(span(b, SpanArg)[4:], le.Uint32(span(b, SpanArg)[4:])-1)
		}},
		{"list, name in the header", listing, func(b []byte) { le.PutUint32(arg(b), 8) }},
		{"list, name among the entries", listing, func(b []byte) { le.PutUint32(arg(b), le.Uint32(span(b, SpanArg))) }},
		{"list, name behind ARG", listing, func(b []byte) { le.PutUint32(arg(b), uint32(len(b))-1) }},
		{"list, name that wraps", listing, func(b []byte) { le.PutUint32(arg(b)[4:], 1<<32-1) }},
		{"list, name without a NUL", listing, func(b []byte) { le.PutUint32(arg(b)[4:], 1) }},
		{"list, name of two", listing, func(b []byte) { le.PutUint32(arg(b)[4:], 4) }},
		{"list, no name", listing, func(b []byte) { le.PutUint32(arg(b)[4:], 0); le.PutUint32(arg(b), le.Uint32(arg(b))+2) }},
		{"list, name with a slash", listing, func(b []byte) { b[le.Uint32(arg(b))] = '/' }},
		{"cmd, no command", command, func(b []byte) {
			le.PutUint32(span(b, SpanExtra)[4:], 0)
			le.PutUint32(span(b, SpanExtra), uint32(len(b))-1)
		}},
		{"cmd, eight spans", command, func(b []byte) { b[OffSpans] = 8 }},
		{"cmd, an operation", command, func(b []byte) { b[OffOp] = 1 }},
		{"site, EXTRA behind the end", call, func(b []byte) { le.PutUint32(span(b, SpanExtra), uint32(len(b))) }},
		{"throttle, no operation", transfer, func(b []byte) { b[OffOp] = 0 }},
		{"throttle, TOOK out of range", transfer, func(b []byte) { b[le.Uint32(span(b, SpanAttr))+4+7] = 0x80 }},
		{"throttle, TOOK of 7 bytes", transfer, func(b []byte) { b[le.Uint32(span(b, SpanAttr))+2] = 7 }},
		{"data, no operation", chunk, func(b []byte) { b[OffOp] = 0 }},
		{"data, eight spans", chunk, func(b []byte) { b[OffSpans] = 8 }},
		{"data, 1,025 bytes carried", chunk, func(b []byte) {
			le.PutUint32(span(b, SpanExtra), le.Uint32(span(b, SpanExtra))-1)
			le.PutUint32(span(b, SpanExtra)[4:], policy.MaxCarry+1)
		}},
		{"cert, no name", &policy.CertRequest{Meta: m, Name: "a"}, func(b []byte) { le.PutUint32(span(b, SpanArg)[4:], 0); arg(b)[0] = 0 }},
		{"auth, BINDING of 31 bytes", login, resize(31)},
		{"auth, BINDING of 33 bytes", login, resize(33)},
		{"auth, BINDING of no bytes", login, resize(0)},
		{"throttle, DATA_PEER that is no address", &policy.Transfer{Meta: m, Op: policy.OpRead, Path: "/a", DataPeer: peer}, spoil(0)},
		{"data, DATA_PEER that is no address", &policy.Chunk{Meta: m, Op: policy.OpRead, Path: "/a", DataPeer: peer}, spoil(0)},
		{"data, DATA_PEER without a port", &policy.Chunk{Meta: m, Op: policy.OpRead, Path: "/a", DataPeer: peer}, spoil(strings.Index(peer.String(), ":"))},
	}
	var list []badVector
	for _, c := range cases {
		rec, err := question{more: c.q}.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeAny(&Decoder{}, rec); err != nil {
			t.Fatalf("%s, before it is damaged: %v", c.name, err)
		}
		hook := KindOf(rec).String()
		c.damage(rec)
		list = append(list, badVector{c.name, hook, hex.EncodeToString(rec)})
	}
	return list
}

// TestLongChunk holds that a chunk is at most 64 KiB, at both ends.
func TestLongChunk(t *testing.T) {
	c := &policy.Chunk{Meta: bareMeta(), Op: policy.OpRead, Path: "/a", Data: make([]byte, policy.MaxChunk)}
	rec, err := AppendChunk(nil, "", c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Decoder{}).Chunk(rec); err != nil {
		t.Error(err)
	}
	span := rec[HeaderSize+8*int(SpanArg):]
	binary.LittleEndian.PutUint32(span[4:], policy.MaxChunk+4) // up to the NUL of ROOT's slash
	for i := range rec[len(rec)-8:] {
		rec[len(rec)-8+i] = 0
	}
	if _, err := (&Decoder{}).Chunk(rec); err == nil || !strings.Contains(err.Error(), "a chunk of 65540 bytes") {
		t.Errorf("a longer chunk: %v", err)
	}
	c.Data = make([]byte, policy.MaxChunk+1)
	if _, err := AppendChunk(nil, "", c); err == nil {
		t.Error("a longer chunk was written")
	}
}

// TestNewEncodersRefuse is TestEncodersRefuse for the hooks of minor 2.
func TestNewEncodersRefuse(t *testing.T) {
	m := bareMeta()
	name := func(s string) []policy.Entry { return []policy.Entry{{Name: s}} }
	for what, q := range map[string]any{
		"no session":         &policy.Listing{Entries: name("a")},
		"no entries":         &policy.Listing{Meta: m},
		"257 entries":        &policy.Listing{Meta: m, Entries: make([]policy.Entry, 257)},
		"no name":            &policy.Listing{Meta: m, Entries: name("")},
		"name with a NUL":    &policy.Listing{Meta: m, Entries: name("a\x00")},
		"name with a slash":  &policy.Listing{Meta: m, Entries: name("a/b")},
		"no command":         &policy.Command{Meta: m},
		"NUL in a command":   &policy.Command{Meta: m, Verb: "A\x00"},
		"NUL in an argument": &policy.SiteCall{Meta: m, Verb: "A", Arg: "\x00"},
		"negative time":      &policy.Transfer{Meta: m, Op: policy.OpRead, Took: -1},
		"long carry":         &policy.Chunk{Meta: m, Op: policy.OpRead, Carry: make([]byte, 1025)},
		"no host":            &policy.CertRequest{Meta: m},
		"command, session":   &policy.Command{Verb: "A"},
		"transfer, session":  &policy.Transfer{},
		"chunk, session":     &policy.Chunk{},
		"cert, session":      &policy.CertRequest{Name: "a"},
	} {
		if got, err := (question{more: q}).encode([]byte("x")); err == nil || string(got) != "x" {
			t.Errorf("%s: got %d bytes, %v", what, len(got), err)
		}
	}
}

// session is that of a question of minor 2.
func (q question) session() *policy.Session {
	switch m := q.more.(type) {
	case *policy.Listing:
		return m.Session
	case *policy.Command:
		return m.Session
	case *policy.SiteCall:
		return m.Session
	case *policy.Transfer:
		return m.Session
	case *policy.Chunk:
		return m.Session
	}
	return q.more.(*policy.CertRequest).Session
}

// TestNewNoAllocation holds the other hooks to nothing too, the decoder once it has
// seen the question.
func TestNewNoAllocation(t *testing.T) {
	d := &Decoder{Slot: sampleSlot}
	buf, out := make([]byte, 0, 1<<17), make([]byte, 0, 1<<17)
	for _, q := range minor2() {
		if q.more == nil {
			continue
		}
		q.session().Memo = new(policy.Memo)
		n := testing.AllocsPerRun(20, func() {
			rec, err := q.encode(buf)
			if err != nil {
				t.Fatal(err)
			}
			switch KindOf(rec) {
			case HookList:
				_, err = d.Listing(rec)
			case HookCmd:
				_, err = d.Command(rec)
			case HookSite:
				_, err = d.SiteCall(rec)
			case HookThrottle:
				_, err = d.Transfer(rec)
			case HookData:
				_, err = d.Chunk(rec)
			case HookCert:
				_, err = d.CertRequest(rec)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", q.name, n)
		}
	}
	view, rate, piece := &policy.View{}, &policy.Rate{Limit: 5}, &policy.Piece{Verdict: policy.Rewrite, Data: []byte("x"), Carry: []byte("y")}
	view.Hidden.Set(77)
	n := testing.AllocsPerRun(20, func() {
		b, v, err := AppendView(out, view)
		if err == nil {
			_, err = DecodeView(v, b, policy.MaxEntries, true)
		}
		if b, v, err2 := AppendRate(out, rate); err == nil && err2 == nil {
			_, err = DecodeRate(v, b, true)
		}
		if b, v, err2 := AppendPiece(out, piece); err == nil && err2 == nil {
			_, err = DecodePiece(v, b, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("answers: %v allocations", n)
	}
}
