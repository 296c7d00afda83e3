package machine

import (
	"os"
	"path"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	memInfo = "MemTotal:       16384 kB\nMemFree:  1 kB\n"
	mountV2 = "25 30 0:22 / /proc rw - proc proc rw\n30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	mountV1 = "36 32 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n37 32 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
)

func TestReadMemory(t *testing.T) {
	const group = "sys/fs/cgroup/"
	for name, c := range map[string]struct {
		files map[string]string
		want  Memory
	}{
		"nothing is known": {nil, Memory{}},
		"no groups":        {map[string]string{"proc/meminfo": memInfo}, Memory{Bytes: 16 << 20}},
		"version 2": {map[string]string{"proc/meminfo": memInfo, "proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/system.slice/edgeftp.service\n",
			group + "system.slice/edgeftp.service/memory.max": "1048576\n"}, Memory{1 << 20, true}},
		"no limit": {map[string]string{"proc/meminfo": memInfo, "proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/a\n",
			group + "a/memory.max": "max\n", group + "a/memory.high": "max\n"}, Memory{Bytes: 16 << 20}},
		"of one further out": {map[string]string{"proc/meminfo": memInfo, "proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/a/b/c\n",
			group + "a/memory.max": "2097152\n", group + "a/b/memory.max": "max\n", group + "a/b/c/memory.max": "8388608\n"}, Memory{2 << 20, true}},
		"of a namespace, at its root": {map[string]string{"proc/meminfo": memInfo, "proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/\n",
			group + "memory.max": "4194304\n"}, Memory{4 << 20, true}},
		"where it is slowed down": {map[string]string{"proc/meminfo": memInfo, "proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/a\n",
			group + "a/memory.max": "4194304\n", group + "a/memory.high": "3145728\n"}, Memory{3 << 20, true}},
		"more than there is": {map[string]string{"proc/meminfo": memInfo, "proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/a\n",
			group + "a/memory.max": "1099511627776\n"}, Memory{Bytes: 16 << 20}},
		"version 1, in a container": {map[string]string{"proc/meminfo": memInfo, "proc/self/mountinfo": mountV1, "proc/self/cgroup": "5:cpu:/docker/abc\n4:hugetlb,memory:/docker/abc/in\n",
			group + "memory/memory.limit_in_bytes": "9223372036854771712\n", group + "memory/in/memory.limit_in_bytes": "5242880\n"}, Memory{5 << 20, true}},
		"of another namespace": {map[string]string{"proc/self/mountinfo": mountV1, "proc/self/cgroup": "4:memory:/docker/abcdef\n",
			group + "memory/memory.limit_in_bytes": "5242880\n", group + "memory/def/memory.limit_in_bytes": "1\n"}, Memory{5 << 20, true}},
		"a blank in the name": {map[string]string{"proc/self/cgroup": "0::/a b\n", "proc/self/mountinfo": `1 2 0:1 / /my\040groups rw - cgroup2 none rw` + "\n",
			"my groups/a b/memory.max": "7\n"}, Memory{7, true}},
		"upwards": {map[string]string{"proc/self/cgroup": "0::/../../x\n", "proc/self/mountinfo": mountV2, "memory.max": "1\n", group + "x/memory.max": "9\n"}, Memory{9, true}},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := ReadMemory(root); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestHere: on this machine something is known.
func TestHere(t *testing.T) {
	if runtime.GOOS == "linux" {
		if m := ReadMemory(os.DirFS("/")); m.Bytes < 32<<20 {
			t.Errorf("%+v", m)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	before := ReadDescriptors()
	if before.Limit <= 0 || before.Hard < before.Limit || before.Open <= 0 {
		t.Errorf("%+v", before)
	}
	if runtime.GOOS == "linux" && before.Limit != before.Hard {
		t.Errorf("the runtime has left the soft limit at %d of %d", before.Limit, before.Hard)
	}
	f, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if after := ReadDescriptors(); after.Open != before.Open+1 {
		t.Errorf("%d descriptors, and with one more %d", before.Open, after.Open)
	}
}

// FuzzReadMemory: whatever stands in those files, a limit is positive or none, and no
// file outside of the hierarchy is read.
func FuzzReadMemory(f *testing.F) {
	for _, mounts := range []string{mountV1, mountV2, " - ", "1 2 3 \\0 \\777 - cgroup2 x x", "\\040 - cgroup a memory"} {
		f.Add(mounts, "0::/a/../..\n1:memory:b\n", "1\n", memInfo)
	}
	f.Add(mountV2, "0::\n", "-1", "MemTotal: 99999999999999999999 kB\n")
	f.Fuzz(func(t *testing.T, mounts, groups, limit, info string) {
		for _, m := range parseMounts(mounts) {
			for _, dir := range m.dirs(parseGroups(groups)[m.version]) {
				top := strings.TrimPrefix(path.Clean("/"+m.point), "/")
				if dir != top && !strings.HasPrefix(dir, top+"/") && top != "" {
					t.Fatalf("%q is not below %q", dir, top)
				}
			}
		}
		root := fstest.MapFS{"proc/meminfo": {Data: []byte(info)}, "proc/self/cgroup": {Data: []byte(groups)},
			"proc/self/mountinfo": {Data: []byte(mounts)}, "sys/fs/cgroup/memory.max": {Data: []byte(limit)}}
		if m := ReadMemory(root); m.Bytes < 0 || m.Group && m.Bytes == 0 {
			t.Fatalf("%+v", m)
		}
	})
}
