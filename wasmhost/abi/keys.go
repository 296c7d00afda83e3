package abi

// Key numbers an entry of a reply: u16 key, u16 length, bytes; integers are
// little-endian and unaligned (ABI §6).
type Key uint16

// The keys of minor 0.
const (
	KeyText         Key = iota + 1 // one line for the client of a refusal
	KeyPath                        // new path of a rewrite
	KeyHome                        // directory in which the session starts
	KeyPerms                       // permission letters, a narrowing
	KeyRateDown                    // u64 bytes per second
	KeyRateUp                      // u64 bytes per second
	KeyQuotaBytes                  // not supported yet
	KeyQuotaFiles                  // not supported yet
	KeyMount                       // not supported yet
	KeyExpires                     // i64 nanoseconds since 1970 UTC
	KeyState                       // bytes handed back with every question
	KeyMaxSessions                 // u32
	KeyMsgLogin                    // one line at 230
	KeyMsgQuit                     // one line at 221
	KeyTTL                         // u32 milliseconds, beside the flag CACHE
	KeyLabel                       // one line that events carry
	KeyGroup                       // one line
	KeyHideBits                    // not supported yet (hook list)
	KeyMaxFileSize                 // u64 bytes
	KeyPasswordHash                // stored hash that the server verifies
	KeyDataTLS                     // u8, 1 requires protected data connections
	KeyLine                        // not supported yet (hook site)
	KeyPath2                       // new second path of a rewrite
	NumKeys                        // one more than the greatest key
)

// String returns the key's name as ABI.md writes it, "invalid" for a number
// without one.
func (k Key) String() string { return k.info().name }

// Takes reports whether the hook's replies may hold the key (ABI §6).
func (k Key) Takes(h Hook) bool { return k.info().hooks&(1<<h) != 0 }

// Supported reports whether this server honours the key. A reply with a known
// key that it does not honour is an error: nothing is accepted and ignored.
func (k Key) Supported() bool { return k.info().kind != kindUnsupported }

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
	kindBytes
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
	forDone  = 1 << HookEvent // also the answer of edgeftp_config
	forMoves = forAuth | forFS
)

// info is the table of ABI §6. It is a switch and not a variable, so that
// nothing can change it.
func (k Key) info() info {
	switch k {
	case KeyText:
		return info{"TEXT", kindText, forAuth | forFS | forDone}
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
	}
	return k.infoMore()
}

func (k Key) infoMore() info {
	switch k {
	case KeyMsgLogin:
		return info{"MSG_LOGIN", kindText, forAuth}
	case KeyMsgQuit:
		return info{"MSG_QUIT", kindText, forAuth}
	case KeyTTL:
		return info{"TTL_MS", kindU32, forFS}
	case KeyLabel:
		return info{"LABEL", kindText, forMoves}
	case KeyGroup:
		return info{"GROUP", kindText, forAuth}
	case KeyHideBits:
		return info{"HIDE_BITS", kindUnsupported, 1 << HookList}
	case KeyMaxFileSize:
		return info{"MAX_FILE_SIZE", kindU64, forMoves}
	case KeyPasswordHash:
		return info{"PWHASH", kindText, forAuth}
	case KeyDataTLS:
		return info{"DATA_TLS_REQUIRED", kindBool, forMoves}
	case KeyLine:
		return info{"LINE", kindUnsupported, 1 << HookSite}
	case KeyPath2:
		return info{"PATH2", kindPath, forFS}
	}
	return info{name: "invalid"}
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
