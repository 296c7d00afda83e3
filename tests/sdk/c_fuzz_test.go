package sdk

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// FuzzCRecord holds the decoders in C to those in Go: what the one refuses the other does
// too, but for texts with a NUL, which the ABI forbids and only C cannot tell.
func FuzzCRecord(f *testing.F) {
	n := newNative(f)
	for _, file := range []string{"records.json", "bad-records.json"} {
		for _, v := range vectors[recordVector](f, file, 51) {
			f.Add(byte(hookOf(f, v.Hook)), unhex(f, v.Record))
		}
	}
	f.Fuzz(func(t *testing.T, hook byte, record []byte) {
		if len(record) > policy.MaxChunk-2 {
			return
		}
		h := abi.Hook(hook%9 + 1)
		_, err := n.ask(append([]byte{'Q', byte(h)}, record...))
		if err != nil {
			t.Fatal(err)
		}
		why, err := n.ask([]byte("W"))
		if err != nil {
			t.Fatal(err)
		}
		want := decodeGo(h, record)
		if len(why) > 0 && want == nil && !bytes.HasSuffix(why, []byte("holds a NUL")) {
			t.Errorf("%s: C says %q of %x, and Go reads it", h, why, record)
		}
		if len(why) == 0 && want != nil {
			t.Errorf("%s: C reads %x, and Go says %v", h, record, want)
		}
	})
}

// withLocal is a bare record of fs whose attribute LOCAL is a text.
func withLocal(text string) []byte {
	b := make([]byte, 56+8*abi.SpanExtra)
	end := func() uint32 { return uint32(len(b)) }
	b[4], b[6], b[52] = byte(abi.HookFS), byte(policy.OpRead), byte(abi.SpanExtra)
	for s := range abi.SpanExtra {
		binary.LittleEndian.PutUint32(b[56+8*s:], end())
		if s == abi.SpanAttr {
			b = binary.LittleEndian.AppendUint32(b, uint32(abi.AttrLocal)|uint32(len(text))<<16)
			b = append(b, text...)
			binary.LittleEndian.PutUint32(b[60+8*s:], uint32(len(text)+4))
		}
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint32(b, end())
	return b
}

// FuzzCAddress holds the reader of addresses in C to that of package netip.
func FuzzCAddress(f *testing.F) {
	n := newNative(f)
	for _, s := range []string{"192.0.2.1:21", "192.0.2.1:021", "192.0.2.01:21", "1.2.3:4", "1.2.3.4.5:6", "256.1.1.1:1", "1.2.3.4:65536", "1.2.3.4:", ":21", "",
		"[::]:0", "[::1]:21", "[1::]:21", "[2001:db8::1]:40001", "[::ffff:1.2.3.4]:1", "[1:2:3:4:5:6:7:8]:9", "[1:2:3:4:5:6:7::]:9", "[1:2:3:4:5:6:7:8::]:9",
		"[fe80::1%eth0]:1", "[fe80::1%]:1", "[:::]:1", "[1::2::3]:4", "[12345::]:1", "[::1.2.3.4:5]:6", "[1.2.3.4]:5", "::1:5", "[::1]5", "[::1:5", "[1:2:3:4:5:6:1.2.3.4]:5",
		"[:1]:2", "[1:]:2", "[::G]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 || strings.Contains(text, "\x00") {
			return
		}
		answer, err := n.ask(append([]byte{'Q', byte(abi.HookFS)}, withLocal(text)...))
		if err != nil {
			t.Fatal(err)
		}
		if want := decodeGo(abi.HookFS, withLocal(text)); (string(answer) == "refused\n") != (want != nil) {
			t.Errorf("%q: C says %.20q, Go says %v", text, answer, want)
		}
	})
}

// decodeGo reads a record with the decoder in Go.
func decodeGo(h abi.Hook, record []byte) (err error) {
	d := new(abi.Decoder)
	switch h {
	case abi.HookAuth:
		_, err = d.Login(record)
	case abi.HookFS:
		_, err = d.Action(record)
	case abi.HookList:
		_, err = d.Listing(record)
	case abi.HookCmd:
		_, err = d.Command(record)
	case abi.HookSite:
		_, err = d.SiteCall(record)
	case abi.HookThrottle:
		_, err = d.Transfer(record)
	case abi.HookData:
		_, err = d.Chunk(record)
	case abi.HookEvent:
		_, err = d.Event(record)
	default:
		_, err = d.CertRequest(record)
	}
	return err
}

// FuzzCSettings holds the reader of settings in C to that in Go, but for strings with a
// NUL, which only C cannot tell, and for what is too long for C.
func FuzzCSettings(f *testing.F) {
	n := newNative(f)
	for _, s := range []string{"", "{}", `{"a":1,"b":-0,"c":[],"d":["x","\u00e9\ud83d\ude00"],"e":{"f":true},"g":[{"h":false},{}]}`, `{"a":1.5}`, `{"a":01}`, `{"a":null}`,
		`{"a":"\x"}`, `{"a":"\ud800"}`, `{"a":[1]}`, `{"a":[{},"b"]}`, `{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{}}}}}}}}}`, `{"a":1}x`, `{"a":1,"a":2}`, `{"a":tru}`, "{\"a\":\"\xff\"}",
		`{"a":9223372036854775807,"b":-9223372036854775808}`, `{"a":9223372036854775808}`, `{"a":--1}`, `{"a":1,}`, `{,}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 2000 {
			return
		}
		said, err := n.ask(append([]byte{'S'}, text...))
		if err != nil {
			t.Fatal(err)
		}
		broken := strings.HasPrefix(string(said), "settings")
		if bytes.HasSuffix(said, []byte("a NUL in a string")) {
			return
		}
		want := settings.Parse(text).Err()
		if wantBroken := want != nil && strings.HasPrefix(want.Error(), "settings"); broken != wantBroken {
			t.Errorf("%q: C says %q, Go says %v", text, said, want)
		}
		if want == nil && len(said) > 0 {
			t.Errorf("%q: C says %q, Go reads it", text, said)
		}
	})
}

// FuzzCResponse holds the reader of responses in C to that in Go.
func FuzzCResponse(f *testing.F) {
	n := newNative(f)
	for _, r := range []abi.FetchResponse{{Status: 200, Body: []byte("body")}, {Status: 404, Header: []abi.FetchField{{Name: "etag", Value: "1"}, {Name: "x", Value: ""}}}} {
		b, err := abi.AppendFetchResponse(nil, &r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		if len(response) > 60000 {
			return
		}
		said, err := n.ask(append([]byte{'R'}, response...))
		if err != nil {
			t.Fatal(err)
		}
		want := "read"
		if _, err := abi.DecodeFetchResponse(response); err != nil {
			want = "refused"
		}
		if string(said) != want {
			t.Errorf("%x: got %s, want %s", response, said, want)
		}
	})
}
