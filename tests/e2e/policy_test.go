package e2e

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// testModule is a module of the policy host's tests.
func testModule(t *testing.T, name string) string {
	t.Helper()
	return must(filepath.Abs(filepath.Join("..", "..", "wasmhost", "testdata", name+".wasm")))(t)
}

// example is a folder or file of examples/wasm.
func example(t *testing.T, elem ...string) string {
	t.Helper()
	return must(filepath.Abs(filepath.Join(append([]string{"..", "..", "examples", "wasm"}, elem...)...)))(t)
}

const words = "executables are not accepted here"

// The example policy, which the server builds from its source.
func TestUploadGuard(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	before := must(filepath.Glob(example(t, "upload-guard", "go", "*")))(t)
	s := p.start(t, "--policy", example(t, "upload-guard", "go"))
	ok(t, os.Mkdir(s.in("in"), 0o755))
	c := s.login(t)
	for _, line := range []string{"STOR in/tool.exe", "STOR in/TOOL.EXE", "APPE in/tool.scr", "STOU in/a.bat"} {
		if r := c.refused(t, line, 550); !strings.Contains(r.String(), words) {
			t.Errorf("%s was answered %q without the module's words", line, r)
		}
	}
	c.put(t, "STOR in/tool.txt", strings.NewReader("a tool"))
	c.want(t, "RNFR in/tool.txt", 350)
	if r := c.want(t, "RNTO in/tool.exe", 550); !strings.Contains(r.String(), words) {
		t.Errorf("RNTO was answered %q without the module's words", r)
	}
	s.holds(t, "in", filepath.Join("in", "tool.txt"))
	refusal := c.refused(t, "STOR in/b.exe", 550).Text()
	_, ref, found := strings.Cut(strings.TrimRight(refusal, ")."), "(ref ")
	if !found {
		t.Fatalf("%q has no reference", refusal)
	}
	s.expect(t, `"/in/b.exe"`, `"upload-guard"`, ref)
	s.expect(t, "stored /in/tool.txt, 6 bytes, from "+s.user)
	if m := s.module(t, "upload-guard"); m.Generation != 1 || m.Kind != "module" || m.Denied != 6 || m.Failed != 0 {
		t.Errorf("status: %+v", m)
	}
	if after := must(filepath.Glob(example(t, "upload-guard", "go", "*")))(t); !slices.Equal(after, before) {
		t.Errorf("building has left %q where there was %q", after, before)
	}
	s.stop(t)
	p.start(t, "--policy", "guard="+example(t, "upload-guard", "go")).module(t, "guard")
}

// What curl shows its user.
func TestUploadGuardByCurl(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s := start(t, "--policy", example(t, "upload-guard", "go"))
	file := filepath.Join(t.TempDir(), "a.exe")
	noiseFile(t, file, 1000)
	r := s.curl(t, "-v", "-T", file, s.url("/")).run(t)
	if r.code != 25 || !strings.Contains(r.stderr, "< 550 "+words) {
		t.Errorf("upload: exit code %d\n%s", r.code, r.both())
	}
	s.curl(t, "-T", file, s.url("/a.txt")).must(t)
	r = s.curl(t, "-v", "-Q", "RNFR a.txt", "-Q", "RNTO a.exe", s.url("/")).run(t)
	if r.code != 21 || !strings.Contains(r.stderr, "< 550 "+words) {
		t.Errorf("rename: exit code %d\n%s", r.code, r.both())
	}
	s.holds(t, "a.txt")
}

// swapping runs a download and an upload of bulk bytes and does something in the
// middle of both.
func swapping(t *testing.T, s *server, between func()) {
	t.Helper()
	want := noiseFile(t, s.in("down"), bulk())
	down, up := s.login(t), s.login(t)
	from, to := down.begin(t, "RETR down"), up.begin(t, "STOR up")
	got, data := sha256.New(), noise("up", bulk())
	_, err := io.CopyN(got, from, mib)
	ok(t, err)
	up.half(t, to, data, bulk())
	if st := s.status(t); st.Transfers != 2 {
		t.Errorf("%d transfers are running, want 2", st.Transfers)
	}

	between()

	_, err = io.Copy(to, data)
	ok(t, err)
	ok(t, userpi.End(to))
	_, err = up.Expect("the upload", 226)
	ok(t, err)
	_, err = io.Copy(got, from)
	ok(t, err)
	from.Close()
	_, err = down.Expect("the download", 226)
	ok(t, err)
	if digest(got.Sum(nil)) != want {
		t.Error("the download is not what the file holds")
	}
	sameSum(t, "upload", s.in("up"), sum(t, noise("up", bulk())))
}

// A module is replaced and brought back while transfers run.
func TestSwap(t *testing.T) {
	t.Parallel()
	s := start(t, "--policy", "guard="+example(t, "upload-guard", "go"))
	readonly := example(t, "readonly", "wat", "readonly.wasm")
	c := s.login(t)
	c.put(t, "STOR before", strings.NewReader("x"))
	first := s.module(t, "guard")
	swapping(t, s, func() {
		if r := s.admin(t, "policy", "swap", "guard", readonly); r.code != 0 {
			t.Fatalf("swap: exit code %d\n%s", r.code, r.both())
		}
		c.refused(t, "STOR after", 550)
		if st := s.status(t); st.OldGenerations != 1 || st.OldInstances == 0 {
			t.Errorf("two transfers hold the old generation, but the status is %+v", st)
		}
	})
	until(t, "the old generation is closed", func() bool {
		st := s.status(t)
		return st.OldGenerations == 0 && st.OldInstances == 0
	})
	second := s.module(t, "guard")
	if second.Generation != 2 || second.Digest == first.Digest || !second.CanRoll {
		t.Errorf("after the swap: %+v, before: %+v", second, first)
	}
	if r := s.admin(t, "policy", "rollback", "guard"); r.code != 0 {
		t.Fatalf("rollback: exit code %d\n%s", r.code, r.both())
	}
	if third := s.module(t, "guard"); third.Generation != 3 || third.Digest != first.Digest {
		t.Errorf("after the rollback: %+v, before the swap: %+v", third, first)
	}
	c.put(t, "STOR after", strings.NewReader("x"))
	c.refused(t, "STOR after.exe", 550)
	for _, args := range [][]string{{"policy", "list"}, {"status"}} {
		if r := s.admin(t, args...); r.code != 0 || !strings.Contains(r.stdout, "guard") || !strings.Contains(r.stdout, first.Digest[:19]) {
			t.Errorf("%q: exit code %d\n%s", args, r.code, r.both())
		}
	}
	s.holds(t, "before", "after", "down", "up")
	s.stop(t)
}

// Ten swaps in a row, each during transfers of the one before, leave nothing.
func TestSwapAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := start(t, "--policy", "guard="+testModule(t, "pass"))
	swapping(t, s, func() {
		for _, name := range []string{"deny", "pass", "deny", "pass", "moody", "pass", "deny", "pass", "deny", "pass"} {
			if r := s.admin(t, "policy", "swap", "guard", testModule(t, name)); r.code != 0 {
				t.Fatalf("swap: exit code %d\n%s", r.code, r.both())
			}
		}
		s.login(t).put(t, "STOR now", strings.NewReader("x"))
	})
	until(t, "the old generations are closed", func() bool {
		st := s.status(t)
		return st.OldGenerations == 0 && st.OldInstances == 0
	})
	s.stop(t)
}

// A module that cannot be loaded changes nothing.
func TestSwapRefused(t *testing.T) {
	t.Parallel()
	s := start(t, "--policy", "guard="+testModule(t, "deny"))
	dir := t.TempDir()
	textFile(t, filepath.Join(dir, "garbage.wasm"), "this is no module")
	textFile(t, filepath.Join(dir, "empty.wasm"), "")
	textFile(t, filepath.Join(dir, "broken", "main.go"), "package main\n\nfunc main() { nonsense }\n")
	textFile(t, filepath.Join(dir, "broken", "go.mod"), "module broken\n\ngo 1.26\n")
	textFile(t, filepath.Join(dir, "text", "readme.txt"), "no Go here")
	before := s.module(t, "guard")
	for name, path := range map[string]string{
		"garbage": filepath.Join(dir, "garbage.wasm"), "empty": filepath.Join(dir, "empty.wasm"), "missing": filepath.Join(dir, "missing.wasm"),
		"a folder that does not compile": filepath.Join(dir, "broken"), "a folder without Go": filepath.Join(dir, "text"),
		"another ABI": testModule(t, "abi-v2"), "no ABI": testModule(t, "no-abi"), "a start that traps": testModule(t, "init-trap"),
		"a start that loops": testModule(t, "init-loop"), "a forbidden import": testModule(t, "import-sock"),
	} {
		r := s.admin(t, "policy", "swap", "guard", path)
		if r.code != 1 || oneMessage(r.stderr) == "" {
			t.Errorf("%s: exit code %d, want 1 and one message\n%s", name, r.code, r.both())
		}
		t.Logf("%s: %s", name, strings.TrimSpace(r.stderr))
		if strings.Contains(r.both(), "panic") || strings.Contains(r.both(), "goroutine ") {
			t.Errorf("%s: %s", name, r.both())
		}
	}
	for _, args := range [][]string{{"swap", "nobody", testModule(t, "pass")}, {"rollback", "guard"}, {"rollback", "nobody"}} {
		if r := s.admin(t, append([]string{"policy"}, args...)...); r.code != 1 || oneMessage(r.stderr) == "" {
			t.Errorf("policy %q: exit code %d, want 1 and one message\n%s", args, r.code, r.both())
		}
	}
	if after := s.module(t, "guard"); after.Generation != before.Generation || after.Digest != before.Digest {
		t.Errorf("it was %+v and is %+v", before, after)
	}
	s.login(t).refused(t, "STOR x", 550)
	s.stop(t)
}

// A module that loops, traps or answers garbage costs its caller one reply, and
// nobody else anything.
func TestMoody(t *testing.T) {
	t.Parallel()
	s := start(t, "--policy", testModule(t, "moody"))
	textFile(t, s.in("fine"), "fine")
	moody, calm := s.login(t), s.login(t)
	for _, mood := range []string{"loop", "trap", "deep", "junk", "long", "huge", "keys", "utf8"} {
		t.Run(mood, func(t *testing.T) {
			ok(t, moody.Send("MKD a."+mood))
			if got := string(calm.get(t, "RETR fine")); got != "fine" {
				t.Errorf("meanwhile another session got %q", got)
			}
			if r := must(moody.Reply())(t); !r.Is(450, 451, 550) {
				t.Errorf("MKD a.%s was answered %q", mood, r)
			}
		})
	}
	ok(t, moody.Send("MKD b.loop"))
	calm.put(t, "STOR also", strings.NewReader("fine"))
	if r := must(moody.Reply())(t); !r.Is(451, 550) {
		t.Errorf("MKD b.loop was answered %q", r)
	}
	moody.put(t, "STOR again", strings.NewReader("x"))
	s.holds(t, "fine", "also", "again")
	if m := s.module(t, "moody"); m.Failed == 0 {
		t.Errorf("status: %+v", m)
	}
	s.expect(t, `"policy_failed"`, "/b.loop")
	s.stop(t)
}
