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
  private asked: Set<string> = new Set();

  /** @param path that of an object in another one, with a dot behind */
  constructor(
    private values: Map<string, Value> = new Map(),
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
    return this.inner(v ? v.objects[0] : new Map(), key + ".");
  }

  /** The list of objects under the key, an empty one if there is none. */
  objects(key: string): Settings[] {
    const list = new Array<Settings>(), v = this.get(key, Kind.Objects, "a list of objects");
    if (!v) return list;
    for (let i = 0; i < v.objects.length; i++) {
      list.push(this.inner(v.objects[i], key + "[" + i.toString() + "]."));
    }
    return list;
  }

  /** The keys that are there, sorted. It asks for none of them. */
  get keys(): string[] { return this.values.keys().sort(); }

  /** Refuses the settings for a reason of the policy's own. The first one is told. */
  refuse(reason: string): void {
    const top = this.top;
    if (top) top.refuse(reason);
    else if (!this.fault.length) this.fault = reason;
  }

  /** The first fault; empty if there is none. Ask after all keys. */
  get problem(): string {
    if (this.fault.length) return this.fault;
    const unknown = this.unknown();
    return unknown.length ? "unknown setting " + unknown.join(", ") : "";
  }

  private inners: Settings[] = [];

  private inner(values: Map<string, Value>, path: string): Settings {
    const s = new Settings(values, this.path + path, this.top ? this.top : this);
    this.inners.push(s);
    return s;
  }

  /** The keys that nobody asked for, also in inner objects. */
  private unknown(): string[] {
    let list: string[] = [];
    const keys = this.keys;
    for (let i = 0; i < keys.length; i++) {
      if (!this.asked.has(keys[i])) list.push('"' + this.path + keys[i] + '"');
    }
    for (let i = 0; i < this.inners.length; i++) list = list.concat(this.inners[i].unknown());
    return list;
  }

  private get(key: string, kind: Kind, what: string): Value | null {
    this.asked.add(key);
    if (!this.values.has(key)) return null;
    const v = this.values.get(key);
    if (v.kind == kind) return v;
    if (v.kind == Kind.Empty && (kind == Kind.Texts || kind == Kind.Objects)) return v;
    this.refuse('setting "' + this.path + key + '" is not ' + what);
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
  let fault = "the SDK: the settings are longer than the mailbox";
  if (u32(length) <= u32(MAILBOX)) {
    const json = new Json(BOX, length);
    const s = new Settings(length ? json.text() : new Map());
    fault = json.fault;
    if (!fault.length) {
      take(s);
      fault = s.problem;
    }
  }
  return fault.length ? failWith(fault, BOX, MAILBOX) : 0;
}
