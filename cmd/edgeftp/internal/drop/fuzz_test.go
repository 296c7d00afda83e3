package drop

import (
	"bytes"
	"testing"
)

func FuzzWhole(f *testing.F) {
	f.Add(module('a'))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x00\x80\x80\x80\x80\x80"))
	f.Fuzz(func(t *testing.T, m []byte) {
		if !whole(m) || len(m) <= 8 || !bytes.HasPrefix(m, []byte("\x00asm")) {
			return
		}
		run := 0
		for _, c := range m { // a length that is none ends the walk
			if c < 0x80 {
				run = 0
			} else if run++; run == 5 {
				return
			}
		}
		if whole(m[:len(m)-1]) {
			t.Errorf("%q is whole with its last byte and without", m)
		}
	})
}

func FuzzDigestFile(f *testing.F) {
	f.Add([]byte("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  x\n"))
	f.Add([]byte("sha256:"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if checkDigest(nil, text) == nil && !bytes.Contains(bytes.ToLower(text), []byte("e3b0c44298fc1c149afbf4c8996fb924")) {
			t.Errorf("%q is taken for the digest of nothing", text)
		}
	})
}
