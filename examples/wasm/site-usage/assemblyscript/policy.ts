// Site-usage counts the files and the bytes that each user stores and fetches on each
// day, and tells them at SITE USAGE [days] [user].
import { Builder, Bytes, config, event, EventKind, kv, site, SiteAnswer } from "edgeftp";

const DAY: i64 = 86_400_000_000_000; // nanoseconds
const SHOWN: i64 = 7; // days, if the client names no number

let keepDays: i64 = 31;
let group: string = "";

export function edgeftp_config(length: i32): i64 {
  return config(length, (s) => {
    keepDays = s.int("keep_days", keepDays);
    group = s.string("group", group);
    // A reply has at most 64 lines, and three are no days.
    if (keepDays < 1 || keepDays > 60) s.refuse('setting "keep_days" is not between 1 and 60');
  });
}

// A counter is one value in the server for all instances. The number of files comes
// last: if there is no space left the event fails before it, and nothing is counted by half.
export function edgeftp_event(length: i32): i64 {
  return event(length, (q) => {
    const up = q.event == EventKind.FileReceived;
    if (!up && q.event != EventKind.FileSent) return q.pass();
    const day = q.time / DAY, ttl = (keepDays + 1) * (DAY / 1_000_000);
    const bytes = kv.add(counter(q.user, day, up ? "up" : "down"), q.size, ttl);
    if (!bytes.ok) return q.fail("usage is not counted: " + bytes.errorText);
    const files = kv.add(counter(q.user, day, up ? "stored" : "fetched"), 1, ttl);
    return files.ok ? q.pass() : q.fail("usage is not counted: " + files.errorText);
  });
}

export function edgeftp_site(length: i32): i64 {
  return site(length, (q) => {
    let days = SHOWN, user = q.user;
    const words = q.arg.toString().split(" ").filter((word) => word.length > 0);
    if (words.length > 0) days = Bytes.of(words[0]).toInt();
    if (words.length > 2 || days < 1) return q.deny().code(501).line("SITE USAGE [days] [user]");
    if (words.length == 2) user = Bytes.of(words[1]);
    if (!user.is(q.user) && !(group.length && q.group.is(group))) {
      return q.deny().code(550).line("you may ask about yourself only");
    }
    return table(q.allow().code(211), user, q.time / DAY, min(days, keepDays));
  });
}

/** Adds a line for each day on which something was moved, and the sum. */
function table(reply: SiteAnswer, user: Bytes, today: i64, days: i64): SiteAnswer {
  reply.line(new Builder().add("Usage of ").add(user.toString()).add(" in ").addInt(days).add(" days (UTC)"));
  reply.line(row("day", "stored", "bytes", "fetched", "bytes"));
  const sum = new StaticArray<i64>(4);
  for (let day = today - days + 1; day <= today; day++) {
    const now = [count(user, day, "stored"), count(user, day, "up"), count(user, day, "fetched"), count(user, day, "down")];
    if (now[0] + now[1] + now[2] + now[3] == 0) continue;
    for (let i = 0; i < 4; i++) sum[i] += now[i];
    reply.line(row(date(day), now[0].toString(), now[1].toString(), now[2].toString(), now[3].toString()));
  }
  return reply.line(row("all", sum[0].toString(), sum[1].toString(), sum[2].toString(), sum[3].toString()));
}

function row(day: string, stored: string, up: string, fetched: string, down: string): string {
  return day.padEnd(10) + stored.padStart(8) + up.padStart(16) + fetched.padStart(8) + down.padStart(16);
}

/** The key of a counter. The user's name stands last: it may hold anything. */
function counter(user: Bytes, day: i64, what: string): Builder {
  return new Builder().addInt(day).addByte(0x20).add(what).addByte(0x20).add(user);
}

function count(user: Bytes, day: i64, what: string): i64 { return kv.count(counter(user, day, what)).or(0); }

/** The date of a day that is counted from 1970, as 2023-11-14. */
function date(day: i64): string { return new Date(day * 86_400_000).toISOString().slice(0, 10); }
