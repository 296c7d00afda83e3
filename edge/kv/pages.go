package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt trusts what is in its file: a wrong page number there is a panic, in a
// goroutine where nobody can recover from it, or a fault in mapped memory. So the
// pages are read here first, as ordinary data that may be anything. The form is
// that of version 2, in the byte order of the machine:
//
//	page     id u64, kind u16, count u16, pages that follow u32; then the elements
//	branch   element: place u32, length of the key u32, page u64
//	leaf     element: flags u32, place u32, lengths of key and value u32 each
//	meta     magic, version, page size, flags u32; root u64, sequence u64,
//	         free list u64, end u64, transaction u64, FNV-1a of these u64
//
// A place counts from its element. A value with flag 1 is a bucket: its root page
// u64 and sequence u64; with root 0 the page itself follows, without a number.
const (
	pageHead   = 16
	element    = 16
	bucketHead = 16
	metaLen    = 64
	metaMagic  = 0xED0CDAED

	kindBranch = 1
	kindLeaf   = 2
	kindMeta   = 4
	kindFree   = 16

	noFreeList = 1<<64 - 1
	maxPage    = 64 << 10
	maxDepth   = 64 // levels of pages; a billion keys need less than ten
)

// pages reads the pages of a file, and notes which it has seen.
type pages struct {
	r    io.ReaderAt
	size uint64 // of a page
	end  uint64 // the first page that is not used
	seen map[uint64]bool
}

func u16(b []byte) uint64 { return uint64(binary.NativeEndian.Uint16(b)) }
func u32(b []byte) uint64 { return uint64(binary.NativeEndian.Uint32(b)) }
func u64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }

// CheckFile reports whether a bbolt file can be read and written without harm: every page
// that bbolt will read is looked at first, since a damaged one may end the program. Nobody
// may write to the file meanwhile. The error wraps [ErrDamaged].
func CheckFile(f *os.File) error {
	if err := checkPages(f); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// checkPages reports whether what bbolt will read is in order: every page of the
// tree is in the file, is what it says, is there once, and has its keys in order.
func checkPages(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	meta, err := newestMeta(f)
	if err != nil {
		return err
	}
	p := &pages{r: f, size: u32(meta[8:]), end: u64(meta[40:]), seen: map[uint64]bool{0: true, 1: true}}
	if p.end < 3 || p.end > uint64(info.Size())/p.size {
		return fmt.Errorf("%d pages of %d bytes are in use, the file has %d bytes", p.end, p.size, info.Size())
	}
	if err := p.tree(u64(meta[16:]), nil, nil, 0); err != nil {
		return err
	}
	if free := u64(meta[32:]); free != noFreeList {
		return p.freeList(free)
	}
	return nil
}

// newestMeta returns the meta page that holds: of the two, the later that is whole.
func newestMeta(r io.ReaderAt) ([]byte, error) {
	var best []byte
	size := uint64(0)
	for place := uint64(0); place <= maxPage; place = max(2*place, 512) {
		if size != 0 && place > size {
			break
		}
		page := make([]byte, pageHead+metaLen)
		if _, err := r.ReadAt(page, int64(place)); err != nil {
			break
		}
		m := page[pageHead:]
		if !validMeta(m) || place != 0 && u32(m[8:]) != place {
			continue
		}
		if size = u32(m[8:]); best == nil || u64(m[48:]) > u64(best[48:]) {
			best = m
		}
	}
	if best == nil {
		return nil, errors.New("its head is not that of a key-value file")
	}
	return best, nil
}

func validMeta(m []byte) bool {
	sum := fnv.New64a()
	_, _ = sum.Write(m[:56])
	size := u32(m[8:])
	return u32(m) == metaMagic && u32(m[4:]) == 2 && u64(m[56:]) == sum.Sum64() &&
		size >= 512 && size <= maxPage && size&(size-1) == 0
}

// page reads a page with those that follow it, and notes that it was seen.
func (p *pages) page(id uint64) ([]byte, error) {
	head := make([]byte, pageHead)
	if id < 2 || id >= p.end {
		return nil, fmt.Errorf("page %d of %d", id, p.end)
	}
	if _, err := p.r.ReadAt(head, int64(id*p.size)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	more := u32(head[12:])
	if u64(head) != id || more >= p.end-id {
		return nil, fmt.Errorf("page %d says that it is page %d with %d more", id, u64(head), more)
	}
	for i := id; i <= id+more; i++ {
		if p.seen[i] {
			return nil, fmt.Errorf("page %d is in two places", i)
		}
		p.seen[i] = true
	}
	page := make([]byte, (1+more)*p.size)
	if _, err := p.r.ReadAt(page, int64(id*p.size)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return page, nil
}

// tree checks the pages below one, whose keys are from low on and below high, where
// these are not nil.
func (p *pages) tree(id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return errors.New("too many levels")
	}
	page, err := p.page(id)
	if err != nil {
		return err
	}
	return p.elements(page, id, low, high, depth)
}

// elements checks what is on a page, and the pages below.
func (p *pages) elements(page []byte, id uint64, low, high []byte, depth int) error {
	kind, count := u16(page[8:]), u16(page[10:])
	switch {
	case kind != kindBranch && kind != kindLeaf:
		return fmt.Errorf("page %d is of kind %d", id, kind)
	case kind == kindBranch && count == 0, pageHead+count*element > uint64(len(page)):
		return fmt.Errorf("page %d has %d elements", id, count)
	}
	keys := make([][]byte, count)
	for i := range count {
		var err error
		if keys[i], err = keyOf(page, kind, i); err != nil {
			return fmt.Errorf("page %d, element %d: %w", id, i, err)
		}
		if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 || i == 0 && bytes.Compare(keys[i], low) < 0 ||
			high != nil && bytes.Compare(keys[i], high) >= 0 {
			return fmt.Errorf("page %d, element %d: keys are not in order", id, i)
		}
	}
	for i := range count {
		next := high
		if i+1 < count {
			next = keys[i+1]
		}
		if err := p.below(page, kind, i, keys[i], next, depth); err != nil {
			return err
		}
	}
	return nil
}

// keyOf returns an element's key, having found that key and value are on the page.
func keyOf(page []byte, kind, i uint64) ([]byte, error) {
	at := pageHead + i*element
	e := page[at:]
	place, length, value := u32(e), u32(e[4:]), uint64(0)
	if kind == kindLeaf {
		place, length, value = u32(e[4:]), u32(e[8:]), u32(e[12:])
	}
	if length == 0 || place < element || at+place+length+value > uint64(len(page)) {
		return nil, errors.New("it is not on the page")
	}
	return page[at+place : at+place+length], nil
}

// below checks what an element stands for, if that is a page or a bucket.
func (p *pages) below(page []byte, kind, i uint64, key, next []byte, depth int) error {
	at := pageHead + i*element
	e := page[at:]
	switch {
	case kind == kindBranch:
		return p.tree(u64(e[8:]), key, next, depth+1)
	case u32(e) == 0:
		return nil
	case u32(e) != 1:
		return fmt.Errorf("an element with flags %d", u32(e))
	}
	start := at + u32(e[4:]) + u32(e[8:])
	bucket := page[start : start+u32(e[12:])]
	switch {
	case len(bucket) < bucketHead:
		return fmt.Errorf("a bucket of %d bytes", len(bucket))
	case u64(bucket) != 0:
		return p.tree(u64(bucket), nil, nil, depth+1)
	case len(bucket) < bucketHead+pageHead || u16(bucket[bucketHead+8:]) != kindLeaf || depth >= maxDepth:
		return errors.New("a bucket without a page")
	}
	return p.elements(bucket[bucketHead:], 0, nil, nil, depth+1)
}

// freeList checks the list of pages that are free: none of them may be in use.
func (p *pages) freeList(id uint64) error {
	page, err := p.page(id)
	if err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	count, ids := u16(page[10:]), page[pageHead:]
	if count == 0xFFFF {
		count, ids = u64(ids), ids[8:]
	}
	if u16(page[8:]) != kindFree || count > uint64(len(ids))/8 {
		return fmt.Errorf("page %d is no free list", id)
	}
	for i := range count {
		switch free := u64(ids[8*i:]); {
		case free < 2 || free >= p.end:
			return fmt.Errorf("page %d of %d is free", free, p.end)
		case p.seen[free]:
			return fmt.Errorf("page %d is free and is not", free)
		default:
			p.seen[free] = true
		}
	}
	return nil
}
