package abi

// Key numbers an entry of a reply: u16 key, u16 length, bytes; integers are
// little-endian and unaligned (ABI §6).
type Key uint16

// The keys. Those behind KeyPath2 came with minor 2, and so did the honouring of
// KeyHideBits, KeyLine and KeyTTL; KeyNetwork came with minor 5.
const (
	KeyText         Key = iota + 1 // one line for the client of a refusal
	KeyPath                        // new path of a rewrite
	KeyHome                        // directory in which the session starts
	KeyPerms                       // permission letters, a narrowing
	KeyRateDown                    // u64 bytes per second
	KeyRateUp                      // u64 bytes per second
	KeyQuotaBytes                  // not supported: a quota is kept in values and taken at commit
	KeyQuotaFiles                  // not supported, likewise
	KeyMount                       // not supported
	KeyExpires                     // i64 nanoseconds since 1970 UTC
	KeyState                       // bytes handed back with every question
	KeyMaxSessions                 // u32
	KeyMsgLogin                    // one line at 230
	KeyMsgQuit                     // one line at 221
	KeyTTL                         // u32 milliseconds; for fs beside the flag CACHE
	KeyLabel                       // one line that events carry
	KeyGroup                       // one line
	KeyHideBits                    // one bit for each entry of a listing
	KeyMaxFileSize                 // u64 bytes
	KeyPasswordHash                // stored hash that the server verifies
	KeyDataTLS                     // u8, 1 requires protected data connections
	KeyLine                        // one line of a SITE reply; may repeat
	KeyPath2                       // new second path of a rewrite
	KeyRule                        // permissions of one directory; may repeat
	KeyAnonymous                   // u8, 1 makes the session anonymous
	KeyLenient                     // u8, bits of what TLS need not do
	KeyCarry                       // bytes handed back with the next chunk
	KeyRate                        // u64 bytes per second of one transfer
	KeyNetwork                     // a network that the user may come from; may repeat
	NumKeys                        // one more than the greatest key
)

// Bits of KeyLenient.
const (
	LenientResumption  = 1 << iota // policy.Lenience.Resumption
	LenientCloseNotify             // policy.Lenience.CloseNotify
)

// String returns the key's name as ABI.md writes it, "invalid" for a number
// without one.
func (k Key) String() string { return k.info().name }

// Takes reports whether the hook's replies may hold the key (ABI §6).
func (k Key) Takes(h Hook) bool { return k.info().hooks&(1<<h) != 0 }

// Supported reports whether this server honours the key. A reply with a known
// key that it does not honour is an error: nothing is accepted and ignored.
func (k Key) Supported() bool { return k.info().kind != kindUnsupported }

// Repeats reports whether the key may stand in one reply more than once.
func (k Key) Repeats() bool { return k == KeyLine || k == KeyRule || k == KeyNetwork }

// kind says what the bytes of an entry are.
type kind uint8

const (
	kindUnknown kind = iota
	kindUnsupported
	kindText
	kindPath
	kindPerms
	kindU64
	kindU32
	kindBool
	kindLenient
	kindBytes
	kindBits
	kindLine
	kindRule
	kindNetwork
	kindCarry
)

// info is one row of the table of keys.
type info struct {
	name  string
	kind  kind
	hooks uint32 // bits by hook number
}

const (
	forAuth  = 1 << HookAuth
	forFS    = 1 << HookFS
	forMoves = forAuth | forFS
	// TEXT is for all: the action fail has one everywhere. That of event is also
	// the answer of edgeftp_config.
	forAll = forAuth | forFS | 1<<HookList | 1<<HookCmd | 1<<HookSite | 1<<HookThrottle | 1<<HookData |
		1<<HookEvent | 1<<HookCert
)

// info is the table of ABI §6. It is a switch and not a variable, so that
// nothing can change it.
func (k Key) info() info {
	switch k {
	case KeyText:
		return info{"TEXT", kindText, forAll}
	case KeyPath:
		return info{"PATH", kindPath, forFS}
	case KeyHome:
		return info{"HOME", kindPath, forAuth}
	case KeyPerms:
		return info{"PERMS", kindPerms, forAuth}
	case KeyRateDown:
		return info{"RATE_DOWN", kindU64, forMoves}
	case KeyRateUp:
		return info{"RATE_UP", kindU64, forMoves}
	case KeyQuotaBytes:
		return info{"QUOTA_BYTES", kindUnsupported, forAuth}
	case KeyQuotaFiles:
		return info{"QUOTA_FILES", kindUnsupported, forAuth}
	case KeyMount:
		return info{"MOUNT", kindUnsupported, forAuth}
	case KeyExpires:
		return info{"EXPIRES", kindU64, forAuth}
	case KeyState:
		return info{"STATE", kindBytes, forAuth}
	case KeyMaxSessions:
		return info{"MAX_SESSIONS", kindU32, forAuth}
	case KeyMsgLogin:
		return info{"MSG_LOGIN", kindText, forAuth}
	case KeyMsgQuit:
		return info{"MSG_QUIT", kindText, forAuth}
	}
	return k.infoMore()
}

func (k Key) infoMore() info {
	switch k {
	case KeyTTL:
		return info{"TTL_MS", kindU32, forFS | 1<<HookThrottle}
	case KeyLabel:
		return info{"LABEL", kindText, forMoves}
	case KeyGroup:
		return info{"GROUP", kindText, forAuth}
	case KeyHideBits:
		return info{"HIDE_BITS", kindBits, 1 << HookList}
	case KeyMaxFileSize:
		return info{"MAX_FILE_SIZE", kindU64, forMoves}
	case KeyPasswordHash:
		return info{"PWHASH", kindText, forAuth}
	case KeyDataTLS:
		return info{"DATA_TLS_REQUIRED", kindBool, forMoves}
	case KeyLine:
		return info{"LINE", kindLine, 1 << HookSite}
	case KeyPath2:
		return info{"PATH2", kindPath, forFS}
	case KeyRule:
		return info{"RULE", kindRule, forAuth}
	case KeyAnonymous:
		return info{"ANONYMOUS", kindBool, forAuth}
	case KeyLenient:
		return info{"LENIENT", kindLenient, forAuth}
	case KeyCarry:
		return info{"CARRY", kindCarry, 1 << HookData}
	case KeyRate:
		return info{"RATE", kindU64, 1 << HookThrottle}
	case KeyNetwork:
		return info{"NETWORK", kindNetwork, forAuth}
	}
	return info{name: "invalid"}
}

// most is the greatest value of a number of one byte.
func (k kind) most() uint64 {
	if k == kindLenient {
		return LenientResumption | LenientCloseNotify
	}
	return 1
}

// size is the length of a number's bytes.
func (k kind) size() int {
	switch k {
	case kindU64:
		return 8
	case kindU32:
		return 4
	}
	return 1
}
