package main

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// question tells all of a record that a policy of the hook is shown. The decoder keeps
// nothing but the vocabulary of edge/policy, so what it understood is written out
// again: each word of the result comes from there.
func (m *mirror) question(h abi.Hook, record []byte) string {
	seen, entries, err := m.read(h, record)
	if err != nil {
		return "refused\n"
	}
	var d dump
	word := func(off int) int64 { return int64(binary.LittleEndian.Uint64(seen[off:])) }
	d.number("op", int64(binary.LittleEndian.Uint16(seen[abi.OffOp:])))
	d.unsigned("session", uint64(word(abi.OffSession)))
	d.unsigned("request", uint64(word(abi.OffRequest)))
	d.number("time", word(abi.OffTime))
	d.number("a", word(abi.OffA))
	d.number("b", word(abi.OffB))
	d.unsigned("flags", uint64(binary.LittleEndian.Uint32(seen[abi.OffFlags:])))
	for s := range abi.Span(h.Spans()) {
		d.hex(s.String(), span(seen, s))
	}
	d.attrs(span(seen, abi.SpanAttr))
	for _, e := range entries {
		stat := abi.AppendStat(nil, &e)
		d.text = append(d.text, "entry "...)
		d.text = strconv.AppendUint(d.text, uint64(abi.PosixMode(e.Mode)), 10)
		for off := 16; off < len(stat); off += 8 {
			d.text = append(d.text, ' ')
			d.text = strconv.AppendInt(d.text, int64(binary.LittleEndian.Uint64(stat[off:])), 10)
		}
		d.text = append(d.text, ' ')
		d.text = hex.AppendEncode(d.text, []byte(e.Name))
		d.text = append(d.text, '\n')
	}
	return string(d.text)
}

// read decodes a record and writes what was decoded.
func (m *mirror) read(h abi.Hook, record []byte) (seen []byte, entries []policy.Entry, err error) {
	d, slot := &m.decoder, m.decoder.Slot
	switch h {
	case abi.HookAuth:
		seen, err = again(d.Login, abi.AppendLogin, slot, record)
	case abi.HookFS:
		seen, err = again(d.Action, abi.AppendAction, slot, record)
	case abi.HookList:
		seen, err = again(d.Listing, abi.AppendListing, slot, record)
		if err == nil {
			var l *policy.Listing
			l, err = d.Listing(record)
			entries = l.Entries
		}
	case abi.HookCmd:
		seen, err = again(d.Command, abi.AppendCommand, slot, record)
	case abi.HookSite:
		seen, err = again(d.SiteCall, abi.AppendSiteCall, slot, record)
	case abi.HookThrottle:
		seen, err = again(d.Transfer, abi.AppendTransfer, slot, record)
	case abi.HookData:
		seen, err = again(d.Chunk, abi.AppendChunk, slot, record)
	case abi.HookEvent:
		seen, err = again(d.Event, abi.AppendEvent, slot, record)
	case abi.HookCert:
		seen, err = again(d.CertRequest, abi.AppendCertRequest, slot, record)
	default:
		err = abi.ErrRecord
	}
	return seen, entries, err
}

func again[Q any](decode func([]byte) (Q, error), write func([]byte, string, Q) ([]byte, error), slot string, record []byte) ([]byte, error) {
	q, err := decode(record)
	if err != nil {
		return nil, err
	}
	return write(nil, slot, q)
}

// span is where the bytes of one lie in a record that package abi wrote.
func span(record []byte, s abi.Span) []byte {
	at := record[abi.HeaderSize+8*int(s):]
	off := binary.LittleEndian.Uint32(at)
	return record[off : off+binary.LittleEndian.Uint32(at[4:])]
}

// dump is the text of a question.
type dump struct{ text []byte }

func (d *dump) number(name string, n int64) {
	d.text = append(append(d.text, name...), ' ')
	d.text = append(strconv.AppendInt(d.text, n, 10), '\n')
}

func (d *dump) unsigned(name string, n uint64) {
	d.text = append(append(d.text, name...), ' ')
	d.text = append(strconv.AppendUint(d.text, n, 10), '\n')
}

func (d *dump) hex(name string, b []byte) {
	d.text = append(append(d.text, name...), ' ')
	d.text = append(hex.AppendEncode(d.text, b), '\n')
}

// attrs tells the entries of ATTR by key.
func (d *dump) attrs(b []byte) {
	var values [abi.NumAttrs][]byte
	for len(b) > 0 {
		n := binary.LittleEndian.Uint16(b[2:])
		values[binary.LittleEndian.Uint16(b)] = b[4 : 4+n]
		b = b[4+n:]
	}
	for key, value := range values {
		if value != nil {
			d.hex("attr "+strconv.Itoa(key), value)
		}
	}
}
