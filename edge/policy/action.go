package policy

import (
	"net/netip"
	"strings"
)

// Op names an operation on a path. Policies are asked by operation, never by
// verb, so that no second verb leads around a decision. The numbers are those of
// the guest ABI, §4.2.
type Op uint16

// The operations. What A and B of the action mean is noted where they mean
// anything.
const (
	OpStat     Op = iota + 1 // facts of one path: SIZE, MDTM, MLST, STAT path
	OpList                   // entries of a directory: LIST, NLST, MLSD
	OpRead                   // RETR; A size, B restart offset
	OpWrite                  // STOR; A announced size (ALLO) or -1, B restart offset
	OpAppend                 // APPE; A announced size or -1, B length so far
	OpMkdir                  // MKD
	OpRmdir                  // RMD
	OpDelete                 // DELE
	OpRename                 // RNFR and RNTO; Path2 is the new name, empty at RNFR
	OpChmod                  // SITE CHMOD; A mode bits
	OpSetTime                // MFMT; A modification time, seconds since 1970
	OpCwd                    // CWD, CDUP
	OpReadlink               // the target of a symbolic link
	OpHash                   // a digest of a file's bytes
	OpUnique                 // STOU; Path is the directory or prefix
	OpCommit                 // asked before an upload becomes visible; A size, B ms it took. A Rewrite moves nothing
	OpSymlink                // Path2 is the link's target
)

// String returns the operation's lower-case name as the guest ABI writes it.
func (o Op) String() string {
	names := [...]string{"", "stat", "list", "read", "write", "append", "mkdir", "rmdir", "delete",
		"rename", "chmod", "mfmt", "cwd", "readlink", "hash", "unique", "commit", "symlink"}
	if o == 0 || int(o) >= len(names) {
		return "invalid"
	}
	return names[o]
}

// Ops is a set of operations. The zero value is empty.
type Ops uint32

// OpsOf returns the set of some operations.
func OpsOf(ops ...Op) Ops {
	var set Ops
	for _, o := range ops {
		set |= 1 << o
	}
	return set
}

// Has reports whether an operation is in the set.
func (s Ops) Has(o Op) bool { return o != 0 && s&(1<<o) != 0 }

// String returns the names in the order of their numbers, with spaces between,
// empty for the zero value.
func (s Ops) String() string {
	var names []string
	for o := OpStat; o <= OpSymlink; o++ {
		if s.Has(o) {
			names = append(names, o.String())
		}
	}
	return strings.Join(names, " ")
}

// Action is the question of the fs stage: may this session do this to this path?
type Action struct {
	Meta
	Op    Op     // what is to be done
	Path  string // canonical virtual path: absolute, slash separated, no "." or ".."
	Path2 string // the second canonical path of a rename, or empty
	Arg   string // the command's argument as the client sent it
	A, B  int64  // by operation, see the constants
	// Dir and Exists say what Path is now, before the operation.
	Dir, Exists bool
	Size        int64 // bytes that the file at Path has now, 0 if there is none
	// DataPeer is where the data connection of a transfer or listing is to go, as the client
	// has said (PORT, EPRT), which need not be to the client (pi.Active.Foreign); at
	// OpCommit, where the bytes came from. It is the zero value where the client is still to
	// connect, which only its own address can, and where no data connection is meant.
	DataPeer netip.AddrPort
}
