package vfs_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// durabilities are all of them, by the names that they have in the configuration.
var durabilities = [...]string{vfs.DurabilityFull: "full", vfs.DurabilityFile: "file", vfs.DurabilityNone: "none"}

// memoryDisk serves a new directory in memory that holds /deep/down.
func memoryDisk(b *testing.B, durability vfs.Durability) (d *vfs.Disk, host string) {
	b.Helper()
	top, err := os.MkdirTemp("/dev/shm", "edgeftp-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(top) })
	host = filepath.Join(top, "root")
	if err := os.MkdirAll(filepath.Join(host, "deep", "down"), 0o755); err != nil {
		b.Fatal(err)
	}
	d, err = vfs.OpenDisk(vfs.DiskConfig{Root: host, State: filepath.Join(top, "state"), Durability: durability})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return d, host
}

// BenchmarkOperation is what one operation on a small file costs beside the disk:
// system calls and memory. "name" lies in the root, "/deep/down/name" two directories
// below it.
//
//	go test -run '^$' -bench Operation -benchmem -benchtime 20000x ./edge/vfs
func BenchmarkOperation(b *testing.B) {
	for _, dir := range []vfs.Path{vfs.Root, "/deep/down"} {
		b.Run("dir="+string(dir), func(b *testing.B) {
			d, host := memoryDisk(b, vfs.DurabilityNone)
			file := dir.Join("file")
			if err := os.WriteFile(filepath.Join(host, file.Rel()), make([]byte, 4096), 0o644); err != nil {
				b.Fatal(err)
			}
			b.Run("stat", repeat(func(int) error { _, err := d.Stat(file); return err }))
			b.Run("lstat", repeat(func(int) error { _, err := d.Lstat(file); return err }))
			b.Run("open", repeat(func(int) error { return opened(d, file)() }))
			b.Run("remove", func(b *testing.B) {
				for i := range b.N {
					if err := os.WriteFile(filepath.Join(host, dir.Join(fmt.Sprint(i)).Rel()), nil, 0o644); err != nil {
						b.Fatal(err)
					}
				}
				b.ResetTimer()
				repeat(func(i int) error { return d.Remove(dir.Join(fmt.Sprint(i))) })(b)
			})
		})
	}
}

// BenchmarkStage is an upload of 4 KiB to a new name and over an old one, in memory.
func BenchmarkStage(b *testing.B) {
	data := make([]byte, 4096)
	for durability, name := range durabilities {
		d, host := memoryDisk(b, vfs.Durability(durability))
		b.Run(name+"/new", func(b *testing.B) {
			repeat(func(i int) error { return stored(d, vfs.Path(fmt.Sprint("/deep/down/", i)), data) })(b)
			b.StopTimer()
			if err := os.RemoveAll(filepath.Join(host, "deep/down")); err != nil {
				b.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(host, "deep/down"), 0o755); err != nil {
				b.Fatal(err)
			}
		})
		b.Run(name+"/old", repeat(func(int) error { return stored(d, "/deep/down/old", data) }))
	}
}

// BenchmarkDurability is what an upload costs until it is committed, on the disk that
// TMPDIR is on, alone and many at the same time: the time that passes for each file.
//
//	TMPDIR=/var/tmp go test -run '^$' -bench Durability -benchtime 512x ./edge/vfs
func BenchmarkDurability(b *testing.B) {
	for durability, name := range durabilities {
		for _, size := range []int{4 << 10, 1 << 20} {
			for _, sessions := range []int{1, 16, 64} {
				b.Run(fmt.Sprintf("%s/%dKiB/%d", name, size>>10, sessions), func(b *testing.B) {
					d, err := vfs.OpenDisk(vfs.DiskConfig{Root: b.TempDir(), State: b.TempDir(), Durability: vfs.Durability(durability)})
					if err != nil {
						b.Fatal(err)
					}
					defer d.Close()
					together(b, d, sessions, make([]byte, size))
				})
			}
		}
	}
}

// together stores b.N files in some sessions at the same time.
func together(b *testing.B, d *vfs.Disk, sessions int, data []byte) {
	work := make(chan int)
	var group sync.WaitGroup
	b.ResetTimer()
	for range sessions {
		group.Go(func() {
			for i := range work {
				if err := stored(d, vfs.Path(fmt.Sprint("/", i)), data); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		work <- i
	}
	close(work)
	group.Wait()
	b.StopTimer()
}

func repeat(do func(i int) error) func(b *testing.B) {
	return func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if err := do(i); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func stored(d vfs.Writer, p vfs.Path, data []byte) error {
	s, err := d.Stage(p, vfs.StageOptions{Owner: "somebody"})
	if err != nil {
		return err
	}
	if _, err := s.Write(data); err != nil {
		return err
	}
	return s.Commit(context.Background())
}
