package bridge

import (
	"crypto/sha256"
	"hash"
)

// maxWindow is how much is kept of an upload that may have to be sent once more: what was
// sent and is not stored yet is on its way, in buffers at both ends, and in the windows of
// the connection.
const maxWindow = 4 << 20

// window is the end of what has come from a client, in a ring. Its places are counted from
// the first byte that has come. The zero value keeps no more than it needs to move bytes.
type window struct {
	limit int       // bytes that are kept; 0 is none, but for those that are on the move
	sum   hash.Hash // of what lies before start; nil where nobody will ask
	ring  []byte    // it grows up to the limit while all is kept
	start int64     // the first byte that is kept
	total int64     // all that have come
}

// keeps makes w one that can be asked for what has passed through it.
func (w *window) keeps() { w.limit, w.sum = maxWindow, sha256.New() }

// room is where the next bytes are to be read to. Those that lie there are given up.
func (w *window) room() []byte {
	if size := int64(len(w.ring)); w.total == size && len(w.ring) < max(w.limit, chunk) {
		w.ring = append(w.ring, make([]byte, max(size, chunk))...)
	}
	size := int64(len(w.ring))
	at := w.total % size
	n := min(chunk, size-at)
	if first := w.total + n - size; first > w.start {
		w.read(w.start, first, func(b []byte) error {
			if w.sum != nil {
				_, _ = w.sum.Write(b) // never fails
			}
			return nil
		})
		w.start = first
	}
	return w.ring[at : at+n]
}

// took says how many bytes were read to there.
func (w *window) took(n int) { w.total += int64(n) }

// read shows what is kept between two places, in pieces, until an error.
func (w *window) read(from, to int64, show func([]byte) error) error {
	for from < to {
		at := from % int64(len(w.ring))
		n := min(to-from, int64(len(w.ring))-at)
		if err := show(w.ring[at : at+n]); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// digest is the SHA-256 of all that has come before a place that is kept; nil if it is not.
func (w *window) digest(to int64) []byte {
	if w.sum == nil || to < w.start || to > w.total {
		return nil
	}
	sum, err := w.sum.(hash.Cloner).Clone() // as all hashes of the library can
	if err != nil {
		return nil
	}
	_ = w.read(w.start, to, func(b []byte) error {
		_, err := sum.Write(b)
		return err
	})
	return sum.Sum(nil)
}
