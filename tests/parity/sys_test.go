package parity

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// onLinux ends a test that looks at things as Linux has them, elsewhere.
func (s *site) onLinux() {
	s.Helper()
	onLinux(s.T)
}

func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("this is looked at on Linux only")
	}
}

// overwrite fills a file with another byte, in place.
func overwrite(path, b string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt([]byte(strings.Repeat(b, int(info.Size()))), 0)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// easternZone returns a time zone three hours and a half east of Greenwich, and a
// file that is one for TZ.
func easternZone(t *testing.T) (*time.Location, string) {
	t.Helper()
	const offset = 12600
	data := "TZif" + strings.Repeat("\x00", 16) + strings.Repeat("\x00\x00\x00\x00", 4) + "\x00\x00\x00\x01\x00\x00\x00\x04" + // counts
		"\x00\x00\x31\x38\x00\x00XYZ\x00"
	path := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return time.FixedZone("XYZ", offset), path
}
