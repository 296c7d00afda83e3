//go:build linux

// Package account says what a server costs: the processor time and the memory of all
// its processes, also of those that come and go.
package account

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ is 100 on every Linux.
const tick = time.Second / 100

// Adopt makes this process the parent of what its servers leave behind, so that the
// time of such orphans is not lost (PR_SET_CHILD_SUBREAPER of prctl(2)).
func Adopt() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// Tree is a process that leads a session of its own, all that came from it, and what
// it orphaned to this process; see [Adopt].
type Tree struct {
	PID int
	// Others reports processes that this one has started itself: they are no orphans,
	// and somebody else waits for them.
	Others func(pid int) bool
}

// process is a line of /proc/PID/stat.
type process struct {
	state           byte
	parent, session int
	own, reaped     time.Duration // its own time, that of children it has waited for
}

// parse takes /proc/PID/stat apart; see proc_pid_stat(5). The name in parentheses may
// hold anything.
func parse(text []byte) (process, error) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return process{}, errors.New("there is no name in it")
	}
	words := strings.Fields(string(text[end+1:]))
	if len(words) < 15 {
		return process{}, fmt.Errorf("it has %d words", len(words))
	}
	var n [6]int64
	for i, at := range []int{1, 3, 11, 12, 13, 14} {
		var err error
		if n[i], err = strconv.ParseInt(words[at], 10, 64); err != nil {
			return process{}, err
		}
	}
	return process{state: words[0][0], parent: int(n[0]), session: int(n[1]),
		own: time.Duration(n[2]+n[3]) * tick, reaped: time.Duration(n[4]+n[5]) * tick}, nil
}

// everything is all processes of the machine that can be seen.
func everything() map[int]process {
	all := map[int]process{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended meanwhile
		}
		if p, err := parse(text); err == nil {
			all[pid] = p
		}
	}
	return all
}

// members picks those of the tree.
func (t Tree) members(all map[int]process) map[int]process {
	in := map[int]process{}
	for pid, p := range all {
		for at, n := pid, 0; at > 1 && n < 32; n++ {
			if at == t.PID || all[at].session == t.PID {
				in[pid] = p
				break
			}
			at = all[at].parent
		}
	}
	return in
}

// Processes is how many live.
func (t Tree) Processes() int { return len(t.members(everything())) }

// CPU is the time that the tree has used up to now: of those that live to the
// nanosecond, of those that were waited for to the hundredth of a second, and of
// orphans that ended. Differences of two calls count.
func (t Tree) CPU() time.Duration {
	all := everything()
	me := os.Getpid()
	for pid, p := range all {
		if p.state == 'Z' && p.parent == me && pid != t.PID && (t.Others == nil || !t.Others(pid)) {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // its time is in RUSAGE_CHILDREN from here on
			delete(all, pid)
		}
	}
	var sum time.Duration
	var children unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &children) == nil {
		sum = used(&children)
	}
	for pid, p := range t.members(all) {
		if own, err := clock(pid); err == nil {
			sum += own
		} else {
			sum += p.own
		}
		sum += p.reaped
	}
	return sum
}

// clock is the time that a process which lives has used, with all its threads: the
// clock of clock_getcpuclockid(3), whose number is made of the process's.
func clock(pid int) (time.Duration, error) {
	const wholeProcess, scheduled = 0, 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|wholeProcess|scheduled, &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

func used(r *unix.Rusage) time.Duration { return time.Duration(r.Utime.Nano() + r.Stime.Nano()) }

// Self is the time that this process has used.
func Self() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return used(&r)
}

// Machine is the time that all processors have been busy: where servers and client
// are all that runs, their sum comes close to it, and a gap means that a server which
// forks lost children from the account.
func Machine() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	return busy(string(text))
}

// busy sums the first line of /proc/stat but for idle, iowait and what guests have
// used, which is in user already.
func busy(text string) time.Duration {
	line, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(line)
	var sum int64
	for i, w := range words {
		if i == 0 || i == 4 || i == 5 || i >= 9 {
			continue
		}
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return 0
		}
		sum += n
	}
	return time.Duration(sum) * tick
}

// Written finds a file without a name that a process of the tree has open below a
// directory, such as an upload that is not complete, and returns a path that leads to
// it; empty if there is none.
func (t Tree) Written(dir string) string {
	for pid := range t.members(everything()) {
		base := "/proc/" + strconv.Itoa(pid) + "/fd/"
		entries, err := os.ReadDir(base)
		if err != nil {
			continue
		}
		for _, e := range entries {
			to, err := os.Readlink(base + e.Name())
			if err == nil && strings.HasPrefix(to, dir+"/") && strings.HasSuffix(to, " (deleted)") {
				return base + e.Name()
			}
		}
	}
	return ""
}
