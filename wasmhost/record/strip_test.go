package record

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// key writes an entry of a reply.
func key(k abi.Key, value string) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(k))
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(value))), value...)
}

// text writes an argument of a call.
func text(s string) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(s))), s...)
}

const hash = "$argon2id$v=19$m=65536$c2FsdA$aGFzaA"

// TestStrip holds that neither a hash nor a request nor a byte of a file is written, with
// names as without.
func TestStrip(t *testing.T) {
	s, known := someone, someone
	known.State = map[string][]byte{slotName: []byte("h=" + hash)}
	login, err := abi.AppendLogin(nil, slotName, &policy.Login{Meta: policy.Meta{Session: &known}})
	if err != nil {
		t.Fatal(err)
	}
	chunk, err := abi.AppendChunk(nil, slotName, &policy.Chunk{Meta: policy.Meta{Session: &s}, Op: policy.OpWrite, Path: "/a/b.c",
		Data: []byte("of the file"), Carry: []byte("file before")})
	if err != nil {
		t.Fatal(err)
	}
	verdict := func(a policy.Verdict, n int) uint64 { return uint64(n)<<32 | uint64(a)<<16 }
	rewritten := append(append([]byte{7, 0, 0, 0}, "of file"...), key(abi.KeyCarry, "file")...)
	for what, x := range map[string]*wasmhost.Exchange{
		"login": {Hook: "auth", Record: login, Reply: key(abi.KeyPasswordHash, hash), Stderr: "knows " + hash, Err: &Failure{Text: hash},
			Host: []wasmhost.HostCall{{Import: "kv_get", In: text("h/anna"), Out: []byte(hash)}, {Import: "pw_verify", In: text(hash), Result: 1},
				{Import: "fetch", In: text("Authorization: token of the file"), Result: 3, Out: []byte("yes")}}},
		"rewrite": {Hook: "data", Record: chunk, Verdict: verdict(policy.Rewrite, len(rewritten)), Reply: rewritten},
		"pass":    {Hook: "data", Record: chunk, Verdict: verdict(policy.Pass, 8), Reply: key(abi.KeyCarry, "file")},
	} {
		for _, hidden := range []bool{false, true} {
			got := *x
			was := fmt.Sprintf("%+v", x)
			if Strip(&got, true); hidden {
				if err := NewHider([]byte("key"), "/a").Hide(&got); err != nil {
					t.Fatal(err)
				}
			}
			all := string(write(t, []*wasmhost.Exchange{&got}, 0))
			for _, secret := range []string{"aGFzaA", "token", "file"} {
				if strings.Contains(all, secret) {
					t.Errorf("%s, names hidden %v: %q is left", what, hidden, secret)
				}
			}
			if fmt.Sprintf("%+v", x) != was {
				t.Errorf("%s: what others hold has changed", what)
			}
			if len(got.Reply) != len(x.Reply) || !hidden && len(got.Record) != len(x.Record) {
				t.Errorf("%s: a reply of %d and a record of %d bytes", what, len(got.Reply), len(got.Record))
			}
		}
	}
	crash := wasmhost.Exchange{Hook: "data", Record: chunk}
	if Strip(&crash, false); !bytes.Equal(crash.Record, chunk) {
		t.Error("what is to be asked again is not what was asked")
	}
}

// TestStrippedReplay holds that what was taken out makes no difference of its own.
func TestStrippedReplay(t *testing.T) {
	was := &wasmhost.Exchange{Hook: "auth", Reply: key(abi.KeyPasswordHash, hash)}
	now := &wasmhost.Exchange{Hook: "auth", Reply: key(abi.KeyPasswordHash, hash)}
	other := &wasmhost.Exchange{Hook: "auth", Reply: key(abi.KeyGroup, "x")}
	x := &wasmhost.Exchange{Hook: "auth", Reply: was.Reply, Host: []wasmhost.HostCall{{Import: "pw_verify", In: text(hash), Result: 1}}}
	Strip(x, true)
	if !sameReply(x, now) || sameReply(x, other) || sameReply(was, x) {
		t.Errorf("%s", x.Reply)
	}
	told := new(told)
	told.reset(x.Host)
	c := wasmhost.HostCall{Import: "pw_verify", In: text(hash)}
	if !Answer(context.WithValue(t.Context(), toldKey{}, told), &c) || c.Result != 1 || told.missed != 0 {
		t.Errorf("a verification is answered with %d, %d missed", c.Result, told.missed)
	}
}

// TestHideTexts holds that what an event says has no name and no address, wherever in
// the text it stands.
func TestHideTexts(t *testing.T) {
	for text, kind := range map[string]policy.EventKind{
		"192.0.2.147/32 until 2026-01-02T03:04:05Z: failures": policy.EventBanAdded,
		"2001:db8:1:2::147/64 until then":                     policy.EventBanAdded,
		"annabel.example":                                     policy.EventCertObtained,
		"annabel may not":                                     policy.EventDenied,
		"RETR annabel 147":                                    policy.EventCommandDone,
	} {
		rec, err := abi.AppendEvent(nil, slotName, &policy.Event{Meta: policy.Meta{Session: new(policy.Session)}, Kind: kind, Text: text})
		if err != nil {
			t.Fatal(err)
		}
		x := &wasmhost.Exchange{Hook: "event", Record: rec}
		if err := NewHider([]byte("key")).Hide(x); err != nil {
			t.Fatal(err)
		}
		q, err := new(abi.Decoder).Event(x.Record)
		if err != nil || len(q.Text) != len(text) || strings.Contains(q.Text, "147") || strings.Contains(q.Text, "annabel") {
			t.Errorf("%q: %q, %v", text, q.Text, err)
		}
		if kind == policy.EventCommandDone != strings.HasPrefix(q.Text, "RETR ") {
			t.Errorf("%q: %q", text, q.Text)
		}
	}
}
