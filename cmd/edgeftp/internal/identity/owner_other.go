//go:build !unix

package identity

import "io/fs"

// Owner does not know whose a file is: users have no numbers here.
func Owner(fs.FileInfo) (uid, gid uint32, known bool) { return 0, 0, false }

// MayWrite says yes: only trying it would tell here.
func MayWrite(string) bool { return true }
