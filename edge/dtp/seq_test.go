package dtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"testing"
	"testing/iotest"
)

// counted yields n lines out of one piece of memory and notes its end.
func counted(n int, last error, ended *bool) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		defer func() { *ended = true }()
		var line []byte
		for i := range n {
			line = fmt.Appendf(line[:0], "line %d\n", i)
			if !yield(line, nil) {
				return
			}
			if i%7 == 0 && !yield(nil, nil) {
				return
			}
		}
		if last != nil {
			yield([]byte("the end"), last)
		}
	}
}

func said(n int, end string) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String() + end
}

func TestFromSeq(t *testing.T) {
	bad := errors.New("the source")
	for _, test := range []struct {
		n    int
		last error
		want string
		err  error
	}{
		{0, nil, "", nil}, {1000, nil, said(1000, ""), nil}, {3, io.EOF, said(3, "the end"), nil}, {3, bad, said(3, "the end"), bad}, {0, bad, "the end", bad},
	} {
		for _, cut := range []bool{false, true} {
			var ended bool
			r := FromSeq(counted(test.n, test.last, &ended))
			var src io.Reader = r
			if cut {
				src = iotest.OneByteReader(r)
			}
			got, err := io.ReadAll(src)
			if string(got) != test.want || !errors.Is(err, test.err) {
				t.Errorf("%d lines: %q, %v", test.n, got, err)
			}
			for range 2 {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			if !ended {
				t.Error("the iterator still runs")
			}
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("a read after Close: %v", err)
			}
		}
	}
}

// Close ends an iterator in the middle, and one that never began is not begun.
func TestFromSeqClosed(t *testing.T) {
	for _, read := range []int{1, 3} {
		var ended bool
		r := FromSeq(counted(1000, nil, &ended))
		if n, err := r.Read(make([]byte, read)); n != read || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if err := r.Close(); err != nil || !ended {
			t.Errorf("after %d bytes: ended %v, %v", read, ended, err)
		}
	}
	var ended bool
	if err := FromSeq(counted(1, nil, &ended)).Close(); err != nil || ended {
		t.Errorf("it ran %v, %v", ended, err)
	}
}

// A command sends what it makes up as it goes; with every line there is a piece.
func TestFromSeqSent(t *testing.T) {
	var ended bool
	r := FromSeq(counted(20_000, nil, &ended))
	defer r.Close()
	tr := &Transfer{Send: r}
	c, done := begin(t, within(t), tr)
	want := said(20_000, "")
	if got, err := io.ReadAll(c); err != nil || string(got) != want {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	well(t, await(t, done), tr, len(want), len(want))
}
