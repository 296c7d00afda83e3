import { decode, recordFault } from "./record";
import { answered, failWith } from "./reply";

/**
 * The length of the mailbox in bytes. edgeftp policy build sets EDGEFTP_MAILBOX to less
 * where the source has neither `edgeftp_list` nor `edgeftp_data`.
 */
// @ts-ignore: a constant of the build
export const MAILBOX: i32 = isDefined(EDGEFTP_MAILBOX) ? i32(EDGEFTP_MAILBOX) : 262144;

/** Where the host writes questions and reads replies. */
export const BOX: usize = memory.data(MAILBOX, 8);

/** The host asks for the mailbox (ABI §1). Exported by every module. */
export function edgeftp_abi_v1(minor: i32, features: i64): i64 {
  return (i64(MAILBOX) << 32) | i64(BOX);
}

/**
 * Serves `edgeftp_idle`, which the host calls now and then between two questions: frees
 * what they left behind and does the policy's own housekeeping. A module without the export
 * frees it at a later question.
 */
export function idle(work: () => void): void {
  __collect();
  work();
}

let asked: i32 = 0;
let pages: i32 = 0;

/**
 * Frees what earlier questions left behind. Between two questions nothing is on the
 * stack, so the runtime without a stack of its own for references is safe here.
 */
export function tidy(): void {
  const grown = pages != 0 && memory.size() != pages;
  if (grown || (++asked & 15) == 0) __collect();
  pages = memory.size();
}

/** Takes a question of a hook; false if its record breaks the ABI. */
export function ask(hook: i32, length: i32): bool {
  tidy();
  return u32(length) <= u32(MAILBOX) && decode(hook, BOX, length);
}

/** Answers a question that {@link ask} did not take. */
export function refuse(): i64 { return failWith("bad record: " + recordFault(), BOX, MAILBOX); }

/** Writes the answer that was made last, if the policy returned that one. */
export function tell(token: usize): i64 { return answered(token, BOX, MAILBOX); }
