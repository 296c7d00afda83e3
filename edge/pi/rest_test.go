package pi

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// forgotten are the parts of a state that may be lost at rest: they are made again.
func forgotten() []string {
	return []string{
		"asking", "copied", "who.Memo", "link.plain", "link.reader.raw", "link.reader.buf", "link.reader.inArg",
		"lease.chain", "lease.session", // of a lease that holds nothing
	}
}

// leaves calls fn with each part of a state that has no parts.
func leaves(path string, v reflect.Value, fn func(path string, v reflect.Value)) {
	v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem() // so that it can be set
	switch v.Interface().(type) {
	case time.Time, netip.AddrPort:
		fn(path, v)
		return
	}
	if v.Kind() != reflect.Struct {
		fn(path, v)
		return
	}
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if path != "" {
			name = path + "." + name
		}
		if !slices.Contains(forgotten(), name) {
			leaves(name, v.Field(i), fn)
		}
	}
}

// another returns a value that a part does not have.
func another(v reflect.Value) reflect.Value {
	switch x := v.Interface().(type) {
	case time.Time:
		return reflect.ValueOf(x.Add(time.Hour))
	case netip.AddrPort:
		return reflect.ValueOf(netip.MustParseAddrPort("192.0.2.9:9"))
	case string:
		return reflect.ValueOf(x + "x")
	case vfs.Path:
		return reflect.ValueOf(x + "x")
	}
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Bool:
		out.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		out.SetInt(v.Int() + 1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		out.SetUint(v.Uint() ^ 1)
	case reflect.String:
		out.SetString(v.String() + "x")
	case reflect.Slice:
		out = reflect.MakeSlice(v.Type(), 1, 1)
	case reflect.Map:
		out = reflect.MakeMap(v.Type())
	case reflect.Pointer:
		out = reflect.New(v.Type().Elem())
	case reflect.Func:
		out = reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value { return nil })
	case reflect.Interface:
		for _, x := range []any{vfs.NewMem(), &net.TCPConn{}, newFakePort()} {
			if reflect.TypeOf(x).Implements(v.Type()) {
				out.Set(reflect.ValueOf(x))
			}
		}
	}
	return out
}

// equal compares two values of a part.
func equal(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Func, reflect.Pointer:
		return a.Pointer() == b.Pointer()
	case reflect.Interface:
		if p, ok := a.Interface().(*prompt); ok { // made anew
			q, ok := b.Interface().(*prompt)
			return ok && p.Conn == q.Conn
		}
		return a.Interface() == b.Interface()
	}
	if at, ok := a.Interface().(time.Time); ok {
		return at.Equal(b.Interface().(time.Time))
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// values are all parts of a state.
func values(s *state) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	leaves("", reflect.ValueOf(s).Elem(), func(path string, v reflect.Value) {
		kept := reflect.New(v.Type()).Elem()
		kept.Set(v)
		all[path] = kept
	})
	return all
}

// alone shares nothing.
type alone struct{}

func (alone) Keep(user string, id *policy.Identity) *Standing { return &Standing{user, *id} }
func (alone) Leave(*Standing)                                 {}

// connected returns a TCP connection of the system's.
func connected(t *testing.T) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server
}

// usual makes a session that may rest.
func usual(conf *Config, conn net.Conn) *Session {
	local, peer := conn.LocalAddr().(*net.TCPAddr).AddrPort(), conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	s := NewSession(conf, 7, conn, local, peer)
	s.link.greeted, s.link.told = true, true
	s.rank = identity{in: true, counted: true, home: "/", perms: policy.PermReadOnly, id: policy.Identity{Verdict: policy.Allow}}
	s.who.User = "dev"
	s.clock.line = s.clock.began.Add(time.Minute)
	return s
}

// TestRestKeepsEverything: whatever differs in a session from a usual one, it does after
// a rest, or there is no rest. A new field of a session is found here.
func TestRestKeepsEverything(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Standings = alone{} })
	defer func() { close(b.ended); b.close() }()
	conn := connected(t)
	t.Run("in the clear", func(t *testing.T) { restOtherwise(t, func() *Session { return usual(b.conf, conn) }) })
	t.Run("behind a proxy", func(t *testing.T) {
		brought := announced(t)
		restOtherwise(t, func() *Session { return usual(b.conf, brought) })
	})
	t.Run("under TLS", func(t *testing.T) {
		restOtherwise(t, func() *Session {
			s := usual(b.conf, conn)
			s.link.tls = &dtp.Control{Tag: dtp.NewTag()}
			s.link.conn = tls.Server(s.link.plain, new(tls.Config))
			s.who.TLS.Version = "1.3"
			return s
		})
	})
}

// announced returns a connection that a proxy has brought.
func announced(t *testing.T) net.Conn {
	t.Helper()
	p := dtp.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Read: func(io.Reader) (dtp.Announcement, error) {
		return dtp.Announcement{There: true, Peer: netip.MustParseAddrPort("203.0.113.7:40000"), Local: netip.MustParseAddrPort("198.51.100.1:21")}, nil
	}}
	conn, err := p.Meet(connected(t))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// restOtherwise changes each part of a session before it rests.
func restOtherwise(t *testing.T, usual func() *Session) {
	s := usual()
	parts := values(s.state)
	if s.Rest(); s.state != nil {
		t.Fatal("a usual session does not rest")
	}
	rested := 0
	for path := range parts {
		s := usual()
		leaves("", reflect.ValueOf(s.state).Elem(), func(p string, v reflect.Value) {
			if p == path {
				v.Set(another(v).Convert(v.Type()))
			}
		})
		before := values(s.state)
		if s.Rest(); s.state != nil {
			continue
		}
		rested++
		s.rise()
		for p, v := range values(s.state) {
			ofStep := slices.Contains([]string{"watch", "clock.awake", "clock.armed", "clock.here", "clock.late", "clock.done"}, p) // which is over
			if !ofStep && !equal(before[p], v) {
				t.Errorf("with another %s, %s was %v, and is %v after a rest", path, p, before[p], v)
			}
		}
	}
	t.Logf("%d of %d parts may differ at rest", rested, len(parts))
	if rested < 15 {
		t.Error("hardly any session may rest")
	}
}
