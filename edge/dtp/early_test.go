package dtp

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// TestEarlyFarewell has a client that says goodbye as soon as it is connected, as
// it has nothing to send: what it sent must not keep the file from it.
func TestEarlyFarewell(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		client, want := s.client(), pattern(3<<20)
		tr := &Transfer{Send: bytes.NewReader(want)}
		c, done := beginTLS(t, within(t), s.control(t, client, BindAuto), client, tr)
		if err := c.HandshakeContext(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		well(t, await(t, done), tr, len(want), len(want)) // it has left, and all is on its way
		<-time.After(300*time.Millisecond)
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived of %d, %v", len(got), len(want), err)
		}
	})
}
