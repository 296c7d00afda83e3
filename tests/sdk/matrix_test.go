package sdk

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// TestVectors asks the mirror guest of each language about all golden vectors: the
// question and the answer are read and written by that language's SDK, inside a module
// that the real host runs.
func TestVectors(t *testing.T) {
	for _, lang := range build.Languages() {
		t.Run(lang, func(t *testing.T) {
			m := newMirror(t, lang)
			t.Run("records", m.records)
			t.Run("bad records", m.badRecords)
			t.Run("replies", m.replies)
			t.Run("imports", m.imports)
		})
	}
}

func (m *mirror) records(t *testing.T) {
	for _, v := range vectors[recordVector](t, "records.json", 118) {
		h := hookOf(t, v.Hook)
		if got := m.ask(t, append([]byte{'Q', byte(h)}, unhex(t, v.Record)...)); got != v.dump(t, h) {
			t.Errorf("%s: got\n%s\nwant\n%s", v.Name, got, v.dump(t, h))
		}
	}
}

func (m *mirror) badRecords(t *testing.T) {
	for _, v := range vectors[recordVector](t, "bad-records.json", 51) {
		if got := m.ask(t, append([]byte{'Q', byte(hookOf(t, v.Hook))}, unhex(t, v.Record)...)); got != "refused\n" {
			t.Errorf("%s: got\n%s", v.Name, got)
		}
	}
}

func (m *mirror) replies(t *testing.T) {
	asked := 0
	for _, v := range vectors[replyVector](t, "replies.json", 144) {
		if v.Result != "ok" && v.Result != "failed" {
			continue // no SDK writes such a reply
		}
		asked++
		want := binary.LittleEndian.AppendUint64(nil, v.verdict(t))
		got := m.ask(t, v.instruction(t))
		if v.Result == "failed" && got == "refused\n" && !strings.Contains(v.Name, "fail") {
			continue // a second word for the same failure, which an SDK need not have
		}
		if got != string(append(want, unhex(t, v.Reply)...)) {
			t.Errorf("%s: got %x, want %x%s", v.Name, got, want, v.Reply)
		}
	}
	if asked < 49 {
		t.Errorf("only %d replies were asked for", asked)
	}
}

// dump is what a mirror is to say of the record.
func (v *recordVector) dump(t *testing.T, h abi.Hook) string {
	flags := binary.LittleEndian.Uint32(unhex(t, v.Record)[48:])
	var b strings.Builder
	fmt.Fprintf(&b, "op %d\nsession %s\nrequest %s\ntime %s\na %s\nb %s\nflags %d\n", v.Op, v.Session, v.Request, v.Time, v.A, v.B, flags)
	for s := range abi.Span(h.Spans()) {
		fmt.Fprintf(&b, "%s %s\n", s, v.Spans[s.String()])
	}
	for key := abi.AttrTLSVersion; key < abi.NumAttrs; key++ {
		if value, ok := v.Attrs[key.String()]; ok {
			fmt.Fprintf(&b, "attr %d %s\n", key, value)
		}
	}
	if h == abi.HookList {
		v.entries(t, &b)
	}
	return b.String()
}

// entries tells the entries of a listing.
func (v *recordVector) entries(t *testing.T, b *strings.Builder) {
	record := unhex(t, v.Record)
	at := int(binary.LittleEndian.Uint32(record[56+8*abi.SpanArg:]))
	n, err := strconv.Atoi(v.A)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := record[at+i*abi.EntrySize:]
		word := func(off int) int { return int(binary.LittleEndian.Uint32(e[off:])) }
		fmt.Fprintf(b, "entry %d %d %d %x\n", word(8), int64(binary.LittleEndian.Uint64(e[16:])),
			int64(binary.LittleEndian.Uint64(e[24:])), record[word(0):word(0)+word(4)])
	}
}

// instruction tells a mirror to give the answer of the vector.
func (v *replyVector) instruction(t *testing.T) []byte {
	verdict, err := abi.UnpackVerdict(v.verdict(t))
	if err != nil {
		t.Fatal(err)
	}
	raw := v.verdict(t)
	data := unhex(t, v.Data)
	b := []byte{'A', byte(hookOf(t, v.Hook)), byte(verdict.Action), byte(raw >> 24)}
	b = binary.LittleEndian.AppendUint16(b, uint16(raw))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	if v.Result == "failed" { // of those the vectors do not name the entries
		return append(b, unhex(t, v.Reply)...)
	}
	for _, e := range v.Entries {
		value := unhex(t, e.Value)
		b = binary.LittleEndian.AppendUint16(b, keyOf(t, e.Key))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	return b
}

// call asks a mirror to call an import.
type call struct {
	number byte
	args   []byte
}

func imported(t *testing.T, name string) *call {
	for i, imp := range abi.Imports() {
		if imp.Name == name {
			return &call{number: byte(i)}
		}
	}
	t.Fatalf("no import %q", name)
	return nil
}

func (c *call) bytes(s string) *call {
	c.args = append(binary.LittleEndian.AppendUint32(c.args, uint32(len(s))), s...)
	return c
}

func (c *call) none() *call {
	c.args = binary.LittleEndian.AppendUint32(c.args, abi.NoValue)
	return c
}

func (c *call) number64(n int64) *call {
	c.args = binary.LittleEndian.AppendUint64(c.args, uint64(n))
	return c
}

// imports calls each import, well and badly, in an order in which each result is known.
func (m *mirror) imports(t *testing.T) {
	counter := hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, 7))
	in := func(name string) *call { return imported(t, name) }
	for _, tt := range []struct {
		what string
		call *call
		want string
	}{
		{"log", in("log").number64(2).bytes("a line"), "result 0\n"},
		{"get, nothing", in("kv_get").bytes("k"), "result -1\n"},
		{"set", in("kv_set").bytes("k").bytes("value").number64(0), "result 0\n"},
		{"get", in("kv_get").bytes("k"), "result 5\nout 76616c7565\n"},
		{"get, no key", in("kv_get").bytes(""), "result -3\n"},
		{"incr of text", in("kv_incr").bytes("k").number64(1).number64(0), "result -4\n"},
		{"incr", in("kv_incr").bytes("n").number64(7).number64(0), "result 0\nout " + counter + "\n"},
		{"cas, other", in("kv_cas").bytes("k").bytes("x").bytes("y").number64(0), "result 0\n"},
		{"cas", in("kv_cas").bytes("k").bytes("value").bytes("").number64(0), "result 1\n"},
		{"get, empty", in("kv_get").bytes("k"), "result 0\n"},
		{"cas, new", in("kv_cas").bytes("new").none().bytes("z").number64(1000), "result 1\n"},
		{"remove", in("kv_set").bytes("k").none().number64(0), "result 0\n"},
		{"get, removed", in("kv_get").bytes("k"), "result -1\n"},
		{"metric", in("metric").bytes("seen_total").number64(0).number64(3), "result 0\n"},
		{"random", in("random").number64(4), "result 0\nout "},
		{"verify", in("pw_verify").bytes("$2y$"), "result -5\n"},
		{"stat", in("stat").bytes("/a"), "result -5\n"},
		{"digest", in("digest").bytes("SHA-256"), "result -5\n"},
		{"fetch", in("fetch").bytes("GET").bytes("https://example.org/").bytes(""), "result -5\n"},
	} {
		got := m.ask(t, append([]byte{'I', tt.call.number}, tt.call.args...))
		if tt.what == "random" {
			if !strings.HasPrefix(got, tt.want) || len(got) != len(tt.want)+9 {
				t.Errorf("random: got %q", got)
			}
			continue
		}
		if tt.what == "get, no key" && got == "result -1\n" {
			continue // where a get has no error but that nothing is there
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.what, got, tt.want)
		}
	}
	if m.counted != 3 {
		t.Errorf("counted %d, want 3", m.counted)
	}
	if got := m.ask(t, []byte("?")); got != "unknown\n" {
		t.Errorf("got %q", got)
	}
}

// ask sends a mirror one chunk and returns what it made of it.
func (m *mirror) ask(t *testing.T, chunk []byte) string {
	t.Helper()
	p, err := m.filter.Filter(t.Context(), &policy.Chunk{
		Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1}, Op: policy.OpWrite, Path: "/a", Upload: true, Data: chunk})
	if err != nil || p.Verdict != policy.Rewrite {
		t.Fatalf("asked %.80x: got %v, %v", chunk, p.Verdict, err)
	}
	return string(p.Data)
}
