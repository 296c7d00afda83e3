package control

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/tests/executable"
)

// The kernel says which groups the other process has.
func TestPeerGroups(t *testing.T) {
	s := visited(t)
	p, known := peerOf(s)
	own, err := os.Getgroups()
	if !known || err != nil || p.PID != os.Getpid() || p.UID != os.Geteuid() {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, g := range append(own, os.Getegid()) {
		if !slices.Contains(p.Groups, g) {
			t.Errorf("group %d is not in %v", g, p.Groups)
		}
	}
}

// Another user, whom a group lets in, has the role of one of its further groups. It takes
// root to be another user.
func TestAnotherUser(t *testing.T) {
	if path := os.Getenv("EDGEFTP_TEST_SOCKET"); path != "" { // as that user
		_, err := Client{Path: path}.CancelDrain(t.Context())
		t.Logf("answer: %v", err)
		return
	}
	if os.Geteuid() != 0 {
		return // what others may do is in TestRoles
	}
	dir, err := os.MkdirTemp("/tmp", "edgeftp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	group, operators, path := 54001, 54002, filepath.Join(dir, "s")
	s, err := ListenFor(t.Context(), path, &group)
	if err != nil {
		t.Fatal(err)
	}
	a := newAccess(t)
	a.Group, a.Grants = &group, []Grant{{GID: &operators, Role: Operator}}
	s.Guard(*a)
	done := make(chan error, 1)
	go func() { done <- s.Serve(&everything{}, quiet()) }()
	if err := executable.Copy(filepath.Join(dir, "test"), os.Args[0]); err != nil { // where it lies others may not look
		t.Fatal(err)
	}
	_ = os.Chmod(dir, 0o755)
	for want, groups := range map[string][]uint32{
		"answer: <nil>":              {uint32(group), uint32(operators)},
		"has the role viewer, and D": {uint32(group)},
		"permission denied":          {uint32(operators)},
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "test"), "-test.run=^TestAnotherUser$", "-test.v")
		cmd.Env, cmd.Dir = append(os.Environ(), "EDGEFTP_TEST_SOCKET="+path), dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54001, Gid: 54009, Groups: groups}}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v\n%s", groups, err, out)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
