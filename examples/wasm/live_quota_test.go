package wasm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

func liveQuota(t *testing.T, dir string) {
	s := live.Start(t, live.Options{Users: []live.Account{{Name: "bob"}, {Name: "crowd"}}, Modules: []live.Module{{Name: "storage", Dir: dir,
		Grants: "kv: true", Settings: "{ bytes: 100, users: [{ user: bob, bytes: 1000 }, { user: crowd, files: 3 }] }"}}})
	full := func(r live.Result) {
		t.Helper()
		r.Want(t, r.Code, "< 552") // by the policy, or by the server where it named a size
		if r.Code == live.OK {
			t.Errorf("it went through\n%s", r.Both())
		}
	}
	s.Put(t, "/a.bin", strings.Repeat("a", 60)).Want(t, live.OK)
	full(s.Put(t, "/b.bin", strings.Repeat("b", 60)))
	if _, err := os.Stat(s.In("b.bin")); !os.IsNotExist(err) {
		t.Errorf("what is too much is there: %v", err)
	}
	s.Put(t, "/a.bin", strings.Repeat("a", 90)).Want(t, live.OK) // in place of the other
	s.As("bob").Put(t, "/c.bin", strings.Repeat("c", 500)).Want(t, live.OK)
	s.Restart(t)
	full(s.Put(t, "/b.bin", strings.Repeat("b", 20))) // and it is remembered

	// What is deleted is given back, when the event has come there.
	s.Do(t, "DELE a.bin").Want(t, live.OK)
	for end := time.Now().Add(time.Minute); ; {
		r := s.Put(t, "/b.bin", strings.Repeat("b", 60))
		if r.Code == live.OK {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it is not given back\n%s", r.Both())
		}
	}

	// Of eight uploads at one time three get in.
	tree := t.TempDir()
	for i := range 8 {
		if err := os.WriteFile(filepath.Join(tree, fmt.Sprintf("f%d", i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.As("crowd").LFTP(t, "mkdir many; mirror -R --parallel=8 "+tree+" /many"); r.Code == 0 {
		t.Errorf("lftp is content\n%s", r.Both())
	}
	if there, err := filepath.Glob(s.In("many", "f*")); err != nil || len(there) != 3 {
		t.Errorf("%q, %v", there, err)
	}
	s.Stop(t)
}
