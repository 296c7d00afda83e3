/**
 * Bytes that are somewhere in memory: a field of a question, or those of a string. A
 * path is what the client sent and may be no UTF-8, so it is compared and cut as bytes;
 * `toString()` makes a string of it, with U+FFFD for what is none.
 *
 * Where a parameter has the type `T`, a `string`, a `Bytes`, a `Builder` and a
 * `Uint8Array` will do; strings are taken as UTF-8.
 */
@final export class Bytes {
  /** @param owner what must stay in memory as long as the view; null for the mailbox */
  constructor(
    /** Address of the first byte. */
    public start: usize = 0,
    /** Number of bytes. */
    public length: i32 = 0,
    private owner: ArrayBuffer | null = null,
  ) {}

  /** A view of the bytes of a value; a string's are made. */
  static of<T>(v: T): Bytes {
    if (isString<T>()) {
      const b = String.UTF8.encode(changetype<string>(v));
      return new Bytes(changetype<usize>(b), b.byteLength, b);
    } else if (!isReference<T>()) {
      ERROR("want a string, Bytes, a Builder or a Uint8Array");
      return new Bytes();
    } else if (idof<T>() == idof<Bytes>()) {
      return changetype<Bytes>(v);
    } else if (idof<T>() == idof<Builder>()) {
      return changetype<Builder>(v).bytes;
    } else if (idof<T>() == idof<Uint8Array>()) {
      const a = changetype<Uint8Array>(v);
      return new Bytes(a.dataStart, a.length, a.buffer);
    } else {
      ERROR("want a string, Bytes, a Builder or a Uint8Array");
      return new Bytes();
    }
  }

  /** The byte at `i`. It traps outside. */
  at(i: i32): u8 {
    assert(u32(i) < u32(this.length), "Bytes.at: index out of range");
    return load<u8>(this.start + i);
  }

  /** Whether the bytes are the same. */
  is<T>(other: T): bool {
    if (isString<T>()) {
      return match(this.start, this.length, changetype<string>(other)) == this.length;
    } else {
      const b = Bytes.of(other);
      return b.length == this.length && memory.compare(this.start, b.start, b.length) == 0;
    }
  }

  /** Whether the bytes begin with those of `other`. */
  startsWith<T>(other: T): bool {
    if (isString<T>()) {
      return match(this.start, this.length, changetype<string>(other)) >= 0;
    } else {
      const b = Bytes.of(other);
      return b.length <= this.length && memory.compare(this.start, b.start, b.length) == 0;
    }
  }

  /** Whether the bytes end with those of `other`. */
  endsWith<T>(other: T): bool {
    const b = Bytes.of(other);
    const skip = this.length - b.length;
    return skip >= 0 && memory.compare(this.start + skip, b.start, b.length) == 0;
  }

  /** Where `other` is for the first time at or after `from`; -1 if nowhere. */
  indexOf<T>(other: T, from: i32 = 0): i32 {
    const b = Bytes.of(other);
    for (let i = max(from, 0); i <= this.length - b.length; i++) {
      if (memory.compare(this.start + i, b.start, b.length) == 0) return i;
    }
    return -1;
  }

  /** Where a byte is for the last time; -1 if nowhere. */
  lastIndexOfByte(c: u8): i32 {
    let i = this.length - 1;
    while (i >= 0 && load<u8>(this.start + i) != c) i--;
    return i;
  }

  /** A view of the bytes from `from` up to `to`, both held within the bounds. */
  slice(from: i32, to: i32 = i32.MAX_VALUE): Bytes {
    from = min(max(from, 0), this.length);
    to = min(max(to, from), this.length);
    return new Bytes(this.start + from, to - from, this.owner);
  }

  /** The last part of a path. */
  get base(): Bytes { return this.slice(this.lastIndexOfByte(0x2f) + 1); }

  /** The path without its last part; `/` has itself. */
  get dir(): Bytes { return this.slice(0, max(this.lastIndexOfByte(0x2f), 1)); }

  /**
   * Whether the path ends with `extension`, given with its dot or without, in any case
   * of ASCII letters. Dots and spaces at the end do not count: Windows drops them.
   */
  hasExtension(extension: string): bool {
    const from = extension.startsWith(".") ? 1 : 0; // given with its dot
    const n = extension.length - from;
    let end = this.length; // Windows drops dots and spaces at the end
    while (end > 0 && (load<u8>(this.start + end - 1) == 0x2e || load<u8>(this.start + end - 1) == 0x20)) end--;
    const skip = end - n;
    if (n == 0 || skip < 1 || load<u8>(this.start + skip - 1) != 0x2e) return false;
    for (let i = 0; i < n; i++) {
      const c = extension.charCodeAt(from + i);
      if (c > 0x7f) return this.endsWith(extension);
      if (lower(c) != lower(load<u8>(this.start + skip + i))) return false;
    }
    return true;
  }

  /** The whole number that the bytes are in decimal; `other` if they are none of at most 18 digits. */
  toInt(other: i64 = 0): i64 {
    let i = 0, n: i64 = 0;
    const minus = this.length > 0 && load<u8>(this.start) == 0x2d;
    if (minus) i = 1;
    if (i == this.length || this.length - i > 18) return other;
    for (; i < this.length; i++) {
      const c = load<u8>(this.start + i) - 0x30;
      if (c > 9) return other;
      n = n * 10 + c;
    }
    return minus ? -n : n;
  }

  /** A copy as an array. */
  toArray(): Uint8Array {
    const a = new Uint8Array(this.length);
    memory.copy(a.dataStart, this.start, this.length);
    return a;
  }

  /** A string, which stays. */
  toString(): string { return String.UTF8.decodeUnsafe(this.start, this.length); }
}

function lower(c: u32): u32 { return c - 0x41 < 26 ? c | 0x20 : c; }

/** How many of the bytes are the UTF-8 of s, with which they begin; -1 if they do not. */
function match(start: usize, length: i32, s: string): i32 {
  let at = 0;
  for (let i = 0; i < s.length; i++) {
    let c: u32 = s.charCodeAt(i);
    if (c < 0x80) {
      if (at >= length || load<u8>(start + at) != c) return -1;
      at++;
      continue;
    }
    if ((c & 0xfc00) == 0xd800 && i + 1 < s.length) c = s.codePointAt(i++);
    const n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (at + n > length) return -1;
    let shift = 6 * (n - 1);
    if (load<u8>(start + at++) != u8((0xf00 >> n) | (c >> shift))) return -1;
    while (shift > 0) {
      shift -= 6;
      if (load<u8>(start + at++) != u8(0x80 | ((c >> shift) & 0x3f))) return -1;
    }
  }
  return at;
}

/** Puts bytes together: `new Builder().add("/in/").add(q.user).bytes`. */
@final export class Builder {
  private buffer: ArrayBuffer = new ArrayBuffer(64);
  private used: i32 = 0;

  /** Number of bytes. */
  get length(): i32 { return this.used; }

  /** A view of the bytes, as they are now. */
  get bytes(): Bytes { return new Bytes(changetype<usize>(this.buffer), this.used, this.buffer); }

  /** Adds bytes. */
  add<T>(v: T): Builder {
    const b = Bytes.of(v);
    memory.copy(this.room(b.length), b.start, b.length);
    return this;
  }

  /** Adds one byte. */
  addByte(c: u8): Builder {
    store<u8>(this.room(1), c);
    return this;
  }

  /** Adds a whole number in decimal. */
  addInt(n: i64): Builder { return this.add(n.toString()); }

  /** Adds the four bytes of a number, the lowest first. */
  addU32(n: u32): Builder {
    store<u32>(this.room(4), n);
    return this;
  }

  /** A string of the bytes. */
  toString(): string { return this.bytes.toString(); }

  /** Where n more bytes go. */
  private room(n: i32): usize {
    const old = this.buffer, at = this.used;
    if (at + n > old.byteLength) {
      const grown = new ArrayBuffer(max(2 * old.byteLength, at + n));
      memory.copy(changetype<usize>(grown), changetype<usize>(old), at);
      this.buffer = grown;
    }
    this.used = at + n;
    return changetype<usize>(this.buffer) + at;
  }
}

/**
 * Writes the bytes of a value to `to` and returns how many they are; -1 if they are more
 * than `room`, and then writes nothing. Nothing is allocated.
 */
export function write<T>(v: T, to: usize, room: i32): i32 {
  if (isString<T>()) {
    const s = changetype<string>(v);
    const n = String.UTF8.byteLength(s);
    if (n > room) return -1;
    String.UTF8.encodeUnsafe(changetype<usize>(s), s.length, to);
    return n;
  } else {
    const b = Bytes.of(v);
    if (b.length > room) return -1;
    memory.copy(to, b.start, b.length);
    return b.length;
  }
}

/**
 * The length of the character of UTF-8 at `p`, of which `left` bytes are there; 0 if it
 * is none (RFC 3629 §4).
 */
export function character(p: usize, left: i32): i32 {
  const c: u32 = load<u8>(p);
  if (c < 0x80) return 1;
  const n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  const second: u32 = load<u8>(p, 1);
  const low: u32 = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  const high: u32 = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < n; i++) {
    if ((load<u8>(p + i) & 0xc0) != 0x80) return 0;
  }
  return n;
}

/** Whether the byte ends a line or steers a terminal; the tab does neither. */
export function control(c: u32): bool { return (c < 0x20 && c != 9) || c == 0x7f; }
