import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Hook } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { span, Span } from "./record";
import { begin, beginFail, putReason, setCode } from "./reply";

/** Whether a command is carried out (hook `cmd`, ABI §4). What decides by path belongs into `fs`. */
@unmanaged export class CmdQuestion extends Question {
  /** The command in capitals; one of SITE as `SITE CHMOD`. */
  get verb(): Bytes { return span(Span.Extra); }
  /** The argument as the client sent it; none of PASS and ACCT. */
  get arg(): Bytes { return span(Span.Arg); }
  /** The working directory; none before the login. */
  get dir(): Bytes { return span(Span.Path); }

  /** No opinion. */
  pass(): CmdAnswer { return changetype<CmdAnswer>(begin(Action.Pass)); }
  /** As `pass`. */
  allow(): CmdAnswer { return changetype<CmdAnswer>(begin(Action.Allow)); }
  /** Refused, with one line for the client; an empty one is the server's own. */
  deny<T>(text: T): CmdDeny { return changetype<CmdDeny>(begin(Action.Deny)).text(text); }
  /** The policy could not decide: it is refused, and the text goes to the log. */
  fail<T>(text: T): CmdAnswer { return changetype<CmdAnswer>(beginFail(text)); }
}

/** An answer of the hook `cmd`. */
@unmanaged export class CmdAnswer extends Answer {}

/** A refusal of the hook `cmd`. */
@unmanaged export class CmdDeny extends CmdAnswer {
  /** The reply code, 400 to 599; 0 is the server's own. */
  code(n: i32): CmdDeny { setCode(tokenOf(this), n); return this; }
  /** One line for the client; an empty one is the server's own. */
  text<T>(text: T): CmdDeny { putReason(tokenOf(this), text); return this; }
}

/** Serves `edgeftp_cmd`: reads the question, asks `answer`, and writes what it answers. */
export function cmd(length: i32, answer: (q: CmdQuestion) => CmdAnswer): i64 {
  if (!ask(Hook.Cmd, length)) return refuse();
  return tell(tokenOf(answer(changetype<CmdQuestion>(BOX))));
}
