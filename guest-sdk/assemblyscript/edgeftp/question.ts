import { Bytes } from "./bytes";
import { Attr, Flag } from "./names";
import { attr, attrNumber, hasAttr, span, Span } from "./record";

/**
 * What every question has (ABI §3). It is the record in the mailbox itself: reading it
 * costs no memory, and it holds until the answer is given.
 */
@unmanaged export class Question {
  /** Bytes of the record. */
  readonly recordSize: u32;
  /** Number of the hook. */
  readonly kind: u16;
  /** Number of the operation, or of the kind of event; 0 if the hook has none. */
  readonly number: u16;
  /** Number of the session, unique within the server process; 0 of `cert`. */
  readonly session: u64;
  /** Number of the question within its session. */
  readonly request: u64;
  /** Nanoseconds since 1970 UTC, 0 unknown. */
  readonly time: i64;
  /** The first number of the question (ABI §4). */
  readonly a: i64;
  /** The second number of the question (ABI §4). */
  readonly b: i64;
  /** The bits of {@link Flag}. */
  readonly flags: u32;
  /** Number of spans. */
  readonly spans: u32;

  /** The name given with USER. */
  get user(): Bytes { return span(Span.User); }
  /** The client's address and port, `192.0.2.7:40001` or `[2001:db8::1]:40001`. */
  get peer(): Bytes { return span(Span.Peer); }
  /** The client's address, 16 bytes, IPv4 mapped into ::ffff:0:0/96; none if unknown. */
  get peer16(): Bytes { return span(Span.Peer16); }
  /** The virtual path in which the session started. */
  get root(): Bytes { return span(Span.Root); }
  /** What this policy's own answer of `auth` left with the session. */
  get state(): Bytes { return span(Span.State); }
  /** The group that the login named. */
  get group(): Bytes { return attr(Attr.Group); }
  /** The listener's name in the configuration. */
  get listener(): Bytes { return attr(Attr.Listener); }
  /** The client program's own name. */
  get client(): Bytes { return attr(Attr.Client); }
  /** The server's name that the client asked for. */
  get host(): Bytes { return attr(Attr.Host); }
  /** The virtual host, by its name in the configuration; none in a session of none. */
  get vhost(): Bytes { return attr(Attr.VHost); }
  /** What carries the session: `ftpq/1`, `http/1.1`, `h2` or `h3`; none for FTP over TCP. */
  get protocol(): Bytes { return attr(Attr.Protocol); }
  /** The server's control address and port. */
  get local(): Bytes { return attr(Attr.Local); }
  /** `1.2` or `1.3`; none without TLS. */
  get tlsVersion(): Bytes { return attr(Attr.TLSVersion); }
  /** IANA name of the cipher suite. */
  get tlsCipher(): Bytes { return attr(Attr.TLSCipher); }
  /** The server name of the TLS handshake. */
  get sni(): Bytes { return attr(Attr.SNI); }
  /** The protocol that TLS negotiated. */
  get alpn(): Bytes { return attr(Attr.ALPN); }
  /** Whether the TLS session was resumed. */
  get tlsResumed(): bool { return hasAttr(Attr.TLSResumed); }
  /** The subject of the verified client certificate. */
  get certSubject(): Bytes { return attr(Attr.CertSubject); }
  /** The SHA-256 of the verified client certificate in DER form, in hex. */
  get certSHA256(): Bytes { return attr(Attr.CertSHA256); }

  /** Whether the control connection is protected. */
  get tls(): bool { return this.flag(Flag.TLS); }
  /** Whether data connections are protected. */
  get dataTLS(): bool { return this.flag(Flag.DataTLS); }
  /** Whether the user is the anonymous user. */
  get anonymous(): bool { return this.flag(Flag.Anonymous); }
  /** Whether the client gives the data port. */
  get active(): bool { return this.flag(Flag.Active); }
  /** Whether the representation type is ASCII. */
  get ascii(): bool { return this.flag(Flag.ASCII); }
  /** Whether this is a trial whose answer has no effect. */
  get shadow(): bool { return this.flag(Flag.Shadow); }

  /** Whether a bit of {@link Flag} is set. */
  flag(f: Flag): bool { return (this.flags & f) != 0; }
  /** The bytes of a further fact, none if it is not there. */
  attr(key: Attr): Bytes { return attr(key); }
  /** Whether a further fact is there. */
  has(key: Attr): bool { return hasAttr(key); }
  /** The number of a further fact, 0 if it is not there. */
  attrNumber(key: Attr): u64 { return attrNumber(key); }
}

/**
 * An answer that is being made. Its setters may be called one after another; what they
 * refuse makes the answer `fail`, with the reason in the server's log. The last answer
 * that was made is the one to return.
 */
@unmanaged export class Answer {}

/** The number by which the reply knows the answer. */
// @ts-ignore: decorator
@inline export function tokenOf(a: Answer): usize { return changetype<usize>(a); }
