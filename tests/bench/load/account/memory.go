//go:build linux

package account

import (
	"os"
	"strconv"
	"strings"
)

// Memory is what a tree holds, in bytes.
type Memory struct {
	Processes int
	Resident  int64
	Share     int64 // pages that several have are divided among them (PSS)
	Private   int64 // what would be free without it, but for the kernel's side
	Free      int64 // what the machine could still give: the kernel's side is missing from it too
}

// Memory looks at every process of the tree.
func (t Tree) Memory() Memory {
	m := Memory{Free: Free()}
	for pid := range t.members(everything()) {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
		if err != nil {
			continue // it has ended meanwhile
		}
		m.Processes++
		m.add(string(text))
	}
	return m
}

// add adds a smaps_rollup; see proc_pid_smaps(5).
func (m *Memory) add(text string) {
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		n := kibibytes(rest)
		switch name {
		case "Rss":
			m.Resident += n
		case "Pss":
			m.Share += n
		case "Private_Clean", "Private_Dirty":
			m.Private += n
		}
	}
}

// kibibytes is "   12 kB" in bytes; 0 if it is something else.
func kibibytes(text string) int64 {
	words := strings.Fields(text)
	if len(words) != 2 || words[1] != "kB" {
		return 0
	}
	n, err := strconv.ParseInt(words[0], 10, 50)
	if err != nil || n < 0 {
		return 0
	}
	return n << 10
}

// field is a line "name:   12 kB" of a file in /proc, in bytes; 0 if there is none.
func field(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return kibibytes(rest)
		}
	}
	return 0
}

// Free is the memory that the machine could give to new processes.
func Free() int64 { return field("/proc/meminfo", "MemAvailable") }

// Peak is the most resident memory that one process has had since it began or since
// [ResetPeak].
func Peak(pid int) int64 { return field("/proc/"+strconv.Itoa(pid)+"/status", "VmHWM") }

// ResetPeak lets [Peak] begin anew.
func ResetPeak(pid int) error {
	return os.WriteFile("/proc/"+strconv.Itoa(pid)+"/clear_refs", []byte("5"), 0)
}
