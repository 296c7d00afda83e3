package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain runs the tests, or writes records until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EDGEFTP_TEST_AUDIT"); dir != "" {
		l, err := Open(filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "audit.head"), Options{MaxSize: 4 << 10})
		for err == nil {
			err = l.Append(Record{Action: "PUT /v1/bandwidth", Result: OK})
			fmt.Println(l.Head().Seq)
		}
		fmt.Println(err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

type place struct{ log, head string }

func newPlace(t *testing.T) place {
	dir := t.TempDir()
	return place{filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "audit.head")}
}

func (p place) open(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(p.log, p.head, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func (p place) verify(t *testing.T) Report {
	t.Helper()
	head, err := ReadHead(p.head)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files(p.log)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(files, head)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (p place) whole(t *testing.T, records uint64) {
	t.Helper()
	if r := p.verify(t); len(r.Faults) > 0 || r.Records != records {
		t.Fatalf("%d records of %d, faults %v", r.Records, records, r.Faults)
	}
}

func fill(t *testing.T, l *Log, n int) {
	t.Helper()
	for i := range n {
		if err := l.Append(Record{Actor: Actor{Via: "socket", Name: "o\u202eps\x1b[2J<&>\u2028", PID: i}, Action: "DELETE /v1/bans", Object: "198.51.100.0/24", Reason: "a \"test\"", Result: OK}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChain(t *testing.T) {
	p := newPlace(t)
	l := p.open(t, Options{})
	fill(t, l, 3)
	_ = l.Close()
	if err := l.Append(Record{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	fill(t, p.open(t, Options{}), 2)
	p.whole(t, 6)
	text, _ := os.ReadFile(p.log)
	if bytes.ContainsAny(text, "\x1b\u202e\u2028") {
		t.Errorf("a terminal is steered: %q", text)
	}
	if info, _ := os.Stat(p.log); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// Whatever is changed of a log shows.
func TestTampering(t *testing.T) {
	for name, change := range map[string]func([]string) []string{
		"a word":           func(l []string) []string { l[2] = strings.Replace(l[2], "198.51", "192.51", 1); return l },
		"taken out":        func(l []string) []string { return append(l[:2:2], l[3:]...) },
		"twice":            func(l []string) []string { return append(l[:3:3], l[2:]...) },
		"other order":      func(l []string) []string { l[2], l[3] = l[3], l[2]; return l },
		"end cut off":      func(l []string) []string { return l[:len(l)-1] },
		"beginning":        func(l []string) []string { l[0] = strings.Replace(l[0], `"prev":""`, `"prev":"00"`, 1); return l },
		"a space":          func(l []string) []string { l[1] = strings.Replace(l[1], ":", ": ", 1); return l },
		"a second key":     func(l []string) []string { l[1] = strings.Replace(l[1], "{", `{"action":"x",`, 1); return l },
		"half of the last": func(l []string) []string { l[4] = l[4][:20]; return l },
		"all":              func([]string) []string { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			l := p.open(t, Options{})
			fill(t, l, 4)
			_ = l.Close()
			text, _ := os.ReadFile(p.log)
			lines := change(strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n"))
			if err := os.WriteFile(p.log, []byte(strings.Join(lines, "")), 0o600); err != nil {
				t.Fatal(err)
			}
			if r := p.verify(t); len(r.Faults) == 0 {
				t.Fatal("nobody sees it")
			}
			fill(t, p.open(t, Options{}), 1) // a server that starts upon it does not hide it
			if r := p.verify(t); len(r.Faults) == 0 {
				t.Fatal("it is hidden by the next start")
			}
		})
	}
}

// Without a head it cannot be seen whether the end is there, which is told.
func TestHeadGone(t *testing.T) {
	p := newPlace(t)
	l := p.open(t, Options{})
	fill(t, l, 1)
	_ = l.Close()
	_ = os.Remove(p.head)
	fill(t, p.open(t, Options{}), 1)
	if r := p.verify(t); len(r.Faults) != 1 || !strings.Contains(r.Faults[0].Text, "head was missing") {
		t.Fatalf("%+v", r)
	}
	if err := os.WriteFile(p.head, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(p.log, p.head, Options{}); err == nil || !strings.Contains(err.Error(), "= help: ") {
		t.Fatalf("a broken head: %v", err)
	}
}

// A line that a crash has torn is taken out, and told with what it was.
func TestTorn(t *testing.T) {
	for _, torn := range []string{"{\"seq\":", "x", strings.Repeat("y", 5000)} {
		p := newPlace(t)
		l := p.open(t, Options{})
		fill(t, l, 2)
		_ = l.Close()
		f, _ := os.OpenFile(p.log, os.O_APPEND|os.O_WRONLY, 0)
		_, _ = f.WriteString(torn)
		_ = f.Close()
		fill(t, p.open(t, Options{}), 1)
		p.whole(t, 5)
		if r := p.verify(t); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], ActionMended) {
			t.Errorf("%v", r.Notes)
		}
	}
}

// A new file goes on where the old one ends, whoever moved that away.
func TestNewFiles(t *testing.T) {
	p := newPlace(t)
	l := p.open(t, Options{MaxSize: 1500})
	fill(t, l, 20)
	p.whole(t, 21)
	files, _ := Files(p.log)
	if len(files) < 3 {
		t.Fatalf("%v", files)
	}
	if err := os.Rename(p.log, strings.TrimSuffix(p.log, ".jsonl")+"-00000000000000009999.jsonl"); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 1)
	p.whole(t, 22)
	_ = os.Remove(files[0]) // the oldest may be put elsewhere
	if r := p.verify(t); len(r.Faults) > 0 || r.First < 2 {
		t.Fatalf("%+v", r)
	}
	_ = os.Remove(files[2])
	if r := p.verify(t); len(r.Faults) == 0 {
		t.Fatal("a file in between is missing, and nobody sees it")
	}
}

// What is refused cannot fill the disk, and what was not written is told.
func TestFlood(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPlace(t)
	l := p.open(t, Options{Now: func() time.Time { return now }})
	for range 5000 {
		l.Refuse(Record{Action: "POST /v1/drain"})
	}
	p.whole(t, floodAtOnce+1)
	now = now.Add(time.Second)
	l.Refuse(Record{Action: "POST /v1/drain"})
	p.whole(t, floodAtOnce+3)
	if r := p.verify(t); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "4900 refused") {
		t.Fatalf("%v", r.Notes)
	}
}

// A record that cannot be written is told of later.
func TestLost(t *testing.T) {
	p := newPlace(t)
	l := p.open(t, Options{})
	if err := os.MkdirAll(p.head+".new/x", 0o700); err != nil { // as a full disk: the head cannot be kept
		t.Fatal(err)
	}
	if err := l.Append(Record{Action: "x"}); err == nil {
		t.Fatal("nothing is wrong")
	}
	if l.Ready() == nil {
		t.Fatal("it is ready")
	}
	_ = os.RemoveAll(p.head + ".new")
	if err := l.Ready(); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 1)
	p.whole(t, 3)
	if r := p.verify(t); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "1 records could not be written") {
		t.Fatalf("%v", r.Notes)
	}
}

func TestMany(t *testing.T) {
	p := newPlace(t)
	l := p.open(t, Options{MaxSize: 4 << 10})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				_ = l.Append(Record{Action: "x", Result: OK})
			}
		})
	}
	all.Wait()
	p.whole(t, 41)
}

// A server that is killed while it writes leaves a log that goes on: what was told to be
// written is there.
func TestKilled(t *testing.T) {
	p := newPlace(t)
	rounds := 3
	if os.Getenv("EDGEFTP_FULL") == "1" {
		rounds = 60
	}
	for round := range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "EDGEFTP_TEST_AUDIT="+filepath.Dir(p.log))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var last, n uint64
		for range 5 + 7*round%30 {
			if _, err := fmt.Fscanln(out, &n); err != nil {
				t.Fatal(err)
			}
			last = n
		}
		_ = cmd.Process.Kill()
		for { // what it had said before it was gone
			if _, err := fmt.Fscanln(out, &n); err != nil {
				break
			}
			last = n
		}
		_ = cmd.Wait()
		l := p.open(t, Options{MaxSize: 4 << 10})
		if l.Head().Seq < last {
			t.Fatalf("record %d was written, and the log has %d", last, l.Head().Seq)
		}
		_ = l.Close()
		if r := p.verify(t); len(r.Faults) > 0 {
			t.Fatalf("%v", r.Faults)
		}
	}
}

// Whatever a log holds, it is read without harm, and one that is found to be in order is
// what a server writes.
func FuzzVerify(f *testing.F) {
	dir := f.TempDir()
	l, err := Open(filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "head"), Options{})
	if err != nil {
		f.Fatal(err)
	}
	_ = l.Append(Record{Actor: Actor{Via: "tcp", Address: "[::1]:1"}, Action: "x", Text: "\x00\u2028<"})
	_ = l.Close()
	text, _ := os.ReadFile(filepath.Join(dir, "a.jsonl"))
	f.Add(text)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"hash":1,"seq":-1}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v := &verifier{}
		if err := v.read("x", bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if len(v.report.Faults) == 0 && uint64(bytes.Count(text, []byte("\n"))) != v.report.Records {
			t.Fatalf("%d records", v.report.Records)
		}
		for line := range bytes.Lines(text) {
			if r, err := Read(line); err == nil && bytes.ContainsFunc(line[:len(line)-1], func(c rune) bool { return c < ' ' || c == '\u202e' }) {
				t.Fatalf("%+v steers a terminal", r)
			}
		}
		p := newPlace(t)
		if len(text)%16 == 0 && os.WriteFile(p.log, text, 0o600) == nil { // each costs what the disk takes
			if l, err := Open(p.log, p.head, Options{}); err == nil {
				_ = l.Append(Record{Action: "y"})
				_ = l.Close()
			}
		}
	})
}
