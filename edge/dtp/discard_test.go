package dtp

import (
	"bytes"
	"io"
	"testing"
)

// gate is a file whose rest is read only when the gate has opened.
type gate struct {
	io.Reader
	open <-chan struct{}
}

func (g gate) Read(b []byte) (int, error) {
	<-g.open
	return g.Reader.Read(b)
}

// TestEarlyFarewell has a client that says goodbye while it receives, as it has
// nothing to send. The server closes at once, and what it still had in the socket
// reaches the client all the same.
func TestEarlyFarewell(t *testing.T) {
	needElsewhere(t) // elsewhere the kernel cannot be asked
	versions(t, func(t *testing.T, s *site) {
		client, want, open := s.client(), pattern(400_000), make(chan struct{})
		tr := &Transfer{Send: io.MultiReader(bytes.NewReader(want[:1]), gate{bytes.NewReader(want[1:]), open})}
		c, done := beginTLS(t, within(t), s.control(t, client, BindAuto), client, tr)
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil { // the handshake is done
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		close(open)
		well(t, await(t, done), tr, len(want), len(want))
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want[1:]) {
			t.Errorf("%d bytes arrived of %d, %v", len(got), len(want)-1, err)
		}
	})
}
