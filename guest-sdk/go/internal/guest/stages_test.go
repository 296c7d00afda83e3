package guest

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func chunkRecord(t *testing.T, data, carry []byte) []byte {
	t.Helper()
	rec, err := abi.AppendChunk(nil, slot, &policy.Chunk{Meta: policy.Meta{Session: &policy.Session{ID: 1}},
		Op: policy.OpWrite, Path: "/a", Data: data, Carry: carry})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// window returns parts of what it was shown: all of it is in the mailbox that the
// reply is written over.
type window struct{ text string }

func (w window) Filter(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
	p := policy.Piece{Verdict: policy.Rewrite, Data: c.Data[1:], Carry: c.Data[len(c.Data)-4:]}
	if w.text != "" {
		p.Verdict, p.Data, p.Text = policy.Deny, nil, w.text
	}
	return p, nil
}

func TestPieceOfTheChunkItself(t *testing.T) {
	data := []byte(strings.Repeat("0123456789", 6000))
	for _, text := range []string{"", strings.Repeat("x", 500)} {
		g := &Guest{}
		g.Link(abi.HookData)
		g.SetData(window{text})
		v, reply := call(g, "data", chunkRecord(t, data, []byte("c")))
		p, err := abi.DecodePiece(v, reply, true)
		if err != nil || string(p.Carry) != "6789" || p.Text != text {
			t.Errorf("got %+v %q, %v", v, p.Carry, err)
		}
		if text == "" && !bytes.Equal(p.Data, data[1:]) {
			t.Errorf("%d other bytes came back", len(p.Data))
		}
	}
}

type grow struct{ n int }

func (f grow) Filter(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
	return policy.Piece{Verdict: policy.Rewrite, Data: bytes.Repeat(c.Data, f.n)}, nil
}

func TestChunkMayGrow(t *testing.T) {
	data := make([]byte, policy.MaxChunk)
	for n, want := range map[int]policy.Verdict{3: policy.Rewrite, 5: abi.Fail} {
		g := &Guest{}
		g.Link(abi.HookData)
		g.SetData(grow{n})
		if v, reply := call(g, "data", chunkRecord(t, data, nil)); v.Action != want {
			t.Errorf("%d times: %+v %q", n, v, reply[:min(len(reply), 50)])
		}
	}
}

// TestMailboxes holds the lengths that ABI §2 asks for.
func TestMailboxes(t *testing.T) {
	var plain, list, data Guest
	list.Link(abi.HookList)
	data.Link(abi.HookData)
	entries := make([]policy.Entry, policy.MaxEntries)
	for i := range entries {
		entries[i].Name = strings.Repeat("n", 255)
	}
	rec, err := abi.AppendListing(nil, "", &policy.Listing{Meta: policy.Meta{Session: &policy.Session{ID: 1}},
		Path: "/" + strings.Repeat("p", 4095), Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	if len(plain.Mailbox()) != abi.AdvisedMailbox || len(list.Mailbox()) < len(rec) || len(data.Mailbox()) < abi.MinDataMailbox {
		t.Errorf("%d, %d for %d, %d", len(plain.Mailbox()), len(list.Mailbox()), len(rec), len(data.Mailbox()))
	}
}

type services struct{ policy.Services }

type asks struct{ got policy.Services }

func (a *asks) Authorize(ctx context.Context, _ *policy.Action) (policy.Answer, error) {
	a.got = policy.ServicesOf(ctx)
	return policy.Answer{}, nil
}

func TestServices(t *testing.T) {
	rec, err := abi.AppendAction(nil, slot, &policy.Action{Meta: policy.Meta{Session: &policy.Session{ID: 1}}, Op: policy.OpRead, Path: "/a"})
	if err != nil {
		t.Fatal(err)
	}
	g, a := &Guest{}, &asks{}
	g.SetFS(a)
	call(g, "fs", rec)
	_, stat := a.got.Stat(t.Context(), "/a")
	_, verify := a.got.Verify(t.Context(), "$2y$")
	_, digest := a.got.Digest(t.Context(), "MD5")
	for _, err := range []error{stat, verify, digest} {
		if err == nil || !strings.Contains(err.Error(), `import _ "github.com/edgeftp/edgeftp/guest-sdk/go/host"`) {
			t.Errorf("services that nobody set: %v", err)
		}
	}
	g.SetServices(services{})
	if call(g, "fs", rec); a.got != (services{}) {
		t.Errorf("got %v", a.got)
	}
}

// TestExport holds that what is linked and what a policy does are the same.
func TestExport(t *testing.T) {
	tests := []struct {
		name   string
		linked []abi.Hook
		says   string
	}{
		{"right", []abi.Hook{abi.HookFS}, ""},
		{"not linked", nil, "takes part in fs: import guest-sdk/go/fs"},
		{"linked in vain", []abi.Hook{abi.HookFS, abi.HookData}, "guest-sdk/go/data is imported"},
	}
	for _, tt := range tests {
		g := &Guest{}
		for _, h := range tt.linked {
			g.Link(h)
		}
		said := ""
		func() {
			defer func() { said, _ = recover().(string) }()
			g.Export(hooked{policy.Hooks{Authorizer: &asks{}}})
		}()
		if (said == "") != (tt.says == "") || !strings.Contains(said, tt.says) {
			t.Errorf("%s: %q", tt.name, said)
		}
		if tt.says == "" && g.Slot() != "hooked" {
			t.Errorf("slot %q", g.Slot())
		}
	}
}

// hooked is a policy of any hooks.
type hooked struct{ hooks policy.Hooks }

func (hooked) Name() string { return "hooked" }

func (h hooked) Hooks() policy.Hooks { return h.hooks }
