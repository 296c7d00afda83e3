package fs

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func TestHasExtension(t *testing.T) {
	for name, want := range map[string]bool{"/a.exe": true, "/A.EXE": true, "/a.exe. ": true, "/a.iso": true, "/exe": false, "/a.exe/b": false,
		"/a.exe.txt": false, "/a.": false, "": false, "/.exe": true} {
		if got := HasExtension(&policy.Action{Path: name}, ".exe", "ISO", ""); got != want {
			t.Errorf("%q: %v", name, got)
		}
		if got := HasExtension(&policy.Action{Path: "/a", Path2: name}, ".exe", "ISO", ""); got != want {
			t.Errorf("second %q: %v", name, got)
		}
	}
}
