//go:build unix

package dtp

import "golang.org/x/sys/unix"

// Ready reports whether a connection waits to be accepted. It may be a foreign
// one; Open sees to that.
func (p *Passive) Ready() bool {
	k := p.socket.Load()
	if k == nil {
		return false
	}
	raw, err := k.SyscallConn()
	if err != nil {
		return false
	}
	ready := false
	err = raw.Control(func(fd uintptr) {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(set, 0)
		ready = err == nil && n == 1 && set[0].Revents&unix.POLLIN != 0
	})
	return err == nil && ready
}
