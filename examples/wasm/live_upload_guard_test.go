package wasm

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

func liveUploadGuard(t *testing.T, dir string) {
	s := live.Start(t, live.Options{Modules: []live.Module{{Name: "guard", Dir: dir,
		Settings: "{ deny_extensions: [exe, iso], message: not in this house }"}}})
	const text = "not in this house"
	s.Put(t, "/tool.txt", "a tool").Want(t, live.OK)
	s.Expect(t, "stored /tool.txt, 6 bytes, from "+live.User)
	s.Put(t, "/tool.exe", "a tool").Want(t, live.NoUpload, "550", text)
	s.Put(t, "/TOOL.Iso", "a tool").Want(t, live.NoUpload, "550", text)
	s.Put(t, "/tool.scr", "not in these settings").Want(t, live.OK)
	s.Do(t, "RNFR tool.txt", "RNTO tool.exe").Want(t, live.Refused, "550", text)
	tree := t.TempDir()
	for _, name := range []string{"a.txt", "b.EXE"} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.LFTP(t, "mirror -R "+tree+" /tree"); r.Code == 0 {
		t.Errorf("lftp has put all of the tree there\n%s", r.Both())
	}
	left, err := filepath.Glob(s.In("*", "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "a.txt" {
		t.Errorf("%q, %v", left, err)
	}
	if _, err := os.Stat(s.In("tool.txt")); err != nil {
		t.Error(err)
	}
	s.Stop(t)
}
