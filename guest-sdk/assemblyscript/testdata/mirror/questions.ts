import { Attr, Builder, Bytes, Entry, Hook, ListQuestion, Question } from "edgeftp";
import { decode, span, Span } from "edgeftp/record";

/** The lines about a record. */
export function question(hook: u8, record: Bytes): Builder {
  const out = new Builder();
  // Entries must lie at a multiple of 8 from the start of the record, not of memory.
  if (!decode(hook, record.start, record.length)) return out.add("refused\n");
  const q = changetype<Question>(record.start);
  line(out, "op", q.number);
  out.add("session ").add(q.session.toString()).add("\nrequest ").add(q.request.toString()).addByte(10);
  line(out, "time", q.time);
  line(out, "a", q.a);
  line(out, "b", q.b);
  line(out, "flags", q.flags);
  const names = ["USER", "PATH", "ARG", "PEER", "PEER16", "ROOT", "ATTR", "STATE", "EXTRA"];
  const wide = hook == Hook.Cmd || hook == Hook.Site || hook == Hook.Data;
  const list = hook == Hook.List ? new Builder() : null;
  if (list) entries(list, changetype<ListQuestion>(record.start));
  const last = wide ? Span.Extra : Span.State;
  for (let s: Span = 0; s <= last; s++) hex(out.add(names[s]).addByte(32), span(s));
  for (let key: Attr = 1; key < 25; key++) {
    if (q.has(key)) hex(out.add("attr ").addInt(key).addByte(32), q.attr(key));
  }
  return list ? out.add(list) : out;
}

function entries(out: Builder, q: ListQuestion): void {
  for (let i = 0; i < q.count; i++) {
    const e = q.entry(i);
    out.add("entry ").addInt(e.mode).addByte(32).addInt(e.size).addByte(32).addInt(e.modified).addByte(32);
    hex(out, e.name);
    unreadName(e, q);
  }
}

/** Puts the offset of the name back, which the SDK made an address, so that ARG is shown as it came. */
function unreadName(e: Entry, q: ListQuestion): void {
  store<u32>(changetype<usize>(e), u32(e.name.start - changetype<usize>(q)));
}

function line(out: Builder, name: string, n: i64): void { out.add(name).addByte(32).addInt(n).addByte(10); }

/** Bytes in lower-case hex, and the end of the line. */
export function hex(out: Builder, b: Bytes): Builder {
  const digits = "0123456789abcdef";
  for (let i = 0; i < b.length; i++) {
    out.addByte(u8(digits.charCodeAt(b.at(i) >> 4))).addByte(u8(digits.charCodeAt(b.at(i) & 15)));
  }
  return out.addByte(10);
}
