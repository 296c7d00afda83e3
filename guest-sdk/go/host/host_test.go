package host

import (
	"errors"
	"io/fs"
	"testing"
)

// TestNatively holds that there is nobody to ask without a host.
func TestNatively(t *testing.T) {
	var s Services
	_, stat := s.Stat(t.Context(), "/a")
	_, verify := s.Verify(t.Context(), "x")
	_, digest := s.Digest(t.Context(), "MD5")
	for _, err := range []error{stat, verify, digest} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v", err)
		}
	}
}
