import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Attr, Flag, Hook, Key } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { attr, MAX_STATE, span, Span } from "./record";
import { begin, beginFail, putBytes, putNetwork, putNumber, putPath, putPerms, putReason, putRule, putText, setCode, setFlag } from "./reply";

/** Whether somebody may log in (hook `auth`, ABI §4). */
@unmanaged export class AuthQuestion extends Question {
  /** The password: none, unless the policy has the capability `password`. */
  get password(): Bytes { return span(Span.Arg); }
  /**
   * Whether the client has shown a certificate and no password yet. Who allows now
   * without a hash lets it in: compare `certSHA256` with the user's own first.
   */
  get early(): bool { return this.flag(Flag.Early); }
  /**
   * 32 bytes that the two ends of the connection know and nobody else, over QUIC; none
   * elsewhere. What the client proves may be bound to them; they are not to be kept.
   */
  get binding(): Bytes { return attr(Attr.Binding); }

  /** No opinion. */
  pass(): AuthAnswer { return changetype<AuthAnswer>(begin(Action.Pass)); }
  /** May log in; with `passwordHash` if the server finds the password to be that one. */
  allow(): AuthAllow { return changetype<AuthAllow>(begin(Action.Allow)); }
  /** Refused, with one line for the client; an empty one is the server's own. */
  deny<T>(text: T): AuthDeny { return changetype<AuthDeny>(begin(Action.Deny)).text(text); }
  /** The policy could not decide: the login is refused, and the text goes to the log. */
  fail<T>(text: T): AuthAnswer { return changetype<AuthAnswer>(beginFail(text)); }
}

/** An answer of the hook `auth`. */
@unmanaged export class AuthAnswer extends Answer {
  /** Asks no later policy. */
  final(): AuthAnswer { setFlag(tokenOf(this), 1); return this; }
  /** The directory in which the session starts. */
  home<T>(path: T): AuthAnswer { putPath(tokenOf(this), Key.Home, path); return this; }
  /** Letters of `elradfmwMT`, each at most once. They only narrow. */
  perms<T>(letters: T): AuthAnswer { putPerms(tokenOf(this), Key.Perms, letters); return this; }
  /** Permissions of a directory in place of `perms`, which narrow them; with all below it or not. */
  rule<T>(dir: T, letters: string, below: bool): AuthAnswer { putRule(tokenOf(this), dir, letters, below); return this; }
  /**
   * A network that the user may come from, such as `192.0.2.0/24` or `2001:db8::/32`; without
   * one it is anywhere. The server looks at the client's address before the login holds, and
   * again when the client moves. Up to 256 times. The manifest must say `"abi": "1.5"`: an
   * older server would let in from anywhere.
   */
  network<T>(network: T): AuthAnswer { putNetwork(tokenOf(this), network); return this; }
  /** Bytes per second towards the client, 0 no limit. */
  rateDown(n: i64): AuthAnswer { putNumber(tokenOf(this), Key.RateDown, n, 8); return this; }
  /** Bytes per second from the client, 0 no limit. */
  rateUp(n: i64): AuthAnswer { putNumber(tokenOf(this), Key.RateUp, n, 8); return this; }
  /** Bytes that a stored file may have, 0 no limit. */
  maxFileSize(n: i64): AuthAnswer { putNumber(tokenOf(this), Key.MaxFileSize, n, 8); return this; }
  /** When the session ends, nanoseconds since 1970 UTC; 0 never. */
  expires(ns: i64): AuthAnswer { putNumber(tokenOf(this), Key.Expires, ns, 8); return this; }
  /** At most 1,024 bytes, which come back with every question of the session. */
  state<T>(bytes: T): AuthAnswer { putBytes(tokenOf(this), Key.State, bytes, MAX_STATE); return this; }
  /** Sessions that the user may have at once, 0 no limit. */
  maxSessions(n: i32): AuthAnswer { putNumber(tokenOf(this), Key.MaxSessions, n, 4); return this; }
  /** The server's words at 230. */
  messageLogin<T>(text: T): AuthAnswer { putText(tokenOf(this), Key.MsgLogin, text); return this; }
  /** The server's words at 221. */
  messageQuit<T>(text: T): AuthAnswer { putText(tokenOf(this), Key.MsgQuit, text); return this; }
  /** A text that events carry. */
  label<T>(text: T): AuthAnswer { putText(tokenOf(this), Key.Label, text); return this; }
  /** The group of the session. */
  group<T>(name: T): AuthAnswer { putText(tokenOf(this), Key.Group, name); return this; }
  /** Whether data connections must be protected. */
  dataTLSRequired(on: bool = true): AuthAnswer { putNumber(tokenOf(this), Key.DataTLS, i64(on), 1); return this; }
  /** Whether the session is anonymous: nothing of it is kept. */
  anonymous(on: bool = true): AuthAnswer { putNumber(tokenOf(this), Key.Anonymous, i64(on), 1); return this; }
  /** What the user's clients need not do on protected data connections: resume the TLS session, end with close_notify. */
  lenient(resumption: bool, closeNotify: bool): AuthAnswer {
    putNumber(tokenOf(this), Key.Lenient, i64(resumption) | (i64(closeNotify) << 1), 1);
    return this;
  }
}

/** A login that is allowed. */
@unmanaged export class AuthAllow extends AuthAnswer {
  /** The stored hash (PHC argon2id or bcrypt) that the server compares with the password. */
  passwordHash<T>(hash: T): AuthAllow { putText(tokenOf(this), Key.PasswordHash, hash); return this; }
}

/** A login that is refused. */
@unmanaged export class AuthDeny extends AuthAnswer {
  /** The reply code, 400 to 599; 0 is the server's own (530). */
  code(n: i32): AuthDeny { setCode(tokenOf(this), n); return this; }
  /** One line for the client; an empty one is the server's own. */
  text<T>(text: T): AuthDeny { putReason(tokenOf(this), text); return this; }
}

/** Serves `edgeftp_auth`: reads the question, asks `answer`, and writes what it answers. */
export function auth(length: i32, answer: (q: AuthQuestion) => AuthAnswer): i64 {
  if (!ask(Hook.Auth, length)) return refuse();
  return tell(tokenOf(answer(changetype<AuthQuestion>(BOX))));
}
