package random

import (
	"bytes"
	"testing"
)

func TestFill(t *testing.T) {
	a, b := make([]byte, 10_000), make([]byte, 10_000)
	Fill(a)
	Fill(b)
	if bytes.Equal(a, b) || bytes.Equal(a[9_000:], make([]byte, 1000)) {
		t.Error("not random, or not filled")
	}
}
