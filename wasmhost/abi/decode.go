package abi

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// maxSpans bounds the span table that a decoder accepts from a later minor.
const maxSpans = 64

// Decoder reads records back into the vocabulary of edge/policy. It is the
// guest's side, made for one thread: it is not safe for concurrent use.
//
// Questions of one session follow each other, so the decoder keeps the strings
// of the last record and uses them again where the bytes are equal; a session
// that asks twice about one path costs no allocation. The strings, the state and
// the Binding of a login may be kept by a policy. The returned question, its Session, the Entries of a
// listing and the Carry of a chunk are valid until the next call; the Data of a
// chunk is a part of the record.
//
// The zero value is ready for use.
type Decoder struct {
	// Slot is the key of Session.State under which STATE is found.
	Slot string

	login   policy.Login
	action  policy.Action
	event   policy.Event
	session policy.Session
	more    questions
	spans   [NumSpans]string // the last strings of the text spans
	attrs   attrs
	state   map[string][]byte
}

// Login decodes a record of the hook auth (ABI §3, §4), or fails with
// [ErrRecord].
func (d *Decoder) Login(rec []byte) (*policy.Login, error) {
	var r record
	if err := d.record(&r, rec, HookAuth); err != nil {
		return nil, err
	}
	if r.op != 0 {
		return nil, wrong(ErrRecord, "operation %d of a login", r.op)
	}
	d.login = policy.Login{Meta: r.meta, Password: d.text(&r, SpanArg), Early: r.flags&FlagEarly != 0}
	if d.attrs.binding != "" {
		d.login.Binding = []byte(d.attrs.binding)
	}
	return &d.login, nil
}

// Action decodes a record of the hook fs, or fails with [ErrRecord]. An
// operation that this version does not know is handed on as it is.
func (d *Decoder) Action(rec []byte) (*policy.Action, error) {
	var r record
	if err := d.record(&r, rec, HookFS); err != nil {
		return nil, err
	}
	if r.op == 0 {
		return nil, wrong(ErrRecord, "no operation")
	}
	d.action = policy.Action{
		Meta: r.meta, Op: policy.Op(r.op), Path: d.text(&r, SpanPath),
		Arg: d.text(&r, SpanArg), Path2: d.attrs.path2, A: r.a, B: r.b,
		Dir: r.flags&FlagDir != 0, Exists: r.flags&FlagExists != 0, Size: int64(d.attrs.size),
		DataPeer: d.attrs.dataPeer,
	}
	if ArgIsPath(d.action.Op) {
		d.action.Path2, d.action.Arg = d.action.Arg, d.attrs.rawArg
	}
	return &d.action, nil
}

// Event decodes a record of the hook event, or fails with [ErrRecord]. A kind
// that this version does not know is handed on as it is.
func (d *Decoder) Event(rec []byte) (*policy.Event, error) {
	var r record
	if err := d.record(&r, rec, HookEvent); err != nil {
		return nil, err
	}
	if r.op == 0 {
		return nil, wrong(ErrRecord, "no event number")
	}
	d.event = policy.Event{
		Meta: r.meta, Kind: policy.EventKind(r.op), Path: d.text(&r, SpanPath),
		Path2: d.attrs.path2, Text: d.text(&r, SpanArg), Op: policy.Op(d.attrs.op),
		Size: r.a, Took: time.Duration(r.b), Code: int(d.attrs.code),
		Policy: d.attrs.policy, Generation: d.attrs.generation, Late: r.flags&FlagLate != 0,
		DataPeer: d.attrs.dataPeer,
	}
	return &d.event, nil
}

// record is a checked header with its spans still in the mailbox.
type record struct {
	op    uint16
	flags uint32
	a, b  int64
	meta  policy.Meta
	spans [NumSpans][]byte
}

// KindOf returns the hook that a record is for without reading the rest, 0 if
// it is too short to say.
func KindOf(rec []byte) Hook {
	if len(rec) < HeaderSize {
		return 0
	}
	return Hook(binary.LittleEndian.Uint16(rec[OffKind:]))
}

// record checks rec and reads what every kind has.
func (d *Decoder) record(r *record, rec []byte, want Hook) error {
	if len(rec) < HeaderSize {
		return wrong(ErrRecord, "%d bytes, the header has %d", len(rec), HeaderSize)
	}
	if size := binary.LittleEndian.Uint32(rec[OffSize:]); uint64(size) != uint64(len(rec)) {
		return wrong(ErrRecord, "size says %d, there are %d", size, len(rec))
	}
	if kind := KindOf(rec); kind != want {
		return wrong(ErrRecord, "kind %d, want %d (%s)", uint16(kind), uint16(want), want)
	}
	*r = record{
		op:    binary.LittleEndian.Uint16(rec[OffOp:]),
		flags: binary.LittleEndian.Uint32(rec[OffFlags:]),
		a:     int64(binary.LittleEndian.Uint64(rec[OffA:])),
		b:     int64(binary.LittleEndian.Uint64(rec[OffB:])),
	}
	r.meta.Shadow = r.flags&FlagShadow != 0
	if err := r.slice(rec, want.Spans()); err != nil {
		return err
	}
	return d.meta(r, rec)
}

// slice reads the span table, of which the first least must be there.
func (r *record) slice(rec []byte, least int) error {
	n := binary.LittleEndian.Uint32(rec[OffSpans:])
	if n < uint32(least) || n > maxSpans {
		return wrong(ErrRecord, "%d spans, want %d to %d", n, least, maxSpans)
	}
	end := HeaderSize + 8*int(n)
	if end > len(rec) {
		return wrong(ErrRecord, "the span table ends at %d of %d", end, len(rec))
	}
	for s := range min(Span(n), NumSpans) {
		entry := rec[HeaderSize+8*int(s):]
		off := uint64(binary.LittleEndian.Uint32(entry))
		length := uint64(binary.LittleEndian.Uint32(entry[4:]))
		// One more byte than the length: the NUL. The sums are of 32-bit numbers
		// in 64 bits and cannot wrap.
		if off < uint64(end) || off+length+1 > uint64(len(rec)) {
			return wrong(ErrRecord, "span %s is outside the record", s)
		}
		if rec[off+length] != 0 {
			return wrong(ErrRecord, "no NUL after span %s", s)
		}
		r.spans[s] = rec[off : off+length]
	}
	return nil
}

// meta fills in the session and what else every question carries.
func (d *Decoder) meta(r *record, rec []byte) error {
	if err := d.attrs.decode(r.spans[SpanAttr]); err != nil {
		return err
	}
	peer, err := d.peer(r)
	if err != nil {
		return err
	}
	if len(r.spans[SpanState]) > policy.MaxState {
		return wrong(ErrRecord, "STATE has %d bytes", len(r.spans[SpanState]))
	}
	t := &d.attrs
	d.session = policy.Session{
		ID: binary.LittleEndian.Uint64(rec[OffSession:]), User: d.text(r, SpanUser),
		Anon: r.flags&FlagAnonymous != 0, Peer: peer, Local: t.local, Listener: t.listener,
		Root: d.text(r, SpanRoot), Group: t.group, Client: t.client, Host: t.host, VHost: t.vhost,
		TLS: t.tls, Protocol: t.protocol, DataTLS: r.flags&FlagDataTLS != 0, ASCII: r.flags&FlagASCII != 0,
		Active: r.flags&FlagActive != 0, State: d.stateOf(r.spans[SpanState]),
	}
	r.meta.Session = &d.session
	r.meta.Request = binary.LittleEndian.Uint64(rec[OffRequest:])
	if ns := int64(binary.LittleEndian.Uint64(rec[OffTime:])); ns != 0 {
		r.meta.Time = time.Unix(0, ns).UTC()
	}
	return nil
}

// peer reads PEER and PEER16, which must say the same.
func (d *Decoder) peer(r *record) (netip.AddrPort, error) {
	text, raw := r.spans[SpanPeer], r.spans[SpanPeer16]
	if len(text) == 0 && len(raw) == 0 {
		return netip.AddrPort{}, nil
	}
	if d.spans[SpanPeer] == string(text) && len(raw) == 16 && d.session.Peer.IsValid() {
		if d.session.Peer.Addr().As16() == [16]byte(raw) {
			return d.session.Peer, nil
		}
	}
	ap, err := netip.ParseAddrPort(d.text(r, SpanPeer))
	if err != nil {
		return netip.AddrPort{}, wrong(ErrRecord, "PEER is no address with a port")
	}
	if len(raw) != 16 || ap.Addr().As16() != [16]byte(raw) {
		return netip.AddrPort{}, wrong(ErrRecord, "PEER16 is not PEER")
	}
	return ap, nil
}

// text returns a span as a string that does not point into the mailbox, the last
// one again if the bytes are the same.
func (d *Decoder) text(r *record, s Span) string {
	if d.spans[s] != string(r.spans[s]) {
		d.spans[s] = string(r.spans[s])
	}
	return d.spans[s]
}

// stateOf returns the session's state map, nil without state.
func (d *Decoder) stateOf(b []byte) map[string][]byte {
	if len(b) == 0 {
		return nil
	}
	if old, ok := d.state[d.Slot]; !ok || string(old) != string(b) {
		d.state = map[string][]byte{d.Slot: append([]byte(nil), b...)}
	}
	return d.state
}
