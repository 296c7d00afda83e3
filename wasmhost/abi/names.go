package abi

// Version is the major version of the ABI. It stands in the name of the export
// that every guest has (ABI §1): a guest of another major version lacks it.
const Version = 1

// Minor is the minor version that this host speaks and tells to guests. Minors
// only append spans, keys, operations, kinds of events, flags and imports: minor 1 appended the
// attribute HOST and the flag EARLY, minor 2 the hooks list, cmd, site, throttle,
// data and cert, and all imports but log, minor 3 the attribute VHOST, minor 4 the
// attributes PROTOCOL and BINDING, minor 5 the attribute DATA_PEER, the key NETWORK and the
// event client_moved.
const Minor = 5

// Names of exports and imports (ABI §1 and §7).
const (
	ExportMemory     = "memory"                 // the guest's one linear memory
	ExportABI        = "edgeftp_abi_v1"         // (host_minor i32, features i64) -> i64
	ExportABIPrefix  = "edgeftp_abi_v"          // what an export of any version begins with
	ExportConfig     = "edgeftp_config"         // (len i32) -> i64
	ExportIdle       = "edgeftp_idle"           // ()
	ExportInitialize = "_initialize"            // (), run once before everything else
	ExportPrefix     = "edgeftp_"               // reserved for the ABI
	ImportModule     = "edgeftp"                // module name of the host's functions
	ImportLog        = "log"                    // (level i32, ptr i32, len i32)
	ManifestSection  = "edgeftp.manifest"       // custom section, JSON (ABI §8)
	TestsSection     = "edgeftp.tests"          // custom section, JSON (ABI §8)
	WASIModule       = "wasi_snapshot_preview1" // stubbed, see ABI §7
)

// Sizes in bytes (ABI §2).
const (
	MinMailbox     = 4096    // the least length of a mailbox
	MinDataMailbox = 81920   // the least length where the hook data is exported
	AdvisedMailbox = 32768   // holds any question with paths of 4,096 bytes
	MaxMailbox     = 1 << 20 // a longer one is refused at load
	MaxText        = 512     // TEXT, LABEL and the other one-line texts of a reply
	MaxPath        = 4096    // PATH, PATH2 and HOME of a reply
	MaxLog         = 1024    // one line of edgeftp.log; what is longer is cut
	MaxRules       = 256     // RULE entries of a reply
	MaxNetworks    = 256     // NETWORK entries of a reply
	MaxManifest    = 1 << 16 // the section edgeftp.manifest
	MaxTests       = 1 << 18 // the section edgeftp.tests
	BindingSize    = 32      // BINDING of a login
)

// Hook numbers a stage. It is the kind of a record (ABI §3).
type Hook uint16

// The hooks in their order.
const (
	HookAuth Hook = iota + 1
	HookFS
	HookList
	HookCmd
	HookSite
	HookThrottle
	HookData
	HookEvent
	HookCert
	HookIdle
)

// NumHooks is one more than the greatest hook number.
const NumHooks = int(HookIdle) + 1

// String returns the hook's lower-case name, "invalid" for a number without one.
func (h Hook) String() string {
	// A switch and no table: this is on the way of every question.
	switch h {
	case HookAuth:
		return "auth"
	case HookFS:
		return "fs"
	case HookList:
		return "list"
	case HookCmd:
		return "cmd"
	case HookSite:
		return "site"
	case HookThrottle:
		return "throttle"
	case HookData:
		return "data"
	case HookEvent:
		return "event"
	case HookCert:
		return "cert"
	case HookIdle:
		return "idle"
	}
	return "invalid"
}

// Export returns the name of the export whose presence is the subscription to h
// (ABI §1).
func (h Hook) Export() string { return ExportPrefix + h.String() }

// Supported reports whether this version of the ABI has the hook: true for all that
// have a name.
func (h Hook) Supported() bool { return h > 0 && int(h) < NumHooks }

// Log levels of the import edgeftp.log (ABI §7).
const (
	LogDebug int32 = iota
	LogInfo
	LogWarn
	LogError
)
