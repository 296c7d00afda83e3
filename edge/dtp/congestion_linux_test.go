package dtp

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestPaced: pieces are large where the kernel does not pace, but for the first.
func TestPaced(t *testing.T) {
	for _, name := range []string{"reno", "bbr"} {
		server, _ := pair(t)
		raw, err := server.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var fault error
		_ = raw.Control(func(fd uintptr) {
			fault = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
		})
		if fault != nil && name == "bbr" {
			t.Logf("the kernel has no %s here: %v", name, fault)
			continue
		}
		if fault != nil {
			t.Fatal(fault)
		}
		if got := paced(server); got != (name == "bbr") {
			t.Errorf("%s paces: %v", name, got)
		}
		m := mover{Transfer: new(Transfer), conn: server}
		want := freeSlice
		if name == "bbr" {
			want = pieceSize
		}
		if a, b, c := m.piece(), m.piece(), m.piece(); a != pieceSize || b != want || c != want {
			t.Errorf("%s: pieces of %d, %d, %d bytes", name, a, b, c)
		}
	}
}
