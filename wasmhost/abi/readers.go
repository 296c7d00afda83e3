package abi

import (
	"encoding/binary"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// questions are the last ones of the hooks that came with minor 2.
type questions struct {
	listing  policy.Listing
	command  policy.Command
	site     policy.SiteCall
	transfer policy.Transfer
	chunk    policy.Chunk
	cert     policy.CertRequest
	names    string // ARG of the last listing
	entries  []policy.Entry
	carry    [policy.MaxCarry]byte
}

// Listing decodes a record of the hook list, or fails with [ErrRecord].
func (d *Decoder) Listing(rec []byte) (*policy.Listing, error) {
	var r record
	if err := d.record(&r, rec, HookList); err != nil {
		return nil, err
	}
	entries, err := d.entries(&r, rec)
	if err != nil {
		return nil, err
	}
	d.more.listing = policy.Listing{Meta: r.meta, Path: d.text(&r, SpanPath), Entries: entries}
	return &d.more.listing, r.noOp()
}

// entries reads ARG of a listing. One string holds all names.
func (d *Decoder) entries(r *record, rec []byte) ([]policy.Entry, error) {
	arg := r.spans[SpanArg]
	if r.a < 1 || r.a > policy.MaxEntries || int(r.a)*EntrySize > len(arg) {
		return nil, wrong(ErrRecord, "%d entries in %d bytes", int(r.a), len(arg))
	}
	n := int(r.a)
	base := int(binary.LittleEndian.Uint32(rec[HeaderSize+8*int(SpanArg):]))
	if base%8 != 0 {
		return nil, wrong(ErrRecord, "entries at %d, which is no multiple of 8", base)
	}
	if d.more.names != string(arg[n*EntrySize:]) {
		d.more.names = string(arg[n*EntrySize:])
	}
	names := d.more.names
	if d.more.entries == nil {
		d.more.entries = make([]policy.Entry, policy.MaxEntries)
	}
	first := uint64(base + n*EntrySize)
	for i := range n {
		b := arg[i*EntrySize : (i+1)*EntrySize]
		off := uint64(binary.LittleEndian.Uint32(b))
		length := uint64(binary.LittleEndian.Uint32(b[4:]))
		if off < first || off-first+length >= uint64(len(names)) || names[off-first+length] != 0 {
			return nil, wrong(ErrRecord, "the name of entry %d is outside ARG or without a NUL", i)
		}
		name := names[off-first : off-first+length]
		if !goodName(name) {
			return nil, wrong(ErrRecord, "entry %d has no good name", i)
		}
		d.more.entries[i] = factsOf(b)
		d.more.entries[i].Name = name
	}
	return d.more.entries[:n], nil
}

// Command decodes a record of the hook cmd, or fails with [ErrRecord].
func (d *Decoder) Command(rec []byte) (*policy.Command, error) {
	var r record
	if err := d.verb(&r, rec, HookCmd); err != nil {
		return nil, err
	}
	d.more.command = policy.Command{Meta: r.meta, Verb: d.text(&r, SpanExtra), Arg: d.text(&r, SpanArg),
		Dir: d.text(&r, SpanPath)}
	return &d.more.command, nil
}

// SiteCall decodes a record of the hook site, or fails with [ErrRecord].
func (d *Decoder) SiteCall(rec []byte) (*policy.SiteCall, error) {
	var r record
	if err := d.verb(&r, rec, HookSite); err != nil {
		return nil, err
	}
	d.more.site = policy.SiteCall{Meta: r.meta, Verb: d.text(&r, SpanExtra), Arg: d.text(&r, SpanArg),
		Dir: d.text(&r, SpanPath)}
	return &d.more.site, nil
}

func (d *Decoder) verb(r *record, rec []byte, h Hook) error {
	if err := d.record(r, rec, h); err != nil {
		return err
	}
	if len(r.spans[SpanExtra]) == 0 {
		return wrong(ErrRecord, "no command")
	}
	return r.noOp()
}

// Transfer decodes a record of the hook throttle, or fails with [ErrRecord].
func (d *Decoder) Transfer(rec []byte) (*policy.Transfer, error) {
	var r record
	if err := d.record(&r, rec, HookThrottle); err != nil {
		return nil, err
	}
	if r.op == 0 {
		return nil, wrong(ErrRecord, "no operation")
	}
	d.more.transfer = policy.Transfer{
		Meta: r.meta, Op: policy.Op(r.op), Path: d.text(&r, SpanPath), Upload: r.flags&FlagUpload != 0,
		Size: r.a, Moved: r.b, Took: time.Duration(d.attrs.took), DataPeer: d.attrs.dataPeer,
	}
	return &d.more.transfer, nil
}

// Chunk decodes a record of the hook data, or fails with [ErrRecord].
func (d *Decoder) Chunk(rec []byte) (*policy.Chunk, error) {
	var r record
	if err := d.record(&r, rec, HookData); err != nil {
		return nil, err
	}
	data, carry := r.spans[SpanArg], r.spans[SpanExtra]
	switch {
	case r.op == 0:
		return nil, wrong(ErrRecord, "no operation")
	case len(data) > policy.MaxChunk:
		return nil, wrong(ErrRecord, "a chunk of %d bytes", len(data))
	case len(carry) > policy.MaxCarry:
		return nil, wrong(ErrRecord, "%d bytes carried", len(carry))
	}
	d.more.chunk = policy.Chunk{
		Meta: r.meta, Op: policy.Op(r.op), Path: d.text(&r, SpanPath), Upload: r.flags&FlagUpload != 0,
		Offset: r.a, Data: data[:len(data):len(data)], Last: r.flags&FlagLast != 0,
		DataPeer: d.attrs.dataPeer,
	}
	if n := copy(d.more.carry[:], carry); n > 0 {
		d.more.chunk.Carry = d.more.carry[:n:n]
	}
	return &d.more.chunk, nil
}

// CertRequest decodes a record of the hook cert, or fails with [ErrRecord].
func (d *Decoder) CertRequest(rec []byte) (*policy.CertRequest, error) {
	var r record
	if err := d.record(&r, rec, HookCert); err != nil {
		return nil, err
	}
	if len(r.spans[SpanArg]) == 0 {
		return nil, wrong(ErrRecord, "no name")
	}
	d.more.cert = policy.CertRequest{Meta: r.meta, Name: d.text(&r, SpanArg)}
	return &d.more.cert, r.noOp()
}

// noOp refuses an operation where the hook has none.
func (r *record) noOp() error {
	if r.op != 0 {
		return wrong(ErrRecord, "operation %d where there is none", r.op)
	}
	return nil
}
