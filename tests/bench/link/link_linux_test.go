package main

import (
	"strings"
	"testing"
)

// The client's UDP ports are moved there and back, and nothing else is.
func TestShiftPort(t *testing.T) {
	udp := make([]byte, 28)
	udp[0], udp[9], udp[20], udp[21], udp[22], udp[23], udp[26] = 0x45, 17, 0x10, 0x01, 0x20, 0x02, 9
	there := append([]byte(nil), udp...)
	shiftPort(there, 0, 3)
	if there[20] != 0x10 || there[21] != 0x04 || there[22] != 0x20 || there[26] != 0 {
		t.Errorf("%x", there)
	}
	shiftPort(there, 0, -3)
	if there[21] != 0x01 {
		t.Errorf("%x", there)
	}
	for _, p := range [][]byte{nil, udp[:20], append([]byte{0x4f}, udp[1:]...), append([]byte{0x65}, udp[1:]...)} {
		before := string(p)
		shiftPort(p, 2, 5)
		if string(p) != before {
			t.Errorf("%x became %x", before, p)
		}
	}
}

// Each way has a listener of its own.
func TestConfiguration(t *testing.T) {
	text := configuration(ways())
	for _, want := range []string{"congestion: bbr", "congestion: cubic", "protocol: ftp+quic", ":2121", ":2122"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is there %d times:\n%s", want, strings.Count(text, want), text)
		}
	}
}
