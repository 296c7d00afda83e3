/**
 * The guest SDK of edgeftp for AssemblyScript: what turns a small `policy.ts` into a
 * module that an edgeftp server loads. A policy that refuses uploads of programs is,
 * as a whole:
 *
 * ```ts
 * import { fs, Op } from "edgeftp";
 *
 * export function edgeftp_fs(len: i32): i64 {
 *   return fs(len, (q) => {
 *     if (q.op == Op.Write && q.path.hasExtension("exe")) return q.deny("no programs");
 *     return q.pass();
 *   });
 * }
 * ```
 *
 * **Hooks.** The presence of an export is the subscription to it: `edgeftp_auth`,
 * `edgeftp_fs`, `edgeftp_list`, `edgeftp_cmd`, `edgeftp_site`, `edgeftp_throttle`,
 * `edgeftp_data`, `edgeftp_event`, `edgeftp_cert`; and `edgeftp_config` for settings,
 * `edgeftp_idle` for housekeeping.
 * For each there is a function of the same name without `edgeftp_`, which reads the
 * question, asks the policy and writes its answer.
 *
 * Such a function is the only statement of its hook, as above: it may free objects, and
 * sees only those that variables of the file lead to.
 *
 * **Answers** are made by the question: `q.pass()`, `q.deny(text)`. Make one for each
 * question and return it. `q.fail(text)` says that the policy could not decide: what
 * was asked is refused and the text goes to the log.
 *
 * **Memory is a cache.** The server runs several instances of a module, closes one after
 * a fault and replaces all of them at a swap. What must stay goes into `kv`, what
 * belongs to a session into its state (`state` of an answer of `auth`).
 *
 * A `Bytes` of a question is a view of it and holds until the answer is given;
 * `toString()` makes a string that stays.
 *
 * The language has no closures: the function that answers uses its parameter and the
 * variables of the file. It has no exceptions: `throw` and a failed `assert` end the
 * instance, and the server's log shows the message with the file and the line.
 */

export { edgeftp_abi_v1, idle } from "./box";
export { Hook, Op, EventKind, Flag, Attr, Errno, errorText } from "./names";
export { Bytes, Builder } from "./bytes";
export { Question, Answer } from "./question";
export { config, Settings } from "./settings";
export { auth, AuthQuestion, AuthAnswer, AuthAllow, AuthDeny } from "./auth";
export { fs, FsQuestion, FsAnswer, FsDeny, FsRewrite } from "./fs";
export { list, ListQuestion, ListAnswer, ListView, ListDeny, Entry } from "./list";
export { cmd, CmdQuestion, CmdAnswer, CmdDeny } from "./cmd";
export { site, SiteQuestion, SiteAnswer } from "./site";
export { throttle, ThrottleQuestion, ThrottleAnswer } from "./throttle";
export { data, DataQuestion, DataAnswer, DataDeny } from "./data";
export { event, EventQuestion, EventAnswer, EventDeny } from "./event";
export { cert, CertQuestion, CertAnswer, CertDeny } from "./cert";
export { Result } from "./result";
export { kv } from "./kv";
export { log, metric, random, verify, stat, digest, FileInfo } from "./host";
export { fetch, Request, Response } from "./fetch";

import "./abort";
