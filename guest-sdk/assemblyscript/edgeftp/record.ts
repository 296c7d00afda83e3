import { parseAddressPort, ADDRESS } from "./address";
import { Bytes } from "./bytes";
import { Attr, Hook, NUM_ATTRS } from "./names";

// The record of a question (ABI §3 to §5): it is checked as a whole before a policy sees
// it, so that reading it afterwards needs no checks.

/** The spans of a record by number. */
export enum Span { User, Path, Arg, Peer, Peer16, Root, Attr, State, Extra }

const NUM_SPANS: i32 = 9;
const HEADER: u32 = 56;
const MAX_SPANS: u32 = 64;
/** The most bytes of STATE and of CARRY. */
export const MAX_STATE: i32 = 1024;
const ENTRY: u32 = 32;

// The views are made once and moved from record to record: a question costs no memory.
const spans = views(NUM_SPANS);
const attrs = views(NUM_ATTRS);
let seen: u32 = 0; // the attributes that are there, a bit for each
let fault: string = "";

function views(n: i32): StaticArray<Bytes> {
  const list = new StaticArray<Bytes>(n);
  for (let i = 0; i < n; i++) list[i] = new Bytes();
  return list;
}

/** What is wrong with the last record. */
export function recordFault(): string { return fault; }

/** A span of the record. */
export function span(s: Span): Bytes { return unchecked(spans[s]); }

/** Whether an attribute is there. */
export function hasAttr(key: i32): bool { return u32(key) < u32(NUM_ATTRS) && (seen & (1 << key)) != 0; }

/** The bytes of an attribute, none if it is not there. */
export function attr(key: i32): Bytes {
  return u32(key) < u32(NUM_ATTRS) ? unchecked(attrs[key]) : new Bytes();
}

/** The number of an attribute, 0 if it is not there. */
export function attrNumber(key: i32): u64 {
  const b = attr(key);
  return b.length == 8 ? load<u64>(b.start) : b.length == 2 ? load<u16>(b.start) : 0;
}

function bad(what: string): bool {
  fault = what;
  return false;
}

/** Reads the record of a hook; false if it breaks the ABI. Nothing outside is read. */
export function decode(hook: i32, rec: usize, length: i32): bool {
  if (length < i32(HEADER)) return bad("it is shorter than its header");
  if (load<u32>(rec) != u32(length)) return bad("its size is not that of the question");
  if (load<u16>(rec, 4) != u16(hook)) return bad("it is of another hook");
  const wide = hook == Hook.Cmd || hook == Hook.Site || hook == Hook.Data;
  if (!table(rec, u32(length), wide ? 9 : 8)) return false;
  if (!attributes() || !peer()) return false;
  if (span(Span.State).length > MAX_STATE) return bad("STATE is too long");
  return ofHook(hook, rec);
}

/** Reads the table of spans. */
function table(rec: usize, length: u32, least: u32): bool {
  const n = load<u32>(rec, 52);
  if (n < least || n > MAX_SPANS) return bad("the number of its spans");
  const end = HEADER + 8 * n;
  if (end > length) return bad("its spans do not fit");
  for (let s: u32 = 0; s < u32(NUM_SPANS); s++) {
    const view = unchecked(spans[s]);
    view.start = rec + length - 1; // a NUL: the span is not there
    view.length = 0;
    if (s >= n) continue;
    const off = load<u32>(rec + HEADER + 8 * s), len = load<u32>(rec + HEADER + 8 * s, 4);
    if (off < end || u64(off) + len + 1 > length) return bad("a span is outside");
    if (load<u8>(rec + off + len) != 0) return bad("no NUL behind a span");
    view.start = rec + off;
    view.length = len;
  }
  return true;
}

/** Reads ATTR. */
function attributes(): bool {
  seen = 0;
  const all = span(Span.Attr);
  for (let key = 0; key < NUM_ATTRS; key++) {
    const view = unchecked(attrs[key]);
    view.start = all.start + all.length; // its NUL
    view.length = 0;
  }
  let p = all.start;
  for (let left = all.length; left > 0;) {
    if (left < 4) return bad("ATTR ends inside an entry");
    const key = load<u16>(p), n: i32 = load<u16>(p, 2);
    if (n > left - 4) return bad("ATTR has an entry that is too long");
    p += 4;
    if (!attribute(key, p, n)) return false;
    p += n;
    left -= 4 + n;
  }
  return true;
}

function attribute(key: u32, start: usize, length: i32): bool {
  if (key == 0) return bad("ATTR has the key 0");
  if (key >= u32(NUM_ATTRS)) return true; // of a later minor
  if (seen & (1 << key)) return bad("ATTR has an entry twice");
  seen |= 1 << key;
  const view = unchecked(attrs[key]);
  view.start = start;
  view.length = length;
  switch (key) {
    case Attr.TLSResumed: return length == 0 || bad("TLS_RESUMED has a value");
    case Attr.Code:
    case Attr.Op: return length == 2 || bad("a number of ATTR has not 2 bytes");
    case Attr.Generation: return length == 8 || bad("a number of ATTR has not 8 bytes");
    case Attr.Size:
    case Attr.Took: {
      if (length != 8) return bad("a number of ATTR has not 8 bytes");
      return load<i64>(start) >= 0 || bad("a number of ATTR is out of range");
    }
    case Attr.Binding: return length == 32 || bad("BINDING has not 32 bytes");
    case Attr.Local: return parseAddressPort(start, length) || bad("LOCAL is no address with a port");
    case Attr.DataPeer: return parseAddressPort(start, length) || bad("DATA_PEER is no address with a port");
  }
  return true;
}

/** Checks that PEER and PEER16 say the same. */
function peer(): bool {
  const text = span(Span.Peer), raw = span(Span.Peer16);
  if (text.length == 0 && raw.length == 0) return true;
  if (!parseAddressPort(text.start, text.length)) return bad("PEER is no address with a port");
  return (raw.length == 16 && memory.compare(raw.start, ADDRESS, 16) == 0) || bad("PEER16 is not PEER");
}

/** Checks what the hook asks for. */
function ofHook(hook: i32, rec: usize): bool {
  const op = load<u16>(rec, 6);
  const has = hook == Hook.FS || hook == Hook.Throttle || hook == Hook.Data || hook == Hook.Event;
  if (has != (op != 0)) return bad(has ? "it has no operation" : "it has an operation");
  switch (hook) {
    case Hook.List: return entries(rec);
    case Hook.Cmd:
    case Hook.Site: return span(Span.Extra).length > 0 || bad("it has no command");
    case Hook.Cert: return span(Span.Arg).length > 0 || bad("it has no name");
    case Hook.Data: {
      if (span(Span.Arg).length > 65536) return bad("the chunk is too long");
      return span(Span.Extra).length <= MAX_STATE || bad("CARRY is too long");
    }
  }
  return true;
}

/** Checks the entries of a listing, and turns where each name is into an address. */
function entries(rec: usize): bool {
  const arg = span(Span.Arg), count = load<i64>(rec, 32);
  if (count < 1 || count > 256 || u32(count) * ENTRY > u32(arg.length)) return bad("the number of entries");
  const base = u32(arg.start - rec), first = base + u32(count) * ENTRY, end = base + arg.length;
  if (base & 7) return bad("the entries are not aligned");
  for (let i: u32 = 0; i < u32(count); i++) {
    const e = arg.start + i * ENTRY;
    const off = load<u32>(e), length = load<u32>(e, 4);
    if (off < first || u64(off) + length >= end) return bad("a name is outside");
    if (!name(rec + off, length)) return bad("a name is none");
    store<u32>(e, u32(rec) + off);
  }
  return true;
}

function name(start: usize, length: u32): bool {
  if (length == 0 || load<u8>(start + length) != 0) return false;
  for (let i: u32 = 0; i < length; i++) {
    const c = load<u8>(start + i);
    if (c == 0 || c == 0x2f) return false;
  }
  return true;
}
