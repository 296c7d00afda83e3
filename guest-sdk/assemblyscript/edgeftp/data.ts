import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Attr, Flag, Hook, Key, Op } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { attr, MAX_STATE, span, Span } from "./record";
import { begin, beginFail, putBytes, putData, putReason, setCode } from "./reply";

/**
 * Whether bytes of a transfer may pass, and as what (hook `data`, ABI §4). An instance
 * serves chunks of many transfers: what is to be known at the next one goes into `carry`.
 */
@unmanaged export class DataQuestion extends Question {
  /** What is done. */
  get op(): Op { return this.number; }
  /** The path of the transfer. */
  get path(): Bytes { return span(Span.Path); }
  /** The bytes, at most 65,536. */
  get chunk(): Bytes { return span(Span.Arg); }
  /** Where in the file they begin, counted before any rewriting. */
  get offset(): i64 { return this.a; }
  /** What the answer to the transfer's last chunk carried. */
  get carry(): Bytes { return span(Span.Extra); }
  /** The data connection's other end; none if it has no address. */
  get dataPeer(): Bytes { return attr(Attr.DataPeer); }
  /** Whether nothing follows; the chunk may be empty then. */
  get last(): bool { return this.flag(Flag.Last); }
  /** Whether it goes from the client to the server. */
  get upload(): bool { return this.flag(Flag.Upload); }

  /** The bytes pass. */
  pass(): DataAnswer { return changetype<DataAnswer>(begin(Action.Pass)); }
  /** As `pass`. */
  allow(): DataAnswer { return changetype<DataAnswer>(begin(Action.Allow)); }
  /** The transfer ends, with one line for the client; an empty one is the server's own. */
  deny<T>(text: T): DataDeny { return changetype<DataDeny>(begin(Action.Deny)).text(text); }
  /** Other bytes pass, with any number; all that the mailbox holds. */
  rewrite<T>(bytes: T): DataAnswer {
    const b = Bytes.of(bytes), id = begin(Action.Rewrite);
    rewritten = b;
    putData(id, b.start, b.length);
    return changetype<DataAnswer>(id);
  }
  /** The transfer ends. */
  hide(): DataAnswer { return changetype<DataAnswer>(begin(Action.Hide)); }
  /** The policy could not decide: the transfer ends, and the text goes to the log. */
  fail<T>(text: T): DataAnswer { return changetype<DataAnswer>(beginFail(text)); }
}

// Keeps the new bytes in memory until the answer is told.
let rewritten: Bytes = new Bytes();

/** An answer of the hook `data`. */
@unmanaged export class DataAnswer extends Answer {
  /** At most 1,024 bytes, which come back with the transfer's next chunk. */
  carry<T>(bytes: T): DataAnswer { putBytes(tokenOf(this), Key.Carry, bytes, MAX_STATE); return this; }
}

/** A refusal of the hook `data`. */
@unmanaged export class DataDeny extends DataAnswer {
  /** The reply code, 400 to 599; 0 is the server's own. */
  code(n: i32): DataDeny { setCode(tokenOf(this), n); return this; }
  /** One line for the client; an empty one is the server's own. */
  text<T>(text: T): DataDeny { putReason(tokenOf(this), text); return this; }
}

/** Serves `edgeftp_data`: reads the question, asks `answer`, and writes what it answers. */
export function data(length: i32, answer: (q: DataQuestion) => DataAnswer): i64 {
  if (!ask(Hook.Data, length)) return refuse();
  return tell(tokenOf(answer(changetype<DataQuestion>(BOX))));
}
