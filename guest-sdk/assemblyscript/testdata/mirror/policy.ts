// The mirror: it says what the SDK reads of a record, builds the answers that it is told
// to build, and calls the imports that it is told to call. tests/sdk holds it to the
// golden vectors of the ABI.
import { Builder, Bytes, data, DataAnswer, DataQuestion } from "edgeftp";
import { build } from "./answers";
import { call } from "./imports";
import { question } from "./questions";

export function edgeftp_data(length: i32): i64 {
  return data(length, (q) => {
    if (q.chunk.length < 2) return q.rewrite("unknown\n");
    // The answer is built where the SDK builds every answer, so the chunk goes aside.
    const chunk = Bytes.of(q.chunk.toArray());
    switch (chunk.at(0)) {
      case 0x51: return q.rewrite(question(chunk.at(1), chunk.slice(2)));
      case 0x41: return answer(q, chunk.slice(1));
      case 0x49: return q.rewrite(call(chunk.at(1), chunk.slice(2)));
      default: return q.rewrite("unknown\n");
    }
  });
}

function answer(q: DataQuestion, told: Bytes): DataAnswer {
  const reply = new Uint8Array(70000);
  const verdict = build(told, reply);
  if (verdict == -1) return q.rewrite("refused\n");
  const out = new Builder().addU32(u32(verdict)).addU32(u32(verdict >> 32));
  return q.rewrite(out.add(reply.subarray(0, i32(verdict >> 32))));
}
