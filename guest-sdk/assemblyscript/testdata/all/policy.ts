// All takes part in every hook and asks the host for everything. tests.json says what it
// is to answer.
import {
  auth, Builder, Bytes, cert, cmd, config, data, digest, event, EventKind, fetch, fs, FsAnswer, FsQuestion, idle, kv,
  list, log, metric, random, site, stat, throttle, verify,
} from "edgeftp";

let greeting: string = "hello";

export function edgeftp_config(length: i32): i64 {
  return config(length, (s) => { greeting = s.string("greeting", greeting); });
}

export function edgeftp_idle(): void { idle(() => { metric.add("idle_total"); }); }

export function edgeftp_auth(length: i32): i64 {
  return auth(length, (q) => {
    if (q.user.is("anna")) {
      const right = verify("plain:secret");
      if (!right.ok) return q.fail(right.errorText);
      return right.value ? q.allow().home("/home/anna").perms("elr").state(q.user).group("staff") : q.deny("no").code(530);
    }
    if (q.binding.is("of this connection, and no other")) return q.allow().home(new Builder().add("/").add(q.protocol));
    if (q.user.is("near")) return q.allow().network("192.0.2.0/24").network(new Builder().add("2001:db8::").add("/32"));
    if (q.user.startsWith("net:")) return q.allow().network(q.user.slice(4));
    if (q.user.is("bert")) return q.allow().passwordHash("plain:moon").rule("/in", "elradfmw", true).messageLogin(greeting);
    // Somebody else knows the others.
    const r = fetch(new Builder().add("https://idp.example.org/may?user=").add(q.user))
      .header("accept", "text/plain").want("x-home").timeout(500).send();
    if (!r.ok) return q.fail("idp: " + r.errorText);
    return r.value.status == 200 && r.value.body.is("yes\n") ? q.allow().home(r.value.header("x-home")) : q.pass();
  });
}

export function edgeftp_fs(length: i32): i64 {
  return fs(length, (q) => {
    if (q.path.startsWith("/kv/")) return values(q);
    if (q.path.startsWith("/host/")) return host(q);
    if (q.path.is("/whose")) return q.deny(q.vhost);
    if (q.path.is("/how")) return q.deny(q.protocol);
    if (q.path.is("/whither")) return q.deny(q.dataPeer);
    if (q.path.is("/hide")) return q.hide();
    if (q.path.is("/slow")) return q.allow().rateDown(1000).final();
    if (q.path.startsWith("/ü/")) return q.rewrite().path(new Builder().add(q.path.dir).add("/new/").add(q.path.base));
    return q.pass();
  });
}

/** Asks for values: the argument is a key, and a value behind a colon. */
function values(q: FsQuestion): FsAnswer {
  const colon = q.arg.indexOf(":");
  const key = q.arg.slice(0, colon < 0 ? q.arg.length : colon), value = q.arg.slice(colon + 1);
  if (q.path.is("/kv/get")) {
    const r = kv.text(key);
    return q.deny(r.ok ? r.value : r.errorText);
  }
  if (q.path.is("/kv/set")) return q.deny(kv.set(key, value) == 0 ? "set" : "not set");
  if (q.path.is("/kv/remove")) return q.deny(kv.remove(key) == 0 ? "removed" : "not removed");
  if (q.path.is("/kv/add")) {
    const r = kv.add(key, value.toInt());
    return q.deny(r.ok ? r.value.toString() : r.errorText);
  }
  if (q.path.is("/kv/create")) return q.deny(kv.create(key, value).or(false) ? "created" : "not created");
  if (q.path.is("/kv/swap")) return q.deny(kv.swap(key, "old", value).or(false) ? "swapped" : "not swapped");
  if (q.path.is("/kv/drop")) return q.deny(kv.drop(key, value).or(false) ? "dropped" : "not dropped");
  const n = kv.count(key);
  return q.deny(n.ok ? n.value.toString() : n.errorText);
}

function host(q: FsQuestion): FsAnswer {
  if (q.path.is("/host/stat")) {
    const r = stat(q.arg);
    if (!r.ok) return q.deny(r.errorText);
    return q.deny(r.value.size.toString() + (r.value.dir ? " directory " : " file ") + r.value.modified.toString());
  }
  if (q.path.is("/host/digest")) {
    const r = digest("CRC32");
    return q.deny(r.ok ? r.value.length.toString() + " bytes" : r.errorText);
  }
  metric.add("asked_total");
  metric.set("asked", 1);
  return q.deny(random(5000).length.toString());
}

export function edgeftp_list(length: i32): i64 {
  return list(length, (q) => {
    const view = q.pass();
    for (let i = 0; i < q.count; i++) {
      const e = q.entry(i);
      if (e.name.startsWith(".") || (!e.dir && e.size == 0)) view.hide(i);
    }
    return view;
  });
}

export function edgeftp_cmd(length: i32): i64 {
  return cmd(length, (q) => q.verb.is("SITE CHMOD")
    ? q.deny(new Builder().add("no ").add(q.arg).add(" in ").add(q.dir)).code(502) : q.pass());
}

export function edgeftp_site(length: i32): i64 {
  return site(length, (q) => {
    const reply = q.allow().code(211), words = q.arg.toString().split(" ");
    for (let i = 0; i < words.length; i++) reply.line(words[i]);
    return reply;
  });
}

export function edgeftp_throttle(length: i32): i64 {
  return throttle(length, (q) => q.upload ? q.pass() : q.pass().rate(q.size / 10).askAgain(250));
}

export function edgeftp_data(length: i32): i64 {
  return data(length, (q) => {
    if (q.chunk.indexOf("virus") >= 0) return q.deny("a virus").code(551);
    const upper = q.chunk.toArray();
    for (let i = 0; i < upper.length; i++) {
      if (upper[i] - 0x61 < 26) upper[i] -= 0x20;
    }
    return q.rewrite(upper).carry(new Builder().addInt(q.carry.toInt() + q.chunk.length));
  });
}

export function edgeftp_event(length: i32): i64 {
  return event(length, (q) => {
    if (q.event == EventKind.FileReceived) log.info(new Builder().add("stored ").add(q.path).addByte(0x20).addInt(q.size));
    return q.event == EventKind.Timeout ? q.fail("never") : q.pass();
  });
}

export function edgeftp_cert(length: i32): i64 {
  return cert(length, (q) => q.name.endsWith(".example.org") ? q.allow() : q.deny("not ours"));
}
