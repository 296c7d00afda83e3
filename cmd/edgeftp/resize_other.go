//go:build !unix

package main

import "os"

// resizes tells nothing: the next frame is as large as the terminal.
func resizes() (changed <-chan os.Signal, stop func()) { return nil, func() {} }
