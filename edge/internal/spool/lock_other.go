//go:build !unix || solaris || aix

package spool

import "os"

// lock does nothing: directories cannot be locked here. The operator must not start
// two servers with one directory.
func lock(*os.File) error { return nil }
