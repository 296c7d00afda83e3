// Addresses with a port, as PEER and LOCAL have them: 192.0.2.7:21, [2001:db8::1]:21, and
// networks: 192.0.2.0/24, 2001:db8::/32.

/** The 16 bytes of the address that was read last, IPv4 mapped into ::ffff:0:0/96. */
export const ADDRESS: usize = memory.data(16, 8);

let at: usize = 0;
let end: usize = 0;

/** Reads an address with a port into {@link ADDRESS}; false if it is none. */
export function parseAddressPort(start: usize, length: i32): bool {
  at = start;
  end = start + length;
  memory.fill(ADDRESS, 0, 16);
  if (skip(0x5b)) { // [
    if (!groups()) return false;
    if (skip(0x25)) { // % and the zone
      const zone = at;
      while (peek() >= 0 && peek() != 0x5d) at++;
      if (at == zone) return false;
    }
    if (!skip(0x5d)) return false;
  } else {
    store<u16>(ADDRESS, 0xffff, 10);
    if (!dotted(ADDRESS + 12)) return false;
  }
  return skip(0x3a) && decimal(65535) >= 0 && at == end;
}

/** Whether there is a network in its one form: no bits behind its length, IPv4 not as IPv6. */
export function isNetwork(start: usize, length: i32): bool {
  at = start;
  end = start + length;
  memory.fill(ADDRESS, 0, 16);
  let all = 32, plain = true;
  for (let p = start; p < end; p++) if (load<u8>(p) == 0x3a) plain = false;
  if (plain) {
    if (!dotted(ADDRESS)) return false;
  } else {
    if (!groups() || mapped()) return false;
    all = 128;
  }
  if (!skip(0x2f)) return false;
  const zero = peek() == 0x30, first = at;
  const bits = decimal(all);
  if (bits < 0 || (zero && at > first + 1) || at != end) return false;
  for (let i = bits; i < all; i++) if (load<u8>(ADDRESS + (i >> 3)) & (0x80 >> (i & 7))) return false;
  return true;
}

/** Whether {@link ADDRESS} is one of IPv4 in IPv6's form. */
function mapped(): bool {
  return load<u64>(ADDRESS) == 0 && load<u16>(ADDRESS, 8) == 0 && load<u16>(ADDRESS, 10) == 0xffff;
}

function peek(): i32 { return at < end ? load<u8>(at) : -1; }

function skip(c: i32): bool {
  if (peek() != c) return false;
  at++;
  return true;
}

/** A number in decimal of at most `most`, -1 if there is none. */
function decimal(most: i32): i32 {
  let n = -1;
  for (let c = peek() - 0x30; u32(c) < 10; c = peek() - 0x30) {
    n = max(n, 0) * 10 + c;
    if (n > most) return -1;
    at++;
  }
  return n;
}

/** Four numbers with dots. */
function dotted(to: usize): bool {
  for (let i = 0; i < 4; i++) {
    if (i > 0 && !skip(0x2e)) return false;
    const zero = peek() == 0x30, first = at;
    const n = decimal(255);
    if (n < 0 || (zero && at > first + 1)) return false;
    store<u8>(to + i, n);
  }
  return true;
}

/** The eight groups of an IPv6 address (RFC 4291 §2.2), `::` for groups of zeros. */
function groups(): bool {
  let n = 0, gap = -1;
  if (skip(0x3a)) {
    if (!skip(0x3a)) return false;
    gap = 0;
  }
  while (n < 8) {
    const first = at;
    const g = hex();
    if (g < 0) break;
    if (peek() == 0x2e) { // the last 32 bits may be dotted
      at = first;
      if (n > 6 || !dotted(ADDRESS + 2 * n)) return false;
      n += 2;
      break;
    }
    store<u16>(ADDRESS + 2 * n++, bswap<u16>(u16(g)));
    if (n == 8 || peek() != 0x3a) break;
    at++;
    if (skip(0x3a)) {
      if (gap >= 0) return false;
      gap = n;
    } else if (hexDigit(peek()) < 0) {
      return false;
    }
  }
  if (gap < 0) return n == 8;
  if (n == 8) return false;
  memory.copy(ADDRESS + 16 - 2 * (n - gap), ADDRESS + 2 * gap, 2 * (n - gap));
  memory.fill(ADDRESS + 2 * gap, 0, 2 * (8 - n));
  return true;
}

/** One to four hexadecimal digits, -1 if there are none, or more. */
function hex(): i32 {
  let n = -1;
  const first = at;
  for (let d = hexDigit(peek()); d >= 0; d = hexDigit(peek())) {
    n = (max(n, 0) << 4) | d;
    if (++at > first + 4) return -1;
  }
  return n;
}

function hexDigit(c: i32): i32 {
  if (u32(c - 0x30) < 10) return c - 0x30;
  c = (c | 0x20) - 0x61;
  return u32(c) < 6 ? c + 10 : -1;
}
