//go:build unix

package quickstart

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/identity"
)

// A directory that the server's user cannot get to is told, also where it is one further
// up; and so is a user's directory that is somebody else's.
func TestEntrances(t *testing.T) {
	top := t.TempDir() // which the testing package makes for everybody
	closed := filepath.Join(top, "closed")
	p := plan(t)
	p.Dir, p.Root, p.StateDir = filepath.Join(closed, "etc"), filepath.Join(top, "files"), filepath.Join(top, "state")
	if err := errors.Join(os.MkdirAll(p.Dir, 0o755), os.Chmod(closed, 0o700), os.MkdirAll(p.home("anna"), 0o755)); err != nil {
		t.Fatal(err)
	}
	stranger := &identity.User{Name: "ftpd", UID: 54321, GID: 54321}
	told := func() (faults, notes string) {
		f := new(Findings)
		p.entrances(f)
		p.homes(f)
		return words(f.Faults), words(f.Notes)
	}
	if faults, notes := told(); faults+notes != "" {
		t.Errorf("of nobody in particular: %s%s", faults, notes)
	}
	p.As = stranger
	faults, notes := told()
	if !strings.Contains(faults, "ftpd (54321:54321) may not enter "+closed+" | chmod o+x ") || strings.Contains(faults, "enter "+p.Dir+" ") {
		t.Error(faults)
	}
	if !strings.Contains(notes, p.home("anna")+" is there, and does not belong to ") {
		t.Error(notes)
	}
	if p.As = (&identity.User{Name: "me", UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}); os.Getuid() != 0 {
		if faults, _ := told(); faults != "" {
			t.Errorf("of the owner: %s", faults)
		}
	}
	p.As = &identity.User{Name: "member", UID: 54321, GID: 54321, Groups: []uint32{uint32(os.Getgid())}}
	if err := os.Chmod(closed, 0o710); err != nil {
		t.Fatal(err)
	}
	if faults, _ := told(); strings.Contains(faults, closed+" ") {
		t.Errorf("of a member of the group: %s", faults)
	}
}
