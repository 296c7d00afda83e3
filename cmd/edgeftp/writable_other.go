//go:build !unix

package main

// mayWrite says yes: only trying it would tell here.
func mayWrite(string) bool { return true }
