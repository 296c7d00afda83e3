import { Bytes } from "./bytes";
import { Errno } from "./names";
import { Result } from "./result";

// @ts-ignore: decorator
@external("edgeftp", "kv_get")
declare function kv_get(key: usize, keyLength: i32, out: usize, room: i32): i64;
// @ts-ignore: decorator
@external("edgeftp", "kv_set")
declare function kv_set(key: usize, keyLength: i32, value: usize, length: i32, ttl: i64): i32;
// @ts-ignore: decorator
@external("edgeftp", "kv_incr")
declare function kv_incr(key: usize, keyLength: i32, delta: i64, ttl: i64, out: usize): i32;
// @ts-ignore: decorator
@external("edgeftp", "kv_cas")
declare function kv_cas(key: usize, keyLength: i32, old: usize, oldLength: i32, value: usize, length: i32, ttl: i64): i32;

const ROOM: i32 = 4096; // the longest value
const OUT: usize = memory.data(ROOM, 8);
const NONE: i32 = -1; // no value

/**
 * Values that outlive the instance, the module's replacement and the server (ABI §7).
 * Capability `kv`. A key has 1 to 256 bytes, a value at most 4,096; ttl is the time to
 * live in milliseconds, 0 for ever. What was written in the last second may be lost if
 * the server is killed.
 */
export namespace kv {
  /** The value of a key. NotFound, Size. */
  export function get<K>(key: K): Result<Uint8Array> {
    const k = Bytes.of(key), n = kv_get(k.start, k.length, OUT, ROOM);
    if (n < 0) return new Result(new Uint8Array(0), i32(n));
    return new Result(new Bytes(OUT, i32(n)).toArray());
  }

  /** The value of a key as a string. NotFound, Size. */
  export function text<K>(key: K): Result<string> {
    const k = Bytes.of(key), n = kv_get(k.start, k.length, OUT, ROOM);
    if (n < 0) return new Result("", i32(n));
    return new Result(String.UTF8.decodeUnsafe(OUT, usize(n)));
  }

  /** The sum of a counter, 0 if there is none. Size, Type. */
  export function count<K>(key: K): Result<i64> {
    const k = Bytes.of(key), n = kv_get(k.start, k.length, OUT, ROOM);
    if (n == Errno.NotFound) return new Result<i64>(0);
    if (n < 0) return new Result<i64>(0, i32(n));
    return n == 8 ? new Result<i64>(load<i64>(OUT)) : new Result<i64>(0, Errno.Type);
  }

  /** Stores a value. Full, Size. */
  export function set<K, V>(key: K, value: V, ttl: i64 = 0): Errno {
    const k = Bytes.of(key), v = Bytes.of(value);
    return kv_set(k.start, k.length, v.start, v.length, ttl);
  }

  /** Removes a key; that there is none is no error. Size. */
  export function remove<K>(key: K): Errno {
    const k = Bytes.of(key);
    return kv_set(k.start, k.length, 0, NONE, 0);
  }

  /** Adds to a counter and returns the sum. One that is not there counts from 0. Full, Size, Type. */
  export function add<K>(key: K, delta: i64 = 1, ttl: i64 = 0): Result<i64> {
    const k = Bytes.of(key), code = kv_incr(k.start, k.length, delta, ttl, OUT);
    return code < 0 ? new Result<i64>(0, code) : new Result<i64>(load<i64>(OUT));
  }

  /** Stores a value if the key has the old one; whether it had. Full, Size. */
  export function swap<K, O, V>(key: K, old: O, value: V, ttl: i64 = 0): Result<bool> {
    const o = Bytes.of(old), v = Bytes.of(value);
    return cas(Bytes.of(key), o.start, o.length, v.start, v.length, ttl);
  }

  /** Stores a value if there is no such key; whether there was none. Full, Size. */
  export function create<K, V>(key: K, value: V, ttl: i64 = 0): Result<bool> {
    const v = Bytes.of(value);
    return cas(Bytes.of(key), 0, NONE, v.start, v.length, ttl);
  }

  /** Removes a key if it has the old value; whether it had. Size. */
  export function drop<K, O>(key: K, old: O): Result<bool> {
    const o = Bytes.of(old);
    return cas(Bytes.of(key), o.start, o.length, 0, NONE, 0);
  }

  /** Whether there is no such key. Size. */
  export function absent<K>(key: K): Result<bool> { return cas(Bytes.of(key), 0, NONE, 0, NONE, 0); }
}

function cas(key: Bytes, old: usize, oldLength: i32, value: usize, length: i32, ttl: i64): Result<bool> {
  const code = kv_cas(key.start, key.length, old, oldLength, value, length, ttl);
  return new Result<bool>(code == 1, min(code, 0));
}
