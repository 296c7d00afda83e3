import { Builder, Bytes } from "./bytes";
import { Errno } from "./names";
import { Result } from "./result";

// @ts-ignore: decorator
@external("edgeftp", "fetch")
declare function host_fetch(request: usize, length: i32, out: usize, room: i32): i64;

enum Field { Method = 1, URL, Header, Body, Timeout, Want }

/**
 * Begins an HTTP request, in the hooks `auth`, `site`, `event` and `cert`. It needs a
 * capability `fetch:HOST` or `fetch:HOST:PORT`. Redirects are not followed.
 *
 * ```ts
 * const r = fetch("https://idp.example.org/may?user=" + name).timeout(500).send();
 * if (!r.ok) return q.fail(r.errorText);
 * if (r.value.status == 200) return q.allow();
 * ```
 */
export function fetch<T>(url: T): Request { return new Request().field(Field.URL, Bytes.of(url)); }

/** A request that is being made (ABI §7, fetch). What it is made of is for the host to judge. */
@final export class Request {
  private entries: Builder = new Builder();

  /** GET, which is also the default, HEAD, POST, PUT, PATCH or DELETE. */
  method<T>(name: T): Request { return this.field(Field.Method, Bytes.of(name)); }

  /** Adds a header. */
  header<N, V>(name: N, value: V): Request {
    return this.field(Field.Header, new Builder().add(name).addByte(0).add(value).bytes);
  }

  /** Sets the body, at most 65,536 bytes. */
  body<T>(bytes: T): Request { return this.field(Field.Body, Bytes.of(bytes)); }

  /** Lowers the time that the request may take, milliseconds. */
  timeout(ms: u32): Request { return this.field(Field.Timeout, new Builder().addU32(ms).bytes); }

  /** Names a header that the response is to show. */
  want<T>(name: T): Request { return this.field(Field.Want, Bytes.of(name)); }

  /**
   * Sends the request. A response with any status is a value. One that is longer than
   * `room` bytes, with its headers, is the error Size.
   */
  send(room: i32 = 65536): Result<Response> {
    const b = this.entries.bytes, out = new ArrayBuffer(room);
    const n = host_fetch(b.start, b.length, changetype<usize>(out), room);
    if (n < 0) return new Result(new Response(new Bytes()), i32(n));
    return new Result(new Response(new Bytes(changetype<usize>(out), i32(n), out)));
  }

  /** Adds an entry. */
  field(key: u32, v: Bytes): Request {
    this.entries.addU32(key).addU32(v.length).add(v);
    return this;
  }
}

/** The response to a {@link Request}. */
@final export class Response {
  /** @param raw the bytes as the host wrote them */
  constructor(readonly raw: Bytes) {}

  /** The status, such as 200; 0 where there is no response. */
  get status(): i32 { return this.raw.length < 4 ? 0 : load<i32>(this.raw.start); }

  /** The body. */
  get body(): Bytes { return this.find(Field.Body, ""); }

  /** The value of a header that was wanted, its name in lower case; none if it is not there. */
  header(name: string): Bytes { return this.find(Field.Header, name + "\0"); }

  private find(key: u32, prefix: string): Bytes {
    let at = 4;
    while (at + 8 <= this.raw.length) {
      const p = this.raw.start + at, n = load<i32>(p, 4);
      if (n < 0 || n > this.raw.length - at - 8) break;
      const value = this.raw.slice(at + 8, at + 8 + n);
      if (load<u32>(p) == key && value.startsWith(prefix)) return value.slice(prefix.length);
      at += 8 + n;
    }
    return new Bytes();
  }
}
