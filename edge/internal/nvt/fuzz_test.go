package nvt_test

import (
	"bytes"
	"testing"

	"github.com/edgeftp/edgeftp/edge/internal/nvt"
)

// cut splits data at the places that the bytes of cuts name, one after another.
func cut(data, cuts []byte) [][]byte {
	var pieces [][]byte
	for _, c := range cuts {
		n := min(int(c), len(data))
		pieces = append(pieces, data[:n])
		data = data[n:]
	}
	return append(pieces, data)
}

func FuzzChunks(f *testing.F) {
	f.Add([]byte("a\r\nb\rc\nd\r"), []byte{1, 1, 0, 1, 2})
	f.Add([]byte("\r\r\n\n\r"), []byte{1, 1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, data, cuts []byte) {
		var e1, e2 nvt.Encoder
		var d1, d2 nvt.Decoder
		encoded := e1.Append(nil, data)
		decoded := d1.Flush(d1.Append(nil, data))
		var ep, dp []byte
		for _, p := range cut(data, cuts) {
			ep = e2.Append(ep, p)
			dp = d2.Append(dp, p)
		}
		dp = d2.Flush(dp)
		if !bytes.Equal(encoded, ep) {
			t.Errorf("encode %q cut by %v: %q, in one piece %q", data, cuts, ep, encoded)
		}
		if !bytes.Equal(decoded, dp) {
			t.Errorf("decode %q cut by %v: %q, in one piece %q", data, cuts, dp, decoded)
		}
		if len(encoded) > 2*len(data) || len(decoded) > len(data) {
			t.Errorf("%d bytes became %d encoded, %d decoded", len(data), len(encoded), len(decoded))
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"))
	f.Fuzz(func(t *testing.T, data []byte) {
		text := bytes.ReplaceAll(data, []byte{'\r'}, []byte{'.'})
		var e nvt.Encoder
		var d nvt.Decoder
		wire := e.Append(nil, text)
		if got := d.Flush(d.Append(nil, wire)); !bytes.Equal(got, text) {
			t.Errorf("%q came back as %q", text, got)
		}
		if bytes.Count(wire, []byte("\r\n")) != bytes.Count(wire, []byte("\n")) {
			t.Errorf("a bare LF on the wire: %q", wire)
		}
	})
}
