package control

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel whose process is at the other end: SO_PEERCRED, and SO_PEERGROUPS
// for the groups that it had when it connected. No file is read for it, which a server that
// is shut off from the machine could not.
func peerOf(c net.Conn) (p Peer, known bool) {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return Peer{}, false
	}
	nobody := Peer{UID: -1} // should the kernel not tell
	raw, err := uc.SyscallConn()
	if err != nil {
		return nobody, true
	}
	p = nobody
	_ = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			p = Peer{UID: int(cred.Uid), PID: int(cred.Pid), Groups: append(peerGroups(fd), int(cred.Gid))}
		}
	})
	return p, true
}

// maxGroups is how many groups a process can have (NGROUPS_MAX).
const maxGroups = 65536

// peerGroups are the supplementary groups of the process; none if the kernel is older than
// Linux 4.13.
func peerGroups(fd uintptr) []int {
	list := make([]uint32, 64)
	for {
		size := uint32(len(list) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == unix.ERANGE && len(list) < maxGroups:
			list = make([]uint32, min(max(2*len(list), int(size/4)), maxGroups))
			continue
		case errno != 0:
			return nil
		}
		out := make([]int, size/4)
		for i := range out {
			out[i] = int(list[i])
		}
		return out
	}
}
