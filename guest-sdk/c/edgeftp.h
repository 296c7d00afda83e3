/* edgeftp.h - the guest SDK for C: one header that turns a C file into a policy for an
 * edgeftp server. It is C11 without a library, without allocation and without
 * start-up code; a module holds only what it uses.
 *
 * A policy that keeps programs off a server is, as a whole:
 *
 *     #include "edgeftp.h"
 *
 *     EDGEFTP_FS(q) {
 *         if (q->op == EDGEFTP_OP_WRITE && edgeftp_has_extension(q->path, "exe"))
 *             return edgeftp_deny("no programs here");
 *         return edgeftp_pass();
 *     }
 *
 * and is built with `edgeftp policy build`, or by hand with
 *
 *     clang --target=wasm32-unknown-unknown -O2 -mbulk-memory -nostdlib -Wl,--no-entry \
 *           -Isdk -isystem sdk/libc policy.c -o policy.wasm
 *
 * MEMORY IS A CACHE. The server runs several instances of a module, closes one after a
 * fault and replaces all at a swap. What must stay goes into kv, into STATE (kept with
 * the session) or into CARRY (kept with the transfer), never into a variable alone.
 *
 * Questions. Each hook is a function body behind a macro, EDGEFTP_AUTH, _FS, _LIST, _CMD,
 * _SITE, _THROTTLE, _DATA, _EVENT and _CERT; writing one is the subscription to it. q
 * points to the question, with a field for everything that the hook is asked. Every text
 * in it is a C string, "" where there is none and never NULL; it lies in the mailbox and
 * is gone when the answer was given: copy what you keep.
 *
 * Answers. Return edgeftp_pass(), edgeftp_allow(), edgeftp_deny(text) and so on. What an
 * answer says beside that is set on the question that it answers, by functions that take
 * the questions of those hooks alone that have it, as edgeftp_fs_set_rate_up(q, n): the
 * compiler refuses the others. They copy what they are given. What the server would refuse
 * is not sent: the answer becomes a failure whose text says why, and is in the log.
 *
 * Natively the same file compiles with any C11 compiler, and edgeftp_fake.h beside this
 * header stands for the server: unit tests need neither a module nor a server.
 *
 * The contract behind all this is guest-sdk/ABI.md; "ABI" below is its section. */
#ifndef EDGEFTP_H
#define EDGEFTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ------------------------------------------------------------------ sizes */

/* EDGEFTP_MAILBOX_SIZE is the length in bytes of the memory through which questions
 * come and replies go (ABI 2): 128 KiB hold every question and a chunk that grows to
 * twice its length. Define it before the header is included to have another one. */
#ifndef EDGEFTP_MAILBOX_SIZE
#define EDGEFTP_MAILBOX_SIZE 131072
#endif
_Static_assert(EDGEFTP_MAILBOX_SIZE >= 32768 && EDGEFTP_MAILBOX_SIZE <= 1048576,
               "EDGEFTP_MAILBOX_SIZE: give 32768 to 1048576 bytes, or leave the #define out");

/* EDGEFTP_REPLY_SIZE is the room in bytes for what one answer says beside its verdict. */
#ifndef EDGEFTP_REPLY_SIZE
#define EDGEFTP_REPLY_SIZE 32768
#endif

/* EDGEFTP_SETTINGS_SIZE is the room in bytes for the settings, read and unread; it costs
 * nothing in a policy without EDGEFTP_CONFIG. */
#ifndef EDGEFTP_SETTINGS_SIZE
#define EDGEFTP_SETTINGS_SIZE 65536
#endif

/* Bounds of the contract: bytes of a text of an answer, of a path, of STATE and CARRY,
 * entries of one listing (ABI 4, 6). */
enum {
    EDGEFTP_MAX_TEXT = 512,
    EDGEFTP_MAX_PATH = 4096,
    EDGEFTP_MAX_STATE = 1024,
    EDGEFTP_MAX_CARRY = 1024,
    EDGEFTP_BINDING_SIZE = 32,
    EDGEFTP_MAX_CHUNK = 65536,
    EDGEFTP_MAX_ENTRIES = 256,
    EDGEFTP_MAX_RULES = 256,
    EDGEFTP_MAX_NETWORKS = 256,
    EDGEFTP_MAX_LINES = 64
};

/* ---------------------------------------------------------------- numbers */

/* edgeftp_hook numbers the hooks (ABI 3). */
typedef enum edgeftp_hook {
    EDGEFTP_HOOK_AUTH = 1,
    EDGEFTP_HOOK_FS,
    EDGEFTP_HOOK_LIST,
    EDGEFTP_HOOK_CMD,
    EDGEFTP_HOOK_SITE,
    EDGEFTP_HOOK_THROTTLE,
    EDGEFTP_HOOK_DATA,
    EDGEFTP_HOOK_EVENT,
    EDGEFTP_HOOK_CERT
} edgeftp_hook;

/* edgeftp_op numbers the operations (ABI 4). Later servers may ask about others: refuse
 * what you do not know, or let it pass, but decide. */
typedef enum edgeftp_op {
    EDGEFTP_OP_STAT = 1,
    EDGEFTP_OP_LIST,
    EDGEFTP_OP_READ,
    EDGEFTP_OP_WRITE,
    EDGEFTP_OP_APPEND,
    EDGEFTP_OP_MKDIR,
    EDGEFTP_OP_RMDIR,
    EDGEFTP_OP_DELETE,
    EDGEFTP_OP_RENAME,
    EDGEFTP_OP_CHMOD,
    EDGEFTP_OP_MFMT,
    EDGEFTP_OP_CWD,
    EDGEFTP_OP_READLINK,
    EDGEFTP_OP_HASH,
    EDGEFTP_OP_UNIQUE,
    EDGEFTP_OP_COMMIT,
    EDGEFTP_OP_SYMLINK
} edgeftp_op;

/* edgeftp_event_kind numbers the kinds of events (ABI 4). Later servers may have more. */
typedef enum edgeftp_event_kind {
    EDGEFTP_EVENT_CONNECT = 1,
    EDGEFTP_EVENT_DISCONNECT,
    EDGEFTP_EVENT_LOGIN,
    EDGEFTP_EVENT_LOGIN_FAILED,
    EDGEFTP_EVENT_LOGOUT,
    EDGEFTP_EVENT_FILE_SENT,
    EDGEFTP_EVENT_FILE_RECEIVED,
    EDGEFTP_EVENT_INCOMPLETE_FILE_SENT,
    EDGEFTP_EVENT_INCOMPLETE_FILE_RECEIVED,
    EDGEFTP_EVENT_COMMAND_DONE,
    EDGEFTP_EVENT_TLS_ESTABLISHED,
    EDGEFTP_EVENT_TLS_FAILED,
    EDGEFTP_EVENT_TLS_SHUTDOWN,
    EDGEFTP_EVENT_TIMEOUT,
    EDGEFTP_EVENT_MAX_CONS,
    EDGEFTP_EVENT_MAX_CONS_PER_IP,
    EDGEFTP_EVENT_DENIED,
    EDGEFTP_EVENT_FILE_DELETED,
    EDGEFTP_EVENT_FILE_RENAMED,
    EDGEFTP_EVENT_DIR_CREATED,
    EDGEFTP_EVENT_DIR_REMOVED,
    EDGEFTP_EVENT_ATTRIBUTES_CHANGED,
    EDGEFTP_EVENT_BAN_ADDED,
    EDGEFTP_EVENT_BAN_EXPIRED,
    EDGEFTP_EVENT_POLICY_SWAPPED,
    EDGEFTP_EVENT_POLICY_ROLLED_BACK,
    EDGEFTP_EVENT_POLICY_FAILED,
    EDGEFTP_EVENT_CERT_OBTAINED,
    EDGEFTP_EVENT_CERT_RENEWED,
    EDGEFTP_EVENT_CERT_FAILED,
    EDGEFTP_EVENT_CONFIG_RELOADED,
    EDGEFTP_EVENT_CONFIG_REJECTED,
    EDGEFTP_EVENT_DRAINING,
    EDGEFTP_EVENT_CLIENT_MOVED = 40 /* session.peer is the new address, text the one before */
} edgeftp_event_kind;

/* edgeftp_action is what an answer comes to (ABI 6). */
typedef enum edgeftp_action {
    EDGEFTP_PASS,    /* no opinion */
    EDGEFTP_ALLOW,   /* in favour */
    EDGEFTP_DENY,    /* refused */
    EDGEFTP_REWRITE, /* in favour, of another path or with other bytes */
    EDGEFTP_HIDE,    /* refused as if the path did not exist */
    EDGEFTP_FAIL     /* could not decide: refused, and the reason is in the log */
} edgeftp_action;

/* edgeftp_error is the result of an import that failed (ABI 7); all are below zero. */
typedef enum edgeftp_error {
    EDGEFTP_OK = 0,
    EDGEFTP_NOT_FOUND = -1, /* there is no such key, path or file */
    EDGEFTP_FULL = -2,      /* the space of values is full */
    EDGEFTP_SIZE = -3,      /* an argument is too long or empty, or the buffer too small */
    EDGEFTP_TYPE = -4,      /* the value is no counter */
    EDGEFTP_DENIED = -5,    /* not at this stage, not this host, or not for this session */
    EDGEFTP_IO = -6,        /* the disk, the network or the other server failed */
    EDGEFTP_TIMEOUT = -7,   /* the time of the call or of the request is over */
    EDGEFTP_BUSY = -8,      /* too many at once, or asked from within itself */
    EDGEFTP_INVALID = -9    /* the arguments mean nothing */
} edgeftp_error;

/* edgeftp_level says how important a line of log is (ABI 7). */
typedef enum edgeftp_level { EDGEFTP_DEBUG, EDGEFTP_INFO, EDGEFTP_WARN, EDGEFTP_ERROR } edgeftp_level;

/* Spans of a record, by which edgeftp_record.span is indexed (ABI 3). */
enum {
    EDGEFTP_SPAN_USER,
    EDGEFTP_SPAN_PATH,
    EDGEFTP_SPAN_ARG,
    EDGEFTP_SPAN_PEER,
    EDGEFTP_SPAN_PEER16,
    EDGEFTP_SPAN_ROOT,
    EDGEFTP_SPAN_ATTR,
    EDGEFTP_SPAN_STATE,
    EDGEFTP_SPAN_EXTRA,
    EDGEFTP_NUM_SPANS
};

/* Attributes, by which edgeftp_record.attr is indexed (ABI 5). */
enum {
    EDGEFTP_ATTR_TLS_VERSION = 1,
    EDGEFTP_ATTR_TLS_CIPHER,
    EDGEFTP_ATTR_SNI,
    EDGEFTP_ATTR_ALPN,
    EDGEFTP_ATTR_TLS_RESUMED,
    EDGEFTP_ATTR_CERT_SUBJECT,
    EDGEFTP_ATTR_CERT_SHA256,
    EDGEFTP_ATTR_LISTENER,
    EDGEFTP_ATTR_GROUP,
    EDGEFTP_ATTR_CLIENT,
    EDGEFTP_ATTR_LOCAL,
    EDGEFTP_ATTR_PATH2,
    EDGEFTP_ATTR_RAW_ARG,
    EDGEFTP_ATTR_CODE,
    EDGEFTP_ATTR_OP,
    EDGEFTP_ATTR_POLICY,
    EDGEFTP_ATTR_GENERATION,
    EDGEFTP_ATTR_HOST,
    EDGEFTP_ATTR_SIZE,
    EDGEFTP_ATTR_TOOK,
    EDGEFTP_ATTR_VHOST,
    EDGEFTP_ATTR_PROTOCOL,
    EDGEFTP_ATTR_BINDING,
    EDGEFTP_ATTR_DATA_PEER,
    EDGEFTP_NUM_ATTRS
};

/* Flags of a record (ABI 3); the questions below have a field for each. */
enum {
    EDGEFTP_FLAG_TLS = 1 << 0,
    EDGEFTP_FLAG_DATA_TLS = 1 << 1,
    EDGEFTP_FLAG_ANONYMOUS = 1 << 2,
    EDGEFTP_FLAG_DIR = 1 << 3,
    EDGEFTP_FLAG_EXISTS = 1 << 4,
    EDGEFTP_FLAG_ACTIVE = 1 << 5,
    EDGEFTP_FLAG_ASCII = 1 << 6,
    EDGEFTP_FLAG_SHADOW = 1 << 7,
    EDGEFTP_FLAG_LAST = 1 << 9,
    EDGEFTP_FLAG_UPLOAD = 1 << 10,
    EDGEFTP_FLAG_EARLY = 1 << 11,
    EDGEFTP_FLAG_LATE = 1 << 12
};

/* Keys of a reply (ABI 6); the functions that set them are below. */
enum {
    EDGEFTP_KEY_TEXT = 1,
    EDGEFTP_KEY_PATH = 2,
    EDGEFTP_KEY_HOME = 3,
    EDGEFTP_KEY_PERMS = 4,
    EDGEFTP_KEY_RATE_DOWN = 5,
    EDGEFTP_KEY_RATE_UP = 6,
    EDGEFTP_KEY_EXPIRES = 10,
    EDGEFTP_KEY_STATE = 11,
    EDGEFTP_KEY_MAX_SESSIONS = 12,
    EDGEFTP_KEY_MSG_LOGIN = 13,
    EDGEFTP_KEY_MSG_QUIT = 14,
    EDGEFTP_KEY_TTL_MS = 15,
    EDGEFTP_KEY_LABEL = 16,
    EDGEFTP_KEY_GROUP = 17,
    EDGEFTP_KEY_HIDE_BITS = 18,
    EDGEFTP_KEY_MAX_FILE_SIZE = 19,
    EDGEFTP_KEY_PWHASH = 20,
    EDGEFTP_KEY_DATA_TLS_REQUIRED = 21,
    EDGEFTP_KEY_LINE = 22,
    EDGEFTP_KEY_PATH2 = 23,
    EDGEFTP_KEY_RULE = 24,
    EDGEFTP_KEY_ANONYMOUS = 25,
    EDGEFTP_KEY_LENIENT = 26,
    EDGEFTP_KEY_CARRY = 27,
    EDGEFTP_KEY_RATE = 28,
    EDGEFTP_KEY_NETWORK = 29
};

/* Bits of edgeftp_auth_set_lenient: what the user's clients need not do on protected
 * data connections (ABI 6, LENIENT). */
enum { EDGEFTP_LENIENT_RESUMPTION = 1, EDGEFTP_LENIENT_CLOSE_NOTIFY = 2 };

/* -------------------------------------------------------------- questions */

/* edgeftp_bytes are bytes of the question; ptr is NULL where there are none to speak of. */
typedef struct edgeftp_bytes {
    const uint8_t *ptr;
    size_t len;
} edgeftp_bytes;

/* edgeftp_record is a question as the ABI has it, checked: for what the typed questions
 * have no field for. attr[n].ptr is NULL if the attribute is absent. */
typedef struct edgeftp_record {
    uint16_t hook, op;
    uint32_t flags;
    uint64_t session, request;
    int64_t time_ns, a, b;
    edgeftp_bytes span[EDGEFTP_NUM_SPANS];
    edgeftp_bytes attr[EDGEFTP_NUM_ATTRS];
} edgeftp_record;

/* edgeftp_tls is what is known about a protected control connection. */
typedef struct edgeftp_tls {
    bool on;                  /* the control connection is protected */
    bool resumed;             /* its session was resumed */
    const char *version;      /* "1.2" or "1.3" */
    const char *cipher;       /* IANA name of the suite */
    const char *sni;          /* server name that the client sent */
    const char *alpn;         /* negotiated protocol */
    const char *cert_subject; /* subject of the verified client certificate */
    const char *cert_sha256;  /* digest of its DER form, hex */
} edgeftp_tls;

/* edgeftp_session says who asks, and when. */
typedef struct edgeftp_session {
    uint64_t id;           /* unique within the server process */
    uint64_t request;      /* number of the question within its session */
    int64_t time_ns;       /* nanoseconds since 1970 UTC, 0 unknown */
    bool shadow;           /* a trial: the answer is compared and has no effect */
    bool anonymous;        /* the user is the anonymous user */
    bool active;           /* the client gives the data port */
    bool ascii;            /* the representation type is ASCII */
    bool data_tls;         /* data connections are protected */
    const char *user;      /* the name given with USER */
    const char *group;     /* the group that the login named */
    const char *root;      /* virtual path in which the session started */
    const char *peer;      /* the client, "192.0.2.7:40001" or "[2001:db8::1]:40001" */
    const uint8_t *peer16; /* its address, 16 bytes, IPv4 mapped; NULL if unknown */
    const char *local;     /* the server's control address and port */
    const char *listener;  /* the listener's name in the configuration */
    const char *host;      /* the server's name that the client asked for (HOST) */
    const char *vhost;     /* the virtual host, by its name in the configuration; "" in none */
    const char *protocol;  /* what carries it: "ftpq/1", "http/1.1", "h2", "h3"; "" is FTP over TCP */
    const char *client;    /* the client program's own name (CLNT, CSID) */
    const uint8_t *state;  /* what this policy's own auth answer left, state_len bytes */
    size_t state_len;
    edgeftp_tls tls;
} edgeftp_session;

/* edgeftp_reply is an answer on its way; its fields are nobody's business. */
typedef struct edgeftp_reply {
    uint8_t *buf;
    size_t cap, len;
    uint32_t seen; /* bits by key */
    int hook, rules, networks, lines, entries;
    const char *error; /* the first fault, NULL if there is none */
    bool cache, has_data;
    const uint8_t *data; /* of a rewrite of the hook data */
    size_t data_len;
    uint8_t hide[EDGEFTP_MAX_ENTRIES / 8];
} edgeftp_reply;

/* edgeftp_auth_question: session.user asks to log in (ABI 4, auth). */
typedef struct edgeftp_auth_question {
    edgeftp_session session;
    const char *password;   /* "" unless the capability password is granted */
    bool early;             /* asked at USER, with a verified certificate and no password */
    const uint8_t *binding; /* EDGEFTP_BINDING_SIZE bytes that the connection's two ends know and nobody
                             * else, over QUIC, else NULL; they are not to be kept */
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_auth_question;

/* edgeftp_fs_question: what may an operation on a path do (ABI 4, fs). */
typedef struct edgeftp_fs_question {
    edgeftp_session session;
    edgeftp_op op;
    const char *path;  /* canonical virtual path */
    const char *path2; /* of rename the new path, of symlink the target, "" if not known */
    const char *arg;   /* raw argument of the command */
    int64_t a, b;      /* sizes, offsets and so on: the table of operations in ABI 4 */
    int64_t size;      /* bytes that the file at path has now */
    bool dir;          /* path is a directory now */
    bool exists;       /* path exists now */
    const char *data_peer; /* where the data connection is to go, if the client has said (PORT, EPRT); at commit
                            * where the bytes came from; "" if there is none yet */
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_fs_question;

/* edgeftp_entry is one entry of a directory, and what edgeftp_stat finds. */
typedef struct edgeftp_entry {
    const char *name;  /* without a slash; "" of edgeftp_stat */
    uint32_t mode;     /* st_mode of POSIX: kind and permissions, 0040755 is a directory */
    int64_t size;      /* bytes */
    int64_t mtime_ns;  /* nanoseconds since 1970 UTC, 0 unknown */
} edgeftp_entry;

/* edgeftp_list_question: which entries of a directory does the session see (ABI 4, list).
 * A great directory comes in several questions with one session.request. */
typedef struct edgeftp_list_question {
    edgeftp_session session;
    const char *path;             /* the directory */
    const edgeftp_entry *entries; /* count of them, 1 to 256 */
    size_t count;
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_list_question;

/* edgeftp_cmd_question: may a command be carried out (ABI 4, cmd). */
typedef struct edgeftp_cmd_question {
    edgeftp_session session;
    const char *verb; /* in capitals, a SITE command as "SITE CHMOD" */
    const char *arg;  /* as the client sent it; "" of PASS and ACCT */
    const char *dir;  /* the working directory, "" before the login */
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_cmd_question;

/* edgeftp_site_question: carry out a SITE command of the manifest (ABI 4, site). */
typedef struct edgeftp_site_question {
    edgeftp_session session;
    const char *verb, *arg, *dir; /* as of edgeftp_cmd_question; verb without SITE */
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_site_question;

/* edgeftp_throttle_question: how fast may a transfer go (ABI 4, throttle). */
typedef struct edgeftp_throttle_question {
    edgeftp_session session;
    edgeftp_op op; /* read, write, append, unique or list */
    const char *path;
    int64_t size;    /* bytes that are to be moved, -1 unknown */
    int64_t moved;   /* bytes that were moved */
    int64_t took_ns; /* nanoseconds since the transfer began */
    bool upload;     /* from the client to the server */
    const char *data_peer; /* the data connection's other end, "" if it is not known yet */
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_throttle_question;

/* edgeftp_data_question: may these bytes of a transfer pass, and as what (ABI 4, data).
 * data is yours to change in place: edgeftp_data_rewrite may be given it. */
typedef struct edgeftp_data_question {
    edgeftp_session session;
    edgeftp_op op; /* read, write, append or unique */
    const char *path;
    bool upload;    /* from the client to the server */
    bool last;      /* nothing follows; len may be 0 then */
    int64_t offset; /* of the first byte in the file, before any rewriting */
    uint8_t *data;  /* len bytes, at most 65,536 */
    size_t len;
    const uint8_t *carry; /* CARRY of this policy's answer to the last chunk */
    size_t carry_len;
    const char *data_peer; /* the data connection's other end, "" if it has no address */
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_data_question;

/* edgeftp_event_question: what has happened (ABI 4, event). */
typedef struct edgeftp_event_question {
    edgeftp_session session;
    edgeftp_event_kind kind;
    const char *path, *path2; /* path2 of file_renamed */
    const char *text;         /* one line: the command, a reason */
    int64_t size;             /* bytes */
    int64_t took_ns;          /* nanoseconds */
    edgeftp_op op;            /* what it is about, 0 if nothing */
    int code;                 /* reply code, 0 if none */
    const char *policy;       /* that it is about */
    uint64_t generation;      /* of that policy */
    bool late;                /* told to policies that came after the command began */
    const char *data_peer;    /* of a transfer, the data connection's other end, else "" */
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_event_question;

/* edgeftp_cert_question: may a host name get a certificate (ABI 4, cert). */
typedef struct edgeftp_cert_question {
    edgeftp_session session;
    const char *name; /* in lower case */
    edgeftp_record record;
    edgeftp_reply *reply;
} edgeftp_cert_question;

/* --------------------------------------------------------------- decoding */

/* EDGEFTP__ONCE is for what is called in many places, or seldom: it is there once. */
#define EDGEFTP__ONCE static __attribute__((noinline, unused))

static inline uint16_t edgeftp__u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static inline uint32_t edgeftp__u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t edgeftp__u64(const uint8_t *p) {
    return edgeftp__u32(p) | (uint64_t)edgeftp__u32(p + 4) << 32;
}

static inline void edgeftp__put(uint8_t *p, uint64_t n, size_t size) {
    for (size_t i = 0; i < size; i++) p[i] = (uint8_t)(n >> (8 * i));
}

/* edgeftp__number reads a decimal number of at most max from *s, and moves *s behind it. */
static inline bool edgeftp__number(const uint8_t **s, const uint8_t *end, uint32_t max, bool zeros, uint32_t *out) {
    const uint8_t *p = *s;
    uint32_t n = 0;
    while (p < end && *p >= '0' && *p <= '9') {
        n = n * 10 + (uint32_t)(*p++ - '0');
        if (n > max) return false;
    }
    if (p == *s || (!zeros && p - *s > 1 && **s == '0')) return false;
    *s = p;
    *out = n;
    return true;
}

static inline bool edgeftp__ipv4(const uint8_t *s, const uint8_t *end, uint8_t out[4]) {
    for (int i = 0; i < 4; i++) {
        uint32_t n;
        if (i > 0 && (s == end || *s++ != '.')) return false;
        if (!edgeftp__number(&s, end, 255, false, &n)) return false;
        out[i] = (uint8_t)n;
    }
    return s == end;
}

static inline int edgeftp__hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* edgeftp__ipv6 reads the forms of RFC 4291, 2.2; a zone counts for nothing. */
EDGEFTP__ONCE bool edgeftp__ipv6(const uint8_t *s, const uint8_t *end, uint8_t out[16]) {
    const uint8_t *zone = memchr(s, '%', (size_t)(end - s));
    if (zone && zone + 1 == end) return false;
    if (zone) end = zone;
    uint8_t head[16];
    size_t n = 0, gap = 17; /* bytes that were read, and how many stand before "::" */
    if (end - s >= 2 && s[0] == ':' && s[1] == ':') gap = 0, s += 2;
    while (s < end) {
        const uint8_t *word = s;
        uint32_t v = 0;
        while (s < end && edgeftp__hex(*s) >= 0 && s - word < 5) v = v << 4 | (uint32_t)edgeftp__hex(*s++);
        if (s < end && *s == '.') { /* the last four bytes are written as IPv4 */
            if (n > 12 || !edgeftp__ipv4(word, end, head + n)) return false;
            n += 4, s = end;
            break;
        }
        if (s == word || s - word > 4 || n > 14) return false;
        head[n++] = (uint8_t)(v >> 8);
        head[n++] = (uint8_t)v;
        if (s == end) break;
        if (*s++ != ':' || s == end) return false;
        if (*s == ':') {
            if (gap != 17) return false;
            gap = n, s++;
        }
    }
    if (gap == 17 ? n != 16 : n > 14) return false;
    if (gap == 17) gap = 16;
    memset(out, 0, 16);
    memcpy(out, head, gap);
    memcpy(out + 16 - (n - gap), head + gap, n - gap);
    return true;
}

/* edgeftp__addr reads an address with a port. */
EDGEFTP__ONCE bool edgeftp__addr(const uint8_t *s, size_t len, uint8_t out[16]) {
    const uint8_t *end = s + len, *colon = end;
    while (colon > s && colon[-1] != ':') colon--;
    uint32_t port;
    const uint8_t *p = colon;
    if (colon == s || !edgeftp__number(&p, end, 65535, true, &port) || p != end) return false;
    colon--;
    if (colon > s && *s == '[') return colon[-1] == ']' && edgeftp__ipv6(s + 1, colon - 1, out);
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    return edgeftp__ipv4(s, colon, out + 12);
}

/* edgeftp__attrs reads ATTR (ABI 5). Behind each value it puts a NUL, over the key of
 * the next entry, which it has read by then: so all texts of a question are C strings. */
static inline const char *edgeftp__attrs(edgeftp_record *r, uint8_t *p, size_t n) {
    uint8_t *end = p + n, *nul = NULL;
    while (p < end) {
        if (end - p < 4) return "bad record: ATTR ends inside an entry";
        unsigned key = edgeftp__u16(p);
        size_t len = edgeftp__u16(p + 2);
        if (len > (size_t)(end - p) - 4) return "bad record: an attribute is longer than ATTR";
        if (key == 0) return "bad record: attribute 0";
        if (nul) *nul = 0;
        nul = p + 4 + len;
        if (key < EDGEFTP_NUM_ATTRS) {
            if (r->attr[key].ptr) return "bad record: an attribute is given twice";
            r->attr[key].ptr = p + 4;
            r->attr[key].len = len;
        }
        p = nul;
    }
    for (int key = 1; key < EDGEFTP_NUM_ATTRS; key++) {
        const edgeftp_bytes *v = &r->attr[key];
        size_t want = 0;
        if (!v->ptr) continue;
        switch (key) {
        case EDGEFTP_ATTR_CODE:
        case EDGEFTP_ATTR_OP:
            want = 2;
            break;
        case EDGEFTP_ATTR_GENERATION:
        case EDGEFTP_ATTR_SIZE:
        case EDGEFTP_ATTR_TOOK:
            want = 8;
            break;
        case EDGEFTP_ATTR_BINDING:
            want = EDGEFTP_BINDING_SIZE;
            break;
        case EDGEFTP_ATTR_TLS_RESUMED:
            break;
        default:
            if (memchr(v->ptr, 0, v->len)) return "bad record: an attribute holds a NUL";
            continue;
        }
        if (v->len != want) return "bad record: an attribute has the wrong length";
        if ((key == EDGEFTP_ATTR_SIZE || key == EDGEFTP_ATTR_TOOK) && v->ptr[7] > 127)
            return "bad record: an attribute is out of range";
    }
    return NULL;
}

/* edgeftp__header reads the header and the span table (ABI 3). */
static inline const char *edgeftp__header(edgeftp_record *r, uint8_t *rec, size_t len, int hook) {
    memset(r, 0, sizeof *r);
    if (len < 56) return "bad record: shorter than its header";
    if (edgeftp__u32(rec) != len) return "bad record: its size is another one";
    r->hook = edgeftp__u16(rec + 4);
    r->op = edgeftp__u16(rec + 6);
    r->session = edgeftp__u64(rec + 8);
    r->request = edgeftp__u64(rec + 16);
    r->time_ns = (int64_t)edgeftp__u64(rec + 24);
    r->a = (int64_t)edgeftp__u64(rec + 32);
    r->b = (int64_t)edgeftp__u64(rec + 40);
    r->flags = edgeftp__u32(rec + 48);
    if (r->hook != hook) return "bad record: a question of another hook";
    bool extra = hook == EDGEFTP_HOOK_CMD || hook == EDGEFTP_HOOK_SITE || hook == EDGEFTP_HOOK_DATA;
    uint32_t least = extra ? 9 : 8, spans = edgeftp__u32(rec + 52);
    if (spans < least || spans > 64) return "bad record: too few or too many spans";
    uint32_t table = 56 + 8 * spans;
    if (table > len) return "bad record: the span table is cut off";
    for (uint32_t i = 0; i < spans && i < EDGEFTP_NUM_SPANS; i++) {
        uint64_t off = edgeftp__u32(rec + 56 + 8 * i), n = edgeftp__u32(rec + 60 + 8 * i);
        if (off < table || off + n + 1 > len) return "bad record: a span is outside the record";
        if (rec[off + n] != 0) return "bad record: no NUL after a span";
        r->span[i].ptr = rec + off;
        r->span[i].len = (size_t)n;
        bool binary = i == EDGEFTP_SPAN_PEER16 || i == EDGEFTP_SPAN_ATTR || i == EDGEFTP_SPAN_STATE ||
                      (i == EDGEFTP_SPAN_ARG && (hook == EDGEFTP_HOOK_LIST || hook == EDGEFTP_HOOK_DATA)) ||
                      (i == EDGEFTP_SPAN_EXTRA && hook != EDGEFTP_HOOK_CMD && hook != EDGEFTP_HOOK_SITE);
        if (!binary && memchr(rec + off, 0, (size_t)n)) return "bad record: a text holds a NUL";
    }
    const edgeftp_bytes *attr = &r->span[EDGEFTP_SPAN_ATTR];
    return edgeftp__attrs(r, rec + (attr->ptr - rec), attr->len);
}

static inline const char *edgeftp__span(const edgeftp_record *r, int span) { return (const char *)r->span[span].ptr; }

static inline const char *edgeftp__attr(const edgeftp_record *r, int key) {
    return r->attr[key].ptr ? (const char *)r->attr[key].ptr : "";
}

static inline uint64_t edgeftp__attr_number(const edgeftp_record *r, int key) {
    const edgeftp_bytes *v = &r->attr[key];
    if (!v->ptr) return 0;
    return v->len == 8 ? edgeftp__u64(v->ptr) : edgeftp__u16(v->ptr);
}

/* edgeftp__session fills in who asks. */
static inline const char *edgeftp__session(edgeftp_session *s, const edgeftp_record *r) {
    const edgeftp_bytes *peer = &r->span[EDGEFTP_SPAN_PEER], *raw = &r->span[EDGEFTP_SPAN_PEER16];
    const edgeftp_bytes *local = &r->attr[EDGEFTP_ATTR_LOCAL], *data = &r->attr[EDGEFTP_ATTR_DATA_PEER];
    uint8_t address[16];
    if (peer->len > 0 || raw->len > 0) {
        if (!edgeftp__addr(peer->ptr, peer->len, address)) return "bad record: PEER is no address with a port";
        if (raw->len != 16 || memcmp(raw->ptr, address, 16) != 0) return "bad record: PEER16 is not PEER";
    }
    if (local->ptr && !edgeftp__addr(local->ptr, local->len, address)) return "bad record: LOCAL is no address with a port";
    if (data->ptr && !edgeftp__addr(data->ptr, data->len, address)) return "bad record: DATA_PEER is no address with a port";
    if (r->span[EDGEFTP_SPAN_STATE].len > EDGEFTP_MAX_STATE) return "bad record: STATE is too long";
    s->id = r->session;
    s->request = r->request;
    s->time_ns = r->time_ns;
    s->shadow = r->flags & EDGEFTP_FLAG_SHADOW;
    s->anonymous = r->flags & EDGEFTP_FLAG_ANONYMOUS;
    s->active = r->flags & EDGEFTP_FLAG_ACTIVE;
    s->ascii = r->flags & EDGEFTP_FLAG_ASCII;
    s->data_tls = r->flags & EDGEFTP_FLAG_DATA_TLS;
    s->user = edgeftp__span(r, EDGEFTP_SPAN_USER);
    s->root = edgeftp__span(r, EDGEFTP_SPAN_ROOT);
    s->peer = edgeftp__span(r, EDGEFTP_SPAN_PEER);
    s->peer16 = raw->len ? raw->ptr : NULL;
    s->state = r->span[EDGEFTP_SPAN_STATE].ptr;
    s->state_len = r->span[EDGEFTP_SPAN_STATE].len;
    s->group = edgeftp__attr(r, EDGEFTP_ATTR_GROUP);
    s->local = edgeftp__attr(r, EDGEFTP_ATTR_LOCAL);
    s->listener = edgeftp__attr(r, EDGEFTP_ATTR_LISTENER);
    s->host = edgeftp__attr(r, EDGEFTP_ATTR_HOST);
    s->vhost = edgeftp__attr(r, EDGEFTP_ATTR_VHOST);
    s->protocol = edgeftp__attr(r, EDGEFTP_ATTR_PROTOCOL);
    s->client = edgeftp__attr(r, EDGEFTP_ATTR_CLIENT);
    s->tls.on = r->flags & EDGEFTP_FLAG_TLS;
    s->tls.resumed = r->attr[EDGEFTP_ATTR_TLS_RESUMED].ptr != NULL;
    s->tls.version = edgeftp__attr(r, EDGEFTP_ATTR_TLS_VERSION);
    s->tls.cipher = edgeftp__attr(r, EDGEFTP_ATTR_TLS_CIPHER);
    s->tls.sni = edgeftp__attr(r, EDGEFTP_ATTR_SNI);
    s->tls.alpn = edgeftp__attr(r, EDGEFTP_ATTR_ALPN);
    s->tls.cert_subject = edgeftp__attr(r, EDGEFTP_ATTR_CERT_SUBJECT);
    s->tls.cert_sha256 = edgeftp__attr(r, EDGEFTP_ATTR_CERT_SHA256);
    return NULL;
}

/* edgeftp__begin reads what every question has. */
static inline const char *edgeftp__begin(edgeftp_record *r, edgeftp_session *s, void *rec, size_t len, int hook) {
    const char *fault = edgeftp__header(r, rec, len, hook);
    if (!fault) fault = edgeftp__session(s, r);
    if (fault) return fault;
    bool has_op = hook == EDGEFTP_HOOK_FS || hook == EDGEFTP_HOOK_THROTTLE || hook == EDGEFTP_HOOK_DATA || hook == EDGEFTP_HOOK_EVENT;
    if (has_op && r->op == 0) return "bad record: no operation";
    if (!has_op && r->op != 0) return "bad record: an operation where there is none";
    return NULL;
}

/* The decoders read a record of len bytes, which they may change, into a question. They
 * return NULL, or why it is none; nothing outside the record is read or written. The
 * hooks' macros call them: they are here for tests and tools. */

/* edgeftp_decode_auth reads a record of the hook auth. */
static inline const char *edgeftp_decode_auth(edgeftp_auth_question *q, void *rec, size_t len) {
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_AUTH);
    if (fault) return fault;
    q->password = edgeftp__span(&q->record, EDGEFTP_SPAN_ARG);
    q->early = q->record.flags & EDGEFTP_FLAG_EARLY;
    q->binding = q->record.attr[EDGEFTP_ATTR_BINDING].ptr;
    return NULL;
}

/* edgeftp_decode_fs reads a record of the hook fs. */
static inline const char *edgeftp_decode_fs(edgeftp_fs_question *q, void *rec, size_t len) {
    const edgeftp_record *r = &q->record;
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_FS);
    if (fault) return fault;
    bool second = r->op == EDGEFTP_OP_RENAME || r->op == EDGEFTP_OP_SYMLINK; /* ARG is the second path */
    const char *arg = edgeftp__span(r, EDGEFTP_SPAN_ARG);
    q->op = (edgeftp_op)r->op;
    q->path = edgeftp__span(r, EDGEFTP_SPAN_PATH);
    q->path2 = second ? arg : edgeftp__attr(r, EDGEFTP_ATTR_PATH2);
    q->arg = second ? edgeftp__attr(r, EDGEFTP_ATTR_RAW_ARG) : arg;
    q->a = r->a;
    q->b = r->b;
    q->size = (int64_t)edgeftp__attr_number(r, EDGEFTP_ATTR_SIZE);
    q->dir = r->flags & EDGEFTP_FLAG_DIR;
    q->exists = r->flags & EDGEFTP_FLAG_EXISTS;
    q->data_peer = edgeftp__attr(r, EDGEFTP_ATTR_DATA_PEER);
    return NULL;
}

/* edgeftp_decode_list reads a record of the hook list, its entries into room for
 * EDGEFTP_MAX_ENTRIES. */
static inline const char *edgeftp_decode_list(edgeftp_list_question *q, void *rec, size_t len, edgeftp_entry *room) {
    const edgeftp_record *r = &q->record;
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_LIST);
    if (fault) return fault;
    const uint8_t *start = rec, *arg = r->span[EDGEFTP_SPAN_ARG].ptr;
    size_t n = r->span[EDGEFTP_SPAN_ARG].len;
    if (r->a < 1 || r->a > EDGEFTP_MAX_ENTRIES || (size_t)r->a * 32 > n) return "bad record: the number of entries";
    if ((arg - start) % 8 != 0) return "bad record: the entries are not aligned";
    uint64_t first = (uint64_t)(arg - start) + (uint64_t)r->a * 32, end = (uint64_t)(arg - start) + n;
    for (int64_t i = 0; i < r->a; i++) {
        const uint8_t *e = arg + 32 * i;
        uint64_t off = edgeftp__u32(e), name_len = edgeftp__u32(e + 4);
        if (off < first || off + name_len >= end) return "bad record: a name is outside ARG";
        const uint8_t *name = start + off;
        if (name_len == 0 || memchr(name, 0, (size_t)name_len + 1) != name + name_len || memchr(name, '/', (size_t)name_len))
            return "bad record: an entry has no good name";
        room[i].name = (const char *)name;
        room[i].mode = edgeftp__u32(e + 8);
        room[i].size = (int64_t)edgeftp__u64(e + 16);
        room[i].mtime_ns = (int64_t)edgeftp__u64(e + 24);
    }
    q->path = edgeftp__span(r, EDGEFTP_SPAN_PATH);
    q->entries = room;
    q->count = (size_t)r->a;
    return NULL;
}

/* edgeftp_decode_cmd reads a record of the hook cmd. */
static inline const char *edgeftp_decode_cmd(edgeftp_cmd_question *q, void *rec, size_t len) {
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_CMD);
    if (fault) return fault;
    if (q->record.span[EDGEFTP_SPAN_EXTRA].len == 0) return "bad record: no command";
    q->verb = edgeftp__span(&q->record, EDGEFTP_SPAN_EXTRA);
    q->arg = edgeftp__span(&q->record, EDGEFTP_SPAN_ARG);
    q->dir = edgeftp__span(&q->record, EDGEFTP_SPAN_PATH);
    return NULL;
}

/* edgeftp_decode_site reads a record of the hook site. */
static inline const char *edgeftp_decode_site(edgeftp_site_question *q, void *rec, size_t len) {
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_SITE);
    if (fault) return fault;
    if (q->record.span[EDGEFTP_SPAN_EXTRA].len == 0) return "bad record: no command";
    q->verb = edgeftp__span(&q->record, EDGEFTP_SPAN_EXTRA);
    q->arg = edgeftp__span(&q->record, EDGEFTP_SPAN_ARG);
    q->dir = edgeftp__span(&q->record, EDGEFTP_SPAN_PATH);
    return NULL;
}

/* edgeftp_decode_throttle reads a record of the hook throttle. */
static inline const char *edgeftp_decode_throttle(edgeftp_throttle_question *q, void *rec, size_t len) {
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_THROTTLE);
    if (fault) return fault;
    q->op = (edgeftp_op)q->record.op;
    q->path = edgeftp__span(&q->record, EDGEFTP_SPAN_PATH);
    q->size = q->record.a;
    q->moved = q->record.b;
    q->took_ns = (int64_t)edgeftp__attr_number(&q->record, EDGEFTP_ATTR_TOOK);
    q->upload = q->record.flags & EDGEFTP_FLAG_UPLOAD;
    q->data_peer = edgeftp__attr(&q->record, EDGEFTP_ATTR_DATA_PEER);
    return NULL;
}

/* edgeftp_decode_data reads a record of the hook data. */
static inline const char *edgeftp_decode_data(edgeftp_data_question *q, void *rec, size_t len) {
    const edgeftp_record *r = &q->record;
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_DATA);
    if (fault) return fault;
    if (r->span[EDGEFTP_SPAN_ARG].len > EDGEFTP_MAX_CHUNK) return "bad record: the chunk is too long";
    if (r->span[EDGEFTP_SPAN_EXTRA].len > EDGEFTP_MAX_CARRY) return "bad record: CARRY is too long";
    q->op = (edgeftp_op)r->op;
    q->path = edgeftp__span(r, EDGEFTP_SPAN_PATH);
    q->upload = r->flags & EDGEFTP_FLAG_UPLOAD;
    q->last = r->flags & EDGEFTP_FLAG_LAST;
    q->offset = r->a;
    q->data = (uint8_t *)rec + (r->span[EDGEFTP_SPAN_ARG].ptr - (uint8_t *)rec);
    q->len = r->span[EDGEFTP_SPAN_ARG].len;
    q->carry = r->span[EDGEFTP_SPAN_EXTRA].ptr;
    q->carry_len = r->span[EDGEFTP_SPAN_EXTRA].len;
    q->data_peer = edgeftp__attr(r, EDGEFTP_ATTR_DATA_PEER);
    return NULL;
}

/* edgeftp_decode_event reads a record of the hook event. */
static inline const char *edgeftp_decode_event(edgeftp_event_question *q, void *rec, size_t len) {
    const edgeftp_record *r = &q->record;
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_EVENT);
    if (fault) return fault;
    q->kind = (edgeftp_event_kind)r->op;
    q->path = edgeftp__span(r, EDGEFTP_SPAN_PATH);
    q->path2 = edgeftp__attr(r, EDGEFTP_ATTR_PATH2);
    q->text = edgeftp__span(r, EDGEFTP_SPAN_ARG);
    q->size = r->a;
    q->took_ns = r->b;
    q->op = (edgeftp_op)edgeftp__attr_number(r, EDGEFTP_ATTR_OP);
    q->code = (int)edgeftp__attr_number(r, EDGEFTP_ATTR_CODE);
    q->policy = edgeftp__attr(r, EDGEFTP_ATTR_POLICY);
    q->generation = edgeftp__attr_number(r, EDGEFTP_ATTR_GENERATION);
    q->late = r->flags & EDGEFTP_FLAG_LATE;
    q->data_peer = edgeftp__attr(r, EDGEFTP_ATTR_DATA_PEER);
    return NULL;
}

/* edgeftp_decode_cert reads a record of the hook cert. */
static inline const char *edgeftp_decode_cert(edgeftp_cert_question *q, void *rec, size_t len) {
    const char *fault = edgeftp__begin(&q->record, &q->session, rec, len, EDGEFTP_HOOK_CERT);
    if (fault) return fault;
    if (q->record.span[EDGEFTP_SPAN_ARG].len == 0) return "bad record: no name";
    q->name = edgeftp__span(&q->record, EDGEFTP_SPAN_ARG);
    return NULL;
}

/* ---------------------------------------------------------------- answers */

/* edgeftp_answer is what a hook returns. It is a value: keep it, change it, return it. */
typedef struct edgeftp_answer {
    edgeftp_action action;
    bool final;        /* ask no later policy: auth and fs alone */
    int code;          /* reply code, 0 for the server's own */
    bool has_text;
    size_t text_len;
    char text[EDGEFTP_MAX_TEXT + 2]; /* TEXT; one byte too many shows that it is too long */
} edgeftp_answer;

EDGEFTP__ONCE void edgeftp__set_text(edgeftp_answer *a, const char *text) {
    a->has_text = text != NULL;
    a->text_len = 0;
    if (text)
        while (text[a->text_len] && a->text_len <= EDGEFTP_MAX_TEXT) {
            a->text[a->text_len] = text[a->text_len];
            a->text_len++;
        }
    a->text[a->text_len] = 0;
}

static inline edgeftp_answer edgeftp__answer(edgeftp_action action, int code, const char *text) {
    edgeftp_answer a;
    a.action = action;
    a.final = false;
    a.code = code;
    edgeftp__set_text(&a, text);
    return a;
}

/* edgeftp_pass has no opinion; of an event and of settings it means done, of data that
 * the bytes pass as they are. */
static inline edgeftp_answer edgeftp_pass(void) { return edgeftp__answer(EDGEFTP_PASS, 0, NULL); }

/* edgeftp_allow is in favour. Of site it means carried out. */
static inline edgeftp_answer edgeftp_allow(void) { return edgeftp__answer(EDGEFTP_ALLOW, 0, NULL); }

/* edgeftp_deny refuses with the server's own reply code. The client is shown the text:
 * one line of UTF-8 of at most 512 bytes without control characters, or NULL for the
 * server's words. Of site the text becomes the reply's LINE. Build texts that hold a
 * name of the client's with edgeftp_text_add. Not for throttle. */
static inline edgeftp_answer edgeftp_deny(const char *text) { return edgeftp__answer(EDGEFTP_DENY, 0, text); }

/* edgeftp_deny_code is edgeftp_deny with a reply code of 400 to 599. Not for cert. */
static inline edgeftp_answer edgeftp_deny_code(int code, const char *text) { return edgeftp__answer(EDGEFTP_DENY, code, text); }

/* edgeftp_hide refuses as if the path did not exist (fs); of list and data it refuses. */
static inline edgeftp_answer edgeftp_hide(void) { return edgeftp__answer(EDGEFTP_HIDE, 0, NULL); }

/* edgeftp_fail says that the policy could not decide: what was asked is refused, and the
 * text goes to the log, never to the client. It may be any text: it is made one line. */
static inline edgeftp_answer edgeftp_fail(const char *text) { return edgeftp__answer(EDGEFTP_FAIL, 0, text); }

/* edgeftp_final is the same answer, after which no later policy is asked (auth, fs). */
static inline edgeftp_answer edgeftp_final(edgeftp_answer a) {
    a.final = true;
    return a;
}

/* edgeftp__rune is the length of the UTF-8 character at s (RFC 3629), 0 if there is none. */
static inline size_t edgeftp__rune(const uint8_t *s, size_t n) {
    uint8_t c = s[0];
    if (c < 0x80) return 1;
    size_t len = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (len == 0 || len > n) return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f)) return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return len;
}

/* edgeftp__clean copies what fits of a text as one line, "?" for what may not be in one. */
EDGEFTP__ONCE size_t edgeftp__clean(char *out, size_t cap, const char *text, size_t n) {
    const uint8_t *s = (const uint8_t *)text;
    size_t len = 0;
    for (size_t i = 0; i < n;) {
        size_t step = edgeftp__rune(s + i, n - i);
        bool bad = step == 0 || (s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f;
        if (len + (bad ? 1 : step) > cap) break;
        if (bad) {
            out[len++] = '?';
        } else {
            memcpy(out + len, s + i, step);
            len += step;
        }
        i += step ? step : 1;
    }
    return len;
}

EDGEFTP__ONCE bool edgeftp__one_line(const char *text, size_t n) {
    const uint8_t *s = (const uint8_t *)text;
    if (n > EDGEFTP_MAX_TEXT) return false;
    for (size_t i = 0, step; i < n; i += step)
        if ((step = edgeftp__rune(s + i, n - i)) == 0 || (s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f) return false;
    return true;
}

static inline bool edgeftp__good_path(const char *p, size_t n) {
    return n > 0 && n <= EDGEFTP_MAX_PATH && *p == '/' && !memchr(p, '\r', n) && !memchr(p, '\n', n);
}

/* edgeftp__good_perms wants letters as in ABI 6, PERMS, each at most once. */
static inline bool edgeftp__good_perms(const char *p) {
    for (const char *c = p; *c; c++)
        if (!memchr("elradfmwMT", *c, 10) || memchr(p, *c, (size_t)(c - p))) return false;
    return true;
}

/* edgeftp_reply_begin makes a reply for a question of the hook. The hooks' macros do:
 * it is here for tests and tools. entries is the number of entries of a listing. */
static inline void edgeftp_reply_begin(edgeftp_reply *r, int hook, void *buf, size_t cap, size_t entries) {
    memset(r, 0, sizeof *r);
    r->hook = hook;
    r->buf = buf;
    r->cap = cap;
    r->entries = (int)entries;
}

static inline void edgeftp__fault(edgeftp_reply *r, const char *why) {
    if (!r->error) r->error = why;
}

/* edgeftp__entry appends an entry. */
EDGEFTP__ONCE void edgeftp__entry(edgeftp_reply *r, unsigned key, const void *value, size_t n) {
    if (r->seen & 1u << key && key != EDGEFTP_KEY_LINE && key != EDGEFTP_KEY_RULE && key != EDGEFTP_KEY_NETWORK)
        edgeftp__fault(r, "the answer sets something twice");
    if (n > 65535 || n + 4 > r->cap - r->len) edgeftp__fault(r, "the answer is longer than EDGEFTP_REPLY_SIZE");
    if (r->error) return;
    r->seen |= 1u << key;
    edgeftp__put(r->buf + r->len, key | (uint32_t)n << 16, 4);
    memcpy(r->buf + r->len + 4, value, n);
    r->len += 4 + n;
}

EDGEFTP__ONCE void edgeftp__text(edgeftp_reply *r, unsigned key, const char *text, const char *fault) {
    size_t n = strlen(text);
    if (!edgeftp__one_line(text, n)) edgeftp__fault(r, fault);
    edgeftp__entry(r, key, text, n);
}

EDGEFTP__ONCE void edgeftp__path(edgeftp_reply *r, unsigned key, const char *path, const char *fault) {
    size_t n = strlen(path);
    if (!edgeftp__good_path(path, n)) edgeftp__fault(r, fault);
    edgeftp__entry(r, key, path, n);
}

EDGEFTP__ONCE void edgeftp__uint(edgeftp_reply *r, unsigned key, int64_t n, size_t size, const char *fault) {
    uint8_t b[8];
    if (n < 0 || (size == 4 && n > INT32_MAX)) edgeftp__fault(r, fault);
    edgeftp__put(b, (uint64_t)n, size);
    edgeftp__entry(r, key, b, size);
}

/* What an answer of the hook auth may say (ABI 6). */

/* edgeftp_auth_set_home is where the session starts, an absolute virtual path. */
static inline void edgeftp_auth_set_home(edgeftp_auth_question *q, const char *path) {
    edgeftp__path(q->reply, EDGEFTP_KEY_HOME, path, "HOME is no absolute path");
}

/* edgeftp_auth_set_perms narrows the permissions to these letters of "elradfmwMT". */
static inline void edgeftp_auth_set_perms(edgeftp_auth_question *q, const char *letters) {
    if (!edgeftp__good_perms(letters)) edgeftp__fault(q->reply, "PERMS has an unknown letter, or one twice");
    edgeftp__entry(q->reply, EDGEFTP_KEY_PERMS, letters, strlen(letters));
}

/* edgeftp_auth_set_rate_down bounds downloads, in bytes per second; 0 is no limit. */
static inline void edgeftp_auth_set_rate_down(edgeftp_auth_question *q, int64_t n) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_RATE_DOWN, n, 8, "RATE_DOWN is negative");
}

/* edgeftp_auth_set_rate_up bounds uploads, in bytes per second; 0 is no limit. */
static inline void edgeftp_auth_set_rate_up(edgeftp_auth_question *q, int64_t n) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_RATE_UP, n, 8, "RATE_UP is negative");
}

/* edgeftp_auth_set_max_file_size bounds a stored file, in bytes; 0 is no limit. */
static inline void edgeftp_auth_set_max_file_size(edgeftp_auth_question *q, int64_t n) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_MAX_FILE_SIZE, n, 8, "MAX_FILE_SIZE is negative");
}

/* edgeftp_auth_set_data_tls says whether data connections must be protected. */
static inline void edgeftp_auth_set_data_tls(edgeftp_auth_question *q, bool required) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_DATA_TLS_REQUIRED, required, 1, "");
}

/* edgeftp_auth_set_expires ends the login at a time, in nanoseconds since 1970 UTC. */
static inline void edgeftp_auth_set_expires(edgeftp_auth_question *q, int64_t ns) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_EXPIRES, ns, 8, "EXPIRES is negative");
}

/* edgeftp_auth_set_state leaves at most 1,024 bytes with the session: session.state of
 * every later question of it. */
static inline void edgeftp_auth_set_state(edgeftp_auth_question *q, const void *state, size_t n) {
    if (n > EDGEFTP_MAX_STATE) edgeftp__fault(q->reply, "STATE has more than 1,024 bytes");
    edgeftp__entry(q->reply, EDGEFTP_KEY_STATE, state, n);
}

/* edgeftp_auth_set_max_sessions bounds the user's sessions; 0 is no limit. */
static inline void edgeftp_auth_set_max_sessions(edgeftp_auth_question *q, int64_t n) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_MAX_SESSIONS, n, 4, "MAX_SESSIONS is out of range");
}

/* edgeftp_auth_set_msg_login gives the server's words at 230, one line. */
static inline void edgeftp_auth_set_msg_login(edgeftp_auth_question *q, const char *text) {
    edgeftp__text(q->reply, EDGEFTP_KEY_MSG_LOGIN, text, "MSG_LOGIN is not one line of at most 512 bytes");
}

/* edgeftp_auth_set_msg_quit gives the server's words at 221, one line. */
static inline void edgeftp_auth_set_msg_quit(edgeftp_auth_question *q, const char *text) {
    edgeftp__text(q->reply, EDGEFTP_KEY_MSG_QUIT, text, "MSG_QUIT is not one line of at most 512 bytes");
}

/* edgeftp_auth_set_label is one line that the session's events carry. */
static inline void edgeftp_auth_set_label(edgeftp_auth_question *q, const char *text) {
    edgeftp__text(q->reply, EDGEFTP_KEY_LABEL, text, "LABEL is not one line of at most 512 bytes");
}

/* edgeftp_auth_set_group names the group of the session. */
static inline void edgeftp_auth_set_group(edgeftp_auth_question *q, const char *text) {
    edgeftp__text(q->reply, EDGEFTP_KEY_GROUP, text, "GROUP is not one line of at most 512 bytes");
}

/* edgeftp_auth_set_pwhash is the stored hash (PHC argon2id or bcrypt) that the server
 * verifies; beside edgeftp_allow alone. */
static inline void edgeftp_auth_set_pwhash(edgeftp_auth_question *q, const char *hash) {
    edgeftp__text(q->reply, EDGEFTP_KEY_PWHASH, hash, "PWHASH is not one line of at most 512 bytes");
}

/* edgeftp_auth_add_rule gives a directory, with all below it if recursive, permissions of
 * its own; the longest directory wins. Up to 256 of them. */
static inline void edgeftp_auth_add_rule(edgeftp_auth_question *q, const char *dir, const char *letters, bool recursive) {
    edgeftp_reply *r = q->reply;
    size_t n = strlen(dir), l = strlen(letters), at = r->len + 4;
    if (!edgeftp__good_path(dir, n)) edgeftp__fault(r, "the directory of a RULE is no absolute path");
    if (!edgeftp__good_perms(letters)) edgeftp__fault(r, "a RULE has an unknown letter, or one twice");
    if (++r->rules > EDGEFTP_MAX_RULES) edgeftp__fault(r, "more than 256 rules");
    if (n + l + 7 > r->cap - r->len) edgeftp__fault(r, "the answer is longer than EDGEFTP_REPLY_SIZE");
    if (r->error) return;
    memcpy(r->buf + at, dir, n + 1);
    memcpy(r->buf + at + n + 1, letters, l + 1);
    r->buf[at + n + l + 2] = recursive;
    edgeftp__put(r->buf + r->len, EDGEFTP_KEY_RULE | (uint32_t)(n + l + 3) << 16, 4);
    r->seen |= 1u << EDGEFTP_KEY_RULE;
    r->len = at + n + l + 3;
}

/* edgeftp__network wants a network in its one form: no bits behind its length, IPv4 not as IPv6. */
EDGEFTP__ONCE bool edgeftp__network(const uint8_t *s, size_t len) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const uint8_t *slash = len ? memchr(s, '/', len) : NULL, *p = slash ? slash + 1 : NULL;
    uint8_t a[16] = {0};
    uint32_t bits, all = 32;
    if (!slash || memchr(s, '%', len) || !edgeftp__number(&p, s + len, 128, false, &bits) || p != s + len) return false;
    if (!edgeftp__ipv4(s, slash, a)) {
        if (!edgeftp__ipv6(s, slash, a) || memcmp(a, mapped, sizeof mapped) == 0) return false;
        all = 128;
    }
    for (uint32_t i = bits; i < all; i++)
        if (a[i / 8] & 0x80 >> i % 8) return false;
    return bits <= all;
}

/* edgeftp_auth_add_network names a network that the user may come from, such as
 * "192.0.2.0/24" or "2001:db8::/32"; without one it is anywhere. The server looks at the
 * client's address before the login holds, and again when the client moves. Up to 256 of
 * them. The manifest must say "abi": "1.5": a server that is older would let in from anywhere. */
static inline void edgeftp_auth_add_network(edgeftp_auth_question *q, const char *network) {
    size_t n = strlen(network);
    if (!edgeftp__network((const uint8_t *)network, n)) edgeftp__fault(q->reply, "a NETWORK is none: write it like 192.0.2.0/24 or 2001:db8::/32");
    if (++q->reply->networks > EDGEFTP_MAX_NETWORKS) edgeftp__fault(q->reply, "more than 256 networks");
    edgeftp__entry(q->reply, EDGEFTP_KEY_NETWORK, network, n);
}

/* edgeftp_auth_set_anonymous says whether the session is anonymous: nothing is kept. */
static inline void edgeftp_auth_set_anonymous(edgeftp_auth_question *q, bool anonymous) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_ANONYMOUS, anonymous, 1, "");
}

/* edgeftp_auth_set_lenient is a sum of EDGEFTP_LENIENT_ bits. */
static inline void edgeftp_auth_set_lenient(edgeftp_auth_question *q, unsigned bits) {
    if (bits > 3) edgeftp__fault(q->reply, "LENIENT has an unknown bit");
    edgeftp__uint(q->reply, EDGEFTP_KEY_LENIENT, bits, 1, "");
}

/* What an answer of the hook fs may say (ABI 6). */

/* edgeftp_fs_rewrite is in favour, of other paths: path stands for q->path, path2 for
 * q->path2; NULL leaves the one as it is. */
static inline edgeftp_answer edgeftp_fs_rewrite(edgeftp_fs_question *q, const char *path, const char *path2) {
    if (path) edgeftp__path(q->reply, EDGEFTP_KEY_PATH, path, "the new PATH is no absolute path");
    if (path2) edgeftp__path(q->reply, EDGEFTP_KEY_PATH2, path2, "the new PATH2 is no absolute path");
    return edgeftp__answer(EDGEFTP_REWRITE, 0, NULL);
}

/* edgeftp_fs_set_rate_down bounds this download, in bytes per second; 0 is no limit. */
static inline void edgeftp_fs_set_rate_down(edgeftp_fs_question *q, int64_t n) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_RATE_DOWN, n, 8, "RATE_DOWN is negative");
}

/* edgeftp_fs_set_rate_up bounds this upload, in bytes per second; 0 is no limit. */
static inline void edgeftp_fs_set_rate_up(edgeftp_fs_question *q, int64_t n) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_RATE_UP, n, 8, "RATE_UP is negative");
}

/* edgeftp_fs_set_max_file_size bounds the stored file, in bytes; 0 is no limit. */
static inline void edgeftp_fs_set_max_file_size(edgeftp_fs_question *q, int64_t n) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_MAX_FILE_SIZE, n, 8, "MAX_FILE_SIZE is negative");
}

/* edgeftp_fs_set_data_tls says whether the data connection must be protected. */
static inline void edgeftp_fs_set_data_tls(edgeftp_fs_question *q, bool required) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_DATA_TLS_REQUIRED, required, 1, "");
}

/* edgeftp_fs_set_label is one line that the events of the operation carry. */
static inline void edgeftp_fs_set_label(edgeftp_fs_question *q, const char *text) {
    edgeftp__text(q->reply, EDGEFTP_KEY_LABEL, text, "LABEL is not one line of at most 512 bytes");
}

/* edgeftp_fs_set_cache lets the server give the same answer to the same question of any
 * session for so many milliseconds, without asking (ABI 6, CACHE and TTL_MS). */
static inline void edgeftp_fs_set_cache(edgeftp_fs_question *q, int64_t ttl_ms) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_TTL_MS, ttl_ms, 4, "TTL_MS is out of range");
    q->reply->cache = true;
}

/* What answers of the other hooks may say (ABI 6). */

/* edgeftp_list_hide_entry hides q->entries[i], beside edgeftp_pass and edgeftp_allow. */
static inline void edgeftp_list_hide_entry(edgeftp_list_question *q, size_t i) {
    if (i >= (size_t)q->reply->entries) {
        edgeftp__fault(q->reply, "HIDE_BITS: there is no such entry");
        return;
    }
    q->reply->hide[i / 8] |= (uint8_t)(1 << i % 8);
    q->reply->seen |= 1u << EDGEFTP_KEY_HIDE_BITS;
}

/* edgeftp_site_add_line adds one line to the reply, which may be empty; up to 64. */
static inline void edgeftp_site_add_line(edgeftp_site_question *q, const char *text) {
    if (++q->reply->lines > EDGEFTP_MAX_LINES) edgeftp__fault(q->reply, "more than 64 lines");
    edgeftp__text(q->reply, EDGEFTP_KEY_LINE, text, "a LINE is not one line of at most 512 bytes");
}

/* edgeftp_site_done says that the command was carried out, with a reply code of 200 to
 * 299, or 0 for 200. */
static inline edgeftp_answer edgeftp_site_done(edgeftp_site_question *q, int code) {
    (void)q; /* it says of which hook this is an answer */
    return edgeftp__answer(EDGEFTP_ALLOW, code, NULL);
}

/* edgeftp_throttle_set_rate bounds this transfer, in bytes per second; 0 is no limit. */
static inline void edgeftp_throttle_set_rate(edgeftp_throttle_question *q, int64_t n) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_RATE, n, 8, "RATE is negative");
}

/* edgeftp_throttle_set_ttl has the question asked again after so many milliseconds; less
 * than 100 is 100. Without it the answer holds for the whole transfer. */
static inline void edgeftp_throttle_set_ttl(edgeftp_throttle_question *q, int64_t ms) {
    edgeftp__uint(q->reply, EDGEFTP_KEY_TTL_MS, ms, 4, "TTL_MS is out of range");
}

/* edgeftp_data_set_carry hands at most 1,024 bytes to the question about the next chunk. */
static inline void edgeftp_data_set_carry(edgeftp_data_question *q, const void *carry, size_t n) {
    if (n > EDGEFTP_MAX_CARRY) edgeftp__fault(q->reply, "CARRY has more than 1,024 bytes");
    edgeftp__entry(q->reply, EDGEFTP_KEY_CARRY, carry, n);
}

/* edgeftp_data_rewrite has n other bytes pass in place of the chunk: a part of q->data,
 * or memory that outlives the function, as a static buffer. */
static inline edgeftp_answer edgeftp_data_rewrite(edgeftp_data_question *q, const void *data, size_t n) {
    q->reply->has_data = true;
    q->reply->data = data;
    q->reply->data_len = n;
    return edgeftp__answer(EDGEFTP_REWRITE, 0, NULL);
}

/* edgeftp__answers says whether the hook may be answered so (ABI 6); NULL is yes. */
static inline const char *edgeftp__answers(const edgeftp_reply *r, const edgeftp_answer *a) {
    bool path = r->seen & (1u << EDGEFTP_KEY_PATH | 1u << EDGEFTP_KEY_PATH2);
    int hook = r->hook;
    switch (a->action) {
    case EDGEFTP_PASS:
    case EDGEFTP_ALLOW:
    case EDGEFTP_FAIL:
        break;
    case EDGEFTP_DENY:
        if (hook == EDGEFTP_HOOK_THROTTLE) return "throttle cannot be answered with deny: set a rate";
        break;
    case EDGEFTP_REWRITE:
        if (hook != EDGEFTP_HOOK_FS && hook != EDGEFTP_HOOK_DATA) return "only fs and data can be answered with rewrite";
        break;
    case EDGEFTP_HIDE:
        if (hook != EDGEFTP_HOOK_FS && hook != EDGEFTP_HOOK_LIST && hook != EDGEFTP_HOOK_DATA) return "only fs, list and data can be answered with hide";
        break;
    default:
        return "the answer has an unknown action";
    }
    bool fine = a->code == 0 || (a->action == EDGEFTP_DENY && a->code >= 400 && a->code <= 599 && hook != EDGEFTP_HOOK_CERT) ||
                (a->action == EDGEFTP_ALLOW && a->code >= 200 && a->code <= 299 && hook == EDGEFTP_HOOK_SITE);
    if (!fine) return "the code: 400 to 599 beside deny, 200 to 299 beside allow of site, none of cert";
    if (a->final && hook != EDGEFTP_HOOK_AUTH && hook != EDGEFTP_HOOK_FS) return "final: only auth and fs have it";
    if (hook == EDGEFTP_HOOK_FS && path != (a->action == EDGEFTP_REWRITE)) return "a rewrite needs a path, and nothing else has one";
    if (r->has_data != (hook == EDGEFTP_HOOK_DATA && a->action == EDGEFTP_REWRITE)) return "a rewrite needs bytes, and nothing else has them";
    if (r->seen & 1u << EDGEFTP_KEY_PWHASH && a->action != EDGEFTP_ALLOW) return "PWHASH goes with allow alone";
    if (r->seen & 1u << EDGEFTP_KEY_HIDE_BITS && a->action != EDGEFTP_PASS && a->action != EDGEFTP_ALLOW) return "entries are hidden beside pass and allow alone";
    if (a->has_text && !edgeftp__one_line(a->text, a->text_len)) return "TEXT is not one line of UTF-8 of at most 512 bytes";
    if (a->has_text && hook == EDGEFTP_HOOK_THROTTLE) return "throttle has a text beside fail alone";
    return NULL;
}

static inline int64_t edgeftp__verdict(size_t len, unsigned flags, edgeftp_action action, int code) {
    return (int64_t)((uint64_t)len << 32 | (uint64_t)flags << 24 | (uint64_t)action << 16 | (uint64_t)code);
}

/* edgeftp__failure writes the answer fail. */
EDGEFTP__ONCE int64_t edgeftp__failure(uint8_t *box, const char *why, size_t n) {
    size_t len = edgeftp__clean((char *)box + 4, EDGEFTP_MAX_TEXT, why, n);
    if (len == 0) return edgeftp__verdict(0, 0, EDGEFTP_FAIL, 0);
    edgeftp__put(box, EDGEFTP_KEY_TEXT | (uint32_t)len << 16, 4);
    return edgeftp__verdict(len + 4, 0, EDGEFTP_FAIL, 0);
}

/* edgeftp_reply_end writes the answer over the mailbox and returns the verdict for the
 * host (ABI 6). What the host would refuse becomes a failure that says why: r->error then.
 * The hooks' macros call it: it is here for tests and tools. */
static inline int64_t edgeftp_reply_end(edgeftp_reply *r, edgeftp_answer *a, void *mailbox, size_t cap) {
    uint8_t *box = mailbox;
    if (a->action == EDGEFTP_FAIL) return edgeftp__failure(box, a->text, a->text_len);
    const char *wrong = edgeftp__answers(r, a);
    if (wrong) edgeftp__fault(r, wrong);
    bool text = a->has_text && a->text_len > 0;
    if (text && r->hook == EDGEFTP_HOOK_SITE && r->lines == EDGEFTP_MAX_LINES) edgeftp__fault(r, "more than 64 lines");
    if (r->has_data && (r->data_len > cap || cap < 4)) edgeftp__fault(r, "the rewrite is longer than EDGEFTP_MAILBOX_SIZE");
    if (r->error) return edgeftp__failure(box, r->error, strlen(r->error));
    size_t before = r->has_data ? 4 + r->data_len : 0, hidden = 0;
    for (size_t i = 0; i < sizeof r->hide; i++)
        if (r->hide[i]) hidden = i + 1;
    r->seen &= ~(1u << EDGEFTP_KEY_HIDE_BITS); /* the bits are written once, here */
    if (hidden) edgeftp__entry(r, EDGEFTP_KEY_HIDE_BITS, r->hide, hidden);
    if (before + (text ? 4 + a->text_len : 0) + r->len > cap) edgeftp__fault(r, "the answer is longer than EDGEFTP_MAILBOX_SIZE");
    if (r->error) return edgeftp__failure(box, r->error, strlen(r->error));
    size_t at = 0;
    if (r->has_data) {
        memmove(box + 4, r->data, r->data_len); /* it may lie where its length goes */
        edgeftp__put(box, r->data_len, 4);
        at = before;
    }
    if (text) {
        unsigned key = r->hook == EDGEFTP_HOOK_SITE ? EDGEFTP_KEY_LINE : EDGEFTP_KEY_TEXT;
        edgeftp__put(box + at, key | (uint32_t)a->text_len << 16, 4);
        memcpy(box + at + 4, a->text, a->text_len);
        at += 4 + a->text_len;
    }
    memcpy(box + at, r->buf, r->len);
    return edgeftp__verdict(at + r->len, (a->final ? 1 : 0) | (r->cache ? 2 : 0), a->action, a->code);
}

/* ------------------------------------------------------------------ hooks */

#ifdef __wasm__
#define EDGEFTP__EXPORT(name) __attribute__((export_name(#name)))
#define EDGEFTP__IMPORT(name) __attribute__((import_module("edgeftp"), import_name(#name)))
#else
#define EDGEFTP__EXPORT(name)
#define EDGEFTP__IMPORT(name)
#endif
#define EDGEFTP__UNUSED __attribute__((unused))

/* The mailbox, and the room for an answer: an instance serves one call at a time. */
static _Alignas(8) uint8_t edgeftp__mailbox[EDGEFTP_MAILBOX_SIZE] EDGEFTP__UNUSED;
static uint8_t edgeftp__reply_room[EDGEFTP_REPLY_SIZE] EDGEFTP__UNUSED;

#ifdef __wasm__
/* edgeftp_export_abi_v1 tells the host where the mailbox is (ABI 1). */
EDGEFTP__EXPORT(edgeftp_abi_v1) __attribute__((weak)) int64_t edgeftp_export_abi_v1(int32_t host_minor, int64_t features) {
    (void)host_minor;
    (void)features;
    return (int64_t)((uint64_t)EDGEFTP_MAILBOX_SIZE << 32 | (uintptr_t)edgeftp__mailbox);
}
#endif

/* EDGEFTP__HOOK is what the macros of the hooks have in common: the export, which reads
 * the question, asks the policy and writes its answer. */
#define EDGEFTP__HOOK(name, NUMBER, q, DECODE, COUNT)                                              \
    static edgeftp_answer edgeftp_policy_##name(edgeftp_##name##_question *q);                     \
    EDGEFTP__EXPORT(edgeftp_##name) int64_t edgeftp_export_##name(int32_t len);                    \
    EDGEFTP__EXPORT(edgeftp_##name) int64_t edgeftp_export_##name(int32_t len) {                   \
        edgeftp_##name##_question question;                                                        \
        edgeftp_reply reply;                                                                       \
        edgeftp_answer answer;                                                                     \
        const char *fault = "bad record: longer than the mailbox";                                 \
        if (len >= 0 && len <= EDGEFTP_MAILBOX_SIZE) fault = DECODE;                               \
        if (fault) return edgeftp__failure(edgeftp__mailbox, fault, strlen(fault));                \
        edgeftp_reply_begin(&reply, NUMBER, edgeftp__reply_room, sizeof edgeftp__reply_room, COUNT); \
        question.reply = &reply;                                                                   \
        answer = edgeftp_policy_##name(&question);                                                 \
        return edgeftp_reply_end(&reply, &answer, edgeftp__mailbox, sizeof edgeftp__mailbox);      \
    }                                                                                              \
    static edgeftp_answer edgeftp_policy_##name(edgeftp_##name##_question *q EDGEFTP__UNUSED)

#define EDGEFTP__DECODE(name) edgeftp_decode_##name(&question, edgeftp__mailbox, (size_t)len)

/* EDGEFTP_AUTH(q) { ... } decides who may log in; q is an edgeftp_auth_question. Return
 * pass, allow, deny or fail. With q->early, allow without PWHASH lets the holder of the
 * certificate in under session.user: compare the two (ABI 4, auth). */
#define EDGEFTP_AUTH(q) EDGEFTP__HOOK(auth, EDGEFTP_HOOK_AUTH, q, EDGEFTP__DECODE(auth), 0)

/* EDGEFTP_FS(q) { ... } decides about an operation on a path; q is an
 * edgeftp_fs_question. Look at both q->path and q->path2. Return pass, allow, deny,
 * edgeftp_fs_rewrite, hide or fail. */
#define EDGEFTP_FS(q) EDGEFTP__HOOK(fs, EDGEFTP_HOOK_FS, q, EDGEFTP__DECODE(fs), 0)

/* EDGEFTP_LIST(q) { ... } decides which entries of a directory a session sees; q is an
 * edgeftp_list_question. Return pass or allow, with edgeftp_list_hide_entry before, deny,
 * hide or fail. */
#define EDGEFTP_LIST(q)                                                                            \
    static edgeftp_entry edgeftp__entries[EDGEFTP_MAX_ENTRIES];                                    \
    EDGEFTP__HOOK(list, EDGEFTP_HOOK_LIST, q,                                                      \
                  edgeftp_decode_list(&question, edgeftp__mailbox, (size_t)len, edgeftp__entries), question.count)

/* EDGEFTP_CMD(q) { ... } decides whether a command is carried out; q is an
 * edgeftp_cmd_question. Return pass, allow, deny or fail. */
#define EDGEFTP_CMD(q) EDGEFTP__HOOK(cmd, EDGEFTP_HOOK_CMD, q, EDGEFTP__DECODE(cmd), 0)

/* EDGEFTP_SITE(q) { ... } carries out the SITE commands that the manifest lists; q is an
 * edgeftp_site_question. Return edgeftp_site_done, with edgeftp_site_add_line before,
 * deny, pass (no such command) or fail. */
#define EDGEFTP_SITE(q) EDGEFTP__HOOK(site, EDGEFTP_HOOK_SITE, q, EDGEFTP__DECODE(site), 0)

/* EDGEFTP_THROTTLE(q) { ... } decides how fast a transfer may go; q is an
 * edgeftp_throttle_question. Return pass, with edgeftp_throttle_set_rate before, or fail. */
#define EDGEFTP_THROTTLE(q) EDGEFTP__HOOK(throttle, EDGEFTP_HOOK_THROTTLE, q, EDGEFTP__DECODE(throttle), 0)

/* EDGEFTP_DATA(q) { ... } decides whether the bytes of a chunk may pass, and as what; q is
 * an edgeftp_data_question. Transfers interleave and instances differ: what one chunk has
 * to tell the next goes into edgeftp_data_set_carry. Return pass, edgeftp_data_rewrite,
 * deny or fail. */
#define EDGEFTP_DATA(q)                                                                            \
    _Static_assert(EDGEFTP_MAILBOX_SIZE >= 81920,                                                  \
                   "EDGEFTP_MAILBOX_SIZE: the hook data needs 81920 bytes or more, or leave the #define out"); \
    EDGEFTP__HOOK(data, EDGEFTP_HOOK_DATA, q, EDGEFTP__DECODE(data), 0)

/* EDGEFTP_EVENT(q) { ... } is told what has happened; q is an edgeftp_event_question.
 * Return pass (done) or fail. */
#define EDGEFTP_EVENT(q) EDGEFTP__HOOK(event, EDGEFTP_HOOK_EVENT, q, EDGEFTP__DECODE(event), 0)

/* EDGEFTP_CERT(q) { ... } decides whether a name may get a certificate; q is an
 * edgeftp_cert_question. Only allow grants. Return pass, allow, deny or fail. */
#define EDGEFTP_CERT(q) EDGEFTP__HOOK(cert, EDGEFTP_HOOK_CERT, q, EDGEFTP__DECODE(cert), 0)

/* EDGEFTP_IDLE() { ... } does housekeeping, called now and then between two questions. */
#define EDGEFTP_IDLE()                                                                             \
    static void edgeftp_policy_idle(void);                                                         \
    EDGEFTP__EXPORT(edgeftp_idle) void edgeftp_export_idle(void);                                  \
    EDGEFTP__EXPORT(edgeftp_idle) void edgeftp_export_idle(void) { edgeftp_policy_idle(); }        \
    static void edgeftp_policy_idle(void)

/* ---------------------------------------------------------------- imports */

/* The functions of the server as the ABI has them (7). A module imports those that it
 * calls, and each needs its capability in the manifest. Natively edgeftp_fake.h has them. */
EDGEFTP__IMPORT(log) void edgeftp_import_log(int32_t level, const void *line, uint32_t len);
EDGEFTP__IMPORT(kv_get) int64_t edgeftp_import_kv_get(const void *key, uint32_t key_len, void *out, uint32_t cap);
EDGEFTP__IMPORT(kv_set) int32_t edgeftp_import_kv_set(const void *key, uint32_t key_len, const void *value, uint32_t value_len, int64_t ttl_ms);
EDGEFTP__IMPORT(kv_incr) int32_t edgeftp_import_kv_incr(const void *key, uint32_t key_len, int64_t delta, int64_t ttl_ms, void *out);
EDGEFTP__IMPORT(kv_cas) int32_t edgeftp_import_kv_cas(const void *key, uint32_t key_len, const void *old, uint32_t old_len, const void *value, uint32_t value_len, int64_t ttl_ms);
EDGEFTP__IMPORT(metric) void edgeftp_import_metric(const void *name, uint32_t name_len, int32_t kind, int64_t value);
EDGEFTP__IMPORT(random) void edgeftp_import_random(void *out, uint32_t len);
EDGEFTP__IMPORT(pw_verify) int32_t edgeftp_import_pw_verify(const void *hash, uint32_t hash_len);
EDGEFTP__IMPORT(stat) int64_t edgeftp_import_stat(const void *path, uint32_t path_len, void *out, uint32_t cap);
EDGEFTP__IMPORT(digest) int64_t edgeftp_import_digest(const void *algorithm, uint32_t algorithm_len, void *out, uint32_t cap);
EDGEFTP__IMPORT(fetch) int64_t edgeftp_import_fetch(const void *request, uint32_t request_len, void *out, uint32_t cap);

/* edgeftp_error_text is an error in words, for logs. */
static inline const char *edgeftp_error_text(int64_t error) {
    static const char *const words[] = {"no error", "not found", "the space is full", "too long, too short or empty", "no counter", "not permitted here",
                                        "input or output failed", "timeout", "busy", "invalid argument"};
    return error <= 0 && error >= -9 ? words[-error] : "unknown error";
}

/* edgeftp_log writes one line to the server's log, with the policy's name. The server
 * cuts it at 1,024 bytes and drops lines of a policy that writes too many. */
static inline void edgeftp_log(edgeftp_level level, const char *line) {
    edgeftp_import_log((int32_t)level, line, (uint32_t)strlen(line));
}

/* edgeftp_kv_get reads the value of a key into out and returns its length. If that is
 * more than cap, nothing is written: cap 0 asks for the length. Below zero is an
 * edgeftp_error: EDGEFTP_NOT_FOUND, EDGEFTP_SIZE. Values outlive the instance, the swap
 * and the server; capability "kv". */
static inline int64_t edgeftp_kv_get(const char *key, void *out, size_t cap) {
    return edgeftp_import_kv_get(key, (uint32_t)strlen(key), out, (uint32_t)cap);
}

/* edgeftp_kv_set stores a value of at most 4,096 bytes under a key of 1 to 256 bytes. The
 * key vanishes ttl_ms milliseconds later; 0 is never. EDGEFTP_FULL, EDGEFTP_SIZE. */
static inline edgeftp_error edgeftp_kv_set(const char *key, const void *value, size_t n, int64_t ttl_ms) {
    if (n >= UINT32_MAX) return EDGEFTP_SIZE;
    return (edgeftp_error)edgeftp_import_kv_set(key, (uint32_t)strlen(key), value, (uint32_t)n, ttl_ms);
}

/* edgeftp_kv_remove removes a key; that there is none is no error. */
static inline edgeftp_error edgeftp_kv_remove(const char *key) {
    return (edgeftp_error)edgeftp_import_kv_set(key, (uint32_t)strlen(key), NULL, UINT32_MAX, 0);
}

/* edgeftp_kv_incr adds delta to a counter, which begins at 0 and then gets ttl_ms, and
 * writes the sum to *sum. EDGEFTP_FULL, EDGEFTP_SIZE, EDGEFTP_TYPE. */
static inline edgeftp_error edgeftp_kv_incr(const char *key, int64_t delta, int64_t ttl_ms, int64_t *sum) {
    uint8_t out[8] = {0};
    int32_t code = edgeftp_import_kv_incr(key, (uint32_t)strlen(key), delta, ttl_ms, out);
    *sum = (int64_t)edgeftp__u64(out);
    return (edgeftp_error)code;
}

/* edgeftp_kv_cas stores value if the key's value is old: 1 if it was, 0 if not, below
 * zero an edgeftp_error. old NULL stands for no such key, value NULL removes the key. */
static inline int edgeftp_kv_cas(const char *key, const void *old, size_t old_len, const void *value, size_t n, int64_t ttl_ms) {
    if (old_len >= UINT32_MAX || n >= UINT32_MAX) return EDGEFTP_SIZE;
    return edgeftp_import_kv_cas(key, (uint32_t)strlen(key), old, old ? (uint32_t)old_len : UINT32_MAX, value,
                                 value ? (uint32_t)n : UINT32_MAX, ttl_ms);
}

/* edgeftp_metric_add adds to a counter among the server's metrics. The name has 1 to 64
 * bytes of a-z, 0-9 and _ and begins with a letter; capability "metric". */
static inline void edgeftp_metric_add(const char *name, int64_t value) {
    edgeftp_import_metric(name, (uint32_t)strlen(name), 0, value);
}

/* edgeftp_metric_set sets a gauge. A name is of one kind for ever. */
static inline void edgeftp_metric_set(const char *name, int64_t value) {
    edgeftp_import_metric(name, (uint32_t)strlen(name), 1, value);
}

/* edgeftp_random fills out with bytes that nobody can predict, at most 4,096: more ends
 * the call with a trap. Capability "random". */
static inline void edgeftp_random(void *out, size_t n) { edgeftp_import_random(out, (uint32_t)n); }

/* edgeftp_pw_verify asks whether a stored hash is that of the password which the login
 * brought: 1 or 0, below zero an edgeftp_error. In EDGEFTP_AUTH alone, and not if
 * q->early; capability "pw". */
static inline int edgeftp_pw_verify(const char *hash) { return edgeftp_import_pw_verify(hash, (uint32_t)strlen(hash)); }

/* edgeftp_stat finds what lies at a canonical virtual path, as the session of the question
 * would see it. EDGEFTP_NOT_FOUND, EDGEFTP_DENIED, EDGEFTP_INVALID and others; capability
 * "fs.stat". */
static inline edgeftp_error edgeftp_stat(const char *path, edgeftp_entry *out) {
    uint8_t b[32] = {0};
    int64_t n = edgeftp_import_stat(path, (uint32_t)strlen(path), b, sizeof b);
    out->name = "";
    out->mode = edgeftp__u32(b + 8);
    out->size = (int64_t)edgeftp__u64(b + 16);
    out->mtime_ns = (int64_t)edgeftp__u64(b + 24);
    return n < 0 ? (edgeftp_error)n : EDGEFTP_OK;
}

/* edgeftp_digest writes the digest of the question's file and returns its length, below
 * zero an edgeftp_error. algorithm is "SHA-256", "SHA-512", "SHA-1", "MD5" or "CRC32"; 64
 * bytes hold the longest. In EDGEFTP_FS alone; it reads the whole file; capability
 * "digest". */
static inline int64_t edgeftp_digest(const char *algorithm, void *out, size_t cap) {
    return edgeftp_import_digest(algorithm, (uint32_t)strlen(algorithm), out, (uint32_t)cap);
}

/* edgeftp_header is one field of a header. */
typedef struct edgeftp_header {
    const char *name, *value;
} edgeftp_header;

/* edgeftp_request is an HTTP request. Fields that are not given are left out:
 *
 *     static uint8_t room[8192];
 *     edgeftp_response r;
 *     edgeftp_error e = edgeftp_fetch(&(edgeftp_request){.url = "https://example.org/"},
 *                                     room, sizeof room, &r); */
typedef struct edgeftp_request {
    const char *method;            /* NULL for GET */
    const char *url;               /* absolute, at most 2,048 bytes */
    const edgeftp_header *headers; /* up to 32, behind the last one whose name is NULL */
    const char *const *want;       /* up to 16 names of the response's header, then NULL */
    const void *body;              /* body_len bytes, at most 65,536 */
    size_t body_len;
    uint32_t timeout_ms; /* 0 for the server's own; it only lowers that */
} edgeftp_request;

/* edgeftp_response is the answer to a request; it points into the room of edgeftp_fetch. */
typedef struct edgeftp_response {
    int status;       /* any status is a response and no error */
    const char *body; /* body_len bytes, and a NUL behind them */
    size_t body_len;
    uint8_t *headers; /* of edgeftp_response_header */
    size_t headers_len;
} edgeftp_response;

/* edgeftp__put_wide appends an entry of a request: the bytes of a, a NUL and b if there
 * is a b. It reports whether there was room. */
EDGEFTP__ONCE bool edgeftp__put_wide(uint8_t *room, size_t cap, size_t *at, uint32_t key, const void *a, size_t an, const char *b) {
    size_t n = an + (b ? 1 + strlen(b) : 0);
    if (cap - *at < 8 || n > cap - *at - 8) return false;
    edgeftp__put(room + *at, key | (uint64_t)n << 32, 8);
    if (an) memcpy(room + *at + 8, a, an);
    if (b) memcpy(room + *at + 8 + an, "", 1), memcpy(room + *at + 9 + an, b, n - an - 1);
    *at += 8 + n;
    return true;
}

/* edgeftp__request writes a request; 0 if there is no room. */
EDGEFTP__ONCE size_t edgeftp__request(const edgeftp_request *q, uint8_t *room, size_t cap) {
    size_t at = 0;
    uint8_t ms[4];
    bool fine = !q->method || edgeftp__put_wide(room, cap, &at, 1, q->method, strlen(q->method), NULL);
    fine = fine && edgeftp__put_wide(room, cap, &at, 2, q->url, strlen(q->url), NULL);
    for (const edgeftp_header *h = q->headers; fine && h && h->name; h++)
        fine = edgeftp__put_wide(room, cap, &at, 3, h->name, strlen(h->name), h->value);
    for (const char *const *w = q->want; fine && w && *w; w++) fine = edgeftp__put_wide(room, cap, &at, 6, *w, strlen(*w), NULL);
    edgeftp__put(ms, q->timeout_ms, 4);
    if (q->timeout_ms) fine = fine && edgeftp__put_wide(room, cap, &at, 5, ms, 4, NULL);
    if (q->body_len) fine = fine && edgeftp__put_wide(room, cap, &at, 4, q->body, q->body_len, NULL);
    return fine ? at : 0;
}

/* edgeftp__read_response reads n bytes of a response, behind which there is room for one. */
EDGEFTP__ONCE bool edgeftp__read_response(edgeftp_response *out, uint8_t *p, size_t n) {
    if (n < 4) return false;
    memset(out, 0, sizeof *out);
    uint32_t status = edgeftp__u32(p);
    if (status < 100 || status > 999) return false;
    out->status = (int)status;
    out->headers = p + 4;
    for (size_t at = 4; n - at >= 8;) {
        uint32_t key = edgeftp__u32(p + at);
        size_t len = edgeftp__u32(p + at + 4);
        if (len > n - at - 8 || (key != 3 && key != 4)) return false;
        if (key == 4) {
            if (at + 8 + len != n) return false;
            out->headers_len = at - 4;
            out->body = (const char *)p + at + 8;
            out->body_len = len;
            p[n] = 0;
            return true;
        }
        if (!memchr(p + at + 8, 0, len)) return false;
        at += 8 + len;
    }
    return false;
}

/* edgeftp_fetch sends an HTTP request and waits for the response. The request is written
 * to the start of the room and the response behind it: give a few hundred bytes and the
 * longest response that you expect. EDGEFTP_SIZE if that is too little; EDGEFTP_DENIED,
 * EDGEFTP_IO, EDGEFTP_TIMEOUT, EDGEFTP_BUSY, EDGEFTP_INVALID. In auth, site, event and
 * cert alone; capability "fetch:HOST". */
static inline edgeftp_error edgeftp_fetch(const edgeftp_request *request, void *room, size_t cap, edgeftp_response *response) {
    uint8_t *p = room;
    size_t n = edgeftp__request(request, p, cap);
    if (n == 0 || cap - n < 2 || cap > UINT32_MAX) return EDGEFTP_SIZE;
    int64_t got = edgeftp_import_fetch(p, (uint32_t)n, p + n, (uint32_t)(cap - n - 1));
    if (got < 0) return (edgeftp_error)got;
    if ((uint64_t)got > cap - n - 1) return EDGEFTP_SIZE;
    return edgeftp__read_response(response, p + n, (size_t)got) ? EDGEFTP_OK : EDGEFTP_IO;
}

/* edgeftp_response_header is the value of the first field of a name, which was wanted and
 * is given in lower case; NULL if there is none. It is a C string until the next call. */
static inline const char *edgeftp_response_header(const edgeftp_response *r, const char *name) {
    static char value[4097];
    size_t want = strlen(name);
    for (size_t at = 0; at < r->headers_len;) {
        const uint8_t *p = r->headers + at;
        size_t len = edgeftp__u32(p + 4);
        if (len > want && memcmp(p + 8, name, want + 1) == 0) {
            size_t n = len - want - 1 < sizeof value - 1 ? len - want - 1 : sizeof value - 1;
            memcpy(value, p + 9 + want, n);
            value[n] = 0;
            return value;
        }
        at += 8 + len;
    }
    return NULL;
}

/* --------------------------------------------------------------- settings */

/* edgeftp_strings is a list of texts of the settings, or of your own:
 *
 *     static const char *const usual[] = {"exe", "scr"};
 *     static edgeftp_strings denied = {usual, 2}; */
typedef struct edgeftp_strings {
    const char *const *items;
    size_t count;
} edgeftp_strings;

/* edgeftp_settings is one object of the settings; its fields are nobody's business. What
 * the functions below return lives as long as the instance. */
typedef struct edgeftp_settings {
    struct edgeftp__value *first;
    struct edgeftp_settings *next; /* in a list of objects */
    struct edgeftp_settings *above;
    const char *key; /* under which it lies, "" of the whole */
    int index;       /* in a list of objects, else -1 */
} edgeftp_settings;

/* EDGEFTP_CONFIG(s) { ... } takes the settings, once, before the first question; s is a
 * pointer to edgeftp_settings. Ask for each key with its default and return NULL, or in
 * words what is wrong. Broken JSON, a value of another type and a key that was not asked
 * for refuse the policy with a text that names the key, without your doing. A policy
 * without EDGEFTP_CONFIG cannot be given settings. */
#define EDGEFTP_CONFIG(s)                                                                          \
    static const char *edgeftp_policy_config(edgeftp_settings *s);                                 \
    EDGEFTP__EXPORT(edgeftp_config) int64_t edgeftp_export_config(int32_t len);                    \
    EDGEFTP__EXPORT(edgeftp_config) int64_t edgeftp_export_config(int32_t len) {                   \
        const char *fault = edgeftp__configure(edgeftp_policy_config, edgeftp__mailbox, (uint32_t)len, \
                                               edgeftp__settings_room, sizeof edgeftp__settings_room); \
        return fault ? edgeftp__failure(edgeftp__mailbox, fault, strlen(fault)) : 0;               \
    }                                                                                              \
    static const char *edgeftp_policy_config(edgeftp_settings *s EDGEFTP__UNUSED)

typedef enum edgeftp__type { EDGEFTP__STRING, EDGEFTP__INT, EDGEFTP__BOOL, EDGEFTP__STRINGS, EDGEFTP__OBJECT, EDGEFTP__OBJECTS, EDGEFTP__EMPTY } edgeftp__type;

/* edgeftp__value is one value of an object. */
typedef struct edgeftp__value {
    const char *key;
    struct edgeftp__value *next;
    edgeftp__type type;
    bool asked;
    int64_t number;
    const char *string;
    edgeftp_strings strings;
    edgeftp_settings *objects;
} edgeftp__value;

/* The one text of settings of an instance, what was read of it behind it, and the first
 * fault in words. */
typedef struct edgeftp__reader {
    char *at, *end, *start; /* of the text; strings are decoded in place */
    uint8_t *room, *room_end;
    int depth;
    const char *fault; /* NULL, or words */
    char words[256];
} edgeftp__reader;

static edgeftp__reader edgeftp__r EDGEFTP__UNUSED;
static _Alignas(8) uint8_t edgeftp__settings_room[EDGEFTP_SETTINGS_SIZE] EDGEFTP__UNUSED;

/* edgeftp__say makes the first fault of parts of text, cut to what fits. */
EDGEFTP__ONCE void edgeftp__say(const char *const *parts, size_t n) {
    edgeftp__reader *r = &edgeftp__r;
    size_t len = 0;
    if (r->fault) return;
    for (size_t i = 0; i < n; i++)
        for (const char *c = parts[i]; c && *c && len < sizeof r->words - 1; c++) r->words[len++] = *c;
    r->words[len] = 0;
    r->fault = r->words;
}

EDGEFTP__ONCE const char *edgeftp__decimal(int64_t n, char out[24]) {
    char *p = out + 23;
    uint64_t u = n < 0 ? -(uint64_t)n : (uint64_t)n;
    *p = 0;
    do *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (n < 0) *--p = '-';
    return p;
}

EDGEFTP__ONCE void edgeftp__broken(const char *what) {
    char number[24];
    const char *parts[] = {"settings, byte ", edgeftp__decimal(edgeftp__r.at - edgeftp__r.start + 1, number), ": ", what};
    edgeftp__say(parts, 4);
}

/* edgeftp__room gives n bytes of the room, NULL after a fault. */
EDGEFTP__ONCE void *edgeftp__room(size_t n) {
    edgeftp__reader *r = &edgeftp__r;
    n = (n + 7) & ~(size_t)7;
    if (r->fault) return NULL;
    if (n > (size_t)(r->room_end - r->room)) {
        const char *parts[] = {"the settings are too long: define EDGEFTP_SETTINGS_SIZE greater than it is"};
        edgeftp__say(parts, 1);
        return NULL;
    }
    void *p = r->room;
    r->room += n;
    return memset(p, 0, n);
}

/* edgeftp__peek is the next byte that is not a space, 0 at the end or after a fault. */
EDGEFTP__ONCE char edgeftp__peek(void) {
    edgeftp__reader *r = &edgeftp__r;
    while (!r->fault && r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n')) r->at++;
    return r->fault || r->at == r->end ? 0 : *r->at;
}

EDGEFTP__ONCE bool edgeftp__want(char c) {
    static char words[] = "want ' '";
    if (edgeftp__peek() == c) {
        edgeftp__r.at++;
        return true;
    }
    words[6] = c;
    edgeftp__broken(words);
    return false;
}

EDGEFTP__ONCE bool edgeftp__comma(void) {
    if (edgeftp__peek() != ',') return false;
    edgeftp__r.at++;
    return true;
}

EDGEFTP__ONCE uint32_t edgeftp__hex4(void) {
    edgeftp__reader *r = &edgeftp__r;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int h = r->at < r->end ? edgeftp__hex(*(uint8_t *)r->at) : -1;
        if (h < 0) {
            edgeftp__broken("want four hex digits");
            return 0;
        }
        v = v << 4 | (uint32_t)h;
        r->at++;
    }
    return v;
}

/* edgeftp__unicode reads what follows \u and writes it as UTF-8. */
EDGEFTP__ONCE char *edgeftp__unicode(char *out) {
    edgeftp__reader *r = &edgeftp__r;
    uint32_t c = edgeftp__hex4();
    if (c >= 0xd800 && c < 0xe000) {
        uint32_t low = 0;
        bool pair = c < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u';
        if (pair) r->at += 2, low = edgeftp__hex4();
        if (low < 0xdc00 || low >= 0xe000) {
            edgeftp__broken("half of a surrogate pair");
            return out;
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    if (c == 0) edgeftp__broken("a NUL in a string");
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    *out++ = (char)(lead[more] | c >> (6 * more));
    while (more-- > 0) *out++ = (char)(0x80 | (c >> (6 * more) & 0x3f));
    return out;
}

/* edgeftp__string reads a string, decodes it where it stands and ends it with a NUL. */
EDGEFTP__ONCE const char *edgeftp__string(void) {
    edgeftp__reader *r = &edgeftp__r;
    if (!edgeftp__want('"')) return "";
    char *start = r->at, *out = start;
    while (!r->fault) {
        if (r->at == r->end) {
            edgeftp__broken("string without an end");
            break;
        }
        char c = *r->at++;
        if (c == '"') {
            for (char *p = start; p < out;) {
                size_t step = edgeftp__rune((uint8_t *)p, (size_t)(out - p));
                if (step == 0) {
                    edgeftp__broken("string is not UTF-8");
                    return "";
                }
                p += step;
            }
            *out = 0;
            return start;
        }
        if ((uint8_t)c < 0x20) edgeftp__broken("control character in a string");
        if (c == '\\' && r->at == r->end) continue;
        if (c == '\\' && *r->at == 'u') {
            r->at++;
            out = edgeftp__unicode(out);
            continue;
        }
        if (c == '\\') {
            static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
            const char *e = memchr(from, *r->at++, 8);
            if (!e) edgeftp__broken("unknown escape");
            c = e ? to[e - from] : 0;
        }
        *out++ = c;
    }
    return "";
}

/* edgeftp__whole reads a whole number of 64 bits. */
EDGEFTP__ONCE int64_t edgeftp__whole(void) {
    edgeftp__reader *r = &edgeftp__r;
    bool minus = *r->at == '-', fine = true;
    if (minus) r->at++;
    char *digits = r->at;
    uint64_t n = 0, most = (uint64_t)INT64_MAX + minus;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        uint64_t d = (uint64_t)(*r->at - '0');
        fine = fine && n <= (most - d) / 10;
        if (fine) n = n * 10 + d;
    }
    if (r->at == digits || !fine || (*digits == '0' && r->at > digits + 1)) edgeftp__broken("not a whole number of 64 bits");
    if (r->at < r->end && (*r->at == '.' || *r->at == 'e' || *r->at == 'E')) edgeftp__broken("not a whole number");
    return minus ? (int64_t)(0 - n) : (int64_t)n;
}

EDGEFTP__ONCE void edgeftp__word(const char *word) {
    edgeftp__reader *r = &edgeftp__r;
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0) edgeftp__broken("want true or false");
    else r->at += n;
}

EDGEFTP__ONCE void edgeftp__object(edgeftp_settings *s);

/* edgeftp__list reads a list of texts or of objects. */
EDGEFTP__ONCE void edgeftp__list(edgeftp_settings *above, edgeftp__value *v) {
    edgeftp__want('[');
    v->type = EDGEFTP__EMPTY;
    if (edgeftp__peek() == ']') {
        edgeftp__r.at++;
        return;
    }
    if (edgeftp__peek() == '{') {
        edgeftp_settings **next = &v->objects, *o;
        v->type = EDGEFTP__OBJECTS;
        do {
            if (!(o = edgeftp__room(sizeof *o))) return;
            o->above = above;
            o->key = v->key;
            o->index = (int)v->number++;
            edgeftp__object(o);
            *next = o;
            next = &o->next;
        } while (edgeftp__comma());
        edgeftp__want(']');
        return;
    }
    typedef struct item {
        struct item *next;
        const char *text;
    } item;
    item *first = NULL, **next = &first, *i;
    size_t n = 0;
    v->type = EDGEFTP__STRINGS;
    do {
        if (!(i = edgeftp__room(sizeof *i))) return;
        i->text = edgeftp__string();
        *next = i;
        next = &i->next;
        n++;
    } while (edgeftp__comma());
    edgeftp__want(']');
    const char **items = edgeftp__room(n * sizeof *items);
    if (!items) return;
    for (v->strings.items = items, v->strings.count = n, i = first; i; i = i->next) *items++ = i->text;
}

EDGEFTP__ONCE void edgeftp__value_of(edgeftp_settings *s, edgeftp__value *v) {
    char c = edgeftp__peek();
    if (c == '"') {
        v->type = EDGEFTP__STRING;
        v->string = edgeftp__string();
    } else if (c == '[') {
        edgeftp__list(s, v);
    } else if (c == '{') {
        v->type = EDGEFTP__OBJECT;
        if (!(v->objects = edgeftp__room(sizeof *v->objects))) return;
        v->objects->above = s;
        v->objects->key = v->key;
        v->objects->index = -1;
        edgeftp__object(v->objects);
    } else if (c == 't' || c == 'f') {
        v->type = EDGEFTP__BOOL;
        v->number = c == 't';
        edgeftp__word(c == 't' ? "true" : "false");
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        v->type = EDGEFTP__INT;
        v->number = edgeftp__whole();
    } else {
        edgeftp__broken("want a string, a whole number, true, false, a list or an object");
    }
}

/* edgeftp__object reads an object (RFC 8259). */
static void edgeftp__object(edgeftp_settings *s) {
    edgeftp__value **next = &s->first, *v;
    if (++edgeftp__r.depth > 8) edgeftp__broken("too many objects in objects");
    edgeftp__want('{');
    for (bool more = edgeftp__peek() != '}'; more && !edgeftp__r.fault; more = edgeftp__comma()) {
        if (!(v = edgeftp__room(sizeof *v))) return;
        v->key = edgeftp__string();
        for (edgeftp__value *o = s->first; o && !edgeftp__r.fault; o = o->next)
            if (strcmp(o->key, v->key) == 0) {
                const char *parts[] = {"settings: \"", v->key, "\" is given twice"};
                edgeftp__say(parts, 3);
            }
        edgeftp__want(':');
        edgeftp__value_of(s, v);
        *next = v;
        next = &v->next;
    }
    edgeftp__want('}');
    edgeftp__r.depth--;
}

/* edgeftp__of_key says something about a key of an object, with the keys above it. */
EDGEFTP__ONCE void edgeftp__of_key(const char *before, const edgeftp_settings *s, const char *key, const char *after) {
    const edgeftp_settings *chain[16];
    char numbers[16][24];
    const char *parts[80] = {before};
    size_t n = 1, depth = 0;
    for (const edgeftp_settings *o = s; o->above && depth < 16; o = o->above) chain[depth++] = o;
    while (depth-- > 0) {
        parts[n++] = chain[depth]->key;
        if (chain[depth]->index >= 0) {
            parts[n++] = "[";
            parts[n++] = edgeftp__decimal(chain[depth]->index, numbers[depth]);
            parts[n++] = "]";
        }
        parts[n++] = ".";
    }
    parts[n++] = key;
    parts[n++] = after;
    edgeftp__say(parts, n);
}

/* edgeftp__all_asked finds the first key of the whole tree that nobody asked for. */
EDGEFTP__ONCE void edgeftp__all_asked(const edgeftp_settings *s) {
    /* Depth is bounded by the reader, so a stack of objects in lists is too. */
    const edgeftp_settings *stack[16];
    const edgeftp__value *at[16];
    int top = 0;
    stack[0] = s;
    at[0] = s->first;
    while (top >= 0 && !edgeftp__r.fault) {
        const edgeftp__value *v = at[top];
        if (!v) {
            const edgeftp_settings *next = stack[top]->next;
            if (next && top > 0) {
                stack[top] = next;
                at[top] = next->first;
            } else {
                top--;
            }
            continue;
        }
        at[top] = v->next;
        if (!v->asked) edgeftp__of_key("unknown setting \"", stack[top], v->key, "\"");
        if (v->objects && top < 15) {
            stack[++top] = v->objects;
            at[top] = v->objects->first;
        }
    }
}

EDGEFTP__ONCE edgeftp__value *edgeftp__find(edgeftp_settings *s, const char *key) {
    edgeftp__value *v = s->first;
    while (v && strcmp(v->key, key) != 0) v = v->next;
    if (v) v->asked = true;
    return v;
}

/* edgeftp__get is the value under a key, NULL if it is absent or of another type. */
EDGEFTP__ONCE edgeftp__value *edgeftp__get(edgeftp_settings *s, const char *key, edgeftp__type type, const char *what) {
    edgeftp__value *v = edgeftp__find(s, key);
    if (!v || v->type == type) return v;
    if (v->type == EDGEFTP__EMPTY && (type == EDGEFTP__STRINGS || type == EDGEFTP__OBJECTS)) return v;
    edgeftp__of_key("setting \"", s, key, what);
    return NULL;
}

/* edgeftp__configure reads the settings and hands them to the policy; NULL, or a fault. */
EDGEFTP__ONCE const char *edgeftp__configure(const char *(*policy)(edgeftp_settings *), const void *text, size_t n, uint8_t *room, size_t size) {
    static edgeftp_settings whole;
    edgeftp__reader *r = &edgeftp__r;
    memset(r, 0, sizeof *r);
    memset(&whole, 0, sizeof whole);
    whole.key = "";
    whole.index = -1;
    r->room = room;
    r->room_end = room + size;
    if (n > 0) {
        if (!(r->start = edgeftp__room(n))) return r->fault;
        memcpy(r->start, text, n);
        r->at = r->start;
        r->end = r->start + n;
        edgeftp__object(&whole);
        if (edgeftp__peek() || (!r->fault && r->at < r->end)) edgeftp__broken("text after the object");
    }
    if (r->fault) return r->fault;
    const char *said = policy(&whole);
    if (!r->fault) edgeftp__all_asked(&whole);
    return r->fault ? r->fault : said;
}

/* edgeftp_settings_string is the text under key, def if there is none. */
static inline const char *edgeftp_settings_string(edgeftp_settings *s, const char *key, const char *def) {
    const edgeftp__value *v = edgeftp__get(s, key, EDGEFTP__STRING, "\" is not a string");
    return v ? v->string : def;
}

/* edgeftp_settings_int is the whole number under key, def if there is none. */
static inline int64_t edgeftp_settings_int(edgeftp_settings *s, const char *key, int64_t def) {
    const edgeftp__value *v = edgeftp__get(s, key, EDGEFTP__INT, "\" is not a whole number");
    return v ? v->number : def;
}

/* edgeftp_settings_bool is the truth under key, def if there is none. */
static inline bool edgeftp_settings_bool(edgeftp_settings *s, const char *key, bool def) {
    const edgeftp__value *v = edgeftp__get(s, key, EDGEFTP__BOOL, "\" is not true or false");
    return v ? v->number != 0 : def;
}

/* edgeftp_settings_strings is the list of texts under key, def if there is none. An empty
 * list is a value. */
static inline edgeftp_strings edgeftp_settings_strings(edgeftp_settings *s, const char *key, edgeftp_strings def) {
    const edgeftp__value *v = edgeftp__get(s, key, EDGEFTP__STRINGS, "\" is not a list of strings");
    return v ? v->strings : def;
}

/* edgeftp_settings_object is the object under key, one without keys if there is none. */
static inline edgeftp_settings *edgeftp_settings_object(edgeftp_settings *s, const char *key) {
    static edgeftp_settings none;
    const edgeftp__value *v = edgeftp__get(s, key, EDGEFTP__OBJECT, "\" is not an object");
    return v ? v->objects : &none;
}

/* edgeftp_settings_objects is the first of the list of objects under key, NULL if there
 * is none:
 *
 *     for (edgeftp_settings *o = edgeftp_settings_objects(s, "rules"); o; o = edgeftp_settings_next(o)) */
static inline edgeftp_settings *edgeftp_settings_objects(edgeftp_settings *s, const char *key) {
    const edgeftp__value *v = edgeftp__get(s, key, EDGEFTP__OBJECTS, "\" is not a list of objects");
    return v ? v->objects : NULL;
}

/* edgeftp_settings_next is the next object of the list, NULL behind the last one. */
static inline edgeftp_settings *edgeftp_settings_next(const edgeftp_settings *s) { return s->next; }

/* edgeftp_settings_reject says in words what is wrong with the value under key; the policy
 * is refused. Return NULL after it, or go on. */
EDGEFTP__ONCE void edgeftp_settings_reject(const edgeftp_settings *s, const char *key, const char *what) {
    const char *parts[] = {"\" ", what};
    char after[200];
    size_t n = 0;
    for (size_t i = 0; i < 2; i++)
        for (const char *c = parts[i]; *c && n < sizeof after - 1; c++) after[n++] = *c;
    after[n] = 0;
    edgeftp__of_key("setting \"", s, key, after);
}

/* ------------------------------------------------------------------ texts */

/* edgeftp_text is one line that is being put together: of an answer, a log or a key.
 * Begin with {0}; what does not fit is cut. buf is a C string at every moment. */
typedef struct edgeftp_text {
    size_t len;
    char buf[EDGEFTP_MAX_TEXT + 1];
} edgeftp_text;

/* edgeftp_text_add appends a text, with "?" for control characters and for what is not
 * UTF-8: names that clients give are safe to show. */
EDGEFTP__ONCE void edgeftp_text_add(edgeftp_text *t, const char *text) {
    t->len += edgeftp__clean(t->buf + t->len, EDGEFTP_MAX_TEXT - t->len, text, strlen(text));
    t->buf[t->len] = 0;
}

/* edgeftp_text_add_int appends a number in decimal. */
static inline void edgeftp_text_add_int(edgeftp_text *t, int64_t n) {
    char out[24];
    edgeftp_text_add(t, edgeftp__decimal(n, out));
}

static inline char edgeftp__lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* edgeftp_equal_fold compares two texts; ASCII letters are equal in either case. */
static inline bool edgeftp_equal_fold(const char *a, const char *b) {
    while (*a && edgeftp__lower(*a) == edgeftp__lower(*b)) a++, b++;
    return *a == *b;
}

/* edgeftp_starts_with reports whether a text begins with another one. */
static inline bool edgeftp_starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* edgeftp_base is the last name of a path, "" of "/". */
static inline const char *edgeftp_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* edgeftp_has_extension reports whether the last name of a path ends with an extension,
 * in either case, given without its dot or with it. Dots and spaces at the end do not
 * count: Windows drops them, and "a.exe. " is "a.exe" there. */
EDGEFTP__ONCE bool edgeftp_has_extension(const char *path, const char *extension) {
    const char *name = edgeftp_base(path);
    size_t n = strlen(name);
    if (*extension == '.') extension++;
    size_t e = strlen(extension);
    while (n > 0 && (name[n - 1] == '.' || name[n - 1] == ' ')) n--;
    if (e == 0 || n < e + 1 || name[n - e - 1] != '.') return false;
    for (size_t i = 0; i < e; i++)
        if (edgeftp__lower(name[n - e + i]) != edgeftp__lower(extension[i])) return false;
    return true;
}

/* ----------------------------------------------------------------- panics */

/* EDGEFTP_PANIC(text) ends the instance where it stands; the text, with the file and the
 * line, leads the error in the server's log. It is for what cannot be: for what can,
 * return edgeftp_fail, which costs no instance. assert (assert.h) panics too. */
#define EDGEFTP_PANIC(text) edgeftp_panic_at(__FILE__, __LINE__, text)

#ifdef __wasm__
__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) int32_t edgeftp__fd_write(int32_t fd, const void *iov, int32_t n, uint32_t *written);

/* edgeftp_panic_at is EDGEFTP_PANIC for a place of its own. */
EDGEFTP__ONCE _Noreturn void edgeftp_panic_at(const char *file, int line, const char *text) {
    char number[24];
    const char *parts[] = {file, ":", edgeftp__decimal(line, number), ": ", text, "\n"};
    struct {
        const char *at;
        uint32_t len;
    } iov[6];
    uint32_t written;
    for (int i = 0; i < 6; i++) iov[i].at = parts[i], iov[i].len = (uint32_t)strlen(parts[i]);
    edgeftp__fd_write(2, iov, 6, &written);
    __builtin_trap();
}
#else
/* edgeftp_panic_at is EDGEFTP_PANIC for a place of its own; natively it is the fake's. */
_Noreturn void edgeftp_panic_at(const char *file, int line, const char *text);
#endif

/* ------------------------------------------------- what a compiler calls */

#ifdef __wasm__
/* The functions of string.h that compilers call by themselves; libc/string.h declares
 * these and has the others. A module holds those that it calls. */
#define EDGEFTP__LIBC __attribute__((weak, no_builtin))
EDGEFTP__LIBC void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    unsigned char *d = to;
    const unsigned char *s = from;
    while (n--) *d++ = *s++;
    return to;
}
EDGEFTP__LIBC void *memmove(void *to, const void *from, size_t n) {
    unsigned char *d = to;
    const unsigned char *s = from;
    if ((uintptr_t)d <= (uintptr_t)s)
        while (n--) *d++ = *s++;
    else
        while (n--) d[n] = s[n];
    return to;
}
EDGEFTP__LIBC void *memset(void *to, int c, size_t n) {
    unsigned char *d = to;
    while (n--) *d++ = (unsigned char)c;
    return to;
}
EDGEFTP__LIBC int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *x = a, *y = b;
    for (; n--; x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}
EDGEFTP__LIBC size_t strlen(const char *s) {
    const char *p = s;
    while (*p) p++;
    return (size_t)(p - s);
}
#endif

#endif /* EDGEFTP_H */
