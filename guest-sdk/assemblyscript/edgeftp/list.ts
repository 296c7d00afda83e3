import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Hook, Key } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { span, Span } from "./record";
import { begin, beginFail, mistake, putBit, putBytes, putReason, setCode } from "./reply";

/** One entry of a directory (ABI §4). It is the one in the mailbox itself. */
@unmanaged export class Entry {
  private nameStart: usize;
  private nameLength: i32;
  /** st_mode of POSIX: kind and permissions, 0o040755 is a directory. */
  readonly mode: u32;
  private zero: u32;
  /** Bytes. */
  readonly size: i64;
  /** Time of the last modification, nanoseconds since 1970 UTC, 0 unknown. */
  readonly modified: i64;

  /** The name, without a slash. */
  get name(): Bytes { return new Bytes(this.nameStart, this.nameLength); }
  /** Whether it is a directory. */
  get dir(): bool { return (this.mode & 0o170000) == 0o040000; }
}

/** Which entries of a directory a session sees (hook `list`, ABI §4). */
@unmanaged export class ListQuestion extends Question {
  /** The directory. */
  get path(): Bytes { return span(Span.Path); }
  /** The number of entries, 1 to 256. A large directory comes in several questions. */
  get count(): i32 { return i32(this.a); }
  /** Entry i, from 0. It traps outside. */
  entry(i: i32): Entry {
    assert(u32(i) < u32(this.count), "ListQuestion.entry: index out of range");
    return changetype<Entry>(span(Span.Arg).start + 32 * i);
  }

  /** No opinion; `hide` hides single entries. */
  pass(): ListView { return changetype<ListView>(begin(Action.Pass)); }
  /** As `pass`. */
  allow(): ListView { return changetype<ListView>(begin(Action.Allow)); }
  /** The whole listing is refused, with one line for the client; an empty one is the server's own. */
  deny<T>(text: T): ListDeny { return changetype<ListDeny>(begin(Action.Deny)).text(text); }
  /** The whole listing is refused. */
  hide(): ListAnswer { return changetype<ListAnswer>(begin(Action.Hide)); }
  /** The policy could not decide: it is refused, and the text goes to the log. */
  fail<T>(text: T): ListAnswer { return changetype<ListAnswer>(beginFail(text)); }
}

/** An answer of the hook `list`. */
@unmanaged export class ListAnswer extends Answer {}

/** A listing that is shown. */
@unmanaged export class ListView extends ListAnswer {
  /** Hides entry i. */
  hide(i: i32): ListView {
    if (u32(i) < 256) putBit(tokenOf(this), i);
    else mistake(tokenOf(this), "there is no such entry to hide");
    return this;
  }
  /** Hides the entries whose bits are set: bit i%8 of byte i/8. */
  hideBits<T>(bits: T): ListView { putBytes(tokenOf(this), Key.HideBits, bits, 32); return this; }
}

/** A refusal of the hook `list`. */
@unmanaged export class ListDeny extends ListAnswer {
  /** The reply code, 400 to 599; 0 is the server's own. */
  code(n: i32): ListDeny { setCode(tokenOf(this), n); return this; }
  /** One line for the client; an empty one is the server's own. */
  text<T>(text: T): ListDeny { putReason(tokenOf(this), text); return this; }
}

/** Serves `edgeftp_list`: reads the question, asks `answer`, and writes what it answers. */
export function list(length: i32, answer: (q: ListQuestion) => ListAnswer): i64 {
  if (!ask(Hook.List, length)) return refuse();
  return tell(tokenOf(answer(changetype<ListQuestion>(BOX))));
}
