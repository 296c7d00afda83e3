//go:build amd64 || arm64 || riscv64

package sandbox

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The layout of struct seccomp_data (linux/seccomp.h) on little-endian machines.
const (
	dataCall = 0
	dataArch = 4
	dataArg0 = 16
	dataArg1 = 24
	dataArg2 = 32
	dataArg3 = 40
)

// namespaces are the flags of clone(2) that make new ones.
const namespaces = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS

// denied are the system calls that a server never makes and that an intruder would
// like. Their answer is EPERM and not the end: what tries one has something to fall
// back on. It is no list of what is allowed: such a list breaks with new kernels and
// new versions of Go. W^X is not to be had: the compiler of policies maps its code.
func denied() []uint32 {
	return append(deniedHere(),
		// other processes, and what this one holds by other ways
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
		unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES, unix.SYS_PERSONALITY,
		// parts of the kernel with a history
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_FANOTIFY_INIT, unix.SYS_REMAP_FILE_PAGES,
		// another kernel, or more of it
		unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
		// mounts, roots, namespaces
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_MOUNT_SETATTR, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
		unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_UNSHARE, unix.SYS_SETNS,
		// files past their directories
		unix.SYS_OPEN_BY_HANDLE_AT,
		// the machine
		unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG, unix.SYS_SETHOSTNAME,
		unix.SYS_SETDOMAINNAME, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_VHANGUP, unix.SYS_NFSSERVCTL)
}

// executing are those that start programs, or make devices and pipes with a name. A
// server has no need of one: what builds policies was started before.
func executing() []uint32 {
	return append(executingHere(), unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_MKNODAT)
}

// families are kinds of sockets that no server of files has a use for.
func families() []uint32 {
	return []uint32{unix.AF_PACKET, unix.AF_ALG, unix.AF_VSOCK, unix.AF_KEY, unix.AF_BLUETOOTH, unix.AF_CAN, unix.AF_TIPC, unix.AF_RDS, unix.AF_NFC,
		unix.AF_XDP, unix.AF_SMC, unix.AF_KCM, unix.AF_IB, unix.AF_PPPOX, unix.AF_RXRPC, unix.AF_PHONET, unix.AF_QIPCRTR, unix.AF_MCTP}
}

// typing are requests to a terminal by which a process types for its user: a server that
// was started by hand has that terminal open, and the shell reads on behind it.
func typing() []uint32 { return []uint32{unix.TIOCSTI, unix.TIOCLINUX} }

// sending are the calls that connect where MSG_FASTOPEN is among their flags, of which
// Landlock up to now sees nothing, and where the flags are.
func sending() map[uint32]uint32 {
	return map[uint32]uint32{unix.SYS_SENDTO: dataArg3, unix.SYS_SENDMSG: dataArg2, unix.SYS_SENDMMSG: dataArg3}
}

// protocols are those that carry streams and that Landlock does not know as TCP:
// Multipath TCP would walk around its ports. The Go runtime goes on with TCP.
func protocols() []uint32 {
	return []uint32{unix.IPPROTO_MPTCP, unix.IPPROTO_SCTP, unix.IPPROTO_DCCP, protocolSMC}
}

// protocolSMC is IPPROTO_SMC (linux/smc.h).
const protocolSMC = 256

// answer is the end of a judgement.
func answer(errno unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

// filter is the program that judges each system call.
func filter() []bpf.Instruction {
	calls := append(denied(), executing()...)
	slices.Sort(calls)
	calls = slices.Compact(calls)
	prog := []bpf.Instruction{
		// Calls by another architecture's table, as int 0x80 makes them, have other numbers.
		bpf.LoadAbsolute{Off: dataArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: nativeArch, SkipTrue: 1}, answer(unix.EPERM),
		bpf.LoadAbsolute{Off: dataCall, Size: 4},
		// So have those of x32, from this bit on.
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: 0x40000000, SkipTrue: 1}, answer(unix.EPERM),
	}
	for _, n := range calls {
		prog = append(prog, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: n, SkipTrue: 1}, answer(unix.EPERM))
	}
	// The flags of clone3 are in memory, where no filter sees them. Who calls it goes on
	// with clone.
	prog = append(prog, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_CLONE3, SkipTrue: 1}, answer(unix.ENOSYS))
	clone := []bpf.Instruction{bpf.LoadAbsolute{Off: dataArg0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: namespaces, SkipTrue: 1}, answer(unix.EPERM),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.CLONE_THREAD, SkipTrue: 1}, answer(unix.EPERM)} // threads, and no processes
	prog = branch(prog, unix.SYS_CLONE, clone)
	prog = branch(prog, unix.SYS_SOCKET, sockets())
	requests := []bpf.Instruction{bpf.LoadAbsolute{Off: dataArg1, Size: 4}}
	for _, r := range typing() {
		requests = append(requests, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: r, SkipTrue: 1}, answer(unix.EPERM))
	}
	prog = branch(prog, unix.SYS_IOCTL, requests)
	for call, flags := range sending() {
		prog = branch(prog, call, []bpf.Instruction{bpf.LoadAbsolute{Off: flags, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: unix.MSG_FASTOPEN, SkipTrue: 1}, answer(unix.EOPNOTSUPP)})
	}
	return append(prog, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW})
}

// sockets judges socket(2).
func sockets() []bpf.Instruction {
	// Whoever listens on a socket with a path takes orders that no layer here sees:
	// service managers, container engines, desktops. The server's own one is open.
	none := append(families(), unix.AF_UNIX)
	do := []bpf.Instruction{bpf.LoadAbsolute{Off: dataArg0, Size: 4}}
	for _, f := range none {
		do = append(do, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: f, SkipTrue: 1}, answer(unix.EAFNOSUPPORT))
	}
	do = append(do, // addresses and interfaces are asked for by NETLINK_ROUTE, and nothing by the others
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_NETLINK, SkipTrue: 3},
		bpf.LoadAbsolute{Off: dataArg2, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.NETLINK_ROUTE, SkipTrue: 1}, answer(unix.EPROTONOSUPPORT),
		bpf.LoadAbsolute{Off: dataArg2, Size: 4})
	for _, p := range protocols() {
		do = append(do, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: p, SkipTrue: 1}, answer(unix.EPROTONOSUPPORT))
	}
	return do
}

// branch adds what is done with one system call, whose number is loaded; what comes
// out of it is allowed.
func branch(prog []bpf.Instruction, call uint32, do []bpf.Instruction) []bpf.Instruction {
	do = append(do, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW})
	prog = append(prog, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: uint8(len(do))})
	return append(prog, do...)
}

// denyCalls puts the filter on all threads (seccomp(2), SECCOMP_FILTER_FLAG_TSYNC).
func denyCalls() Layer {
	l := Layer{Name: SystemCalls, State: LayerMissing, Help: "Linux with CONFIG_SECCOMP_FILTER can"}
	raw, err := bpf.Assemble(filter())
	if err != nil {
		l.Text = "the filter is wrong: " + err.Error()
		return l
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	switch {
	case errno != 0:
		l.Text = "the kernel took no filter: " + errno.Error()
	case thread != 0:
		l.Text, l.Help = fmt.Sprintf("thread %d has a filter of its own", thread), ""
	default:
		l.State, l.Help = LayerOn, ""
		l.Text = fmt.Sprintf("%d system calls are denied; no program can be executed and no process started", len(denied())+len(executing()))
	}
	return l
}
