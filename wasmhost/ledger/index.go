package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

const (
	format     = 1
	maxIndex   = 16 << 20 // bytes
	maxSlots   = 1000
	maxHistory = 100  // entries of a slot
	maxName    = 100  // bytes of a slot's name
	maxText    = 1000 // bytes of a version, a signer, a source
)

// Entry is a module that a slot took, with its size in bytes.
type Entry struct {
	trust.Accepted
	Size int64 `json:"size"`
}

// slots are the modules of each slot, the newest first, each digest once.
type slots map[string][]Entry

type index struct {
	Format int   `json:"format"`
	Slots  slots `json:"slots"`
}

// encode returns the text of the index.
func (s slots) encode() ([]byte, error) {
	text, err := json.MarshalIndent(index{Format: format, Slots: s}, "", " ")
	if err == nil && len(text) > maxIndex {
		err = fmt.Errorf("the index would have more than %d bytes", maxIndex)
	}
	return append(text, '\n'), err
}

// decode reads the text of an index. It takes only what encode could have
// written: an index that was changed by accident is better noticed than used.
func decode(text []byte) (slots, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var in index
	if err := d.Decode(&in); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("bytes after the index")
	}
	if in.Format != format {
		return nil, fmt.Errorf("format %d, this server reads format %d", in.Format, format)
	}
	if in.Slots == nil || len(in.Slots) > maxSlots {
		return nil, fmt.Errorf("%d slots, from 0 to %d are possible", len(in.Slots), maxSlots)
	}
	sizes := map[trust.Digest]int64{}
	for name, list := range in.Slots {
		if err := checkSlot(name); err != nil {
			return nil, err
		}
		if err := checkList(list, sizes); err != nil {
			return nil, fmt.Errorf("slot %q: %w", name, err)
		}
	}
	return in.Slots, nil
}

func checkSlot(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("%.100q is not a name for a slot: it needs 1 to %d bytes of UTF-8", name, maxName)
	}
	return nil
}

// checkList checks a slot's entries. sizes are those of the modules seen so far.
func checkList(list []Entry, sizes map[trust.Digest]int64) error {
	if len(list) == 0 || len(list) > maxHistory {
		return fmt.Errorf("%d entries, from 1 to %d are possible", len(list), maxHistory)
	}
	here := map[trust.Digest]bool{}
	for i, e := range list {
		size, known := sizes[e.Digest]
		switch {
		case e.Digest == trust.Digest{}:
			return fmt.Errorf("entry %d has no digest", i)
		case here[e.Digest]:
			return fmt.Errorf("entry %d occurs twice", i)
		case e.Size < 0 || known && size != e.Size:
			return fmt.Errorf("entry %d has the size %d", i, e.Size)
		}
		here[e.Digest], sizes[e.Digest] = true, e.Size
	}
	return nil
}

// with returns a copy in which the slot has taken a module. A module that it had
// before moves to the front, so that going back and forth forgets nothing.
func (s slots) with(slot string, e Entry, keep int) slots {
	next := maps.Clone(s)
	list := []Entry{e}
	for _, old := range s[slot] {
		if old.Digest != e.Digest && len(list) <= keep {
			list = append(list, old)
		}
	}
	next[slot] = list
	return next
}

// sizes returns the size of every module that is named.
func (s slots) sizes() map[trust.Digest]int64 {
	sizes := map[trust.Digest]int64{}
	for _, list := range s {
		for _, e := range list {
			sizes[e.Digest] = e.Size
		}
	}
	return sizes
}

// bytes is what the modules take, each counted once.
func (s slots) bytes() (sum int64) {
	for _, n := range s.sizes() {
		sum += n
	}
	return sum
}

// shrink takes the oldest generations away, never a slot's newest, until the
// modules fit. It reports whether they do. Lists are cut in s, not in their
// arrays.
func (s slots) shrink(limit int64) bool {
	for s.bytes() > limit {
		oldest := ""
		for _, name := range slices.Sorted(maps.Keys(s)) {
			list := s[name]
			if len(list) > 1 && (oldest == "" || list[len(list)-1].At.Before(s[oldest][len(s[oldest])-1].At)) {
				oldest = name
			}
		}
		if oldest == "" {
			return false
		}
		s[oldest] = s[oldest][:len(s[oldest])-1]
	}
	return true
}

// clip bounds a text, which JSON can hold only as UTF-8.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "?")
}
