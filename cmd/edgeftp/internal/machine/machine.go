// Package machine tells what the system lets this process have: memory and
// descriptors. What cannot be found out is 0, never a guess.
package machine

import (
	"io"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Memory is how much memory the process may use, and who says so.
type Memory struct {
	Bytes int64 // 0: it is not known
	// Group is set when a control group has the limit; else it is all that the
	// machine has.
	Group bool
}

// ReadMemory reads the limits of the process's control groups, of version 2 or 1, and
// the size of the machine's memory, below root: os.DirFS("/"). The least of all
// counts: a group is bound by those that it is in.
func ReadMemory(root fs.FS) Memory {
	all := meminfo(read(root, "proc/meminfo"))
	least := int64(math.MaxInt64)
	groups, mounts := parseGroups(read(root, "proc/self/cgroup")), parseMounts(read(root, "proc/self/mountinfo"))
	for _, m := range mounts {
		at, ok := groups[m.version]
		if !ok {
			continue
		}
		for _, dir := range m.dirs(at) {
			for _, name := range m.version.files() {
				if n := parseLimit(read(root, path.Join(dir, name))); n > 0 {
					least = min(least, n)
				}
			}
		}
	}
	if least < math.MaxInt64 && (all == 0 || least < all) {
		return Memory{Bytes: least, Group: true}
	}
	return Memory{Bytes: all}
}

// read returns the beginning of a file, empty if there is none.
func read(root fs.FS, name string) string {
	const most = 1 << 20
	f, err := root.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, most))
	return string(b)
}

// version is that of a hierarchy of control groups.
type version uint8

const (
	v1 version = 1 // of the memory controller
	v2 version = 2
)

// files are those that hold limits, in bytes. memory.high is where the kernel begins
// to slow the group down.
func (v version) files() []string {
	if v == v1 {
		return []string{"memory.limit_in_bytes"}
	}
	return []string{"memory.max", "memory.high"}
}

// parseGroups reads /proc/self/cgroup (cgroups(7)): lines of a hierarchy's number, its
// controllers, and the path of the group in it.
func parseGroups(text string) map[version]string {
	groups := map[version]string{}
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		switch {
		case fields[0] == "0" && fields[1] == "":
			groups[v2] = fields[2]
		case has(fields[1], "memory"):
			groups[v1] = fields[2]
		}
	}
	return groups
}

// has looks for a word between commas.
func has(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// mount is where a hierarchy is mounted.
type mount struct {
	version version
	root    string // the group of the hierarchy that is seen there
	point   string
}

// parseMounts finds them in /proc/self/mountinfo (proc_pid_mountinfo(5)).
func parseMounts(text string) (all []mount) {
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		m := mount{root: unescape(left[3]), point: unescape(left[4])}
		switch {
		case right[0] == "cgroup2":
			m.version = v2
		case right[0] == "cgroup" && has(right[2], "memory"):
			m.version = v1
		default:
			continue
		}
		all = append(all, m)
	}
	return all
}

// unescape reads the octal escapes of mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// dirs are the directories of a group and of those that it is in, as far as they are
// to be seen, as paths below the root of the system.
func (m *mount) dirs(group string) (all []string) {
	rest, inside := strings.CutPrefix(path.Clean("/"+group), strings.TrimSuffix(path.Clean("/"+m.root), "/"))
	if !inside || rest != "" && rest[0] != '/' {
		rest = "" // of another namespace: what is seen there is ours
	}
	top := path.Clean("/" + m.point)
	for dir := path.Join(top, rest); ; dir = path.Dir(dir) {
		if dir != "/" {
			all = append(all, dir[1:])
		}
		if dir == top || dir == "/" {
			return all
		}
	}
}

// parseLimit reads a limit in bytes; 0 is none. Version 1 writes what is nearly the
// greatest number there is for no limit.
func parseLimit(text string) int64 {
	const none = math.MaxInt64 &^ (1<<20 - 1)
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n <= 0 || n >= none {
		return 0
	}
	return n
}

// meminfo reads how much memory the machine has, in bytes, from /proc/meminfo.
func meminfo(text string) int64 {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "MemTotal:" || fields[2] != "kB" {
			continue
		}
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil && n > 0 && n <= math.MaxInt64>>10 {
			return n << 10
		}
	}
	return 0
}
