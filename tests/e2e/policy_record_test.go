package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A policy is recorded while it is asked, and another module is asked the same: what
// differs is told, and no name and no password is in the file. What crashed it is kept.
func TestPolicyRecordAndReplay(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start(t, "--policy", "guard="+testModule(t, "moody"))
	ok(t, os.Mkdir(s.in("a"), 0o755))
	file := p.out("traffic.rec")
	rec := exec.Command(os.Getenv(binaryVar), "policy", "record", "guard", file, "--for", "5m", "--keep", "/a/deny,/a/trap", "--state-dir", s.state)
	rec.Env = environment(p.env...)
	var said strings.Builder
	rec.Stdout, rec.Stderr = &said, &said
	ok(t, rec.Start())
	t.Cleanup(func() {
		_ = rec.Process.Kill() // it has ended
		_ = rec.Wait()
	})
	s.expect(t, "policy recording begins")
	c := s.login(t)
	c.put(t, "STOR a/secretname-fine", strings.NewReader("x"))
	c.refused(t, "STOR a/deny", 553)
	c.refused(t, "STOR a/trap", 451)
	again := s.admin(t, "policy", "record", "guard", p.out("other.rec"))
	if again.code != 1 || !strings.Contains(again.stderr, "recorded already") {
		t.Errorf("a second recording: %d, %s", again.code, again.both())
	}
	ok(t, rec.Process.Signal(os.Interrupt))
	if err := rec.Wait(); err != nil || !strings.Contains(said.String(), "exchanges") {
		t.Fatalf("%v: %s", err, said.String())
	}
	s.expect(t, "policy recording ended")
	b := must(os.ReadFile(file))(t)
	for _, secret := range []string{s.password, "secretname"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%q is in the recording", secret)
		}
	}
	if info := must(os.Stat(file))(t); info.Mode().Perm() != 0o600 {
		t.Errorf("the recording has mode %v", info.Mode())
	}
	same := s.admin(t, "policy", "replay", file, "--against", testModule(t, "moody"), "--fail")
	if same.code != 0 || !strings.Contains(same.stdout, " 0 differ") {
		t.Errorf("against itself: %d\n%s", same.code, same.both())
	}
	other := s.admin(t, "policy", "replay", file, "--against", testModule(t, "deny"), "--fail")
	if other.code != 1 || !strings.Contains(other.stdout, "/a/*") || !strings.Contains(other.stdout, "failed: trap -> deny") {
		t.Errorf("against another: %d\n%s", other.code, other.both())
	}
	s.crashed(t)
}

// crashed looks at what is kept of the crash.
func (s *server) crashed(t *testing.T) {
	t.Helper()
	s.expect(t, "policy crashed", "bundle")
	r := edgeftp(t, "policy", "crashes", "guard", "--state-dir", s.state)
	if r.code != 0 || !strings.Contains(r.stdout, "write /a/trap") || !strings.Contains(r.stdout, "guard@g1") || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("%d\n%s", r.code, r.both())
	}
	files := must(filepath.Glob(filepath.Join(s.state, "crashes", "*.rec")))(t)
	if len(files) != 1 {
		t.Fatal(files)
	}
	if b := must(os.ReadFile(files[0]))(t); strings.Contains(string(b), s.password) {
		t.Error("the password is in it")
	}
	again := edgeftp(t, "policy", "run", testModule(t, "moody"), "--bundle", files[0])
	if again.code != 1 || !strings.Contains(again.both(), "wasm error: unreachable") || !strings.Contains(again.both(), "/a/trap") {
		t.Errorf("the crash is not reproduced: %d\n%s", again.code, again.both())
	}
}
