//go:build !unix || solaris || aix

package kv

import "os"

// unlock has nothing to do here: the lock ends when the file is closed.
func unlock(*os.File) error { return nil }
