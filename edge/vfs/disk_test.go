package vfs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/vfs/vfstest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		childMain()
		return
	}
	goleak.VerifyTestMain(m)
}

// linkedDisk lets tests make symbolic links behind the Disk's back.
type linkedDisk struct {
	*vfs.Disk
	host string
}

func (d linkedDisk) WriteLink(target string, p vfs.Path) error {
	return os.Symlink(target, d.at(p))
}

// at returns the host's path of p.
func (d linkedDisk) at(p vfs.Path) string { return filepath.Join(d.host, p.Rel()) }

// newDisk opens a Disk on a new directory.
func newDisk(t *testing.T, adjust func(*vfs.DiskConfig)) linkedDisk {
	t.Helper()
	top := t.TempDir()
	cfg := vfs.DiskConfig{Root: filepath.Join(top, "root"), State: filepath.Join(top, "state")}
	if err := os.Mkdir(cfg.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	if adjust != nil {
		adjust(&cfg)
	}
	return reopen(t, cfg)
}

// reopen opens a Disk until the test ends.
func reopen(t *testing.T, cfg vfs.DiskConfig) linkedDisk {
	t.Helper()
	d, err := vfs.OpenDisk(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return linkedDisk{d, cfg.Root}
}

func TestDisk(t *testing.T) {
	for name, adjust := range map[string]func(*vfs.DiskConfig){
		"full": nil,
		"file": func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityFile },
		"none": func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone },
	} {
		t.Run(name, func(t *testing.T) {
			vfstest.TestFS(t, func(t *testing.T) vfs.FS { return tidy(t, newDisk(t, adjust)) })
		})
	}
	t.Run("view", func(t *testing.T) {
		vfstest.TestFS(t, func(t *testing.T) vfs.FS {
			_, below := home(t, nil)
			return tidy(t, below)
		})
	})
	t.Run("root", func(t *testing.T) {
		vfstest.TestFS(t, func(t *testing.T) vfs.FS {
			d := tidy(t, newDisk(t, func(c *vfs.DiskConfig) { c.Durability = vfs.DurabilityNone }))
			d.ByRoot()
			return d
		})
	})
	t.Run("names", func(t *testing.T) {
		vfstest.TestFS(t, func(t *testing.T) vfs.FS {
			d := tidy(t, newDisk(t, nil))
			d.StageUnderNames()
			return d
		})
	})
}

// tidy checks at the end of a test that nothing is left on the disk but what can
// be seen and what is kept for somebody.
func tidy(t *testing.T, d linkedDisk) linkedDisk {
	t.Helper()
	t.Cleanup(func() {
		d.Settled()
		_, live := d.JournalLength()
		if hidden := hiddenFiles(t, d.host); len(hidden) != live {
			t.Errorf("hidden files %q, but %d records in the journal", hidden, live)
		}
	})
	return d
}

// hiddenFiles finds hidden files below a directory of the host.
func hiddenFiles(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && vfs.IsHidden(entry.Name()) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
