package wasm

import (
	"os"
	"testing"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

func liveReadonly(t *testing.T, dir string) {
	s := live.Start(t, live.Options{Modules: []live.Module{{Name: "readonly", Dir: dir}}})
	const text = "this server is read-only"
	if err := os.WriteFile(s.In("a.txt"), []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := s.Get(t, "/a.txt").Want(t, live.OK); got.Stdout != "kept" {
		t.Errorf("got %q", got.Stdout)
	}
	s.Get(t, "/").Want(t, live.OK, "a.txt")
	s.Put(t, "/a.txt", "new").Want(t, live.NoUpload, "550", text)
	s.Put(t, "/b.txt", "new").Want(t, live.NoUpload, "550", text)
	for _, command := range []string{"DELE a.txt", "MKD d", "RNFR a.txt", "SITE CHMOD 600 a.txt", "MFMT 20200101000000 a.txt"} {
		s.Do(t, command).Want(t, live.Refused, "550", text)
	}
	if got := s.Get(t, "/a.txt").Want(t, live.OK); got.Stdout != "kept" {
		t.Errorf("got %q", got.Stdout)
	}
	s.Stop(t)
}
