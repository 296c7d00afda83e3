package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var someone = policy.Session{ID: 7, User: "anna", Root: "/home/anna", Listener: "main", VHost: "shop", Protocol: "ftpq/1", Group: "staff",
	Peer: netip.MustParseAddrPort("192.0.2.77:40001"), Local: netip.MustParseAddrPort("[2001:db8:1:2::a7]:21")}

func question(op policy.Op, path string) *policy.Action {
	s := someone
	return &policy.Action{Meta: policy.Meta{Session: &s, Request: 3, Time: time.Unix(1_700_000_000, 0)}, Op: op, Path: path}
}

// load loads a module of the host's own tests.
func load(t testing.TB, module string, o wasmhost.LoadOptions) *wasmhost.Policy {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", module+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := wasmhost.New(t.Context(), wasmhost.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Load(t.Context(), "guard", b, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), h.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// recorded asks a module about paths and returns what was seen.
func recorded(t testing.TB, module string, paths ...string) (list []*wasmhost.Exchange) {
	p := load(t, module, wasmhost.LoadOptions{})
	p.Watch(&wasmhost.Watcher{Tell: func(x *wasmhost.Exchange) { list = append(list, x) }})
	for _, path := range paths {
		_, _ = p.Hooks().Authorizer.Authorize(context.Background(), question(policy.OpWrite, path)) // the exchange has it
	}
	if len(list) != len(paths) {
		t.Fatalf("%d exchanges of %d", len(list), len(paths))
	}
	return list
}

// write makes a recording of exchanges.
func write(t testing.TB, list []*wasmhost.Exchange, limit int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, limit)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Module(Module{Policy: "guard", Digest: "sha256:00", Generation: 2}); err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if _, err := w.Exchange(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(3); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAll reads a recording to its end or fault.
func readAll(b []byte) (list []*Exchange, end *End, err error) {
	r, err := NewReader(bytes.NewReader(b))
	for err == nil {
		var x *Exchange
		if x, err = r.Next(); err == nil {
			list = append(list, x)
		}
	}
	if r != nil {
		end = r.End()
	}
	return list, end, err
}

func TestRecording(t *testing.T) {
	list := recorded(t, "moody", "/a/fine", "/a/deny", "/a/trap", "/a/fail")
	list[0].Host = []wasmhost.HostCall{{Import: "kv_get", In: []byte("in"), Result: -1}, {Import: "random", Out: []byte{1, 2}}}
	got, end, err := readAll(write(t, list, 0))
	if err != io.EOF || len(got) != 4 || end == nil || *end != (End{Exchanges: 4, Dropped: 3}) {
		t.Fatalf("%d exchanges, %+v, %v", len(got), end, err)
	}
	for i, x := range got {
		want := *list[i]
		if (x.Err == nil) != (want.Err == nil) || x.Err != nil && (x.Err.Error() != want.Err.Error() || causeOf(x.Err) != causeOf(want.Err)) {
			t.Errorf("%d: got %v, want %v", i, x.Err, want.Err)
		}
		x.Err, want.Err = nil, nil
		if len(want.Reply) == 0 {
			want.Reply = nil
		}
		if !reflect.DeepEqual(x.Exchange, want) || x.Module.Policy != "guard" {
			t.Errorf("%d: got %+v, want %+v", i, x.Exchange, want)
		}
	}
}

// TestCutOff gives what is whole of a recording whose writer died, at any byte.
func TestCutOff(t *testing.T) {
	b := write(t, recorded(t, "moody", "/a/fine", "/a/deny"), 0)
	for n := range b {
		list, _, err := readAll(b[:n])
		if n < len(magic) && !errors.Is(err, ErrFormat) || n >= len(magic) && err != io.ErrUnexpectedEOF || len(list) > 2 {
			t.Fatalf("%d of %d bytes: %d exchanges, %v", n, len(b), len(list), err)
		}
		bad := bytes.Clone(b)
		bad[n] ^= 1
		if _, _, err := readAll(bad); err == io.EOF {
			t.Fatalf("byte %d was changed, and nobody saw it", n)
		}
	}
}

func TestFull(t *testing.T) {
	whole := write(t, recorded(t, "moody", "/a/fine", "/a/deny"), 0)
	got, end, err := readAll(write(t, recorded(t, "moody", "/a/fine", "/a/deny"), int64(len(whole)-100)))
	if err != io.EOF || len(got) != 1 || !end.Full || end.Dropped != 4 || end.Exchanges != 1 {
		t.Errorf("%d exchanges, %+v, %v", len(got), end, err)
	}
}

// TestHide replaces every name and nothing else: the lengths, the extension and the
// kept directory stay.
func TestHide(t *testing.T) {
	x := recorded(t, "moody", "/inbox/anna-böse/Report 2026.xlsx")[0]
	x.Host = []wasmhost.HostCall{{Import: "kv_get", In: []byte("\x0a\x00\x00\x00quota/anna"), Out: []byte("anna@192.0.2.77")},
		{Import: "fetch", In: []byte("secret"), Out: []byte("secret"), Result: 6},
		{Import: "pw_verify", In: []byte("$argon2id$v=19$m=65536$c2FsdA$aGFzaA"), Result: 1}}
	before := len(x.Record)
	h := NewHider([]byte("key"), "/inbox")
	if err := h.Hide(x); err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%q", write(t, []*wasmhost.Exchange{x}, 0))
	for _, name := range []string{"anna", "böse", "Report", "2026", "192.0.2.77", "a7]:21", "secret", "aGFzaA"} {
		if strings.Contains(all, name) {
			t.Errorf("%q is left", name)
		}
	}
	q, err := new(abi.Decoder).Action(x.Record)
	if err != nil || len(x.Record) != before {
		t.Fatalf("%d bytes, want %d: %v", len(x.Record), before, err)
	}
	if !strings.HasPrefix(q.Path, "/inbox/") || !strings.HasSuffix(q.Path, ".xlsx") || q.Session.Group != "staff" || q.Session.VHost != "shop" || q.Session.Protocol != "ftpq/1" ||
		!strings.HasPrefix(q.Session.Peer.String(), "192.0.") || q.Session.Local.String()[:12] != "[2001:db8:1:" {
		t.Errorf("%+v %+v", q, q.Session)
	}
	if key := string(x.Host[0].In[4:]); key != "quota/"+q.Session.User || !strings.HasPrefix(string(x.Host[0].Out), q.Session.User+"@192.0.") {
		t.Errorf("the key %q is not the user %q's; %q", key, q.Session.User, x.Host[0].Out)
	}
	again := recorded(t, "moody", "/inbox/anna-böse/Report 2026.xlsx")[0]
	if err := NewHider([]byte("key"), "/inbox").Hide(again); err != nil || !bytes.Equal(again.Record, x.Record) {
		t.Errorf("the same key gave another record, or %v", err)
	}
}

// TestHideAddresses replaces where bytes went and where a client was before, and leaves their
// networks and ports.
func TestHideAddresses(t *testing.T) {
	peer := netip.MustParseAddrPort("198.51.100.93:20000")
	s := someone
	m := policy.Meta{Session: &s, Request: 3}
	for _, write := range []func() ([]byte, error){
		func() ([]byte, error) {
			return abi.AppendAction(nil, "", &policy.Action{Meta: m, Op: policy.OpRead, Path: "/a", DataPeer: peer})
		},
		func() ([]byte, error) {
			return abi.AppendTransfer(nil, "", &policy.Transfer{Meta: m, Op: policy.OpRead, Path: "/a", DataPeer: peer})
		},
		func() ([]byte, error) {
			return abi.AppendChunk(nil, "", &policy.Chunk{Meta: m, Op: policy.OpRead, Path: "/a", DataPeer: peer})
		},
		func() ([]byte, error) {
			return abi.AppendEvent(nil, "", &policy.Event{Meta: m, Kind: policy.EventClientMoved, Text: peer.String(), DataPeer: peer})
		},
	} {
		rec, err := write()
		if err != nil {
			t.Fatal(err)
		}
		x := &wasmhost.Exchange{Hook: abi.KindOf(rec).String(), Record: rec}
		if err := NewHider([]byte("key")).Hide(x); err != nil || bytes.Contains(x.Record, []byte("100.93")) || !bytes.Contains(x.Record, []byte("198.51.")) || !bytes.Contains(x.Record, []byte(":20000")) {
			t.Errorf("%s: %v, %q", x.Hook, err, x.Record)
		}
	}
}

// TestNoBinding holds that a recording of a login has not what binds it to its connection,
// and that it can be hidden and replayed as any other.
func TestNoBinding(t *testing.T) {
	const binding = "of a connection, and of no other"
	p := load(t, "protocol", wasmhost.LoadOptions{})
	var list []*wasmhost.Exchange
	p.Watch(&wasmhost.Watcher{Tell: func(x *wasmhost.Exchange) { list = append(list, x) }})
	s := someone
	login := &policy.Login{Meta: policy.Meta{Session: &s, Request: 3}, Binding: []byte(binding)}
	if _, err := p.Hooks().Authenticator.Authenticate(t.Context(), login); err != nil || len(list) != 1 {
		t.Fatalf("%d exchanges, %v", len(list), err)
	}
	plain := write(t, list, 0)
	if err := NewHider([]byte("key")).Hide(list[0]); err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"plain": plain, "hidden": write(t, list, 0)} {
		read, _, err := readAll(b)
		if err != io.EOF || len(read) != 1 || bytes.Contains(b, []byte(binding)) {
			t.Fatalf("%s: %d exchanges, %v, %q", what, len(read), err, b)
		}
		q, err := new(abi.Decoder).Login(read[0].Record)
		if err != nil || q.Binding != nil || q.Session.Protocol != "ftpq/1" || q.Session.Listener != "main" {
			t.Errorf("%s: %+v, %v", what, q, err)
		}
		// Who asks for a binding answers otherwise where there is none: as of a password.
		report, err := Replay(t.Context(), read, Options{New: load(t, "protocol", wasmhost.LoadOptions{Intercept: Answer})})
		if err != nil || report.Exchanges != 1 || report.Failed != 0 {
			t.Errorf("%s: %+v, %v", what, report, err)
		}
	}
}

// TestReplay finds what another module would answer otherwise, and nothing else.
func TestReplay(t *testing.T) {
	var paths []string
	for i := range 600 {
		paths = append(paths, fmt.Sprintf("/a/%s%d", []string{"fine", "next", "deny"}[i%3], i)) // the first letters decide
	}
	list, _, err := readAll(write(t, recorded(t, "moody", append(paths, "/a/trap")...), 0))
	if err != io.EOF {
		t.Fatal(err)
	}
	o := wasmhost.LoadOptions{Intercept: Answer}
	same, err := Replay(t.Context(), list, Options{New: load(t, "moody", o)})
	if err != nil || same.Exchanges != 601 || same.Same != 601 || same.OldFuel != same.NewFuel || len(same.Groups) != 0 {
		t.Errorf("%+v, %v", same, err)
	}
	other, err := Replay(t.Context(), list, Options{New: load(t, "deny", o)})
	if err != nil || other.Same+other.Differ != 601 || other.Differ < 401 || len(other.Groups) == 0 {
		t.Fatalf("%+v, %v", other, err)
	}
	total := 0
	for _, g := range other.Groups {
		total += g.Count
		if g.Hook != "fs" || g.Op != "write" || g.Where != "/a/*" || g.Was == g.Now {
			t.Errorf("%+v", g)
		}
	}
	if total != other.Differ {
		t.Errorf("groups of %d, want %d", total, other.Differ)
	}
	both, err := Replay(t.Context(), list, Options{Old: load(t, "deny", o), New: load(t, "deny", o), Workers: 1})
	if err != nil || both.Same != 601 {
		t.Errorf("%+v, %v", both, err)
	}
}

func TestAnswer(t *testing.T) {
	got := func(calls []wasmhost.HostCall, c wasmhost.HostCall) wasmhost.HostCall {
		x := &told{}
		x.reset(calls)
		if !Answer(context.WithValue(t.Context(), toldKey{}, x), &c) {
			t.Error("not answered")
		}
		return c
	}
	then := []wasmhost.HostCall{{Import: "kv_get", In: []byte("a"), Result: 1, Out: []byte("1")}, {Import: "kv_get", In: []byte("b"), Result: 2, Out: []byte("22")}, {Import: "fetch", Result: 7}}
	if c := got(then, wasmhost.HostCall{Import: "kv_get", In: []byte("b")}); c.Result != 2 || string(c.Out) != "22" {
		t.Errorf("%+v", c)
	}
	if c := got(then, wasmhost.HostCall{Import: "kv_get", In: []byte("c")}); c.Result != int64(abi.ErrnoNotFound) {
		t.Errorf("%+v", c)
	}
	if c := got(then, wasmhost.HostCall{Import: "fetch", In: []byte("?")}); c.Result != int64(abi.ErrnoIO) {
		t.Errorf("%+v", c)
	}
	if c := got(nil, wasmhost.HostCall{Import: "random", In: []byte{4, 0, 0, 0, 0, 0, 0, 0}}); len(c.Out) != 4 {
		t.Errorf("%+v", c)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(magic))
	x := &wasmhost.Exchange{Hook: "fs", Record: []byte("r"), Host: []wasmhost.HostCall{{Import: "kv_get", In: []byte("k")}}}
	f.Add(write(f, []*wasmhost.Exchange{x, x}, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, _, err := readAll(b)
		if err == nil {
			t.Error("no end")
		}
		for _, x := range list {
			_ = NewHider([]byte("key")).Hide(&x.Exchange) // must not panic; most are no records
		}
	})
}

func FuzzExchange(f *testing.F) {
	rec, err := abi.AppendAction(nil, slotName, question(policy.OpRename, "/a/b.c"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(appendExchange(nil, &wasmhost.Exchange{Hook: "fs", Record: rec, Reply: []byte{1, 0, 1, 0, 'x'}, Err: &Failure{Text: "why"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x wasmhost.Exchange
		if readExchange(b, &x) != nil {
			return
		}
		if again := appendExchange(nil, &x); !bytes.Equal(again, b) {
			t.Errorf("got %x, want %x", again, b)
		}
		_ = words(&x)
		_, _ = About(x.Record)
		_ = NewHider([]byte("key")).Hide(&x) // must not panic
	})
}
