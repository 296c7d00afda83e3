package dtp

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestBacklog asks the kernel, which tells the backlog of a listener where other
// sockets have a count (tcp(7), TCP_INFO).
func TestBacklog(t *testing.T) {
	backlog := func(n int) uint32 {
		p, err := Listen(within(t), PassiveConfig{Local: loopback, Backlog: n})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		raw, err := p.socket.Load().SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var info *unix.TCPInfo
		if cerr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); cerr != nil || err != nil {
			t.Fatal(cerr, err)
		}
		return info.Sacked
	}
	usual := backlog(0)
	if usual < 5 || backlog(-1) != usual {
		t.Errorf("by default %d, by -1 %d", usual, backlog(-1))
	}
	for _, n := range []int{1, 3} {
		if got := backlog(n); got != uint32(n) {
			t.Errorf("backlog is %d, want %d", got, n)
		}
	}
}
