package abi

import (
	"encoding/binary"
	"math"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// AppendListing appends the record of a listing, as [AppendLogin] does. a is the
// number of entries; ARG holds them (ABI §4), aligned to 8 bytes from the start of
// the record. It fails for none and for more than policy.MaxEntries.
//
// A record that is longer than the mailbox is for the caller to halve: a listing
// may come in pieces of any number of entries.
func AppendListing(dst []byte, slot string, l *policy.Listing) ([]byte, error) {
	var w writer
	w.begin(dst, slot, HookList, 0, &l.Meta)
	if w.s == nil {
		return dst, w.err
	}
	if n := len(l.Entries); n == 0 || n > policy.MaxEntries {
		w.fail("a listing of %d entries", n)
	}
	w.head(0, int64(len(l.Entries)), 0)
	w.text(SpanUser, w.s.User)
	w.text(SpanPath, l.Path)
	w.entries(l.Entries)
	w.places()
	w.attrs()
	return w.finish()
}

// AppendCommand appends the record of a command, as [AppendLogin] does. PATH is the
// working directory, ARG the argument, EXTRA the command itself.
func AppendCommand(dst []byte, slot string, c *policy.Command) ([]byte, error) {
	return appendVerb(dst, slot, HookCmd, &c.Meta, c.Verb, c.Arg, c.Dir)
}

// AppendSiteCall appends the record of a SITE command, as [AppendCommand] does.
func AppendSiteCall(dst []byte, slot string, c *policy.SiteCall) ([]byte, error) {
	return appendVerb(dst, slot, HookSite, &c.Meta, c.Verb, c.Arg, c.Dir)
}

func appendVerb(dst []byte, slot string, h Hook, m *policy.Meta, verb, arg, dir string) ([]byte, error) {
	var w writer
	w.begin(dst, slot, h, 0, m)
	if w.s == nil {
		return dst, w.err
	}
	if verb == "" {
		w.fail("no command")
	}
	w.head(0, 0, 0)
	w.texts(dir, arg)
	w.attrs()
	w.text(SpanExtra, verb)
	return w.finish()
}

// AppendTransfer appends the record of a transfer (hook throttle), as [AppendLogin]
// does. a is its Size, b what was Moved; Took and DataPeer are in ATTR.
func AppendTransfer(dst []byte, slot string, t *policy.Transfer) ([]byte, error) {
	var w writer
	w.begin(dst, slot, HookThrottle, uint16(t.Op), &t.Meta)
	if w.s == nil {
		return dst, w.err
	}
	w.head(upload(t.Upload), t.Size, t.Moved)
	w.texts(t.Path, "")
	w.attrBegin()
	w.sessionAttrs()
	w.attrInt(AttrTook, int64(t.Took))
	w.attrAddr(AttrDataPeer, t.DataPeer)
	w.attrEnd()
	return w.finish()
}

// AppendChunk appends the record of a chunk (hook data), as [AppendLogin] does. a is
// its Offset, ARG the bytes, EXTRA what the last answer left. It fails for more
// than policy.MaxChunk bytes.
func AppendChunk(dst []byte, slot string, c *policy.Chunk) ([]byte, error) {
	var w writer
	w.begin(dst, slot, HookData, uint16(c.Op), &c.Meta)
	if w.s == nil {
		return dst, w.err
	}
	if len(c.Data) > policy.MaxChunk || len(c.Carry) > policy.MaxCarry {
		w.fail("a chunk of %d bytes with %d carried", len(c.Data), len(c.Carry))
	}
	flags := upload(c.Upload)
	if c.Last {
		flags |= FlagLast
	}
	w.head(flags, c.Offset, 0)
	w.text(SpanUser, w.s.User)
	w.text(SpanPath, c.Path)
	w.raw(SpanArg, c.Data)
	w.places()
	w.attrBegin()
	w.sessionAttrs()
	w.attrAddr(AttrDataPeer, c.DataPeer)
	w.attrEnd()
	w.raw(SpanExtra, c.Carry)
	return w.finish()
}

// AppendCertRequest appends the record of the hook cert, as [AppendLogin] does. ARG
// is the name.
func AppendCertRequest(dst []byte, slot string, r *policy.CertRequest) ([]byte, error) {
	var w writer
	w.begin(dst, slot, HookCert, 0, &r.Meta)
	if w.s == nil {
		return dst, w.err
	}
	if r.Name == "" {
		w.fail("no name")
	}
	w.head(0, 0, 0)
	w.texts("", r.Name)
	w.attrs()
	return w.finish()
}

func upload(on bool) uint32 {
	if on {
		return FlagUpload
	}
	return 0
}

// attrs writes ATTR with nothing but the session's facts.
func (w *writer) attrs() {
	w.attrBegin()
	w.sessionAttrs()
	w.attrEnd()
}

// entries writes ARG of a listing: the fixed parts of all, then the names, each
// with its NUL.
func (w *writer) entries(list []policy.Entry) {
	for (len(w.buf)-w.base)%8 != 0 {
		w.buf = append(w.buf, 0)
	}
	start := len(w.buf)
	at := start - w.base + EntrySize*len(list)
	for i := range list {
		e := &list[i]
		if !goodName(e.Name) {
			w.fail("an entry has no name that can be sent")
		}
		w.buf = appendEntry(w.buf, at, e)
		at += len(e.Name) + 1
	}
	for i := range list {
		w.buf = append(w.buf, list[i].Name...)
		w.buf = append(w.buf, 0)
	}
	if at > MaxMailbox {
		w.fail("a listing of %d bytes", at)
	}
	w.close(SpanArg, start)
}

// appendEntry appends the fixed part of an entry whose name is at offset at.
func appendEntry(b []byte, at int, e *policy.Entry) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Name)))
	b = binary.LittleEndian.AppendUint32(b, PosixMode(e.Mode))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.Size))
	return binary.LittleEndian.AppendUint64(b, uint64(clampNano(e)))
}

// clampNano is the entry's time in nanoseconds; a time that they cannot tell is the
// nearest one that they can, and the zero time is 0.
func clampNano(e *policy.Entry) int64 {
	switch y := e.Time.Year(); {
	case e.Time.IsZero():
		return 0
	case y < 1678:
		return math.MinInt64
	case y > 2261:
		return math.MaxInt64
	}
	return e.Time.UnixNano()
}
