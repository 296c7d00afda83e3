package edge

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

func sample(path, text, user string) *policy.Event {
	return &policy.Event{Meta: policy.Meta{Session: &policy.Session{ID: 7, User: user, Peer: netip.MustParseAddrPort("[2001:db8::1]:1"),
		TLS: policy.TLS{Version: "1.3"}, ASCII: true}, Request: 9, Time: time.Unix(1, 5).UTC()},
		Kind: policy.EventFileSent, Path: path, Text: text, Op: policy.OpRead, Size: 1 << 40, Took: time.Second, Code: 226,
		Policy: "a", Generation: 3, Late: true, DataPeer: netip.MustParseAddrPort("192.0.2.7:40002")}
}

// FuzzEventRecord holds that every event comes back as it was, whatever its texts
// are, without the session's state.
func FuzzEventRecord(f *testing.F) {
	f.Add("/a", "text", "joe")
	f.Add("/\xff\x00", "€", "\xe9")
	f.Fuzz(func(t *testing.T, path, text, user string) {
		in := sample(path, text, user)
		in.Session.State = map[string][]byte{"a": []byte("secret")}
		b, err := encodeEvent(in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := decodeEvent(b)
		if err != nil {
			t.Fatal(err)
		}
		if in.Session.State = nil; !reflect.DeepEqual(in, out) {
			t.Errorf("%+v (%+v)\nbecame %+v (%+v)", in, in.Session, out, out.Session)
		}
	})
}

// FuzzEventDecode holds that nothing on a disk makes the reader panic or gives an
// event without a session.
func FuzzEventDecode(f *testing.F) {
	good, err := encodeEvent(sample("/\xff", "x", "y"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"Event":null}`))
	f.Add([]byte(`{"Bytes":true,"Event":{"Session":{},"Path":"€"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := decodeEvent(b); err == nil && e.Session == nil {
			t.Error("an event without a session")
		}
	})
}

// collector takes events, or fails to.
type collector struct {
	got  chan policy.Event
	fail bool
}

func (*collector) Name() string          { return "collector" }
func (c *collector) Hooks() policy.Hooks { return policy.Hooks{Observer: c} }
func (c *collector) Observe(_ context.Context, e *policy.Event) error {
	if c.fail {
		c.got <- policy.Event{}
		return errors.New("not now")
	}
	c.got <- *e
	return nil
}

// TestDurable holds that events which a policy did not take are handed over by the
// next server, in order and whole.
func TestDurable(t *testing.T) {
	dir := t.TempDir()
	begin := func(c *collector) *Server {
		srv, err := New(Config{FS: vfs.NewMem(), Listeners: []Listener{{Name: "l"}},
			Policies: []Slot{{Name: "log", Policy: c, Options: Options{Spool: dir}}}})
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	first := &collector{got: make(chan policy.Event, 64), fail: true}
	srv := begin(first)
	for _, text := range []string{"one", "two \xff", "three"} {
		srv.Tell(policy.Event{Kind: policy.EventConfigReloaded, Text: text})
	}
	<-first.got // it was tried
	none := &collector{got: make(chan policy.Event, 64)}
	if err := begin(none).Shutdown(t.Context()); err != nil { // it has a spool of its own
		t.Fatal(err)
	}
	if len(none.got) > 0 {
		t.Errorf("two servers share a spool, which had %v", <-none.got)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := srv.Status().Policies[0].Events; st.Added != 3 || st.Stored != 3 || st.Delivered != 0 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
	second := &collector{got: make(chan policy.Event, 64)}
	srv = begin(second)
	srv.Tell(policy.Event{Kind: policy.EventConfigReloaded, Text: "four"})
	for _, want := range []string{"one", "two \xff", "three", "four"} {
		if e := <-second.got; e.Text != want || e.Kind != policy.EventConfigReloaded {
			t.Errorf("%+v, want %q", e, want)
		}
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := srv.Status().Policies[0].Events; st.Delivered != 4 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}
