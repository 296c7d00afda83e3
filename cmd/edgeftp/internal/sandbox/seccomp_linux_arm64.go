package sandbox

import "golang.org/x/sys/unix"

const nativeArch = unix.AUDIT_ARCH_AARCH64

// deniedHere are those of denied that only this architecture has.
func deniedHere() []uint32 { return nil }

func executingHere() []uint32 { return nil }
