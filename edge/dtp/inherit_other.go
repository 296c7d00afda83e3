//go:build !linux

package dtp

import "net"

// inherit does nothing: package net sets what accepted connections need.
func inherit(*net.ListenConfig) {}
