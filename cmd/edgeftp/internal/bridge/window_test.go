package bridge

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// What a window keeps is what has come last, byte for byte, however it came; and it knows the
// digest of all that came before any byte of it.
func TestWindow(t *testing.T) {
	for _, sizes := range [][]int{{1}, {100}, {chunk}, {chunk - 1, 1, chunk}, {7, chunk, 3000, 12}} {
		var w window
		w.keeps()
		var all []byte
		source := rand.New(rand.NewPCG(1, 2))
		for i := 0; len(all) < 3*maxWindow/2; i++ {
			room := w.room()
			if len(room) == 0 || len(room) > chunk {
				t.Fatalf("room for %d bytes", len(room))
			}
			n := min(sizes[i%len(sizes)], len(room))
			if len(sizes) == 1 && n == 1 && len(all) > 3*chunk { // it would take long
				break
			}
			for j := range n {
				room[j] = byte(source.Uint32())
			}
			w.took(n)
			all = append(all, room[:n]...)
		}
		if w.total != int64(len(all)) || w.start > max(0, w.total-maxWindow+chunk) || len(w.ring) > maxWindow {
			t.Fatalf("%v: %d to %d are kept of %d, in %d", sizes, w.start, w.total, len(all), len(w.ring))
		}
		for _, at := range []int64{w.start, (w.start + w.total) / 2, w.total} {
			if want := sha256.Sum256(all[:at]); !bytes.Equal(w.digest(at), want[:]) {
				t.Errorf("%v: the digest of %d bytes is another one", sizes, at)
			}
			var got []byte
			_ = w.read(at, w.total, func(b []byte) error { got = append(got, b...); return nil })
			if !bytes.Equal(got, all[at:]) {
				t.Errorf("%v: from %d on there are other bytes", sizes, at)
			}
		}
		if w.digest(w.start-1) != nil || w.digest(w.total+1) != nil {
			t.Errorf("%v: a digest of what is not there", sizes)
		}
	}
}

// One that keeps nothing is as small as what is moved at once.
func TestWindowOfNothing(t *testing.T) {
	var w window
	for range 100 {
		w.took(len(w.room()) / 3)
	}
	if len(w.ring) != chunk || w.digest(w.total) != nil {
		t.Errorf("%d bytes", len(w.ring))
	}
}
