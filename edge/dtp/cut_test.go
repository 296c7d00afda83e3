package dtp

import (
	"fmt"
	"testing"
)

// TestCutAtGulps cuts uploads between two records wherever gulps and buffers begin and
// end: no such file is whole, unless that is what the user may leave out.
func TestCutAtGulps(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, size := range []int{1, record, pieceSize + 1, bufferSize, bufferSize + pieceSize, 2 * bufferSize} {
			for _, end := range []string{"cut", "lenient", "notified", "reset"} {
				t.Run(fmt.Sprintf("%d %s", size, end), func(t *testing.T) { s.uploadEnds(t, size, end) })
			}
		}
	})
}

func (s *site) uploadEnds(t *testing.T, size int, end string) {
	f, want := file(t, nil), pattern(size)
	tr := &Transfer{Receive: f}
	client := s.client()
	p := s.control(t, client, BindAuto)
	p.LenientClose = end == "lenient"
	c, done := beginTLS(t, within(t), p, client, tr)
	if err := c.HandshakeContext(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(want); err != nil {
		t.Fatal(err)
	}
	raw := c.NetConn().(*witness)
	var err error
	switch end {
	case "notified":
		err = c.CloseWrite()
		_ = raw.CloseWrite()
	case "reset":
		_ = raw.SetLinger(0)
		err = raw.Close()
	default:
		err = raw.CloseWrite()
	}
	if err != nil {
		t.Fatal(err)
	}
	res := await(t, done)
	switch {
	case end == "reset" && res.Err == nil, end == "cut" && res.Err != ErrTruncated:
		t.Errorf("it ended with %v", res.Err)
	case end == "lenient" && (res.Err != nil || !res.Unannounced), end == "notified" && (res.Err != nil || res.Unannounced):
		t.Errorf("it ended with %v, unannounced: %v", res.Err, res.Unannounced)
	case end != "reset" && res.Bytes != int64(size):
		t.Errorf("%d bytes were taken", res.Bytes)
	}
}
