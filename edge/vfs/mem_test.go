package vfs_test

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/vfs/vfstest"
)

func TestMem(t *testing.T) {
	vfstest.TestFS(t, func(*testing.T) vfs.FS { return vfs.NewMem() })
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
