// What `throw`, a failed `assert` and the checks of the standard library lead to: the
// message goes to standard error, with which the host leads the error of the call. It
// is written without allocating, because the heap may be what is at fault.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: i32, iov: usize, count: i32, written: usize): i32;

const ROOM: i32 = 4096;
const LINE: usize = memory.data(ROOM);
const IOV: usize = memory.data(12, 4);
let at: usize = LINE;

/** Ends the instance with `FILE:LINE:COLUMN: MESSAGE`. asc calls it as `abort`. */
export function edgeftp_abort(message: string | null = null, file: string | null = null, line: u32 = 0, column: u32 = 0): void {
  text(file, 250);
  byte(0x3a); // :
  number(line);
  byte(0x3a);
  number(column);
  byte(0x3a);
  byte(0x20);
  text(message ? message : "abort", 1000);
  store<usize>(IOV, LINE);
  store<usize>(IOV, at - LINE, 4);
  fd_write(2, IOV, 1, IOV + 8);
  unreachable();
}

function byte(c: u32): void {
  store<u8>(at++, c);
}

/** Adds a text of at most so many units of UTF-16, of which each has at most three bytes. */
function text(s: string | null, most: i32): void {
  if (!s) return;
  const n = min(s.length, most);
  at += String.UTF8.encodeUnsafe(changetype<usize>(s), n, at);
}

function number(n: u32): void {
  if (n > 9) number(n / 10);
  byte(0x30 + n % 10);
}
