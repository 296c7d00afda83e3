package pi

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// What is shown of a session is one copy until something has changed, whatever it is, and
// then another one; the first stays as it was.
func TestShown(t *testing.T) {
	s := &Session{state: &state{who: policy.Session{ID: 1, User: "joe"}}}
	first := s.shown()
	for i := range reflect.TypeFor[policy.Session]().NumField() {
		before := s.shown()
		was := *before
		if s.shown() != before {
			t.Fatal("a copy of what has not changed")
		}
		field := reflect.ValueOf(&s.who).Elem().Field(i)
		name := reflect.TypeFor[policy.Session]().Field(i).Name
		field.Set(different(t, field))
		if after := s.shown(); after == before || !reflect.DeepEqual(*after, s.who) {
			t.Errorf("%s has changed, and what is shown has not", name)
		}
		if !reflect.DeepEqual(*before, was) {
			t.Errorf("%s has changed in what was shown before", name)
		}
	}
	if first.ID != 1 || first.User != "joe" || first.State != nil {
		t.Errorf("the first copy is %+v now", first)
	}
	s.who.State = map[string][]byte{"a": {1}}
	if state := s.shown().State; len(state) != 1 {
		t.Errorf("state %v", state)
	}
	for i := range reflect.TypeFor[policy.TLS]().NumField() {
		before := s.shown()
		field := reflect.ValueOf(&s.who.TLS).Elem().Field(i)
		field.Set(different(t, field))
		if s.shown() == before {
			t.Errorf("TLS.%s has changed, and what is shown has not", reflect.TypeFor[policy.TLS]().Field(i).Name)
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.shown() }); n != 0 {
		t.Errorf("%v allocations where nothing has changed", n)
	}
}

// different is a value that a field does not have.
func different(t *testing.T, field reflect.Value) reflect.Value {
	t.Helper()
	switch v := field.Interface().(type) {
	case bool:
		return reflect.ValueOf(!v)
	case string:
		return reflect.ValueOf(v + "x")
	case uint64:
		return reflect.ValueOf(v + 1)
	case netip.AddrPort:
		return reflect.ValueOf(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), v.Port()+1))
	case policy.TLS:
		v.Cipher += "x"
		return reflect.ValueOf(v)
	case map[string][]byte:
		return reflect.ValueOf(map[string][]byte{})
	case *policy.Memo:
		return reflect.ValueOf(new(policy.Memo))
	}
	t.Fatalf("what else is there of %v? shown has to look at it", field.Type())
	return reflect.Value{}
}

func BenchmarkShown(b *testing.B) {
	s := &Session{state: &state{who: policy.Session{ID: 1, User: "joe", Listener: "ftp", Root: "/", Memo: new(policy.Memo),
		Peer: netip.MustParseAddrPort("127.0.0.1:1"), Local: netip.MustParseAddrPort("127.0.0.1:2")}}}
	b.ReportAllocs()
	for b.Loop() {
		s.shown()
	}
}
