package build

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestWordsAreBounded holds that a tool that talks without end costs neither memory nor
// a log of that length, and that a result is never cut.
func TestWordsAreBounded(t *testing.T) {
	toolOrSkip(t, "sh", "it is of every system but the smallest")
	j := &job{dir: t.TempDir()}
	const talk = "head -c 3000000 /dev/zero | tr '\\0' x; "
	_, err := j.run(t.Context(), nil, nil, "sh", "-c", talk+"{ "+talk+"} >&2; exit 1")
	var fault *Error
	if !errors.As(err, &fault) || len(fault.Output) > 2*maxWords || !strings.HasPrefix(fault.Output, "xxx") {
		t.Errorf("%T of %d bytes", err, len(err.Error()))
	}
	if out, err := j.run(t.Context(), nil, nil, "sh", "-c", talk+"{ "+talk+"} >&2"); err != nil || len(out) != 3_000_000 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	h := head{most: 10}
	for range 3 {
		if n, err := h.Write([]byte("1234567")); n != 7 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if !bytes.Equal(h.b, []byte("1234567123")) || !h.cut {
		t.Errorf("%q", h.b)
	}
}
