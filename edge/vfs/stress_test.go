package vfs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Many sessions do everything at once to a few names. Nobody gets an error that
// does not fit, and in the end nothing is left but what can be seen.
func TestStress(t *testing.T) {
	for name, open := range map[string]func() vfs.FS{
		"disk": func() vfs.FS { return tidy(t, newDisk(t, nil)) },
		"none": func() vfs.FS {
			return tidy(t, newDisk(t, func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone }))
		},
		"names": func() vfs.FS { d := tidy(t, newDisk(t, nil)); d.StageUnderNames(); return d },
		"view":  func() vfs.FS { _, below := home(t, nil); return below },
		"mem":   func() vfs.FS { return vfs.NewMem() },
	} {
		t.Run(name, func(t *testing.T) {
			d := open()
			var group sync.WaitGroup
			for worker := range 8 {
				random := rand.New(rand.NewPCG(uint64(worker), 1))
				group.Go(func() {
					for range 150 {
						if err := stress(d, random); !fits(err) {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
		})
	}
}

// fits reports whether err may come of doing things at the same time.
func fits(err error) bool {
	if err == nil {
		return true
	}
	for _, may := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrInvalid, vfs.ErrBusy, vfs.ErrNotEmpty, vfs.ErrOffset,
		vfs.ErrIsDirectory, vfs.ErrNotDirectory} {
		if errors.Is(err, may) {
			return true
		}
	}
	return false
}

// stress does one thing.
func stress(d vfs.FS, random *rand.Rand) error {
	dirs := []vfs.Path{"/a", "/b", "/a/c"}
	dir := dirs[random.IntN(len(dirs))]
	p := dir.Join(string(rune('x' + random.IntN(3))))
	other := dirs[random.IntN(len(dirs))].Join(string(rune('x' + random.IntN(3))))
	w, parts := d.(vfs.Writer), d.(vfs.Partials)
	owner := fmt.Sprintf("user%d", random.IntN(2))
	switch random.IntN(12) {
	case 0:
		return w.Mkdir(dir)
	case 1:
		return w.Rmdir(dir)
	case 2:
		return w.Remove(p)
	case 3:
		return w.Rename(p, other)
	case 4:
		return w.Rename(dir, dirs[random.IntN(len(dirs))])
	case 5:
		_, err := parts.Partials(owner, dir)
		return err
	case 6:
		return parts.DropPartial(owner, p)
	case 7:
		return checkListing(d, dir)
	}
	opts := []vfs.StageOptions{{}, {Append: true}, {Offset: int64(random.IntN(30))}, {Unique: true}}
	opt := opts[random.IntN(len(opts))]
	opt.Owner = owner
	s, err := w.Stage(p, opt)
	if err != nil {
		return err
	}
	if _, err := s.Write([]byte("ten bytes.")); err != nil {
		return err
	}
	if random.IntN(2) == 0 {
		return s.Discard(random.IntN(4) > 0)
	}
	return s.Commit(context.Background())
}

// checkListing lists a directory and looks for what must not be there.
func checkListing(d vfs.FS, p vfs.Path) error {
	dir, err := d.ReadDir(p)
	if err != nil {
		return err
	}
	defer dir.Close()
	infos, err := dir.Next(100)
	for _, info := range infos {
		if strings.HasPrefix(info.Name, ".") {
			return syscall.EBADMSG
		}
	}
	if len(infos) > 0 || err.Error() == "EOF" {
		return nil
	}
	return err
}

// BenchmarkCommit makes small files durable, alone and many at a time.
func BenchmarkCommit(b *testing.B) {
	for _, sessions := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			d, err := vfs.OpenDisk(vfs.DiskConfig{Root: b.TempDir(), State: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			work := make(chan int)
			var group sync.WaitGroup
			for range sessions {
				group.Go(func() {
					for i := range work {
						s, err := d.Stage(vfs.Path(fmt.Sprint("/", i)), vfs.StageOptions{})
						if err == nil {
							_, err = s.Write([]byte("small"))
						}
						if err == nil {
							err = s.Commit(context.Background())
						}
						if err != nil {
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
		})
	}
}
