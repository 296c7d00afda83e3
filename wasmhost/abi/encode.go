package abi

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// AppendLogin appends the record of a login (ABI §3, §4) to dst and returns the
// extended slice. It allocates only if dst lacks room. ARG is the password that
// l holds: the caller leaves it empty for a policy without that right. slot is
// the policy's name, which selects its own STATE.
//
// It fails with [ErrEncode] if l has no session, if it is early and has a password
// all the same, if its Binding is neither empty nor of [BindingSize] bytes, or if a text
// holds a NUL, which would show a guest written in C another text than the server acts
// on.
func AppendLogin(dst []byte, slot string, l *policy.Login) ([]byte, error) {
	var w writer
	w.begin(dst, slot, HookAuth, 0, &l.Meta)
	if w.s == nil {
		return dst, w.err
	}
	var flags uint32
	if l.Early {
		flags |= FlagEarly
		if l.Password != "" {
			w.fail("an early question has a password")
		}
	}
	w.head(flags, 0, 0)
	w.texts("", l.Password)
	w.attrBegin()
	w.sessionAttrs()
	w.binding(l.Binding)
	w.attrEnd()
	return w.finish()
}

// AppendAction appends the record of an action, as [AppendLogin] does. ARG is the
// second path of a rename and the target of a new link, else the raw argument;
// the one that ARG does not hold is in ATTR.
func AppendAction(dst []byte, slot string, a *policy.Action) ([]byte, error) {
	var w writer
	w.begin(dst, slot, HookFS, uint16(a.Op), &a.Meta)
	if w.s == nil {
		return dst, w.err
	}
	var flags uint32
	if a.Dir {
		flags |= FlagDir
	}
	if a.Exists {
		flags |= FlagExists
	}
	w.head(flags, a.A, a.B)
	arg, other, key := a.Arg, a.Path2, AttrPath2
	if ArgIsPath(a.Op) {
		arg, other, key = a.Path2, a.Arg, AttrRawArg
	}
	w.texts(a.Path, arg)
	w.attrBegin()
	w.sessionAttrs()
	w.attr(key, other)
	w.attrInt(AttrSize, a.Size)
	w.attrAddr(AttrDataPeer, a.DataPeer)
	w.attrEnd()
	return w.finish()
}

// AppendEvent appends the record of an event, as [AppendLogin] does. a is the
// event's Size in bytes, b its Took in nanoseconds, ARG its Text.
func AppendEvent(dst []byte, slot string, e *policy.Event) ([]byte, error) {
	var w writer
	w.begin(dst, slot, HookEvent, uint16(e.Kind), &e.Meta)
	if w.s == nil {
		return dst, w.err
	}
	var flags uint32
	if e.Late {
		flags |= FlagLate
	}
	w.head(flags, e.Size, int64(e.Took))
	w.texts(e.Path, e.Text)
	w.attrBegin()
	w.sessionAttrs()
	w.attr(AttrPath2, e.Path2)
	if e.Code < 0 || e.Code > 0xffff {
		w.fail("reply code %d", e.Code)
	}
	w.attrUint(AttrCode, uint64(e.Code), 2)
	w.attrUint(AttrOp, uint64(e.Op), 2)
	w.attr(AttrPolicy, e.Policy)
	w.attrUint(AttrGeneration, e.Generation, 8)
	w.attrAddr(AttrDataPeer, e.DataPeer)
	w.attrEnd()
	return w.finish()
}

// ArgIsPath reports whether ARG of an fs record with this operation is the second
// path rather than the raw argument (ABI §4).
func ArgIsPath(op policy.Op) bool { return op == policy.OpRename || op == policy.OpSymlink }

// writer builds one record at the end of buf. It lives on the stack.
type writer struct {
	buf   []byte
	base  int
	s     *policy.Session
	slot  string
	flags uint32
	attr0 int // where the value of ATTR begins
	facts *written
	err   error
}

func (w *writer) begin(dst []byte, slot string, kind Hook, op uint16, m *policy.Meta) {
	w.buf, w.base, w.s, w.slot = dst, len(dst), m.Session, slot
	if m.Session == nil {
		w.err = wrong(ErrEncode, "the question has no session")
		return
	}
	if m.Shadow {
		w.flags = FlagShadow
	}
	// Every field and every entry of the table is written below: what lies there
	// before does not matter.
	n := HeaderSize + 8*kind.Spans()
	w.buf = slices.Grow(w.buf, n)[:w.base+n]
	w.facts = writtenOf(m.Session)
	h := w.buf[w.base:]
	binary.LittleEndian.PutUint16(h[OffKind:], uint16(kind))
	binary.LittleEndian.PutUint16(h[OffOp:], op)
	binary.LittleEndian.PutUint64(h[OffSession:], m.Session.ID)
	binary.LittleEndian.PutUint64(h[OffRequest:], m.Request)
	binary.LittleEndian.PutUint64(h[OffTime:], uint64(unixNano(m.Time)))
	binary.LittleEndian.PutUint32(h[OffSpans:], uint32(kind.Spans()))
}

// unixNano is Time's wire form: 0 for the zero time, whose UnixNano is undefined.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// head writes what is left of the header.
func (w *writer) head(flags uint32, a, b int64) {
	s := w.s
	flags |= w.flags
	for _, f := range [...]struct {
		on  bool
		bit uint32
	}{{s.TLS.Enabled(), FlagTLS}, {s.DataTLS, FlagDataTLS}, {s.Anon, FlagAnonymous},
		{s.Active, FlagActive}, {s.ASCII, FlagASCII}} {
		if f.on {
			flags |= f.bit
		}
	}
	h := w.buf[w.base:]
	binary.LittleEndian.PutUint64(h[OffA:], uint64(a))
	binary.LittleEndian.PutUint64(h[OffB:], uint64(b))
	binary.LittleEndian.PutUint32(h[OffFlags:], flags)
}

// texts writes the spans before ATTR.
func (w *writer) texts(path, arg string) {
	w.text(SpanUser, w.s.User)
	w.text(SpanPath, path)
	w.text(SpanArg, arg)
	w.places()
}

// places writes the spans that say where the session is.
func (w *writer) places() {
	f := w.facts
	start := len(w.buf)
	w.buf = append(w.buf, f.places...)
	w.point(SpanPeer, start, f.peerLen)
	w.point(SpanPeer16, start+f.peerLen+1, f.peer16Len)
	w.point(SpanRoot, start+f.peerLen+f.peer16Len+2, len(f.places)-f.peerLen-f.peer16Len-3)
}

// raw writes a span that may hold NULs.
func (w *writer) raw(s Span, v []byte) {
	start := len(w.buf)
	w.buf = append(w.buf, v...)
	w.close(s, start)
}

func (w *writer) text(s Span, v string) {
	if strings.IndexByte(v, 0) >= 0 {
		w.fail("%s holds a NUL", s)
	}
	start := len(w.buf)
	w.buf = append(w.buf, v...)
	w.close(s, start)
}

// close ends span s, which began at start, with the NUL that its length does not
// count.
func (w *writer) close(s Span, start int) {
	w.point(s, start, len(w.buf)-start)
	w.buf = append(w.buf, 0)
}

// point writes an entry of the span table.
func (w *writer) point(s Span, start, length int) {
	entry := w.buf[w.base+HeaderSize+8*int(s):]
	binary.LittleEndian.PutUint32(entry, uint32(start-w.base))
	binary.LittleEndian.PutUint32(entry[4:], uint32(length))
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = wrong(ErrEncode, format, args...)
	}
}

func (w *writer) attrBegin() { w.attr0 = len(w.buf) }

func (w *writer) attrEnd() { w.close(SpanAttr, w.attr0) }

// sessionAttrs writes the attributes of the session.
func (w *writer) sessionAttrs() {
	w.buf = append(w.buf, w.facts.attrs...)
	if w.err == nil {
		w.err = w.facts.err
	}
}

// attr appends one entry; an empty value is left out.
func (w *writer) attr(key Attr, v string) {
	if v == "" {
		return
	}
	if strings.IndexByte(v, 0) >= 0 {
		w.fail("%s holds a NUL", key)
	}
	if len(v) > 0xffff {
		w.fail("%s is %d bytes long", key, len(v))
		return
	}
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(key)|uint32(len(v))<<16)
	w.buf = append(w.buf, v...)
}

// binding appends what the connection's two ends know, which may hold NULs; none is left
// out.
func (w *writer) binding(v []byte) {
	if len(v) == 0 {
		return
	}
	if len(v) != BindingSize {
		w.fail("%s is %d bytes long, not %d", AttrBinding, len(v), BindingSize)
	}
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(AttrBinding)|BindingSize<<16)
	w.buf = append(w.buf, v...)
}

// attrAddr appends an address with its port as text, without an allocation; none is left
// out.
func (w *writer) attrAddr(key Attr, ap netip.AddrPort) {
	if !ap.IsValid() {
		return
	}
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(key))
	start := len(w.buf)
	w.buf = unmap(ap).AppendTo(w.buf)
	binary.LittleEndian.PutUint16(w.buf[start-2:], uint16(len(w.buf)-start))
}

// attrUint appends an unsigned number of size 2 or 8; zero is left out.
func (w *writer) attrUint(key Attr, v uint64, size int) {
	if v == 0 {
		return
	}
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(key)|uint32(size)<<16)
	if size == 2 {
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(v))
		return
	}
	w.buf = binary.LittleEndian.AppendUint64(w.buf, v)
}

// attrInt appends a number of 8 bytes that is never negative; zero is left out.
func (w *writer) attrInt(key Attr, v int64) {
	if v < 0 {
		w.fail("%s is negative", key)
	}
	w.attrUint(key, uint64(v), 8)
}

func (w *writer) finish() ([]byte, error) {
	if w.err != nil {
		return w.buf[:w.base], w.err
	}
	w.raw(SpanState, w.s.State[w.slot])
	binary.LittleEndian.PutUint32(w.buf[w.base+OffSize:], uint32(len(w.buf)-w.base))
	return w.buf, nil
}
