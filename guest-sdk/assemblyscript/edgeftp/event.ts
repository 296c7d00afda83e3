import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Attr, EventKind, Flag, Hook, Op } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { attr, attrNumber, span, Span } from "./record";
import { begin, beginFail, putReason, setCode } from "./reply";

/** What has happened (hook `event`, ABI §4). */
@unmanaged export class EventQuestion extends Question {
  /** The kind of event. */
  get event(): EventKind { return this.number; }
  /** The path that it is about. */
  get path(): Bytes { return span(Span.Path); }
  /** The new path of `FileRenamed`. */
  get path2(): Bytes { return attr(Attr.Path2); }
  /** One line: the command of `CommandDone`, the reason of `Denied` and of failures; never a password. */
  get text(): Bytes { return span(Span.Arg); }
  /** The size in bytes. */
  get size(): i64 { return this.a; }
  /** How long it took, nanoseconds. */
  get took(): i64 { return this.b; }
  /** The reply code. */
  get code(): i32 { return i32(attrNumber(Attr.Code)); }
  /** The operation that it is about, 0 if none. */
  get op(): Op { return i32(attrNumber(Attr.Op)); }
  /** The policy that it is about. */
  get policy(): Bytes { return attr(Attr.Policy); }
  /** The generation of that policy. */
  get generation(): u64 { return attrNumber(Attr.Generation); }
  /** Of a transfer, the data connection's other end; else none. */
  get dataPeer(): Bytes { return attr(Attr.DataPeer); }
  /** Whether the command began under policies that had ended when this happened. */
  get late(): bool { return this.flag(Flag.Late); }

  /** Done with it. */
  pass(): EventAnswer { return changetype<EventAnswer>(begin(Action.Pass)); }
  /** As `pass`. */
  allow(): EventAnswer { return changetype<EventAnswer>(begin(Action.Allow)); }
  /** As `fail`: an event cannot be refused. */
  deny<T>(text: T): EventDeny { return changetype<EventDeny>(begin(Action.Deny)).text(text); }
  /** The event is counted as lost, or told again later; the text goes to the log. */
  fail<T>(text: T): EventAnswer { return changetype<EventAnswer>(beginFail(text)); }
}

/** An answer of the hook `event`. */
@unmanaged export class EventAnswer extends Answer {}

/** A failure of the hook `event`. */
@unmanaged export class EventDeny extends EventAnswer {
  /** A code, 400 to 599, that nobody sees. */
  code(n: i32): EventDeny { setCode(tokenOf(this), n); return this; }
  /** One line for the log. */
  text<T>(text: T): EventDeny { putReason(tokenOf(this), text); return this; }
}

/** Serves `edgeftp_event`: reads the event, tells `answer`, and writes what it answers. */
export function event(length: i32, answer: (q: EventQuestion) => EventAnswer): i64 {
  if (!ask(Hook.Event, length)) return refuse();
  return tell(tokenOf(answer(changetype<EventQuestion>(BOX))));
}
