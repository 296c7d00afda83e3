package dtp

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/nvt"
)

// canned is a connection on which everything has been sent already.
type canned struct {
	net.Conn
	io.Reader
}

func (c canned) Read(b []byte) (int, error)      { return c.Reader.Read(b) }
func (c canned) SetReadDeadline(time.Time) error { return nil }

// pieces is a reader of n bytes at a time.
type pieces struct {
	io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.n)]) }

// FuzzInflate gives anything for an upload in MODE Z. What is a whole stream, and
// nothing but one, must arrive as it is; all else must fail, within the limits.
func FuzzInflate(f *testing.F) {
	f.Add(zipped([]byte("a line\r\nand more\r")), uint16(3), true)
	f.Add(zipped(nil), uint16(1), false)
	f.Add(zipped(make([]byte, 3<<20)), uint16(500), false)
	f.Add([]byte("x\x9c\x03\x00\x00\x00\x00\x01!"), uint16(0), false)
	f.Add([]byte{}, uint16(9), false)
	f.Fuzz(func(t *testing.T, wire []byte, piece uint16, ascii bool) {
		const most = 1 << 20
		var got bytes.Buffer
		m := mover{ctx: context.Background(), conn: canned{Reader: pieces{bytes.NewReader(wire), int(piece) + 1}},
			Transfer: &Transfer{Receive: &got, ASCII: ascii, Deflate: new(Deflate), MaxBytes: most,
				Buffers: NewBuffers(4096), Progress: new(Progress), Limiter: &meter{slice: int(piece)}}}
		n, err := m.receive()
		if n != int64(got.Len()) || n > most {
			t.Errorf("%d bytes counted, %d stored, %d permitted", n, got.Len(), most)
		}
		want, whole := expanded(wire, ascii)
		switch {
		case errors.Is(err, ErrTooLarge):
			if int64(len(want)) <= most && !errors.Is(err, ErrRatio) {
				t.Errorf("%d bytes are too many: %v", len(want), err)
			}
		case whole != (err == nil):
			t.Errorf("whole is %v, error %v", whole, err)
		case err == nil && !bytes.Equal(got.Bytes(), want):
			t.Errorf("stored %q, want %q", got.Bytes(), want)
		case err != nil && !errors.Is(err, ErrDeflate):
			t.Errorf("error is %v", err)
		}
	})
}

// expanded is what a stream holds, and whether it is whole with nothing behind.
func expanded(wire []byte, ascii bool) (content []byte, whole bool) {
	in := bytes.NewReader(wire)
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, false
	}
	content, err = io.ReadAll(io.LimitReader(r, 8<<20))
	if ascii {
		var dec nvt.Decoder
		content = dec.Flush(dec.Append(nil, content))
	}
	return content, err == nil && in.Len() == 0
}

// FuzzPlain: what HOST names has one form, without brackets where it is an address.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "a.example.org", "192.0.2.1", "[2001:DB8:0::1]", "[::ffff:192.0.2.1]", "[fe80::1%eth0]", "[", "]", "[x]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		once := plain(host)
		if again := plain(once); again != once {
			t.Errorf("%q is %q, and that is %q", host, once, again)
		}
		if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && plain("["+ip.String()+"]") != ip.Unmap().WithZone("").String() {
			t.Errorf("%q is %q", host, once)
		}
	})
}
