// What `throw`, a failed `assert` and the checks of the standard library lead to: the
// message goes to standard error, with which the host leads the error of the call. It
// is written without allocating, because the heap may be what is at fault.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: i32, iov: usize, count: i32, written: usize): i32;

const LINE: usize = memory.data(1024);
const IOV: usize = memory.data(12, 4);
let at: usize = LINE;

/** Ends the instance with `FILE:LINE:COLUMN: MESSAGE`. asc calls it as `abort`. */
export function edgeftp_abort(message: string | null = null, file: string | null = null, line: u32 = 0, column: u32 = 0): void {
  text(file);
  byte(0x3a); // :
  number(line);
  byte(0x3a);
  number(column);
  byte(0x3a);
  byte(0x20);
  text(message ? message : "abort");
  store<usize>(IOV, LINE);
  store<usize>(IOV, at - LINE, 4);
  fd_write(2, IOV, 1, IOV + 8);
  unreachable();
}

function byte(c: u32): void {
  if (at == LINE + 1024) return;
  store<u8>(at++, c);
}

/** Cuts a text so that the file and the line before it always have room. */
function text(s: string | null): void {
  if (!s) return;
  const n = min(s.length, 250);
  at += String.UTF8.encodeUnsafe(changetype<usize>(s), n, at);
}

function number(n: u32): void {
  if (n > 9) number(n / 10);
  byte(0x30 + n % 10);
}
