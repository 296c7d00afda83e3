import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Attr, Flag, Hook, Key, Op } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { attr, attrNumber, span, Span } from "./record";
import { begin, beginFail, need, putNumber, putPath, putReason, putText, setCode, setFlag } from "./reply";

/** Whether an operation on a path may be done (hook `fs`, ABI §4). */
@unmanaged export class FsQuestion extends Question {
  /** The operation. Decide by it and never by a command: several lead to one. */
  get op(): Op { return this.number; }
  /** The path, canonical and absolute. */
  get path(): Bytes { return span(Span.Path); }
  /** The new path of `Rename` (none while only the old one is known), the target of `Symlink`. */
  get path2(): Bytes { return this.argIsPath ? span(Span.Arg) : attr(Attr.Path2); }
  /** The command's argument as the client sent it. */
  get arg(): Bytes { return this.argIsPath ? attr(Attr.RawArg) : span(Span.Arg); }
  /** Bytes that the file at the path has now. */
  get size(): i64 { return attrNumber(Attr.Size); }
  /**
   * Where the data connection of a transfer or listing is to go, if the client has said (PORT,
   * EPRT); at `Commit`, where the bytes came from; none if there is none yet.
   */
  get dataPeer(): Bytes { return attr(Attr.DataPeer); }
  /** Whether the path is a directory now. */
  get dir(): bool { return this.flag(Flag.Dir); }
  /** Whether there is something at the path now. */
  get exists(): bool { return this.flag(Flag.Exists); }
  /** Whether the operation stores, makes, changes or removes something; true for one of a later server. */
  get changes(): bool {
    switch (i32(this.number)) {
      case Op.Stat: case Op.List: case Op.Read: case Op.Cwd: case Op.Readlink: case Op.Hash: return false;
      default: return true;
    }
  }
  private get argIsPath(): bool { return this.number == Op.Rename || this.number == Op.Symlink; }

  /** No opinion: the next policy, and at last the session's permissions, decide. */
  pass(): FsAnswer { return changetype<FsAnswer>(begin(Action.Pass)); }
  /** In favour. */
  allow(): FsAnswer { return changetype<FsAnswer>(begin(Action.Allow)); }
  /** Refused, with one line for the client; an empty one is the server's own. */
  deny<T>(text: T): FsDeny { return changetype<FsDeny>(begin(Action.Deny)).text(text); }
  /** In favour, of another path: set `path` or `path2`, or both. */
  rewrite(): FsRewrite {
    const id = begin(Action.Rewrite);
    need((1 << Key.Path) | (1 << Key.Path2));
    return changetype<FsRewrite>(id);
  }
  /** Refused as if there were no such path. */
  hide(): FsAnswer { return changetype<FsAnswer>(begin(Action.Hide)); }
  /** The policy could not decide: it is refused, and the text goes to the log. */
  fail<T>(text: T): FsAnswer { return changetype<FsAnswer>(beginFail(text)); }
}

/** An answer of the hook `fs`. */
@unmanaged export class FsAnswer extends Answer {
  /** Asks no later policy. */
  final(): FsAnswer { setFlag(tokenOf(this), 1); return this; }
  /** The same answer holds for the same question so many milliseconds long, from whichever session. */
  cache(ms: i32): FsAnswer { setFlag(tokenOf(this), 2); putNumber(tokenOf(this), Key.TTL, ms, 4); return this; }
  /** Bytes per second towards the client, 0 no limit. */
  rateDown(n: i64): FsAnswer { putNumber(tokenOf(this), Key.RateDown, n, 8); return this; }
  /** Bytes per second from the client, 0 no limit. */
  rateUp(n: i64): FsAnswer { putNumber(tokenOf(this), Key.RateUp, n, 8); return this; }
  /** Bytes that a stored file may have, 0 no limit. */
  maxFileSize(n: i64): FsAnswer { putNumber(tokenOf(this), Key.MaxFileSize, n, 8); return this; }
  /** Whether data connections must be protected. */
  dataTLSRequired(on: bool = true): FsAnswer { putNumber(tokenOf(this), Key.DataTLS, i64(on), 1); return this; }
  /** A text that events carry. */
  label<T>(text: T): FsAnswer { putText(tokenOf(this), Key.Label, text); return this; }
}

/** A refusal of the hook `fs`. */
@unmanaged export class FsDeny extends FsAnswer {
  /** The reply code, 400 to 599; 0 is the server's own (550). */
  code(n: i32): FsDeny { setCode(tokenOf(this), n); return this; }
  /** One line for the client; an empty one is the server's own. */
  text<T>(text: T): FsDeny { putReason(tokenOf(this), text); return this; }
}

/** A change of the path of the hook `fs`. */
@unmanaged export class FsRewrite extends FsAnswer {
  /** The new path. */
  path<T>(path: T): FsRewrite { putPath(tokenOf(this), Key.Path, path); return this; }
  /** The new second path, of a rename or a symbolic link. */
  path2<T>(path: T): FsRewrite { putPath(tokenOf(this), Key.Path2, path); return this; }
}

/** Serves `edgeftp_fs`: reads the question, asks `answer`, and writes what it answers. */
export function fs(length: i32, answer: (q: FsQuestion) => FsAnswer): i64 {
  if (!ask(Hook.FS, length)) return refuse();
  return tell(tokenOf(answer(changetype<FsQuestion>(BOX))));
}
