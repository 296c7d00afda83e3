//go:build !linux

package parity

import "time"

func (s *site) noDelay(*client) bool {
	s.onLinux()
	return false
}

func (s *site) calls(string) int64 {
	s.onLinux()
	return 0
}

func (s *site) owned(string, uint32) { s.onLinux() }

func (s *site) backlog(string) int {
	s.onLinux()
	return 0
}

func (s *site) read(string, time.Time) { s.onLinux() }
