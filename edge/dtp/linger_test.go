package dtp

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// refuser is a file that takes nothing.
type refuser struct{ err error }

func (r refuser) Write([]byte) (int, error) { return 0, r.err }

// TestRefusedUpload has an upload refused at its first byte. A client that sends a little
// more than that ends as it always does, and so gets to read the reply that says why.
func TestRefusedUpload(t *testing.T) {
	refused := errors.New("refused")
	rest := func(t *testing.T, c net.Conn, closeWrite func() error, done <-chan Result) {
		t.Helper()
		for range 8 { // in pieces, as the reset comes after the first
			if _, err := c.Write(pattern(lingerBytes / 16)); err != nil {
				t.Fatal("the rest was not taken:", err)
			}
		}
		if err := closeWrite(); err != nil {
			t.Error("the end was not taken:", err)
		}
		wantErr(t, await(t, done).Err, refused)
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Error("the server's end:", err)
		}
	}
	t.Run("plain", func(t *testing.T) {
		c, done := begin(t, within(t), &Transfer{Receive: refuser{refused}})
		rest(t, c, c.CloseWrite, done)
	})
	versions(t, func(t *testing.T, s *site) {
		client := s.client()
		c, done := beginTLS(t, within(t), s.control(t, client, BindAuto), client, &Transfer{Receive: refuser{refused}})
		rest(t, c, c.CloseWrite, done)
	})
}

// TestLingerEnds has clients that go on after they were refused, without an end or with
// more than they are indulged.
func TestLingerEnds(t *testing.T) {
	refused := errors.New("refused")
	for name, more := range map[string]int{"silent": 0, "endless": 64 << 20} {
		t.Run(name, func(t *testing.T) {
			c, done := begin(t, within(t), &Transfer{Receive: refuser{refused}})
			began := time.Now()
			if _, err := c.Write(pattern(bufferSize)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = c.Write(make([]byte, more)) }()
			res := await(t, done)
			wantErr(t, res.Err, refused)
			if name == "silent" && time.Since(began) < lingerTime {
				t.Error("the client was not waited for")
			}
		})
	}
}
