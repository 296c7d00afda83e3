package sandbox

import "golang.org/x/sys/unix"

const nativeArch = unix.AUDIT_ARCH_X86_64

// deniedHere are those of denied that only this architecture has.
func deniedHere() []uint32 {
	return []uint32{unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT, unix.SYS_USELIB, unix.SYS_USTAT, unix.SYS__SYSCTL}
}

func executingHere() []uint32 { return []uint32{unix.SYS_MKNOD, unix.SYS_FORK, unix.SYS_VFORK} }
