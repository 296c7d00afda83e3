package abi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func diff(a, b any) string {
	return cmp.Diff(a, b, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmpopts.EquateComparable(netip.Prefix{}))
}

// TestRoundTrip reads back what was written, in a decoder that has seen the other
// questions and at another place than the start of a buffer.
func TestRoundTrip(t *testing.T) {
	d := &Decoder{Slot: sampleSlot}
	for _, q := range sampleQuestions() {
		rec, err := q.encode([]byte("abc"))
		if err != nil {
			t.Fatalf("%s: %v", q.name, err)
		}
		for range 2 {
			got, err := decodeAny(d, rec[3:])
			if err != nil {
				t.Fatalf("%s: %v", q.name, err)
			}
			if x := diff(q.value(), got); x != "" {
				t.Errorf("%s: %s", q.name, x)
			}
		}
	}
}

// TestDecodedStringsStay holds that a policy may keep what it was shown.
func TestDecodedStringsStay(t *testing.T) {
	d := &Decoder{Slot: sampleSlot}
	rec, err := AppendLogin(nil, sampleSlot, &policy.Login{Meta: hostMeta(), Binding: sampleBinding()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Login(rec)
	if err != nil {
		t.Fatal(err)
	}
	binding := got.Binding
	user, sni, state, host := got.Session.User, got.Session.TLS.ServerName, got.Session.State, got.Session.Host
	clear(rec)
	if other, err := AppendLogin(nil, sampleSlot, &policy.Login{Meta: hostMeta(), Binding: make([]byte, BindingSize)}); err != nil {
		t.Fatal(err)
	} else if _, err := d.Login(other); err != nil || !bytes.Equal(binding, sampleBinding()) {
		t.Errorf("the binding is now %x, %v", binding, err)
	}
	if user != "ännä" || sni != "ftp.example.org" || !bytes.Equal(state[sampleSlot], []byte{0, 1, 2, 0xff}) || host != "ftp.example.net" {
		t.Errorf("they point into the record: %q %q %v %q", user, sni, state, host)
	}
}

// TestNothingIsLost holds that every fact of the vocabulary crosses the border: each
// field has a value in one of the samples at least, and those are read back whole.
func TestNothingIsLost(t *testing.T) {
	seen := map[string]bool{}
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		if v.Type() == reflect.TypeFor[*policy.Memo]() {
			return // it is the encoder's own
		}
		if v.Kind() == reflect.Pointer && v.IsNil() {
			seen[name] = seen[name] || false
			return
		}
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || v.NumField() == 0 || !v.Type().Field(0).IsExported() {
			seen[name] = seen[name] || !v.IsZero()
			return
		}
		for i := range v.NumField() {
			walk(name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
	for _, q := range sampleQuestions() {
		walk(reflect.TypeOf(q.value()).Elem().Name(), reflect.ValueOf(q.value()))
	}
	for _, a := range allAnswers() {
		walk(reflect.TypeOf(a.value()).Elem().Name(), reflect.ValueOf(a.value()))
	}
	delete(seen, "Identity.Reason")       // it is for the log of the server alone
	delete(seen, "Identity.DenyNetworks") // it is refused
	for _, name := range []string{"Login.Meta.Session.TLS.ClientSHA256", "Login.Early", "Event.Meta.Session.Host", "Event.Meta.Session.VHost",
		"Event.Meta.Session.Protocol", "Login.Binding", "Action.B",
		"Action.DataPeer", "Transfer.DataPeer", "Chunk.DataPeer", "Event.DataPeer", "Identity.Networks"} {
		if !seen[name] {
			t.Errorf("%s was not looked at", name)
		}
	}
	for name, full := range seen {
		if !full {
			t.Errorf("no sample has %s: does the ABI have a place for it?", name)
		}
	}
}

// TestDirtyBuffer writes every sample over bytes of an earlier one.
func TestDirtyBuffer(t *testing.T) {
	dirty := bytes.Repeat([]byte{0xa5}, 1<<17)
	for _, q := range sampleQuestions() {
		clean, err := q.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range dirty {
			dirty[i] = 0xa5
		}
		if got, err := q.encode(dirty[:0]); err != nil || !bytes.Equal(got, clean) {
			t.Errorf("%s: %x, %v", q.name, got, err)
		}
	}
}

// TestMemo writes a session out whose facts change, from several goroutines: each
// record is the one that it would be without a memo.
func TestMemo(t *testing.T) {
	full := fullMeta()
	kept := *full.Session
	kept.Memo = new(policy.Memo)
	changes := []func(*policy.Session){
		func(*policy.Session) {},
		func(s *policy.Session) { s.Client = "lftp" },
		func(s *policy.Session) { s.Client, s.Group = "", "staff" },
		func(s *policy.Session) { s.TLS = policy.TLS{} },
		func(s *policy.Session) { s.Peer, s.Root = netip.AddrPort{}, "" },
		func(s *policy.Session) { s.Host = "a\x00b" },
		func(s *policy.Session) { s.VHost = "shop" }, // and then nothing, so that this alone is a change
		func(*policy.Session) {},
		func(s *policy.Session) { s.Protocol = "h3" }, // likewise
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				with, without := kept, kept
				changes[i%len(changes)](&with)
				changes[i%len(changes)](&without)
				without.Memo = nil
				a, errA := AppendAction(nil, "x", &policy.Action{Meta: policy.Meta{Session: &with}, Op: policy.OpRead, Path: "/p"})
				b, errB := AppendAction(nil, "x", &policy.Action{Meta: policy.Meta{Session: &without}, Op: policy.OpRead, Path: "/p"})
				if !bytes.Equal(a, b) || (errA == nil) != (errB == nil) || (errA != nil) != (i%len(changes) == 5) {
					t.Errorf("change %d: %x, %v\nwant %x, %v", i%len(changes), a, errA, b, errB)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestEarlyIsForgotten holds that one decoder's early question does not make the
// next one early, nor give it the name that another client asked for or its connection's
// binding.
func TestEarlyIsForgotten(t *testing.T) {
	d := &Decoder{Slot: sampleSlot}
	for i, q := range []question{minor1()[2], sampleQuestions()[0], minor1()[1], sampleQuestions()[1], minor4()[3], minor4()[0]} {
		rec, err := q.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Login(rec)
		if err != nil || got.Early != (i%2 == 0) || (got.Session.Host != "") != (i == 0 || i == 4) || (got.Binding != nil) != (i == 4) {
			t.Errorf("%s: early %v, host %q, binding %x, %v", q.name, got.Early, got.Session.Host, got.Binding, err)
		}
	}
}

// TestFlagsOfOtherHooks holds that EARLY says nothing beside another hook, and that
// a flag of a later minor is no error.
func TestFlagsOfOtherHooks(t *testing.T) {
	rec, err := AppendAction(nil, "", &policy.Action{Meta: bareMeta(), Op: policy.OpRead, Path: "/a"})
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(rec[OffFlags:], FlagEarly|1<<31)
	if got, err := (&Decoder{}).Action(rec); err != nil || got.Path != "/a" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStateIsOnlyOnesOwn(t *testing.T) {
	rec, err := AppendLogin(nil, "other", &policy.Login{Meta: fullMeta()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := (&Decoder{}).Login(rec)
	if err != nil || got.Session.State != nil {
		t.Errorf("got %v, %v", got.Session.State, err)
	}
}

func TestMappedAddressIsUnmapped(t *testing.T) {
	m := bareMeta()
	m.Session.Peer = netip.MustParseAddrPort("[::ffff:192.0.2.7]:5")
	rec, err := AppendLogin(nil, "", &policy.Login{Meta: m})
	if err != nil {
		t.Fatal(err)
	}
	got, err := (&Decoder{}).Login(rec)
	if err != nil || got.Session.Peer.String() != "192.0.2.7:5" {
		t.Errorf("got %v, %v", got.Session.Peer, err)
	}
}

func TestEncodersRefuse(t *testing.T) {
	m := bareMeta()
	nul := bareMeta()
	nul.Session.Group = "a\x00b"
	host := bareMeta()
	host.Session.Host = "ftp.example.org\x00.example.net"
	vhost := bareMeta()
	vhost.Session.VHost = "shop\x00"
	protocol := bareMeta()
	protocol.Session.Protocol = "h3\x00"
	long := bareMeta()
	long.Session.Client = strings.Repeat("x", 1<<16)
	for name, q := range map[string]question{
		"no session":    {login: &policy.Login{}},
		"NUL in path":   {action: &policy.Action{Meta: m, Op: policy.OpRead, Path: "/a\x00"}},
		"NUL in path2":  {action: &policy.Action{Meta: m, Op: policy.OpRename, Path: "/a", Path2: "\x00"}},
		"NUL in attr":   {login: &policy.Login{Meta: nul}},
		"long attr":     {login: &policy.Login{Meta: long}},
		"code":          {event: &policy.Event{Meta: m, Kind: policy.EventLogin, Code: -1}},
		"NUL in host":   {login: &policy.Login{Meta: host}},
		"NUL in vhost":  {login: &policy.Login{Meta: vhost}},
		"early secret":  {login: &policy.Login{Meta: m, Early: true, Password: "x"}},
		"NUL, protocol": {login: &policy.Login{Meta: protocol}},
		"long binding":  {login: &policy.Login{Meta: m, Binding: make([]byte, BindingSize+1)}},
		"one byte":      {login: &policy.Login{Meta: m, Binding: make([]byte, 1)}},
	} {
		got, err := q.encode([]byte("x"))
		if !errors.Is(err, ErrEncode) || string(got) != "x" {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
	}
}

func TestAnswersRoundTrip(t *testing.T) {
	for _, a := range allAnswers() {
		got, v, err := a.encode([]byte("abc"))
		if err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		again, err := UnpackVerdict(v.Pack())
		if err != nil || again != v {
			t.Errorf("%s: verdict %+v, then %+v, %v", a.name, v, again, err)
		}
		back, err := decodeReply(a.hook(), v, got[3:], true)
		if x := diff(a.value(), back); err != nil || x != "" {
			t.Errorf("%s: %v %s", a.name, err, x)
		}
	}
}

func TestAnswerEncodersRefuse(t *testing.T) {
	answers := map[string]policy.Answer{
		"code":             {Verdict: policy.Deny, Code: 200},
		"code beside pass": {Code: 550},
		"two lines":        {Verdict: policy.Deny, Text: "a\r\nb"},
		"long text":        {Verdict: policy.Deny, Text: strings.Repeat("x", 513)},
		"path of allow":    {Verdict: policy.Allow, Path: "/x"},
		"empty rewrite":    {Verdict: policy.Rewrite},
		"relative rewrite": {Verdict: policy.Rewrite, Path: "x"},
		"negative rate":    {Limits: policy.Limits{RateUp: -1}},
		"verdict":          {Verdict: 9},
		"negative ttl":     {TTL: -1},
	}
	for name, a := range answers {
		if got, v, err := AppendAnswer(nil, &a); !errors.Is(err, ErrEncode) || len(got) != 0 || v != (Verdict{}) {
			t.Errorf("%s: got %x, %+v, %v", name, got, v, err)
		}
	}
	ids := map[string]policy.Identity{
		"rules":       {Verdict: policy.Allow, Rules: make([]policy.PathRule, MaxRules+1)},
		"a rule":      {Verdict: policy.Allow, Rules: []policy.PathRule{{Dir: "in"}}},
		"hide":        {Verdict: policy.Hide},
		"hash":        {Verdict: policy.Pass, PasswordHash: "x"},
		"state":       {Verdict: policy.Allow, State: make([]byte, 1025)},
		"old expiry":  {Verdict: policy.Allow, Expires: time.Unix(-1, 0)},
		"sessions":    {Verdict: policy.Allow, MaxSessions: -1},
		"home":        {Verdict: policy.Allow, Home: "in"},
		"group lines": {Verdict: policy.Allow, Group: "a\nb"},
		"no network":  {Verdict: policy.Allow, Networks: []netip.Prefix{{}}},
		"host bits":   {Verdict: policy.Allow, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}},
		"IPv4 as 6":   {Verdict: policy.Allow, Networks: []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.0/120")}},
		"denied":      {Verdict: policy.Allow, DenyNetworks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		"networks":    {Verdict: policy.Allow, Networks: make([]netip.Prefix, MaxNetworks+1)},
	}
	for name, id := range ids {
		if got, _, err := AppendIdentity(nil, &id); !errors.Is(err, ErrEncode) || len(got) != 0 {
			t.Errorf("%s: got %x, %v", name, got, err)
		}
	}
}

func TestFailure(t *testing.T) {
	b, v := AppendFailure(nil, "no\nsuch \xff thing"+strings.Repeat("é", 400))
	_, err := DecodeAnswer(v, b, true)
	if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "no?such ? thing") {
		t.Errorf("got %v", err)
	}
	if _, err := DecodeIdentity(Verdict{Action: Fail}, nil, true); !errors.Is(err, ErrFailed) {
		t.Errorf("got %v", err)
	}
}

func TestDone(t *testing.T) {
	text, _, _ := AppendAnswer(nil, &policy.Answer{Verdict: policy.Deny, Text: "no"})
	tests := []struct {
		v    Verdict
		b    []byte
		want error
	}{
		{Verdict{}, nil, nil},
		{Verdict{Action: policy.Allow}, nil, nil},
		{Verdict{Action: policy.Deny, Len: len(text)}, text, ErrFailed},
		{Verdict{Action: Fail}, nil, ErrFailed},
		{Verdict{Action: policy.Hide}, nil, ErrReply},
		{Verdict{Action: policy.Rewrite}, nil, ErrReply},
	}
	for _, tt := range tests {
		if err := DecodeDone(tt.v, tt.b, true); !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %v, want %v", tt.v, err, tt.want)
		}
	}
}

// TestNoAllocation holds the hot path of both ends to nothing.
func TestNoAllocation(t *testing.T) {
	a := &policy.Action{Meta: hostMeta(), Op: policy.OpWrite, Path: "/in/a.txt", Arg: "a.txt", DataPeer: netip.MustParseAddrPort("[2001:db8::7]:40002")}
	a.Session.Memo = new(policy.Memo)
	buf := make([]byte, 0, 4096)
	d := &Decoder{Slot: sampleSlot}
	reply := make([]byte, 0, 512)
	deny := &policy.Answer{Verdict: policy.Deny, Text: "no"}
	n := testing.AllocsPerRun(100, func() {
		rec, err := AppendAction(buf, sampleSlot, a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Action(rec); err != nil {
			t.Fatal(err)
		}
		if _, _, err := AppendAnswer(reply, deny); err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeAnswer(Verdict{Action: policy.Allow}, nil, false); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRecord(f *testing.F) {
	for _, q := range slices.Concat(sampleQuestions()[:12], minor1(), minor2(), minor3(), minor4(), minor5()) {
		rec, err := q.encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(rec)
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		d := &Decoder{Slot: sampleSlot}
		got, err := decodeAny(d, rec)
		if err != nil {
			return
		}
		// What was accepted has a canonical form that decodes to the same.
		var q question
		switch v := got.(type) {
		case *policy.Login:
			q.login = v
		case *policy.Action:
			q.action = v
		case *policy.Event:
			q.event = v
		default:
			q.more = v
		}
		again, err := q.encode(nil)
		if err != nil {
			return // a NUL inside a span, a listing that has grown too long
		}
		back, err := decodeAny(&Decoder{Slot: sampleSlot}, again)
		if err != nil {
			t.Fatal(err)
		}
		if x := diff(got, back); x != "" {
			t.Error(x)
		}
	})
}

func FuzzAttr(f *testing.F) {
	rec, err := AppendLogin(nil, "", &policy.Login{Meta: fullMeta()})
	if err != nil {
		f.Fatal(err)
	}
	entry := rec[HeaderSize+8*int(SpanAttr):]
	off, n := binary.LittleEndian.Uint32(entry), binary.LittleEndian.Uint32(entry[4:])
	f.Add(rec[off : off+n])
	f.Fuzz(func(_ *testing.T, b []byte) {
		var a attrs
		if a.decode(b) == nil {
			_ = a.decode(b)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, a := range allAnswers() {
		b, v, err := a.encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(a.hook()), v.Pack(), b)
	}
	f.Fuzz(func(t *testing.T, hook uint16, raw uint64, b []byte) {
		v, err := UnpackVerdict(raw)
		if err != nil {
			return
		}
		h := Hook(hook%uint16(HookCert)) + 1
		for _, strict := range []bool{false, true} {
			value, err := decodeReply(h, v, b, strict)
			if err != nil || h == HookEvent {
				continue
			}
			again, v2, err := answerOf(h, value).encode(nil)
			if id, ok := value.(*policy.Identity); ok && err != nil && !id.Expires.IsZero() {
				continue // a year that policies cannot write
			}
			if err != nil {
				t.Fatalf("accepted, but cannot be written: %v", err)
			}
			back, err := decodeReply(h, v2, again, true)
			if err != nil {
				t.Fatalf("written, but not accepted: %v", err)
			}
			if x := cmp.Diff(value, back, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})); x != "" {
				t.Error(x)
			}
		}
	})
}

func allAnswers() []answer { return slices.Concat(sampleAnswers(), newAnswers(), answers5()) }
