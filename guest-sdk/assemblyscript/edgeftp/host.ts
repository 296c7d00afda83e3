import { Bytes } from "./bytes";
import { Errno } from "./names";
import { Result } from "./result";

// @ts-ignore: decorator
@external("edgeftp", "log")
declare function host_log(level: i32, text: usize, length: i32): void;
// @ts-ignore: decorator
@external("edgeftp", "metric")
declare function host_metric(name: usize, length: i32, kind: i32, value: i64): void;
// @ts-ignore: decorator
@external("edgeftp", "random")
declare function host_random(out: usize, length: i32): void;
// @ts-ignore: decorator
@external("edgeftp", "pw_verify")
declare function host_verify(hash: usize, length: i32): i32;
// @ts-ignore: decorator
@external("edgeftp", "stat")
declare function host_stat(path: usize, length: i32, out: usize, room: i32): i64;
// @ts-ignore: decorator
@external("edgeftp", "digest")
declare function host_digest(algorithm: usize, length: i32, out: usize, room: i32): i64;

/**
 * Lines for the server's log, with the policy's name. The server cuts a line at 1,024
 * bytes, escapes it, and drops lines of a policy that writes too many. No capability.
 */
export namespace log {
  /** Writes a line of level debug. */
  export function debug<T>(text: T): void { write(0, text); }
  /** Writes a line of level info. */
  export function info<T>(text: T): void { write(1, text); }
  /** Writes a line of level warn. */
  export function warn<T>(text: T): void { write(2, text); }
  /** Writes a line of level error. */
  export function error<T>(text: T): void { write(3, text); }
  /** Writes a line of a level, 0 to 3. */
  export function write<T>(level: i32, text: T): void {
    const b = Bytes.of(text);
    host_log(level, b.start, b.length);
  }
}

/**
 * Numbers among the server's metrics. Capability `metric`. A name has 1 to 64 bytes of
 * a-z, 0-9 and _, and begins with a letter; others are dropped.
 */
export namespace metric {
  /** Adds to a counter; a negative number is not added. */
  export function add<T>(name: T, n: i64 = 1): void {
    const b = Bytes.of(name);
    host_metric(b.start, b.length, 0, n);
  }
  /** Sets a gauge. */
  export function set<T>(name: T, n: i64): void {
    const b = Bytes.of(name);
    host_metric(b.start, b.length, 1, n);
  }
}

/** Bytes that nobody can predict. Capability `random`; what else looks random in a guest is not. */
export function random(length: i32): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i += 4096) host_random(out.dataStart + i, min(4096, length - i));
  return out;
}

/** Whether the stored hash is that of the login's password. Hook `auth`, capability `pw`. */
export function verify<T>(hash: T): Result<bool> {
  const b = Bytes.of(hash), code = host_verify(b.start, b.length);
  return new Result<bool>(code == 1, min(code, 0));
}

/** The facts of a path. */
@final export class FileInfo {
  constructor(
    /** st_mode of POSIX: kind and permissions. */
    readonly mode: u32 = 0,
    /** Bytes. */
    readonly size: i64 = 0,
    /** Time of the last modification, nanoseconds since 1970 UTC, 0 unknown. */
    readonly modified: i64 = 0,
  ) {}

  /** Whether it is a directory. */
  get dir(): bool { return (this.mode & 0o170000) == 0o040000; }
}

const OUT: usize = memory.data(128, 8);

/** What lies at a canonical path, as the session sees it. Capability `fs.stat`. */
export function stat<T>(path: T): Result<FileInfo> {
  const b = Bytes.of(path), n = host_stat(b.start, b.length, OUT, 32);
  if (n < 0) return new Result(new FileInfo(), i32(n));
  return new Result(new FileInfo(load<u32>(OUT, 8), load<i64>(OUT, 16), load<i64>(OUT, 24)));
}

/**
 * The digest of the question's file, such as `SHA-256`: of the upload that is about to
 * become visible (`Op.Commit`), else of the file at its path. Hook `fs`, capability
 * `digest`. It reads the whole file.
 */
export function digest<T>(algorithm: T): Result<Uint8Array> {
  const b = Bytes.of(algorithm), n = host_digest(b.start, b.length, OUT, 128);
  if (n < 0) return new Result(new Uint8Array(0), i32(n));
  return new Result(new Bytes(OUT, i32(n)).toArray());
}
