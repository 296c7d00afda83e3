package listing

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// cpuTime is what the process has used, in nanoseconds.
func cpuTime() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
	return t.Nano()
}

// bare lists a directory with the least that a listing takes: getdents64, fstatat and
// lines written by hand, one after the other, to nobody.
func bare(b *testing.B, path string, buf, out []byte) (lines int) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	var clock clock
	var st unix.Stat_t
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			b.Fatal(err)
		}
		if n <= 0 {
			return lines
		}
		out = out[:0]
		for entries := buf[:n]; len(entries) > 0; {
			length := binary.NativeEndian.Uint16(entries[16:])
			name := entries[19:length]
			entries = entries[length:]
			if name[0] == '.' {
				continue
			}
			_, _, no := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(fd), uintptr(unsafe.Pointer(&name[0])),
				uintptr(unsafe.Pointer(&st)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
			if no != 0 {
				b.Fatal(no)
			}
			out = appendRight(append(out, "-rw-r--r--   1 0        0        "...), uint64(st.Size), 12)
			second := clock.at(time.Unix(st.Mtim.Unix()))
			out = append2(append(clock.appendDate(append(out, ' ')), ' '), second/3600)
			out = append2(append(out, ':'), second/60%60)
			for _, c := range name {
				if c == 0 {
					break
				}
				out = append(out, c)
			}
			out = append(out, '\r', '\n')
			lines++
		}
	}
}

// inMemory makes a directory with so many files, in memory where it can.
func inMemory(b *testing.B, many int) (string, *vfs.Disk) {
	top, err := os.MkdirTemp("/dev/shm", "listing")
	if err != nil {
		top = b.TempDir()
	}
	b.Cleanup(func() { _ = os.RemoveAll(top) })
	d, err := vfs.OpenDisk(vfs.DiskConfig{Root: top})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	for i := range many {
		if err := os.WriteFile(filepath.Join(top, entry(i)), nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return top, d
}

// BenchmarkBare holds listings against the bare loop, by the CPU time of an entry at
// its best: what else runs on the machine makes it more, never less.
func BenchmarkBare(b *testing.B) {
	const many = 10_000
	top, d := inMemory(b, many)
	helpers := NewHelpers(1)
	buf, out := make([]byte, 64<<10), make([]byte, 0, 256<<10)
	list := func(h *Helpers, most int, format func() Format) {
		dir, err := d.ReadDir(vfs.Root)
		if err != nil {
			b.Fatal(err)
		}
		r := New(Sort(dir, 0, most), true, format())
		r.Help(h, format)
		for err == nil {
			_, err = r.Read(out[:cap(out)])
		}
		if err != io.EOF || r.Close() != nil {
			b.Fatal(err)
		}
	}
	long := func() Format { return Long(Style{Now: time.Now()}) }
	facts := func() Format {
		e := Entry{Kind: "file", Perm: "adfrw"}
		return func(dst []byte, info *vfs.Info) []byte {
			e.Info = info
			return UsualFacts().Line(dst, &e, info.Name)
		}
	}
	for _, c := range []struct {
		what string
		list func()
	}{
		{"bare", func() { bare(b, top, buf, out) }},
		{"LIST", func() { list(nil, -1, long) }},
		{"LIST with a helper", func() { list(helpers, -1, long) }},
		{"LIST sorted", func() { list(nil, many, long) }},
		{"MLSD", func() { list(nil, -1, facts) }},
		{"MLSD with a helper", func() { list(helpers, -1, facts) }},
	} {
		b.Run(strings.ReplaceAll(c.what, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			best := int64(math.MaxInt64)
			for b.Loop() {
				began := cpuTime()
				c.list()
				best = min(best, cpuTime()-began)
			}
			b.ReportMetric(float64(best)/many, "cpu-ns/entry")
		})
	}
}
