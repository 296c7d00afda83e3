/** The hooks by their numbers (ABI §3). */
export enum Hook { Auth = 1, FS, List, Cmd, Site, Throttle, Data, Event, Cert }

/** What is done to a path (ABI §4). A later server may ask about further ones. */
export enum Op {
  Stat = 1, List, Read, Write, Append, Mkdir, Rmdir, Delete, Rename, Chmod, Mfmt, Cwd,
  Readlink, Hash, Unique, Commit, Symlink,
}

/** What has happened (ABI §4). A later server may tell of further kinds. */
export enum EventKind {
  Connect = 1, Disconnect, Login, LoginFailed, Logout, FileSent, FileReceived,
  IncompleteFileSent, IncompleteFileReceived, CommandDone, TLSEstablished, TLSFailed,
  TLSShutdown, Timeout, MaxCons, MaxConsPerIP, Denied, FileDeleted, FileRenamed,
  DirCreated, DirRemoved, AttributesChanged, BanAdded, BanExpired, PolicySwapped,
  PolicyRolledBack, PolicyFailed, CertObtained, CertRenewed, CertFailed, ConfigReloaded,
  ConfigRejected, Draining,
  /** A client goes on from another address: `peer`; `text` is the one before. */
  ClientMoved = 40,
}

/** The bits of `flags` of a question (ABI §3). */
export enum Flag {
  TLS = 1 << 0, DataTLS = 1 << 1, Anonymous = 1 << 2, Dir = 1 << 3, Exists = 1 << 4,
  Active = 1 << 5, ASCII = 1 << 6, Shadow = 1 << 7, Replay = 1 << 8, Last = 1 << 9,
  Upload = 1 << 10, Early = 1 << 11, Late = 1 << 12,
}

/** The keys of further facts (ABI §5), for `q.attr` and `q.has`. */
export enum Attr {
  TLSVersion = 1, TLSCipher, SNI, ALPN, TLSResumed, CertSubject, CertSHA256, Listener,
  Group, Client, Local, Path2, RawArg, Code, Op, Policy, Generation, Host, Size, Took,
  VHost, Protocol, Binding, DataPeer,
}

/** One more than the greatest key of {@link Attr}. */
export const NUM_ATTRS: i32 = 25;

/** The actions of a verdict (ABI §6). */
export enum Action { Pass, Allow, Deny, Rewrite, Hide, Fail }

/** The keys of a reply (ABI §6). */
export enum Key {
  Text = 1, Path, Home, Perms, RateDown, RateUp, QuotaBytes, QuotaFiles, Mount, Expires,
  State, MaxSessions, MsgLogin, MsgQuit, TTL, Label, Group, HideBits, MaxFileSize,
  PasswordHash, DataTLS, Line, Path2, Rule, Anonymous, Lenient, Carry, Rate, Network,
}

/** What an import of the host reports in place of a result (ABI §7). */
export enum Errno {
  None = 0,
  /** There is no such key, path or file. */
  NotFound = -1,
  /** The space of values is full. */
  Full = -2,
  /** An argument is too long or empty, or there is no room for the result. */
  Size = -3,
  /** The value is no counter. */
  Type = -4,
  /** Not at this stage, not this host, or not for this session. */
  Denied = -5,
  /** The disk, the network or the other server failed. */
  IO = -6,
  /** The time of the call or of the request is over. */
  Timeout = -7,
  /** Too many at once, or asked from within itself. */
  Busy = -8,
  /** The arguments mean nothing. */
  Invalid = -9,
}

/** The error in a few words, for a log or `q.fail`. */
export function errorText(e: Errno): string {
  switch (e) {
    case Errno.None: return "no error";
    case Errno.NotFound: return "not found";
    case Errno.Full: return "no space left";
    case Errno.Size: return "too long";
    case Errno.Type: return "not a counter";
    case Errno.Denied: return "not permitted here";
    case Errno.IO: return "failed";
    case Errno.Timeout: return "timed out";
    case Errno.Busy: return "busy";
    case Errno.Invalid: return "invalid argument";
    default: return "unknown error of the host";
  }
}
