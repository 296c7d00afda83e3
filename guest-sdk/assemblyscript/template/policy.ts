// {{name}} keeps files with unwanted extensions off the server. manifest.json says which
// operations it is asked about: those by which a name can come into being.
import { config, fs } from "edgeftp";

let deny: string[] = ["exe", "scr"];

export function edgeftp_config(length: i32): i64 {
  return config(length, (s) => { deny = s.strings("deny_extensions", deny); });
}

export function edgeftp_fs(length: i32): i64 {
  return fs(length, (q) => {
    for (let i = 0; i < deny.length; i++) { // both paths: a rename has two
      if (q.path.hasExtension(deny[i]) || q.path2.hasExtension(deny[i]))
        return q.deny("files of this kind are not accepted here");
    }
    return q.pass();
  });
}
