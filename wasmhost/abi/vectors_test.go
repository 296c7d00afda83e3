package abi

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

var update = flag.Bool("update", false, "write the golden bytes of guest-sdk/vectors anew")

const vectorDir = "../../guest-sdk/vectors"

// The forms of the files; guest-sdk/vectors/README.md describes them.
type (
	recordVector struct {
		Name    string            `json:"name"`
		Minor   int               `json:"minor,omitempty"`
		Hook    string            `json:"hook"`
		Op      uint16            `json:"op"`
		Session string            `json:"session"` // 64-bit numbers are strings
		Request string            `json:"request"`
		TimeNS  string            `json:"time_ns"`
		A       string            `json:"a"`
		B       string            `json:"b"`
		Flags   []string          `json:"flags"`
		Spans   map[string]string `json:"spans"`           // by name, hex
		Attrs   map[string]string `json:"attrs,omitempty"` // by name, hex
		Record  string            `json:"record"`
	}
	badVector struct {
		Name   string `json:"name"`
		Hook   string `json:"hook"`
		Record string `json:"record"`
	}
	replyVector struct {
		Name    string       `json:"name"`
		Hook    string       `json:"hook"`
		Verdict string       `json:"verdict"` // the i64 as hex digits
		Reply   string       `json:"reply"`
		Result  string       `json:"result"` // "ok", "bad", "unsupported", "failed"
		Lenient string       `json:"lenient,omitempty"`
		Action  string       `json:"action,omitempty"`
		Final   bool         `json:"final,omitempty"`
		Cache   bool         `json:"cache,omitempty"`
		Code    int          `json:"code,omitempty"`
		Data    *string      `json:"data,omitempty"` // the new bytes of a chunk, hex
		Entries []replyEntry `json:"entries,omitempty"`
	}
	replyEntry struct {
		Key   string `json:"key"`
		Value string `json:"value"` // hex
	}
)

// describe reads a record by the letter of ABI.md, without the package's decoder.
func describe(name string, rec []byte) recordVector {
	le := binary.LittleEndian
	num := func(off int) string { return fmt.Sprint(int64(le.Uint64(rec[off:]))) }
	v := recordVector{
		Name: name, Hook: Hook(le.Uint16(rec[4:])).String(), Op: le.Uint16(rec[6:]),
		Session: fmt.Sprint(le.Uint64(rec[8:])), Request: fmt.Sprint(le.Uint64(rec[16:])),
		TimeNS: num(24), A: num(32), B: num(40), Flags: []string{},
		Spans: map[string]string{}, Attrs: map[string]string{}, Record: hex.EncodeToString(rec),
	}
	for i, flag := range flagNames() {
		if le.Uint32(rec[48:])&(1<<i) != 0 {
			v.Flags = append(v.Flags, flag)
		}
	}
	for s := range Span(le.Uint32(rec[52:])) {
		off, n := le.Uint32(rec[56+8*s:]), le.Uint32(rec[60+8*s:])
		b := rec[off : off+n]
		v.Spans[s.String()] = hex.EncodeToString(b)
		for s == SpanAttr && len(b) > 0 {
			n := le.Uint16(b[2:])
			v.Attrs[Attr(le.Uint16(b)).String()] = hex.EncodeToString(b[4 : 4+n])
			b = b[4+n:]
		}
	}
	return v
}

func flagNames() []string {
	return []string{"TLS", "DATA_TLS", "ANONYMOUS", "DIR", "EXISTS", "ACTIVE", "ASCII", "SHADOW",
		"REPLAY", "LAST", "UPLOAD", "EARLY", "LATE"}
}

// oldAnswers is how many of the sample answers there were before minor 2: the files
// keep their order.
const oldAnswers = 14

// describeReply reads a good reply by the letter of ABI.md.
func describeReply(name string, h Hook, raw uint64, b []byte) replyVector {
	v := replyVector{Name: name, Hook: h.String(), Verdict: fmt.Sprintf("%016x", raw),
		Reply: hex.EncodeToString(b), Result: "ok", Code: int(raw & 0xffff), Final: raw>>24&1 != 0,
		Action: [...]string{"pass", "allow", "deny", "rewrite", "hide"}[raw>>16&0xff]}
	if h == HookData && v.Action == "rewrite" {
		n := binary.LittleEndian.Uint32(b)
		data := hex.EncodeToString(b[4 : 4+n])
		v.Data, b = &data, b[4+n:]
	}
	v.Cache = raw>>24&2 != 0
	for len(b) > 0 {
		k, n := Key(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint16(b[2:])
		v.Entries = append(v.Entries, replyEntry{k.String(), hex.EncodeToString(b[4 : 4+n])})
		b = b[4+n:]
	}
	return v
}

// golden compares what is with what the file holds, or writes the file.
func golden(t *testing.T, file string, got any) {
	t.Helper()
	b, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	path := filepath.Join(vectorDir, file)
	if *update {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, b) {
		t.Errorf("%s is not what this version writes. If the ABI was meant to change: go test ./wasmhost/abi -update", file)
	}
}

func TestRecordVectors(t *testing.T) {
	var list []recordVector
	for _, q := range sampleQuestions() {
		rec, err := q.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		v := describe(q.name, rec)
		v.Minor = q.minor
		list = append(list, v)
	}
	golden(t, "records.json", list)
}

// badRecords breaks one rule of ABI §3 and §5 in each.
func badRecords(t *testing.T) []badVector {
	good, err := AppendAction(nil, sampleSlot, &policy.Action{Meta: fullMeta(), Op: policy.OpWrite, Path: "/a"})
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	span := func(s Span) int { return HeaderSize + 8*int(s) }
	attr := int(le.Uint32(good[span(SpanAttr):]))
	path := int(le.Uint32(good[span(SpanPath):]))
	cases := []struct {
		name   string
		damage func(b []byte) []byte
	}{
		{"empty", func([]byte) []byte { return nil }},
		{"header cut off", func(b []byte) []byte { return b[:40] }},
		{"cut off", func(b []byte) []byte { return b[:len(b)-1] }},
		{"longer than its size", func(b []byte) []byte { return append(b, 0) }},
		{"another kind", func(b []byte) []byte { b[OffKind] = 9; return b }},
		{"no operation", func(b []byte) []byte { b[OffOp] = 0; return b }},
		{"too few spans", func(b []byte) []byte { b[OffSpans] = 7; return b }},
		{"too many spans", func(b []byte) []byte { le.PutUint32(b[OffSpans:], 1<<31); return b }},
		{"span into the header", func(b []byte) []byte { le.PutUint32(b[span(SpanPath):], 8); return b }},
		{"span behind the end", func(b []byte) []byte { le.PutUint32(b[span(SpanUser):], uint32(len(b))); return b }},
		{"span longer than the record", func(b []byte) []byte { le.PutUint32(b[span(SpanUser)+4:], uint32(len(b))); return b }},
		{"span that wraps", func(b []byte) []byte { le.PutUint32(b[span(SpanUser)+4:], 1<<32-1); return b }},
		{"no NUL", func(b []byte) []byte { b[path+2] = 'x'; return b }},
		{"attribute longer than the span", func(b []byte) []byte { le.PutUint16(b[attr+2:], 0xffff); return b }},
		{"attribute twice", func(b []byte) []byte { b[attr] = byte(AttrTLSCipher); return b }},
		{"attribute 0", func(b []byte) []byte { b[attr] = 0; return b }},
		{"number of the wrong length", func(b []byte) []byte { b[attr] = byte(AttrCode); b[attr+2] = 3; return b }},
		{"PEER16 of another address", func(b []byte) []byte { b[le.Uint32(b[span(SpanPeer16):])+15]++; return b }},
		{"PEER that is no address", func(b []byte) []byte { b[le.Uint32(b[span(SpanPeer):])] = 'x'; return b }},
	}
	var list []badVector
	for _, c := range cases {
		rec := c.damage(bytes.Clone(good))
		list = append(list, badVector{c.name, "fs", hex.EncodeToString(rec)})
	}
	return list
}

func TestBadRecordVectors(t *testing.T) {
	list := append(badRecords(t), badNewRecords(t)...)
	for _, v := range list {
		rec, _ := hex.DecodeString(v.Record)
		got, err := (&Decoder{}).Action(rec)
		if v.Hook != "fs" {
			_, err = decodeAny(&Decoder{}, rec)
		}
		if !errors.Is(err, ErrRecord) {
			t.Errorf("%s: got %v, %v", v.Name, got, err)
		}
	}
	golden(t, "bad-records.json", list)
}

func TestReplyVectors(t *testing.T) {
	var list []replyVector
	for _, a := range sampleAnswers()[:oldAnswers] {
		b, v, err := a.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, describeReply(a.name, a.hook(), v.Pack(), b))
	}
	list = append(list, badReplies(t, append(badAnswers(), badOthers()...))...)
	for _, a := range append(sampleAnswers()[oldAnswers:], newAnswers()...) {
		b, v, err := a.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, describeReply(a.name, a.hook(), v.Pack(), b))
	}
	list = append(list, badReplies(t, badNew())...)
	for _, a := range answers5() {
		b, v, err := a.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, describeReply(a.name, a.hook(), v.Pack(), b))
	}
	list = append(list, badReplies(t, bad5())...)
	golden(t, "replies.json", list)
}

// result decodes a reply and says how that ended, in the words of the vectors.
func result(h Hook, raw uint64, b []byte, strict bool) string {
	v, err := UnpackVerdict(raw)
	if err == nil {
		_, err = decodeReply(h, v, b, strict)
	}
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrUnsupported):
		return "unsupported"
	case errors.Is(err, ErrFailed):
		return "failed"
	case errors.Is(err, ErrReply):
		return "bad"
	}
	return err.Error()
}
