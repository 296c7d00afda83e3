import {
  AuthAllow, AuthAnswer, AuthDeny, AuthQuestion, Bytes, CertDeny, CertQuestion, CmdDeny, CmdQuestion, DataAnswer,
  DataDeny, DataQuestion, EventDeny, EventQuestion, FsAnswer, FsDeny, FsQuestion, FsRewrite, Hook, ListDeny,
  ListQuestion, ListView, SiteAnswer, SiteQuestion, ThrottleAnswer, ThrottleQuestion,
} from "edgeftp";
import { Action, Key } from "edgeftp/names";
import { answered, answerFault } from "edgeftp/reply";

// What is to be built: its head, and the entries that are left.
let action: i32 = 0, flags: i32 = 0, code: i32 = 0, bytes: Bytes = new Bytes(), told: Bytes = new Bytes();
let cached: bool = false; // whether an entry has said for how long

/** Builds the answer, writes its reply to out, and returns the verdict; -1 if the SDK refuses. */
export function build(t: Bytes, out: Uint8Array): i64 {
  const hook = t.at(0), n = load<i32>(t.start, 5);
  action = t.at(1);
  flags = t.at(2);
  code = load<u16>(t.start, 3);
  bytes = t.slice(9, 9 + n);
  told = t.slice(9 + n);
  cached = false;
  const token = answer(hook);
  if (!token || told.length || (flags & 2 && !cached) || answerFault().length) return -1;
  const verdict = answered(token, out.dataStart, out.length);
  return answerFault().length ? -1 : verdict;
}

/** The key of the next entry; 0 at the end. Its bytes are in `bytes`. */
function next(): i32 {
  if (!told.length) return 0;
  const key = load<u16>(told.start), n: i32 = load<u16>(told.start, 2);
  bytes = told.slice(4, 4 + n);
  told = told.slice(4 + n);
  return key;
}

function number(size: i32): i64 {
  if (bytes.length != size) return -1;
  return size == 8 ? load<i64>(bytes.start) : size == 4 ? i64(load<u32>(bytes.start)) : i64(load<u8>(bytes.start));
}

function truth(): i64 { return bytes.length == 1 ? i64(bytes.at(0)) : 2; }

/** The text of a failure, which is its only entry. */
function reason(): Bytes {
  const key = next();
  if (key == 0) return new Bytes();
  if (key != Key.Text) told = new Bytes(0, 1); // what is left over refuses it
  return bytes;
}

function answer(hook: i32): usize {
  switch (hook) {
    case Hook.Auth: return changetype<usize>(auth(changetype<AuthQuestion>(1)));
    case Hook.FS: return changetype<usize>(fs(changetype<FsQuestion>(1)));
    case Hook.Data: return changetype<usize>(data(changetype<DataQuestion>(1)));
    case Hook.List: return list(changetype<ListQuestion>(1));
    case Hook.Cmd: return cmd(changetype<CmdQuestion>(1));
    case Hook.Site: return site(changetype<SiteQuestion>(1));
    case Hook.Throttle: return throttle(changetype<ThrottleQuestion>(1));
    case Hook.Event: return event(changetype<EventQuestion>(1));
    case Hook.Cert: return cert(changetype<CertQuestion>(1));
    default: return 0;
  }
}

function auth(q: AuthQuestion): AuthAnswer | null {
  if (flags & 2) return null;
  let a: AuthAnswer;
  switch (action) {
    case Action.Pass: a = q.pass(); break;
    case Action.Allow: a = q.allow(); break;
    case Action.Deny: a = q.deny("").code(code); break;
    case Action.Fail: return q.fail(reason());
    default: return null;
  }
  if (flags & 1) a.final();
  for (let key = next(); key; key = next()) {
    if (!authEntry(a, key)) return null;
  }
  return a;
}

function authEntry(a: AuthAnswer, key: i32): bool {
  switch (key) {
    case Key.Text: if (action != Action.Deny) return false; changetype<AuthDeny>(a).text(bytes); break;
    case Key.PasswordHash: if (action != Action.Allow) return false; changetype<AuthAllow>(a).passwordHash(bytes); break;
    case Key.Home: a.home(bytes); break;
    case Key.Perms: a.perms(bytes); break;
    case Key.RateDown: a.rateDown(number(8)); break;
    case Key.RateUp: a.rateUp(number(8)); break;
    case Key.Expires: a.expires(number(8)); break;
    case Key.State: a.state(bytes); break;
    case Key.MaxSessions: a.maxSessions(i32(number(4))); break;
    case Key.MsgLogin: a.messageLogin(bytes); break;
    case Key.MsgQuit: a.messageQuit(bytes); break;
    case Key.Label: a.label(bytes); break;
    case Key.Group: a.group(bytes); break;
    case Key.MaxFileSize: a.maxFileSize(number(8)); break;
    case Key.DataTLS: if (truth() > 1) return false; a.dataTLSRequired(truth() == 1); break;
    case Key.Anonymous: if (truth() > 1) return false; a.anonymous(truth() == 1); break;
    case Key.Lenient: if (u64(number(1)) > 3) return false; a.lenient((number(1) & 1) != 0, (number(1) & 2) != 0); break;
    case Key.Rule: return rule(a);
    case Key.Network: a.network(bytes); break;
    default: return false;
  }
  return true;
}

function rule(a: AuthAnswer): bool {
  const first = bytes.indexOf("\0"), second = bytes.indexOf("\0", first + 1);
  if (first < 0 || second < 0 || second != bytes.length - 2 || bytes.at(second + 1) > 1) return false;
  a.rule(bytes.slice(0, first), bytes.slice(first + 1, second).toString(), bytes.at(second + 1) == 1);
  return true;
}

function fs(q: FsQuestion): FsAnswer | null {
  let a: FsAnswer;
  switch (action) {
    case Action.Pass: a = q.pass(); break;
    case Action.Allow: a = q.allow(); break;
    case Action.Deny: a = q.deny("").code(code); break;
    case Action.Rewrite: a = q.rewrite(); break;
    case Action.Hide: a = q.hide(); break;
    case Action.Fail: return q.fail(reason());
    default: return null;
  }
  if (flags & 1) a.final();
  for (let key = next(); key; key = next()) {
    if (!fsEntry(a, key)) return null;
  }
  return a;
}

function fsEntry(a: FsAnswer, key: i32): bool {
  switch (key) {
    case Key.Text: if (action != Action.Deny) return false; changetype<FsDeny>(a).text(bytes); break;
    case Key.Path: if (action != Action.Rewrite) return false; changetype<FsRewrite>(a).path(bytes); break;
    case Key.Path2: if (action != Action.Rewrite) return false; changetype<FsRewrite>(a).path2(bytes); break;
    case Key.TTL: if (!(flags & 2)) return false; cached = true; a.cache(i32(number(4))); break;
    case Key.RateDown: a.rateDown(number(8)); break;
    case Key.RateUp: a.rateUp(number(8)); break;
    case Key.MaxFileSize: a.maxFileSize(number(8)); break;
    case Key.DataTLS: if (truth() > 1) return false; a.dataTLSRequired(truth() == 1); break;
    case Key.Label: a.label(bytes); break;
    default: return false;
  }
  return true;
}

function data(q: DataQuestion): DataAnswer | null {
  if (flags) return null;
  let a: DataAnswer;
  switch (action) {
    case Action.Pass: a = q.pass(); break;
    case Action.Allow: a = q.allow(); break;
    case Action.Deny: a = q.deny("").code(code); break;
    case Action.Rewrite: a = q.rewrite(bytes); break;
    case Action.Hide: a = q.hide(); break;
    case Action.Fail: return q.fail(reason());
    default: return null;
  }
  for (let key = next(); key; key = next()) {
    if (key == Key.Carry) a.carry(bytes);
    else if (key == Key.Text && action == Action.Deny) changetype<DataDeny>(a).text(bytes);
    else return null;
  }
  return a;
}

function list(q: ListQuestion): usize {
  if (flags) return 0;
  if (action == Action.Hide) return changetype<usize>(q.hide());
  if (action == Action.Fail) return changetype<usize>(q.fail(reason()));
  if (action == Action.Deny) {
    const a = q.deny("").code(code);
    return texts(changetype<usize>(a), (token) => { changetype<ListDeny>(token).text(bytes); });
  }
  if (action > Action.Allow) return 0;
  const a = action == Action.Pass ? q.pass() : q.allow();
  for (let key = next(); key; key = next()) {
    if (key != Key.HideBits) return 0;
    hideBits(a);
  }
  return changetype<usize>(a);
}

/** Hides by entry where that comes to the same bytes. */
function hideBits(a: ListView): void {
  if (bytes.length == 0 || bytes.at(bytes.length - 1) == 0 || bytes.length > 32) {
    a.hideBits(bytes);
    return;
  }
  for (let i = 0; i < 8 * bytes.length; i++) {
    if ((bytes.at(i >> 3) >> u8(i & 7)) & 1) a.hide(i);
  }
}

/** Sets TEXT, the only entry that there may be. */
function texts(token: usize, set: (token: usize) => void): usize {
  for (let key = next(); key; key = next()) {
    if (key != Key.Text) return 0;
    set(token);
  }
  return token;
}

function cmd(q: CmdQuestion): usize {
  if (flags) return 0;
  switch (action) {
    case Action.Pass: return changetype<usize>(q.pass());
    case Action.Allow: return changetype<usize>(q.allow());
    case Action.Fail: return changetype<usize>(q.fail(reason()));
    case Action.Deny: return texts(changetype<usize>(q.deny("").code(code)), (token) => { changetype<CmdDeny>(token).text(bytes); });
    default: return 0;
  }
}

function event(q: EventQuestion): usize {
  if (flags) return 0;
  switch (action) {
    case Action.Pass: return changetype<usize>(q.pass());
    case Action.Allow: return changetype<usize>(q.allow());
    case Action.Fail: return changetype<usize>(q.fail(reason()));
    case Action.Deny: return texts(changetype<usize>(q.deny("").code(code)), (token) => { changetype<EventDeny>(token).text(bytes); });
    default: return 0;
  }
}

function cert(q: CertQuestion): usize {
  if (flags || code) return 0;
  switch (action) {
    case Action.Pass: return changetype<usize>(q.pass());
    case Action.Allow: return changetype<usize>(q.allow());
    case Action.Fail: return changetype<usize>(q.fail(reason()));
    case Action.Deny: return texts(changetype<usize>(q.deny("")), (token) => { changetype<CertDeny>(token).text(bytes); });
    default: return 0;
  }
}

function site(q: SiteQuestion): usize {
  if (flags) return 0;
  let a: SiteAnswer;
  switch (action) {
    case Action.Pass: return code ? 0 : changetype<usize>(q.pass());
    case Action.Allow: a = q.allow().code(code); break;
    case Action.Deny: a = q.deny().code(code); break;
    case Action.Fail: return changetype<usize>(q.fail(reason()));
    default: return 0;
  }
  for (let key = next(); key; key = next()) {
    if (key != Key.Line) return 0;
    a.line(bytes);
  }
  return changetype<usize>(a);
}

function throttle(q: ThrottleQuestion): usize {
  if (flags) return 0;
  if (action == Action.Fail) return changetype<usize>(q.fail(reason()));
  if (action > Action.Allow) return 0;
  const a: ThrottleAnswer = action == Action.Pass ? q.pass() : q.allow();
  for (let key = next(); key; key = next()) {
    if (key == Key.Rate) a.rate(number(8));
    else if (key == Key.TTL) a.askAgain(i32(number(4)));
    else return 0;
  }
  return changetype<usize>(a);
}
