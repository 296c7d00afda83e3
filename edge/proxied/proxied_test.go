package proxied

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// v2 is a header of version 2 whose length is right.
func v2(command, family byte, body ...byte) string {
	head := append([]byte(prefix2), command, family, 0, 0)
	binary.BigEndian.PutUint16(head[14:], uint16(len(body)))
	return string(append(head, body...))
}

// ends are the addresses of a body.
func ends(src, dst string) []byte {
	a, b := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	out := append(a.Addr().AsSlice(), b.Addr().AsSlice()...)
	out = binary.BigEndian.AppendUint16(out, a.Port())
	return binary.BigEndian.AppendUint16(out, b.Port())
}

// tlv is one more field of version 2.
func tlv(kind byte, value string) []byte {
	out := binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value)))
	return append(out, value...)
}

type sample struct {
	name, header string
	peer, local  string // empty: the connection's own
	fault        string // in the error; empty: it is a header
}

func samples() []sample {
	const a4, b4, a6, b6 = "203.0.113.7:40000", "192.0.2.1:21", "[2001:db8::7]:40000", "[2001:db8::1]:21"
	four, six := ends(a4, b4), ends(a6, b6)
	unix := make([]byte, 216)
	copy(unix, "/run/client")
	copy(unix[108:], "/run/server")
	tlvs := append(append(four[:len(four):len(four)], tlv(0x03, "\x12\x34\x56\x78")...), tlv(0x20, strings.Repeat("certificate", 200))...)
	return []sample{
		{"version 1, TCP4", "PROXY TCP4 203.0.113.7 192.0.2.1 40000 21\r\n", a4, b4, ""},
		{"version 1, the shortest", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "1.1.1.1:1", "2.2.2.2:2", ""},
		{"version 1, TCP6", "PROXY TCP6 2001:db8::7 2001:db8::1 40000 21\r\n", a6, b6, ""},
		{"version 1, the longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe80:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "", "", "no client"},
		{"version 1, UNKNOWN", "PROXY UNKNOWN\r\n", "", "", ""},
		{"version 1, UNKNOWN with addresses", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "", "", ""},
		{"version 1, too long", "PROXY UNKNOWN " + strings.Repeat("f", 100) + "\r\n", "", "", "longer"},
		{"version 1, endless", "PROXY TCP4 " + strings.Repeat("1", 1<<16), "", "", "longer"},
		{"version 1, LF alone", "PROXY TCP4 203.0.113.7 192.0.2.1 40000 21\n", "", "", "cannot be read"},
		{"version 1, a lone CR", "PROXY TCP4 203.0.113.7\r192.0.2.1 40000 21\r\n", "", "", "cannot be read"},
		{"version 1, empty", "PROXY \r\n", "", "", "cannot be read"},
		{"version 1, a port too high", "PROXY TCP4 203.0.113.7 192.0.2.1 65536 21\r\n", "", "", "cannot be read"},
		{"version 1, the wrong family", "PROXY TCP4 2001:db8::7 2001:db8::1 40000 21\r\n", "", "", "cannot be read"},
		{"version 1, a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::1 40000 21\r\n", "", "", "PROXY header"},
		{"version 1, a name", "PROXY TCP4 localhost 192.0.2.1 40000 21\r\n", "", "", "cannot be read"},
		{"version 1, nobody", "PROXY TCP4 0.0.0.0 192.0.2.1 40000 21\r\n", "", "", "no client"},
		{"version 1, everybody", "PROXY TCP4 255.255.255.255 192.0.2.1 40000 21\r\n", "", "", "no client"},
		{"version 1, a group", "PROXY TCP4 224.0.0.1 192.0.2.1 40000 21\r\n", "", "", "no client"},
		{"version 2, TCP4", v2(0x21, 0x11, four...), a4, b4, ""},
		{"version 2, TCP6", v2(0x21, 0x21, six...), a6, b6, ""},
		{"version 2, IPv4 in IPv6's form", v2(0x21, 0x21, ends("[::ffff:203.0.113.7]:40000", "[::ffff:192.0.2.1]:21")...), a4, b4, ""},
		{"version 2, more fields", v2(0x21, 0x11, tlvs...), a4, b4, ""},
		{"version 2, as much as is read", v2(0x21, 0x11, append(four[:12:12], make([]byte, 4084)...)...), a4, b4, ""},
		{"version 2, a byte more", v2(0x21, 0x11, append(four[:12:12], make([]byte, 4085)...)...), "", "", "longer"},
		{"version 2, 64 KiB", v2(0x21, 0x11, append(four[:12:12], make([]byte, 65523)...)...), "", "", "longer"},
		{"version 2, LOCAL", v2(0x20, 0x00), "", "", ""},
		{"version 2, LOCAL with addresses", v2(0x20, 0x11, four...), "", "", ""},
		{"version 2, LOCAL with anything", v2(0x20, 0x11, 1, 2, 3), "", "", ""},
		{"version 2, UNSPEC", v2(0x21, 0x00, 1, 2, 3), "", "", ""},
		{"version 2, Unix sockets", v2(0x21, 0x31, unix...), "", "", ""},
		{"version 2, UDP", v2(0x21, 0x12, four...), "", "", "no client"},
		{"version 2, too short for its family", v2(0x21, 0x21, four...), "", "", "cannot be read"},
		{"version 2, an unknown command", v2(0x22, 0x11, four...), "", "", "cannot be read"},
		{"version 2, an unknown version", v2(0x31, 0x11, four...), "", "", "cannot be read"},
		{"version 2, an unknown family", v2(0x21, 0x41, four...), "", "", "cannot be read"},
		{"version 2, an unknown transport", v2(0x21, 0x13, four...), "", "", "cannot be read"},
	}
}

const after = "USER dev\r\n"

// Headers say what they say however they come in pieces, and what is behind them stays.
func TestRead(t *testing.T) {
	for _, s := range samples() {
		for way, cut := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "halves": iotest.HalfReader} {
			t.Run(s.name+", "+way, func(t *testing.T) {
				src := strings.NewReader(s.header + after)
				a, err := Read(cut(src))
				if s.fault != "" {
					if err == nil || !strings.Contains(err.Error(), s.fault) || a.There {
						t.Fatalf("%+v, %v; want an error with %q", a, err, s.fault)
					}
					return
				}
				if err != nil || !a.There || a.Before != nil {
					t.Fatalf("%+v, %v", a, err)
				}
				if got := told(a.Peer); got != s.peer {
					t.Errorf("the client is %s, want %s", got, s.peer)
				}
				if got := told(a.Local); got != s.local {
					t.Errorf("it has connected to %s, want %s", got, s.local)
				}
				if rest, _ := io.ReadAll(src); string(rest) != after {
					t.Errorf("behind the header is %q", rest)
				}
			})
		}
	}
}

func told(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// A header that ends before its end is an error, and none at all is told from it.
func TestCut(t *testing.T) {
	for _, s := range samples() {
		if s.fault != "" {
			continue
		}
		for n := range len(s.header) {
			a, err := Read(strings.NewReader(s.header[:n]))
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if !errors.Is(err, want) || a.There || string(a.Before) != s.header[:n] {
				t.Fatalf("%s, %d bytes of it: %+v, %v", s.name, n, a, err)
			}
		}
	}
}

// What begins with something else is given back, and no more is read than it takes to see
// that.
func TestNone(t *testing.T) {
	for _, text := range []string{"USER dev\r\n", "P", "PROXIES\r\n", "proxy tcp4 ", "\r\n\r\n\x00\r\nQUIT\r\n", "\r\nQUIT\r\n", "\x16\x03\x01\x02\x00\x01\x00"} {
		src := strings.NewReader(text + strings.Repeat("x", 1000))
		a, err := Read(src)
		rest, _ := io.ReadAll(src)
		if err != nil || a.There || string(a.Before)+string(rest) != text+strings.Repeat("x", 1000) || len(a.Before) > firstRead {
			t.Errorf("%q: %+v, %v, and %d bytes are left", text, a, err, len(rest))
		}
	}
}

// FuzzRead holds that bytes are neither lost nor made, that pieces make no difference, that
// memory is bounded, and that an announced address is one.
func FuzzRead(f *testing.F) {
	for _, s := range samples() {
		f.Add([]byte(s.header[:min(len(s.header), 5000)] + after))
	}
	f.Add([]byte(after))
	f.Fuzz(func(t *testing.T, data []byte) {
		src := bytes.NewReader(data)
		a, err := Read(src)
		used := len(data) - src.Len()
		src.Reset(data)
		b, err2 := Read(iotest.OneByteReader(src))
		if (err == nil) != (err2 == nil) || a.There != b.There || a.Peer != b.Peer || a.Local != b.Local {
			t.Fatalf("%+v, %v; in pieces %+v, %v", a, err, b, err2)
		}
		if again := len(data) - src.Len(); a.There && again != used {
			t.Fatalf("%d bytes are read, and in pieces %d", used, again)
		}
		if used > fixed2+longest2 || a.Before != nil && !bytes.Equal(a.Before, data[:used]) {
			t.Fatalf("of %d bytes %d are read, and %d given back", len(data), used, len(a.Before))
		}
		if a.There && (err != nil || a.Before != nil) {
			t.Fatalf("%+v, %v", a, err)
		}
		for _, at := range []netip.AddrPort{a.Peer, a.Local} {
			if at.IsValid() && (!possible(at.Addr()) || at.Addr().Is4In6() || !a.There) {
				t.Fatalf("%+v", a)
			}
		}
		if !a.There && err == nil && (bytes.HasPrefix(data, []byte(prefix1)) || bytes.HasPrefix(data, []byte(prefix2))) {
			t.Fatal("a header was not seen")
		}
	})
}

var _ func(io.Reader) (dtp.Announcement, error) = Read
