package vfs_test

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/vfs/vfstest"
)

func TestMem(t *testing.T) {
	vfstest.TestFS(t, func(*testing.T) vfs.FS { return vfs.NewMem() })
	t.Run("view", func(t *testing.T) {
		vfstest.TestFS(t, func(t *testing.T) vfs.FS {
			m := vfs.NewMem()
			if err := m.WriteFile("/homes/ann/f", nil); err != nil {
				t.Fatal(err)
			}
			if err := m.Remove("/homes/ann/f"); err != nil {
				t.Fatal(err)
			}
			view, err := m.Sub("/homes/ann")
			if err != nil {
				t.Fatal(err)
			}
			return view
		})
	})
}

func TestMemSpace(t *testing.T) {
	m := vfs.NewMem()
	before, err := m.Space("/")
	if err != nil || before < 1<<30 {
		t.Errorf("%d, %v", before, err)
	}
	m.SetSpace(12345)
	if free, err := m.Space("/"); free != 12345 || err != nil {
		t.Errorf("%d, %v", free, err)
	}
}

func TestMemWriteFile(t *testing.T) {
	m := vfs.NewMem()
	if err := m.WriteFile("/a/b/c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if info, err := m.Stat("/a/b/c"); err != nil || info.Size != 1 || info.Mode != 0o644 {
		t.Errorf("%+v, %v", info, err)
	}
	if err := m.WriteFile("/a/b", nil); err == nil {
		t.Error("a directory was overwritten")
	}
	if err := m.WriteFile("/", nil); err == nil {
		t.Error("the root was overwritten")
	}
}
