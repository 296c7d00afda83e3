package dtp

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// A part of a file is sent to its last byte, or it was not sent; by the kernel and by a
// copy alike.
func TestSendExact(t *testing.T) {
	want := pattern(1 << 20)
	for _, copied := range []bool{false, true} {
		for _, part := range []int64{0, 1, 1 << 19, 1<<20 - 7, 1<<20 - 6, 9 << 20} {
			f := file(t, want)
			if _, err := f.Seek(7, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			tr := &Transfer{Send: &Exact{R: f, N: part}, Copy: copied}
			c, done := begin(t, within(t), tr)
			end := min(7+part, int64(len(want)))
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want[7:end]) {
				t.Errorf("copied %v: %d bytes arrived of %d, %v", copied, len(got), part, err)
			}
			res := await(t, done)
			if short := end-7 < part; res.Bytes != end-7 || short != errors.Is(res.Err, ErrShort) || !short && res.Err != nil {
				t.Errorf("copied %v: %d bytes: %+v", copied, part, res)
			}
		}
	}
}

func TestExact(t *testing.T) {
	for n, want := range map[int64]error{-1: nil, 0: nil, 3: nil, 10: nil, 11: ErrShort} {
		e := &Exact{R: iotest.DataErrReader(bytes.NewReader(pattern(10))), N: n}
		got, err := io.ReadAll(e)
		if err != want || int64(len(got)) != min(max(n, 0), 10) || want == nil && e.N != min(n, 0) {
			t.Errorf("%d: %d bytes, %v, %d left", n, len(got), err, e.N)
		}
	}
	if _, err := io.ReadAll(&Exact{R: iotest.ErrReader(io.ErrNoProgress), N: 1}); err != io.ErrNoProgress {
		t.Error(err)
	}
}
