import { ask, BOX, refuse, tell } from "./box";
import { Bytes } from "./bytes";
import { Action, Hook, Key } from "./names";
import { Answer, Question, tokenOf } from "./question";
import { span, Span } from "./record";
import { begin, beginFail, putText, setCode } from "./reply";

/** A SITE command of the policy's own (hook `site`, ABI §4); the manifest's key `site` names it. */
@unmanaged export class SiteQuestion extends Question {
  /** The command, without SITE. */
  get verb(): Bytes { return span(Span.Extra); }
  /** What followed it. */
  get arg(): Bytes { return span(Span.Arg); }
  /** The working directory. */
  get dir(): Bytes { return span(Span.Path); }

  /** There is no such command. */
  pass(): SiteAnswer { return changetype<SiteAnswer>(begin(Action.Pass)); }
  /** Carried out; `line` adds the lines of the reply. */
  allow(): SiteAnswer { return changetype<SiteAnswer>(begin(Action.Allow)); }
  /** Refused; `line` adds the lines of the reply. */
  deny(): SiteAnswer { return changetype<SiteAnswer>(begin(Action.Deny)); }
  /** The policy could not do it, and the text goes to the log. */
  fail<T>(text: T): SiteAnswer { return changetype<SiteAnswer>(beginFail(text)); }
}

/** An answer of the hook `site`. */
@unmanaged export class SiteAnswer extends Answer {
  /** The reply code: 200 to 299 of `allow`, 400 to 599 of `deny`; 0 is 200 or 550. */
  code(n: i32): SiteAnswer { setCode(tokenOf(this), n); return this; }
  /** Adds a line to the reply, which may be empty. There are at most 64. */
  line<T>(text: T): SiteAnswer { putText(tokenOf(this), Key.Line, text); return this; }
}

/** Serves `edgeftp_site`: reads the question, asks `answer`, and writes what it answers. */
export function site(length: i32, answer: (q: SiteQuestion) => SiteAnswer): i64 {
  if (!ask(Hook.Site, length)) return refuse();
  return tell(tokenOf(answer(changetype<SiteQuestion>(BOX))));
}
