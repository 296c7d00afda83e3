//go:build !linux

package vfs_test

// linuxChildren has nothing to do on other hosts.
func linuxChildren() map[string]func([]string) error { return nil }
