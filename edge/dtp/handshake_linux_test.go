package dtp

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// apart sends every TLS record by itself, as GnuTLS does, and lets Nagle's
// algorithm hold back a small one until the one before is acknowledged.
type apart struct{ *net.TCPConn }

func (a apart) Write(b []byte) (total int, err error) {
	const header = 5
	for len(b) >= header && err == nil {
		var n int
		n, err = a.TCPConn.Write(b[:header+int(binary.BigEndian.Uint16(b[3:]))])
		total += n
		b = b[n:]
	}
	return total, err
}

// TestHandshakeAcknowledged has lftp's kind of client, whose last words of the
// handshake wait for an acknowledgement. Linux delays that by 40 ms at least, for
// every file.
func TestHandshakeAcknowledged(t *testing.T) {
	const delay = 40 * time.Millisecond
	versions(t, func(t *testing.T, s *site) {
		client := s.client()
		p := s.control(t, client, BindRequire)
		best := patience
		for range 10 { // the machine may be busy with something else for some of them
			tr := &Transfer{Protect: p, Send: bytes.NewReader(pattern(100))}
			raw, done := begin(t, within(t), tr)
			if err := raw.SetNoDelay(false); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(tls.Client(apart{raw}, client))
			if err != nil || len(got) != 100 {
				t.Fatalf("the client reads %d bytes, %v", len(got), err)
			}
			res := await(t, done)
			if res.Err != nil {
				t.Fatal(res.Err)
			}
			best = min(best, res.Took)
		}
		t.Logf("the fastest took %v", best)
		if best >= delay {
			t.Errorf("the fastest of the transfers took %v: the handshake waited for an acknowledgement", best)
		}
	})
}
