package abi

// HeaderSize is the length of a record's header in bytes; the span table
// follows it (ABI §3).
const HeaderSize = 56

// Offsets of the header's fields from the start of a record (ABI §3).
const (
	OffSize    = 0  // u32 length of the whole record
	OffKind    = 4  // u16 Hook
	OffOp      = 6  // u16 operation (fs, throttle, data) or event number (event), else 0
	OffSession = 8  // u64
	OffRequest = 16 // u64
	OffTime    = 24 // i64 nanoseconds since 1970 UTC, 0 unknown
	OffA       = 32 // i64, see ABI §4
	OffB       = 40 // i64, see ABI §4
	OffFlags   = 48 // u32
	OffSpans   = 52 // u32 number of spans
)

// Span numbers an entry of the span table: u32 offset from the start of the
// record, u32 length. A NUL that the length does not count follows the bytes.
type Span int

// The spans (ABI §3). SpanExtra came with minor 2 and is there in the records of
// cmd, site and data alone.
const (
	SpanUser   Span = iota // the name given with USER
	SpanPath               // canonical virtual path
	SpanArg                // what the hook says of it, see ABI §4
	SpanPeer               // the client's address and port as text
	SpanPeer16             // the client's address, 16 bytes, IPv4 mapped; empty if unknown
	SpanRoot               // virtual path in which the session started
	SpanAttr               // further facts, TLV, see Attr
	SpanState              // what this policy's auth hook left with the session
	SpanExtra              // the command (cmd, site); what the last answer left (data)
	NumSpans               // how many there are
)

// String returns the span's name as ABI.md writes it.
func (s Span) String() string {
	names := [NumSpans]string{"USER", "PATH", "ARG", "PEER", "PEER16", "ROOT", "ATTR", "STATE", "EXTRA"}
	if s < 0 || s >= NumSpans {
		return "invalid"
	}
	return names[s]
}

// Spans returns how many spans a record of the hook has, as this minor writes it.
func (h Hook) Spans() int {
	if h == HookCmd || h == HookSite || h == HookData {
		return int(NumSpans)
	}
	return int(SpanExtra)
}

// Flags of a record (ABI §3).
const (
	FlagTLS       uint32 = 1 << iota // the control connection is protected
	FlagDataTLS                      // data connections are protected
	FlagAnonymous                    // the user is the anonymous user
	FlagDir                          // PATH is a directory
	FlagExists                       // PATH exists
	FlagActive                       // the client gives the data port
	FlagASCII                        // the representation type is ASCII
	FlagShadow                       // a trial call without effect; minor 2
	FlagReplay                       // reserved: a recorded question
	FlagLast                         // last chunk (hook data); minor 2
	FlagUpload                       // from the client to the server (hooks throttle, data); minor 2
	FlagEarly                        // asked at USER, no password yet (hook auth); minor 1
	FlagLate                         // its own generation had ended (hook event); minor 2
)

// Attr numbers an entry of the ATTR span: u16 key, u16 length, bytes; integers
// are little-endian and unaligned. Absent means empty or zero. Keys that a
// reader does not know are skipped: minors append (ABI §5).
type Attr uint16

// The attributes. HOST came with minor 1, SIZE and TOOK with minor 2, VHOST with minor
// 3, PROTOCOL and BINDING with minor 4, DATA_PEER with minor 5, all before them with minor
// 0.
const (
	AttrTLSVersion  Attr = iota + 1 // "1.2", "1.3"
	AttrTLSCipher                   // IANA name of the suite
	AttrSNI                         // server name that the client sent
	AttrALPN                        // negotiated protocol
	AttrTLSResumed                  // no bytes; present if resumed
	AttrCertSubject                 // subject of the verified client certificate
	AttrCertSHA256                  // its digest, hex
	AttrListener                    // listener's name in the configuration
	AttrGroup                       // group that the login named
	AttrClient                      // the client program's own name (CLNT, CSID)
	AttrLocal                       // server's control address and port, text
	AttrPath2                       // second path where ARG does not hold it
	AttrRawArg                      // the raw argument where ARG does not hold it
	AttrCode                        // u16 reply code of an event
	AttrOp                          // u16 operation that an event is about
	AttrPolicy                      // policy that an event is about
	AttrGeneration                  // u64 its generation
	AttrHost                        // the server's name that the client asked for (HOST)
	AttrSize                        // u64 bytes that the file at PATH has
	AttrTook                        // u64 nanoseconds since the transfer began
	AttrVHost                       // the virtual host, by its name in the configuration
	AttrProtocol                    // what carries the session if it is not FTP over TCP
	AttrBinding                     // BindingSize bytes that the connection's two ends know (hook auth)
	AttrDataPeer                    // the data connection's other end, text (hooks fs, throttle, data, event)
	NumAttrs                        // one more than the greatest key
)

// String returns the attribute's name as ABI.md writes it.
func (a Attr) String() string {
	names := [NumAttrs]string{"", "TLS_VERSION", "TLS_CIPHER", "SNI", "ALPN", "TLS_RESUMED",
		"CERT_SUBJECT", "CERT_SHA256", "LISTENER", "GROUP", "CLIENT", "LOCAL", "PATH2", "RAW_ARG",
		"CODE", "OP", "POLICY", "GENERATION", "HOST", "SIZE", "TOOK", "VHOST",
		"PROTOCOL", "BINDING", "DATA_PEER"}
	if a == 0 || a >= NumAttrs {
		return "invalid"
	}
	return names[a]
}
