import { isNetwork } from "./address";
import { Bytes, character, control, write } from "./bytes";
import { Action, Key } from "./names";

// The answer that is being made (ABI §6). Its entries are put together apart from the
// mailbox, because what they are made of may still lie there.

const ROOM: i32 = 65536;
const MAX_TEXT: i32 = 512;
const ENTRIES: usize = memory.data(ROOM + 8); // a number is written with 8 bytes
const BITS: usize = memory.data(32, 8);

let token: usize = 0; // of the answer: an older one must not be changed or returned
let used: i32 = 0; // bytes of ENTRIES
let seen: u32 = 0; // keys, a bit for each
let repeats: i32 = 0; // LINEs or RULEs
let networks: i32 = 0; // NETWORKs
let action: i32 = 0;
let code: i32 = 0;
let flags: i32 = 0;
let needs: u32 = 0; // keys of which one must be there
let dataStart: usize = 0; // new bytes of a rewritten chunk
let dataLength: i32 = 0;
let hasData: bool = false;
let bits: i32 = 0; // bytes of BITS that are in use
let fault: string = "";

/** Begins an answer and returns its token. */
export function begin(act: i32): usize {
  used = repeats = networks = code = flags = bits = dataLength = 0;
  seen = needs = 0;
  hasData = false;
  fault = "";
  action = act;
  return ++token;
}

function wrong(what: string): void {
  if (!fault.length) fault = what;
}

/** Notes what is wrong with the answer; it will be `fail` with these words. */
export function mistake(id: usize, what: string): void {
  if (current(id)) wrong(what);
}

function current(id: usize): bool {
  if (id == token) return true;
  wrong("an answer was changed after another one was made");
  return false;
}

/** Sets the reply code of a refusal, or of a SITE command. 0 is the server's own. */
export function setCode(id: usize, n: i32): void {
  if (!current(id)) return;
  const least = action == Action.Deny ? 400 : 200;
  if (n != 0 && (n < least || n > least + (action == Action.Deny ? 199 : 99))) wrong("the code is out of range");
  code = n;
}

/** Sets a flag of the verdict: 1 is FINAL, 2 is CACHE. */
export function setFlag(id: usize, bit: i32): void {
  if (current(id)) flags |= bit;
}

/** Says that the answer needs one of these keys. */
export function need(keys: u32): void { needs = keys; }

/** Where the value of a key goes; 0 if it must not stand here, or there is no room. */
function open(id: usize, key: Key): usize {
  if (!current(id)) return 0;
  if (seen & (1 << key) && key != Key.Line && key != Key.Rule && key != Key.Network) {
    wrong("a value was given twice");
    return 0;
  }
  if (used > ROOM - 4) {
    wrong("the reply is too long");
    return 0;
  }
  return ENTRIES + used + 4;
}

/** Ends the value of n bytes that was written where {@link open} said. */
function close(key: Key, n: i32): void {
  store<u16>(ENTRIES + used, u16(key));
  store<u16>(ENTRIES + used, u16(n), 2);
  used += 4 + n;
  seen |= 1 << key;
}

/** Writes a value of at most `most` bytes; -1 if it is longer, or there is no room. */
function put<T>(v: T, to: usize, most: i32): i32 {
  const n = write(v, to, min(most, i32(ENTRIES + ROOM - to)));
  if (n < 0) wrong("a value of an answer is too long");
  return n;
}

/** Sets a value that is one line of UTF-8. */
export function putText<T>(id: usize, key: Key, v: T): void {
  const p = open(id, key);
  if (!p) return;
  if (key == Key.Line && repeats++ == 64) return wrong("more than 64 lines");
  const n = put(v, p, MAX_TEXT);
  if (n < 0) return;
  if (!oneLine(p, n)) return wrong("a text is not one line of UTF-8");
  close(key, n);
}

/** Sets a value that is an absolute path. */
export function putPath<T>(id: usize, key: Key, v: T): void {
  const p = open(id, key);
  if (!p) return;
  const n = put(v, p, 4096);
  if (n < 0) return;
  if (!path(p, n)) return wrong("a path is not absolute, or holds NUL, CR or LF");
  close(key, n);
}

/** Sets a value that may be any bytes. */
export function putBytes<T>(id: usize, key: Key, v: T, most: i32): void {
  const p = open(id, key);
  if (!p) return;
  const n = put(v, p, most);
  if (n >= 0) close(key, n);
}

/** Sets a value that is letters of permissions. */
export function putPerms<T>(id: usize, key: Key, v: T): void {
  const p = open(id, key);
  if (!p) return;
  const n = put(v, p, 10);
  if (n < 0) return;
  if (!letters(p, n)) return wrong("permissions are of the letters elradfmwMT, each at most once");
  close(key, n);
}

/** Sets the permissions of a directory. */
export function putRule<T>(id: usize, dir: T, perms: string, below: bool): void {
  const p = open(id, Key.Rule);
  if (!p) return;
  if (repeats++ == 256) return wrong("more than 256 rules");
  const n = put(dir, p, 4096);
  if (n < 0) return;
  if (!path(p, n)) return wrong("a path is not absolute, or holds NUL, CR or LF");
  const q = p + n + 1;
  const m = put(perms, q, 10);
  if (m < 0 || q + m + 2 > ENTRIES + ROOM) return wrong("the reply is too long");
  if (!letters(q, m)) return wrong("permissions are of the letters elradfmwMT, each at most once");
  store<u8>(p + n, 0);
  store<u8>(q + m, 0);
  store<u8>(q + m, u8(below), 1);
  close(Key.Rule, n + m + 3);
}

/** Adds a network. */
export function putNetwork<T>(id: usize, v: T): void {
  const p = open(id, Key.Network);
  if (!p) return;
  if (networks++ == 256) return wrong("more than 256 networks");
  const n = put(v, p, MAX_TEXT);
  if (n < 0) return;
  if (!isNetwork(p, n)) return wrong("a network is none: write it like 192.0.2.0/24 or 2001:db8::/32");
  close(Key.Network, n);
}

/** Sets a number of 8, 4 or 1 bytes, which must not be negative. */
export function putNumber(id: usize, key: Key, n: i64, size: i32): void {
  const p = open(id, key);
  if (!p) return;
  if (p + size > ENTRIES + ROOM) return wrong("the reply is too long");
  if (n < 0 || (size == 4 && n > i32.MAX_VALUE)) return wrong("a number of an answer is out of range");
  store<i64>(ENTRIES + used, n, 4); // what is over is written over
  close(key, size);
}

/** Sets the bit of an entry of a listing that is to be hidden. */
export function putBit(id: usize, i: i32): void {
  if (!current(id)) return;
  if (bits == 0) memory.fill(BITS, 0, 32);
  const p = BITS + (i >> 3);
  store<u8>(p, load<u8>(p) | (<u8>1 << u8(i & 7)));
  bits = max(bits, (i >> 3) + 1);
}

/** Sets the new bytes of a chunk. They must stay where they are until the answer is told. */
export function putData(id: usize, start: usize, length: i32): void {
  if (!current(id)) return;
  dataStart = start;
  dataLength = length;
  hasData = true;
}

/** Whether the bytes are one line of UTF-8 without control characters. */
function oneLine(p: usize, n: i32): bool {
  for (let i = 0; i < n;) {
    const k = character(p + i, n - i);
    if (k == 0 || control(load<u8>(p + i))) return false;
    i += k;
  }
  return true;
}

function path(p: usize, n: i32): bool {
  if (n == 0 || load<u8>(p) != 0x2f) return false;
  for (let i = 0; i < n; i++) {
    const c = load<u8>(p + i);
    if (c == 0 || c == 10 || c == 13) return false;
  }
  return true;
}

function letters(p: usize, n: i32): bool {
  const all = "elradfmwMT";
  let had = 0;
  for (let i = 0; i < n; i++) {
    let k = 0;
    while (k < 10 && all.charCodeAt(k) != load<u8>(p + i)) k++;
    if (k == 10 || had & (1 << k)) return false;
    had |= 1 << k;
  }
  return true;
}

/** Begins the answer `fail` with a text that is made fit for one line. */
export function beginFail<T>(text: T): usize {
  const id = begin(Action.Fail);
  const p = ENTRIES + 4, raw = p + MAX_TEXT;
  let n = write(text, raw, ROOM - MAX_TEXT - 4);
  if (n < 0) n = write("the text of a failure is too long", raw, ROOM - MAX_TEXT - 4);
  let out = 0;
  for (let i = 0; i < n;) {
    const k = character(raw + i, n - i);
    const good = k > 0 && !control(load<u8>(raw + i));
    if (out + (good ? k : 1) > MAX_TEXT) break;
    if (good) memory.copy(p + out, raw + i, k);
    else store<u8>(p + out, 0x3f); // ?
    out += good ? k : 1;
    i += max(k, 1);
  }
  if (out > 0) close(Key.Text, out);
  return id;
}

/** Writes the answer `fail` to `to` and returns the verdict. */
export function failWith(text: string, to: usize, room: i32): i64 { return answered(beginFail(text), to, room); }

/**
 * Writes the reply of the answer to `to` and returns the verdict. What breaks the ABI
 * becomes `fail`, so that the author reads why.
 */
export function answered(id: usize, to: usize, room: i32): i64 {
  if (id != token) wrong("an older answer was returned, and not the one that was made last");
  if (bits > 0) {
    const p = open(token, Key.HideBits);
    if (p) {
      memory.copy(p, BITS, bits);
      close(Key.HideBits, bits);
    }
  }
  if (needs && !(seen & needs)) wrong("a rewrite has no path");
  let head = hasData ? 4 + dataLength : 0;
  if (head + used > room) wrong("the reply is longer than the mailbox");
  if (fault.length) {
    const why = fault;
    beginFail("the policy's answer: " + why);
    head = 0;
  }
  if (hasData) {
    memory.copy(to + 4, dataStart, dataLength);
    store<u32>(to, dataLength);
  }
  memory.copy(to + head, ENTRIES, used);
  return (i64(head + used) << 32) | i64((flags << 24) | (action << 16) | code);
}

/** What is wrong with the answer so far; empty if nothing is. */
export function answerFault(): string { return fault; }

/** Sets TEXT; an empty one is left out, as the server's own words are better. */
export function putReason<T>(id: usize, text: T): void {
  if (isString<T>() ? changetype<string>(text).length : Bytes.of(text).length) putText(id, Key.Text, text);
}
