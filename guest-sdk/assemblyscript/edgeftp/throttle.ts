import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Attr, Flag, Hook, Key, Op } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { attr, attrNumber, span, Span } from "./record";
import { begin, beginFail, putNumber } from "./reply";

/** How fast a transfer may go (hook `throttle`, ABI §4). */
@unmanaged export class ThrottleQuestion extends Question {
  /** What is done. */
  get op(): Op { return this.number; }
  /** The path of the transfer. */
  get path(): Bytes { return span(Span.Path); }
  /** Bytes that are to be moved, -1 unknown. */
  get size(): i64 { return this.a; }
  /** Bytes that were moved. */
  get moved(): i64 { return this.b; }
  /** Nanoseconds since the transfer began. */
  get took(): i64 { return attrNumber(Attr.Took); }
  /** The data connection's other end; none if it is not known yet. */
  get dataPeer(): Bytes { return attr(Attr.DataPeer); }
  /** Whether it goes from the client to the server. */
  get upload(): bool { return this.flag(Flag.Upload); }

  /** No limit, until `rate` sets one. */
  pass(): ThrottleAnswer { return changetype<ThrottleAnswer>(begin(Action.Pass)); }
  /** As `pass`. */
  allow(): ThrottleAnswer { return changetype<ThrottleAnswer>(begin(Action.Allow)); }
  /** The policy could not decide: the last answer stays, and the text goes to the log. */
  fail<T>(text: T): ThrottleAnswer { return changetype<ThrottleAnswer>(beginFail(text)); }
}

/** An answer of the hook `throttle`. */
@unmanaged export class ThrottleAnswer extends Answer {
  /** Bytes per second of this transfer, 0 no limit. */
  rate(n: i64): ThrottleAnswer { putNumber(tokenOf(this), Key.Rate, n, 8); return this; }
  /** Asks again after so many milliseconds; without it the answer holds for the whole transfer. */
  askAgain(ms: i32): ThrottleAnswer { putNumber(tokenOf(this), Key.TTL, ms, 4); return this; }
}

/** Serves `edgeftp_throttle`: reads the question, asks `answer`, and writes what it answers. */
export function throttle(length: i32, answer: (q: ThrottleQuestion) => ThrottleAnswer): i64 {
  if (!ask(Hook.Throttle, length)) return refuse();
  return tell(tokenOf(answer(changetype<ThrottleQuestion>(BOX))));
}
