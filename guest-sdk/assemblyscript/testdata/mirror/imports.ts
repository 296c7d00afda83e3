import { Builder, Bytes, digest, fetch, FileInfo, kv, log, metric, random, stat, verify } from "edgeftp";
import { hex } from "./questions";

let told: Bytes = new Bytes();
let absent: bool = false; // whether the last text was the absent value

/** The lines about a call of an import. */
export function call(number: u8, args: Bytes): Builder {
  told = args;
  switch (number) {
    case 0: {
      const level = i32(num());
      log.write(level, text());
      return result(0);
    }
    case 1: {
      const r = kv.get(text());
      return r.ok ? out(r.value.length, r.value) : result(r.error);
    }
    case 2: {
      const key = text(), value = text();
      return result(absent ? kv.remove(key) : kv.set(key, value, num()));
    }
    case 3: {
      const key = text(), delta = num(), r = kv.add(key, delta, num());
      return r.ok ? out(0, new Builder().addU32(u32(r.value)).addU32(u32(r.value >> 32))) : result(r.error);
    }
    case 4: return cas();
    case 5: {
      const name = text();
      if (num() == 0) metric.add(name, num());
      else metric.set(name, num());
      return result(0);
    }
    case 6: return out(0, random(i32(num())));
    case 7: {
      const r = verify(text());
      return result(r.ok ? i64(r.value) : r.error);
    }
    case 8: {
      const r = stat(text());
      return r.ok ? out(32, facts(r.value)) : result(r.error);
    }
    case 9: {
      const r = digest(text());
      return r.ok ? out(r.value.length, r.value) : result(r.error);
    }
    case 10: {
      const method = text(), url = text(), body = text();
      const request = fetch(url).method(method);
      const r = (body.length ? request.body(body) : request).send();
      return r.ok ? out(r.value.raw.length, r.value.raw) : result(r.error);
    }
    default: return new Builder().add("unknown\n");
  }
}

function cas(): Builder {
  const key = text(), old = text(), none = absent, value = text(), removes = absent;
  const ttl = num();
  const r = none && removes ? kv.absent(key) : none ? kv.create(key, value, ttl)
    : removes ? kv.drop(key, old) : kv.swap(key, old, value, ttl);
  return result(r.ok ? i64(r.value) : r.error);
}

function facts(f: FileInfo): Builder {
  const b = new Builder().addU32(0).addU32(0).addU32(f.mode).addU32(0);
  return b.addU32(u32(f.size)).addU32(u32(f.size >> 32)).addU32(u32(f.modified)).addU32(u32(f.modified >> 32));
}

function text(): Bytes {
  const n = load<u32>(told.start);
  absent = n == u32.MAX_VALUE;
  const b = told.slice(4, absent ? 4 : 4 + i32(n));
  told = told.slice(4 + b.length);
  return b;
}

function num(): i64 {
  const n = load<i64>(told.start);
  told = told.slice(8);
  return n;
}

function result(n: i64): Builder { return new Builder().add("result ").addInt(n).addByte(10); }

function out<T>(n: i64, bytes: T): Builder {
  const b = Bytes.of(bytes);
  return b.length ? hex(result(n).add("out "), b) : result(n);
}
