import { Builder, Bytes, character } from "./bytes";

/** What a value of the settings is. */
export enum Kind { Text, Int, Bool, Texts, Objects, Empty, Object }

/** One value of the settings. */
export class Value {
  constructor(public kind: Kind) {}
  /** Its key in the object. */
  key: string = "";
  /** Whether the policy has asked for it. */
  asked: bool = false;
  /** The string. */
  text: string = "";
  /** The number, or 1 of true. */
  int: i64 = 0;
  /** The strings of a list. */
  texts: string[] = [];
  /** The objects of a list, or one. */
  objects: Value[][] = [];
}

const MAX_DEPTH = 8;

/** Reads JSON (RFC 8259), as much of it as settings need. The first fault stays. */
export class Json {
  /** What is wrong, with the number of the byte; empty if nothing is. */
  fault: string = "";
  private at: i32 = 0;
  private depth: i32 = 0;

  constructor(private start: usize, private length: i32) {}

  /** Reads the whole text, which is one object. */
  all(): Value[] {
    const all = this.object();
    this.peek();
    if (this.at < this.length) this.bad("text after the object");
    return all;
  }

  private bad(what: string): void {
    if (!this.fault.length) this.fault = "settings, byte " + (this.at + 1).toString() + ": " + what;
  }

  private get going(): bool { return this.fault.length == 0; }

  /** The next byte that is no space; 0 at the end and after a fault. */
  private peek(): u32 {
    for (; this.going && this.at < this.length; this.at++) {
      const c = load<u8>(this.start + this.at);
      if (c != 0x20 && c != 9 && c != 10 && c != 13) return c;
    }
    return 0;
  }

  /** Takes the next byte, if it is that. */
  private skip(c: u32): bool {
    if (this.peek() != c) return false;
    this.at++;
    return true;
  }

  private want(c: u32): void {
    if (!this.skip(c)) this.bad("want '" + String.fromCharCode(c) + "'");
  }

  private object(): Value[] {
    const into: Value[] = [];
    if (++this.depth > MAX_DEPTH) this.bad("too many objects in objects");
    this.want(0x7b);
    for (let more = this.peek() != 0x7d; more && this.going; more = this.skip(0x2c)) {
      const key = this.string();
      for (let i = 0; i < into.length; i++) {
        if (into[i].key == key) this.bad('"' + key + '" is given twice');
      }
      this.want(0x3a);
      const v = this.value();
      v.key = key;
      into.push(v);
    }
    this.want(0x7d);
    this.depth--;
    return into;
  }

  private value(): Value {
    const c = this.peek();
    if (c == 0x5b) return this.list();
    const v = new Value(Kind.Text);
    if (c == 0x22) {
      v.text = this.string();
    } else if (c == 0x7b) {
      v.kind = Kind.Object;
      v.objects.push(this.object());
    } else if (c == 0x74 || c == 0x66) {
      v.kind = Kind.Bool;
      v.int = c == 0x74 ? 1 : 0;
      this.word(c == 0x74 ? "true" : "false");
    } else if (c == 0x2d || c - 0x30 < 10) {
      v.kind = Kind.Int;
      v.int = this.number();
    } else {
      this.bad("want a string, a whole number, true, false, a list or an object");
    }
    return v;
  }

  private word(w: string): void {
    const rest = new Bytes(this.start + this.at, this.length - this.at);
    if (rest.startsWith(w)) this.at += w.length;
    else this.bad("want " + w);
  }

  /** A list of strings or of objects; one that is empty is a list of either. */
  private list(): Value {
    this.want(0x5b);
    if (this.skip(0x5d)) return new Value(Kind.Empty);
    const v = new Value(this.peek() == 0x7b ? Kind.Objects : Kind.Texts);
    for (let more = true; more && this.going; more = this.skip(0x2c)) {
      if (v.kind == Kind.Objects) v.objects.push(this.object());
      else v.texts.push(this.string());
    }
    this.want(0x5d);
    return v;
  }

  private number(): i64 {
    const minus = this.skip(0x2d), first = this.at;
    let n: u64 = 0, digits = 0, over = false;
    for (; this.at < this.length; this.at++, digits++) {
      const c: u64 = load<u8>(this.start + this.at) - 0x30;
      if (c > 9) break;
      over = over || n > (u64.MAX_VALUE - c) / 10;
      n = n * 10 + c;
    }
    const limit = u64(i64.MAX_VALUE) + u64(minus);
    const zero = digits > 1 && load<u8>(this.start + first) == 0x30;
    if (digits == 0 || over || n > limit || zero) this.bad("not a whole number of 64 bits");
    if (this.at < this.length) {
      const c = load<u8>(this.start + this.at) | 0x20;
      if (c == 0x2e || c == 0x65) this.bad("not a whole number");
    }
    return minus ? -i64(n) : i64(n);
  }

  private string(): string {
    this.want(0x22);
    const out = new Builder();
    while (this.going) {
      if (this.at >= this.length) {
        this.bad("string without an end");
        break;
      }
      const p = this.start + this.at, c = load<u8>(p);
      if (c == 0x22) {
        this.at++;
        break;
      }
      if (c == 0x5c) {
        this.at++;
        this.escape(out);
        continue;
      }
      const n = character(p, this.length - this.at);
      this.at += max(n, 1);
      if (c < 0x20) this.bad("control character in a string");
      else if (n == 0) this.bad("string is not UTF-8");
      out.add(new Bytes(p, n));
    }
    return out.toString();
  }

  /** Reads what follows a backslash. */
  private escape(out: Builder): void {
    if (this.at >= this.length) return this.bad("string without an end");
    const c = load<u8>(this.start + this.at++);
    switch (c) {
      case 0x22: case 0x5c: case 0x2f: out.addByte(c); break;
      case 0x62: out.addByte(8); break;
      case 0x66: out.addByte(12); break;
      case 0x6e: out.addByte(10); break;
      case 0x72: out.addByte(13); break;
      case 0x74: out.addByte(9); break;
      case 0x75: this.unicode(out); break;
      default: this.bad("unknown escape");
    }
  }

  private unicode(out: Builder): void {
    const high = this.hex4();
    if ((high & 0xf800) != 0xd800) {
      out.add(String.fromCharCode(high));
      return;
    }
    const rest = new Bytes(this.start + this.at, this.length - this.at);
    if (high >= 0xdc00 || !rest.startsWith("\\u")) return this.bad("half of a surrogate pair");
    this.at += 2;
    const low = this.hex4();
    if ((low & 0xfc00) != 0xdc00) return this.bad("half of a surrogate pair");
    out.add(String.fromCharCode(high, low));
  }

  private hex4(): i32 {
    let n = 0;
    for (let i = 0; i < 4; i++, this.at++) {
      const c: u32 = this.at < this.length ? load<u8>(this.start + this.at) : 0;
      const letter = (c | 0x20) - 0x61;
      if (c - 0x30 < 10) n = (n << 4) | (c - 0x30);
      else if (letter < 6) n = (n << 4) | (letter + 10);
      else {
        this.bad("want four hex digits");
        return 0;
      }
    }
    return n;
  }
}
