package refusal_test

import (
	"errors"
	"io"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/refusal"
)

func TestError(t *testing.T) {
	full := &refusal.Error{Code: "EF2118", Summary: "no", Found: "a", Needs: "b", Help: "c", Err: io.EOF}
	if got, want := full.Error(), "EF2118: no\n   = found:  a\n   = needs:  b\n   = help:   c"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(full, io.EOF) {
		t.Error("the cause is lost")
	}
	if got := (&refusal.Error{Code: "EF2118", Summary: "no", Help: "c"}).Error(); got != "EF2118: no\n   = help:   c" {
		t.Errorf("%q", got)
	}
}
