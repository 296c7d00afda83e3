import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Hook } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { span, Span } from "./record";
import { begin, beginFail, putReason } from "./reply";

/** Whether a name may get a certificate (hook `cert`, ABI §4). `allow` alone grants. */
@unmanaged export class CertQuestion extends Question {
  /** The host name, in lower case. */
  get name(): Bytes { return span(Span.Arg); }

  /** No opinion. */
  pass(): CertAnswer { return changetype<CertAnswer>(begin(Action.Pass)); }
  /** May get one. */
  allow(): CertAnswer { return changetype<CertAnswer>(begin(Action.Allow)); }
  /** Refused, with one line for the log. */
  deny<T>(text: T): CertDeny { return changetype<CertDeny>(begin(Action.Deny)).text(text); }
  /** The policy could not decide: it is refused, and the text goes to the log. */
  fail<T>(text: T): CertAnswer { return changetype<CertAnswer>(beginFail(text)); }
}

/** An answer of the hook `cert`. */
@unmanaged export class CertAnswer extends Answer {}

/** A refusal of the hook `cert`. */
@unmanaged export class CertDeny extends CertAnswer {
  /** One line for the log. */
  text<T>(text: T): CertDeny { putReason(tokenOf(this), text); return this; }
}

/** Serves `edgeftp_cert`: reads the question, asks `answer`, and writes what it answers. */
export function cert(length: i32, answer: (q: CertQuestion) => CertAnswer): i64 {
  if (!ask(Hook.Cert, length)) return refuse();
  return tell(tokenOf(answer(changetype<CertQuestion>(BOX))));
}
