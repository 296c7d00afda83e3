package builder

import "golang.org/x/sys/unix"

// closeInherited keeps what this process was itself started with, such as sockets of a
// service manager, from the processes that it starts. What Go opens is closed in them
// anyway.
func closeInherited() {
	const firstOwn = 3                                                // behind standard input, output and error
	_ = unix.CloseRange(firstOwn, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) // before Linux 5.11 there is none
}
