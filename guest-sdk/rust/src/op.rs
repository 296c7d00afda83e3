use std::fmt;

/// Makes an enum of numbered names that takes numbers of later minors.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $n:literal $text:literal $what:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $what] $variant,)+
            /// A number that this SDK has no name for: of a later minor.
            Other(u16),
        }

        impl $name {
            /// What a number of the ABI stands for.
            pub fn from_number(n: u16) -> $name {
                match n {
                    $($n => $name::$variant,)+
                    n => $name::Other(n),
                }
            }

            /// The number in the ABI.
            pub fn number(self) -> u16 {
                match self {
                    $($name::$variant => $n,)+
                    $name::Other(n) => n,
                }
            }
        }

        impl fmt::Display for $name {
            /// Writes the name of the ABI.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($name::$variant => f.write_str($text),)+
                    $name::Other(n) => write!(f, "{n}"),
                }
            }
        }
    };
}

numbered! {
    /// An operation (ABI §4): decide by it, never by command.
    Op {
        Stat = 1 "stat" "Facts of one path.",
        List = 2 "list" "The entries of a directory.",
        Read = 3 "read" "Send a file; `a` is its size, `b` the restart offset.",
        Write = 4 "write" "Store a file; `a` is the announced size, -1 unknown, `b` the restart offset.",
        Append = 5 "append" "Append to a file; `a` is the announced size, -1 unknown, `b` the length so far.",
        Mkdir = 6 "mkdir" "Make a directory.",
        Rmdir = 7 "rmdir" "Remove a directory.",
        Delete = 8 "delete" "Delete a file.",
        Rename = 9 "rename" "Rename; the second path is empty while only the old one is known.",
        Chmod = 10 "chmod" "Change the mode; `a` has the mode bits.",
        Mfmt = 11 "mfmt" "Set the modification time; `a` is in seconds since 1970.",
        Cwd = 12 "cwd" "Enter a directory.",
        Readlink = 13 "readlink" "The target of a symbolic link.",
        Hash = 14 "hash" "A digest of a file.",
        Unique = 15 "unique" "Store under a name that the server chooses; the path is the directory or prefix.",
        Commit = 16 "commit" "Asked before an upload becomes visible; `a` is its size, `b` the milliseconds it took.",
        Symlink = 17 "symlink" "Make a symbolic link; the second path is its target.",
    }
}

impl Op {
    /// Whether the operation brings bytes into a file: `write`, `append` or `unique`.
    pub fn uploads(self) -> bool {
        matches!(self, Op::Write | Op::Append | Op::Unique)
    }

    /// Whether the operation changes nothing. What a later minor appends is taken for a
    /// change until somebody has decided about it.
    pub fn reads(self) -> bool {
        matches!(self, Op::Stat | Op::List | Op::Read | Op::Cwd | Op::Readlink | Op::Hash)
    }

    /// Whether ARG is a second path (`rename`, `symlink`).
    pub(crate) fn two_paths(self) -> bool {
        matches!(self, Op::Rename | Op::Symlink)
    }
}

numbered! {
    /// What has happened (ABI §4).
    EventKind {
        Connect = 1 "connect" "A client has connected.",
        Disconnect = 2 "disconnect" "A client is gone.",
        Login = 3 "login" "A user is logged in.",
        LoginFailed = 4 "login_failed" "A login was refused.",
        Logout = 5 "logout" "A user is logged out.",
        FileSent = 6 "file_sent" "A download is complete.",
        FileReceived = 7 "file_received" "An upload is complete.",
        IncompleteFileSent = 8 "incomplete_file_sent" "A download broke off.",
        IncompleteFileReceived = 9 "incomplete_file_received" "An upload broke off.",
        CommandDone = 10 "command_done" "A command was answered.",
        TlsEstablished = 11 "tls_established" "The connection is protected.",
        TlsFailed = 12 "tls_failed" "A TLS handshake failed.",
        TlsShutdown = 13 "tls_shutdown" "Protection has ended.",
        Timeout = 14 "timeout" "A client was silent for too long.",
        MaxCons = 15 "max_cons" "Too many connections.",
        MaxConsPerIp = 16 "max_cons_per_ip" "Too many connections from one address.",
        Denied = 17 "denied" "Something was refused.",
        FileDeleted = 18 "file_deleted" "A file was deleted; `size` is what it had.",
        FileRenamed = 19 "file_renamed" "Something was renamed.",
        DirCreated = 20 "dir_created" "A directory was made.",
        DirRemoved = 21 "dir_removed" "A directory was removed.",
        AttributesChanged = 22 "attributes_changed" "A mode or time was set.",
        BanAdded = 23 "ban_added" "An address was banned.",
        BanExpired = 24 "ban_expired" "A ban is over.",
        PolicySwapped = 25 "policy_swapped" "A policy was replaced.",
        PolicyRolledBack = 26 "policy_rolled_back" "A policy was put back.",
        PolicyFailed = 27 "policy_failed" "A policy could not decide.",
        CertObtained = 28 "cert_obtained" "A certificate was obtained.",
        CertRenewed = 29 "cert_renewed" "A certificate was renewed.",
        CertFailed = 30 "cert_failed" "A certificate could not be had.",
        ConfigReloaded = 31 "config_reloaded" "A new configuration is in force.",
        ConfigRejected = 32 "config_rejected" "A new configuration was refused.",
        Draining = 33 "draining" "The server is about to end.",
        ClientMoved = 40 "client_moved" "A client goes on from another address; `line` is the one before.",
    }
}
