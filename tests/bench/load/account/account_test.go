//go:build linux

package account

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	p, err := parse([]byte("42 (a ) name) S 7 42 40 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 100 1 1\n"))
	if err != nil || p != (process{'S', 7, 40, 2 * time.Second, 500 * time.Millisecond}) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"", "42 (x", "42 (x) S 1 2", "42 (x) S a 42 40 0 -1 4194560 1 2 3 4 150 50 30 20 20 0"} {
		if p, err := parse([]byte(bad)); err == nil {
			t.Errorf("%q is taken: %+v", bad, p)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("42 (a ) name) S 7 42 40 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 1 0 100 1 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := parse(text); err == nil && p.state == 0 {
			t.Errorf("%q is taken: %+v", text, p)
		}
	})
}

func TestBusy(t *testing.T) {
	if d := busy("cpu  100 10 50 9999 888 5 35 0 77 66\ncpu0 1 1 1 1\n"); d != 2*time.Second {
		t.Errorf("%v", d)
	}
	if d := busy("cpu  x"); d != 0 {
		t.Errorf("%v", d)
	}
}

func TestMemoryOf(t *testing.T) {
	m := Memory{Private: 1}
	m.add("5581 [rollup]\nRss:    100 kB\nPss:  50 kB\nPss_Anon:  50 kB\nPrivate_Clean:  10 kB\nPrivate_Dirty:  7 kB\nShared_Clean: 8 kB\nPrivate_Hugetlb: 1 kB\n")
	if m != (Memory{Resident: 100 << 10, Share: 50 << 10, Private: 17<<10 + 1}) {
		t.Errorf("%+v", m)
	}
}

func FuzzMemory(f *testing.F) {
	f.Add("Rss:    100 kB\nPss:  x kB\n")
	f.Fuzz(func(t *testing.T, text string) {
		var m Memory
		m.add(text)
		if kibibytes(text) < 0 {
			t.Errorf("%q is negative", text)
		}
	})
}

// TestTree counts what a shell and its children use, also those that are gone, and
// those that it leaves behind.
func TestTree(t *testing.T) {
	if err := Adopt(); err != nil {
		t.Fatal(err)
	}
	started := filepath.Join(t.TempDir(), "started")
	const work = `i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `(`+work+`); ((`+work+`) & ) ; `+work+`; : >"$0"; read x`, started)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := cmd.Wait(); err == nil {
			t.Log("it has read a line") // it has not: read fails
		}
	}()
	tree := Tree{PID: cmd.Process.Pid, Others: func(pid int) bool { return pid == cmd.Process.Pid }}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		_, err := os.Stat(started)
		if err == nil && tree.Processes() == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it has not worked within 30 s; processes: %d", tree.Processes())
		}
		tree.CPU() // waits for the orphan
	}
	own, err := clock(tree.PID)
	if err != nil {
		t.Fatal(err)
	}
	// Three times the same work, of which the shell itself has done one.
	if all := tree.CPU(); all < 2*own {
		t.Errorf("all have used %v, the shell alone %v", all, own)
	}
	if again, first := tree.CPU(), tree.CPU(); again < own || first < again {
		t.Errorf("%v, then %v: time goes back", again, first)
	}
	if m := tree.Memory(); m.Processes != 1 || m.Private <= 0 || m.Resident < m.Share || m.Free <= 0 || Peak(tree.PID) <= 0 {
		t.Errorf("%+v, peak %d", m, Peak(tree.PID))
	}
	if tree.Written(t.TempDir()) != "" {
		t.Error("it has written nothing")
	}
	if Self() <= 0 || Machine() < own {
		t.Errorf("this process %v, the machine %v", Self(), Machine())
	}
}
