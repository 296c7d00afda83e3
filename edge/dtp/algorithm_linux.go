package dtp

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func setCongestion(fd uintptr, name string) error {
	return unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
}

func congestionOf(fd uintptr) string {
	name, _ := unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION) // none after an error
	return name
}

func knownAlgorithms() []string {
	return words("/proc/sys/net/ipv4/tcp_available_congestion_control")
}

func freeAlgorithms() []string { return words("/proc/sys/net/ipv4/tcp_allowed_congestion_control") }

func words(file string) []string {
	text, _ := os.ReadFile(file) // what cannot be read has none
	return strings.Fields(string(text))
}
