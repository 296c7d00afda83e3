// Readonly refuses every operation that would change something, whatever the users'
// permissions say.
import { fs } from "edgeftp";

export function edgeftp_fs(length: i32): i64 {
  // What a later server may ask about counts as a change until somebody has decided.
  return fs(length, (q) => q.changes ? q.deny("this server is read-only") : q.pass());
}
