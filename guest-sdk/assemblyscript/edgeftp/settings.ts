import { BOX, MAILBOX, tidy } from "./box";
import { Json, Kind, Value } from "./json";
import { failWith } from "./reply";

/**
 * The settings of the policy: an object with strings, whole numbers, truths, lists of
 * strings, objects and lists of objects. A policy asks for each key with its default.
 * A key that nobody asked for, and a value of another type than was asked for, refuse
 * the settings, and the operator reads which.
 */
export class Settings {
  private fault: string = "";
  private inners: Settings[] = [];

  /** @param path that of an object in another one, with a dot behind */
  constructor(
    private values: Value[],
    private path: string = "",
    private top: Settings | null = null,
  ) {}

  /** The string under the key. */
  string(key: string, other: string): string {
    const v = this.get(key, Kind.Text, "a string");
    return v ? v.text : other;
  }

  /** The whole number under the key. */
  int(key: string, other: i64): i64 {
    const v = this.get(key, Kind.Int, "a whole number");
    return v ? v.int : other;
  }

  /** The truth under the key. */
  bool(key: string, other: bool): bool {
    const v = this.get(key, Kind.Bool, "true or false");
    return v ? v.int != 0 : other;
  }

  /** The list of strings under the key. An empty list is a value. */
  strings(key: string, other: string[]): string[] {
    const v = this.get(key, Kind.Texts, "a list of strings");
    return v ? v.texts : other;
  }

  /** The object under the key, one without keys if there is none. */
  object(key: string): Settings {
    const v = this.get(key, Kind.Object, "an object");
    return this.inner(v ? v.objects[0] : [], key + ".");
  }

  /** The list of objects under the key, an empty one if there is none. */
  objects(key: string): Settings[] {
    const list: Settings[] = [], v = this.get(key, Kind.Objects, "a list of objects");
    if (!v) return list;
    for (let i = 0; i < v.objects.length; i++) {
      list.push(this.inner(v.objects[i], key + "[" + i.toString() + "]."));
    }
    return list;
  }

  /** The keys that are there, in the order in which they are given. It asks for none of them. */
  get keys(): string[] {
    const list: string[] = [];
    for (let i = 0; i < this.values.length; i++) list.push(this.values[i].key);
    return list;
  }

  /** Refuses the settings for a reason of the policy's own. The first one is told. */
  refuse(reason: string): void {
    const top = this.top;
    if (top) top.refuse(reason);
    else if (!this.fault.length) this.fault = reason;
  }

  /** The first fault; empty if there is none. Ask after all keys. */
  get problem(): string {
    if (this.fault.length) return this.fault;
    const unknown = this.unknown("");
    return unknown.length ? "unknown setting " + unknown : "";
  }

  private inner(values: Value[], path: string): Settings {
    const top = this.top, s = new Settings(values, this.path + path, top ? top : this);
    this.inners.push(s);
    return s;
  }

  /** Adds the keys that nobody asked for, also in inner objects. */
  private unknown(list: string): string {
    for (let i = 0; i < this.values.length; i++) {
      const v = this.values[i];
      if (!v.asked) list += (list.length ? ', "' : '"') + this.path + v.key + '"';
    }
    for (let i = 0; i < this.inners.length; i++) list = this.inners[i].unknown(list);
    return list;
  }

  private get(key: string, kind: Kind, what: string): Value | null {
    for (let i = 0; i < this.values.length; i++) {
      const v = this.values[i];
      if (v.key != key) continue;
      v.asked = true;
      if (v.kind == kind) return v;
      if (v.kind == Kind.Empty && (kind == Kind.Texts || kind == Kind.Objects)) return v;
      this.refuse('setting "' + this.path + key + '" is not ' + what);
    }
    return null;
  }
}

/**
 * Serves `edgeftp_config`: reads the settings and hands them to `take`, once for each
 * instance and before its first question. Settings that are wrong refuse the policy at
 * load. A module without the export cannot be given settings.
 */
export function config(length: i32, take: (s: Settings) => void): i64 {
  tidy();
  if (u32(length) > u32(MAILBOX)) return failWith("the settings are longer than the mailbox", BOX, MAILBOX);
  const json = new Json(BOX, length);
  const s = new Settings(length ? json.all() : []);
  let fault = json.fault;
  if (!fault.length) {
    take(s);
    fault = s.problem;
  }
  return fault.length ? failWith(fault, BOX, MAILBOX) : 0;
}
