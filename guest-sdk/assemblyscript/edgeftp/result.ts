import { Errno, errorText } from "./names";

/**
 * What a call of the host came to: a value, or an error. `value` is an empty one where
 * `error` is not `Errno.None`.
 */
@final export class Result<T> {
  constructor(
    readonly value: T,
    readonly error: Errno = Errno.None,
  ) {}

  /** Whether there is a value. */
  get ok(): bool { return this.error == Errno.None; }

  /** The value, or `other` if there was an error. */
  or(other: T): T { return this.error == Errno.None ? this.value : other; }

  /** The error in a few words. */
  get errorText(): string { return errorText(this.error); }
}
