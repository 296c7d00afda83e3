package workshop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a module of wasmhost's tests, or a folder, with tests.
func open(t *testing.T, path, tests string, change func(*Source)) *Shop {
	t.Helper()
	src := Source{Path: filepath.Join("../../../../wasmhost/testdata", path), Patient: true}
	if tests != "" {
		src.Tests = filepath.Join(t.TempDir(), "tests.json")
		if err := os.WriteFile(src.Tests, []byte(tests), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(&src)
	}
	s, err := Open(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestFolder builds a folder of Go, whose test ends in a panic, and follows a call
// through functions that have names.
func TestFolder(t *testing.T) {
	const tests = `{"tests":[{"name":"panics","hook":"fs","op":"write","path":"/panic","want":{"action":"pass"}}]}`
	s := open(t, "goguest", tests, func(src *Source) { src.Traced = true })
	r, err := s.Test(t.Context(), TestOptions{Units: true})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"unit tests   none\n", "built with go1.", "        got          fail\n        at           main.go:44: panic: assignment to entry in nil map\n" +
		"        trap         the guest left with exit code 2\n"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("no %q in\n%s", says, &out)
		}
	}
	q, err := cases.ParseQuestion([]byte(`{"hook":"fs","op":"write","path":"/text"}`))
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Trace(t.Context(), q, 1)
	if err != nil {
		t.Fatal(err)
	}
	third, err := s.Trace(t.Context(), q, 3)
	if err != nil {
		t.Fatal(err)
	}
	named := func(f Function) bool { return strings.Contains(f.Name, "Authorize") }
	if n := count(first.Functions, named); n == 0 || third.Fuel <= 0 || third.Fuel > first.Fuel {
		t.Errorf("%d functions, fuel %d and then %d", n, first.Fuel, third.Fuel)
	}
	for _, tr := range []*Trace{first, third} {
		var folded strings.Builder
		if err := tr.Folded(&folded); err != nil {
			t.Fatal(err)
		}
		if sum := total(t, folded.String()); sum != tr.Fuel || tr.Tree.Total != tr.Fuel {
			t.Errorf("the stacks have %d, the tree %d, the call %d", sum, tr.Tree.Total, tr.Fuel)
		}
	}
}

func count[T any](list []T, is func(T) bool) (n int) {
	for _, v := range list {
		if is(v) {
			n++
		}
	}
	return n
}

// total adds up what stands at the end of each line.
func total(t *testing.T, lines string) (sum int64) {
	t.Helper()
	for line := range strings.Lines(lines) {
		at := strings.LastIndexByte(line, ' ')
		n := int64(0)
		for _, c := range strings.TrimSpace(line[at+1:]) {
			if c < '0' || c > '9' {
				t.Fatalf("no number in %q", line)
			}
			n = 10*n + int64(c-'0')
		}
		sum += n
	}
	return sum
}

func TestExplain(t *testing.T) {
	const goPanic = `panic: runtime error: index out of range [3] with length 2\n\ngoroutine 1 [running]:\nruntime.goPanicIndex(0x3, 0x2)\n runtime/panic.go:115 +0x3\n` +
		`github.com/edgeftp/edgeftp/guest-sdk/go/fs.export(0xb6)\n github.com/edgeftp/edgeftp/guest-sdk/go/fs/export_wasip1.go:6 +0x2\n` +
		`example.org/guard/words.Cut(...)\n example.org/guard/words/words.go:9\nmain.(*guard).Authorize(0x200040)\n example.org/guard/main.go:41 +0x47`
	const trap = "wasm error: unreachable\nwasm stack trace:\n\t.decide(i32) i64\n\t.edgeftp_fs(i32) i64\n\t.$9()"
	for name, c := range map[string]struct {
		err  error
		want *Failure
		line string
	}{
		"nothing":  {nil, nil, ""},
		"fail":     {&wasmhost.CallError{Cause: wasmhost.CauseFailed, Err: abi.ErrFailed}, nil, ""},
		"no guest": {errors.New("x"), nil, ""},
		"trap": {&wasmhost.CallError{Cause: wasmhost.CauseTrap, Err: errors.New(trap)},
			&Failure{Cause: "trap", Trap: "wasm error: unreachable", Frames: []string{"decide", "edgeftp_fs", "$9"}}, "wasm error: unreachable"},
		"go": {&wasmhost.CallError{Cause: wasmhost.CauseTrap, Stderr: goPanic, Err: errors.New(trap)},
			&Failure{At: "example.org/guard/words/words.go:9", Says: "panic: runtime error: index out of range [3] with length 2", Cause: "trap", Trap: "wasm error: unreachable",
				Frames: []string{"example.org/guard/words.Cut example.org/guard/words/words.go:9", "main.(*guard).Authorize main.go:41"}, Stderr: goPanic},
			"example.org/guard/words/words.go:9: panic: runtime error: index out of range [3] with length 2"},
		"rust": {&wasmhost.CallError{Cause: wasmhost.CauseTrap, Stderr: `panicked at 'no rule', policy.rs:12:5`, Err: errors.New(trap)},
			&Failure{At: "policy.rs:12", Says: "panicked at 'no rule', policy.rs:12:5", Cause: "trap", Trap: "wasm error: unreachable", Frames: []string{"decide", "edgeftp_fs", "$9"},
				Stderr: `panicked at 'no rule', policy.rs:12:5`}, "policy.rs:12: panicked at 'no rule', policy.rs:12:5"},
		"words": {&wasmhost.CallError{Cause: wasmhost.CauseTimeout, Stderr: "waiting", Err: errors.New("stopped after 50ms")},
			&Failure{Says: "waiting", Cause: "timeout", Trap: "stopped after 50ms", Stderr: "waiting"}, "waiting"},
	} {
		got := explain(c.err)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		} else if got != nil && got.line() != c.line {
			t.Errorf("%s: %q, want %q", name, got.line(), c.line)
		}
	}
}

func FuzzExplain(f *testing.F) {
	f.Add(`panic: x\n\nmain.f(0x1)\n a/main.go:3 +0x4`, "wasm error: unreachable\nwasm stack trace:\n\t.f(i32)")
	f.Fuzz(func(t *testing.T, stderr, text string) {
		got := explain(&wasmhost.CallError{Cause: wasmhost.CauseTrap, Stderr: stderr, Err: errors.New(text)})
		if len(got.Frames) > maxFrames || strings.Contains(got.Trap, "\n") {
			t.Errorf("%+v", got)
		}
	})
}

// TestHints gives each hint that no golden text has.
func TestHints(t *testing.T) {
	s := &Shop{Facts: &wasmhost.Facts{}, Set: new(cases.Set)}
	text := "words"
	denied := func(name string) []*wasmhost.Exchange {
		return []*wasmhost.Exchange{{Host: []wasmhost.HostCall{{Import: name, Result: int64(abi.ErrnoDenied)}}}}
	}
	for says, one := range map[string]*wasmhost.Tried{
		"a symlink has two paths": {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "fs", Op: "symlink", Want: cases.Want{Action: "deny"}}, Action: "allow", Err: errors.New("x")}},
		"hide refuses as if":      {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "fs", Op: "read", Want: cases.Want{Action: "hide"}}, Action: "deny", Err: errors.New("x")}},
		"denies without TEXT": {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "fs", Op: "read", Want: cases.Want{Action: "deny", Text: &text}}, Action: "deny", Got: "deny 550",
			Err: errors.New("x")}},
		"breaks section 6": {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "event"}, Cause: &wasmhost.CallError{Cause: wasmhost.CauseBadOutput, Err: errors.New("a path")}}},
		"busy machine":     {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "event"}, Cause: &wasmhost.CallError{Cause: wasmhost.CauseTimeout, Err: errors.New("x")}}},
		"400 to 599":       {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "fs"}, Cause: &wasmhost.CallError{Cause: wasmhost.CauseFailed, Err: errors.New("policy.rs:22: the answer's code is out of range")}}},
		"at most 512":      {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "fs"}, Cause: &wasmhost.CallError{Cause: wasmhost.CauseFailed, Err: errors.New("a text is not one line of UTF-8")}}},
		"is 0 here": {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "site", Want: cases.Want{Action: "allow", Code: 200}}, Action: "allow",
			Err: errors.New("got the code 0, want 200")}},
		"nearly full": {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "fs"}, Cause: &wasmhost.CallError{Cause: wasmhost.CauseTrap, Err: errors.New("wasm error: unreachable")}},
			Calls: []*wasmhost.Exchange{{Memory: 15 << 20}}},
		"builds with the names": {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "fs"},
			Cause: &wasmhost.CallError{Cause: wasmhost.CauseTrap, Err: errors.New("wasm error: unreachable\nwasm stack trace:\n\t.$14(i32) i64")}}},
		"needs a bound":   {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "event"}, Cause: &wasmhost.CallError{Cause: wasmhost.CauseDepth, Err: errors.New("x")}}},
		"fetch is there":  {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "fs", Op: "read"}}, Calls: denied("fetch")},
		"pw_verify is":    {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "auth", Early: true}}, Calls: denied("pw_verify")},
		"stat needs":      {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "cert"}}, Calls: denied("stat")},
		"digest is there": {Outcome: &cases.Outcome{Case: &cases.Case{Hook: "site"}}, Calls: denied("digest")},
	} {
		if got := strings.Join(s.hints(one), "\n"); !strings.Contains(got, says) || strings.Contains(got, "\n") {
			t.Errorf("got %q, want %q", got, says)
		}
	}
	if got := s.hints(&wasmhost.Tried{Outcome: &cases.Outcome{Case: &cases.Case{Hook: "auth"}}, Calls: denied("fetch")}); len(got) > 0 {
		t.Errorf("a request that the test does not list has a note already: %q", got)
	}
}

func TestInterested(t *testing.T) {
	s := &Shop{Facts: &wasmhost.Facts{Hooks: []string{"fs", "event", "cmd", "list", "idle"}}, Set: new(cases.Set)}
	s.Facts.Manifest.Interest = policy.Interest{Ops: []policy.Op{policy.OpWrite, policy.OpRename}, Events: []policy.EventKind{policy.EventLogin}, Verbs: []string{"SITE CHMOD"},
		Paths: []string{"/in"}, Groups: []string{"staff"}}
	for i, c := range []struct {
		asked cases.Case
		want  bool
	}{
		{cases.Case{Hook: "fs", Op: "write", Path: "/in", Group: "staff"}, true},
		{cases.Case{Hook: "fs", Op: "write", Path: "/in/a", Group: "staff"}, true},
		{cases.Case{Hook: "fs", Op: "write", Path: "/inner", Group: "staff"}, false},
		{cases.Case{Hook: "fs", Op: "rename", Path: "/a", Path2: "/in/a", Group: "staff"}, true},
		{cases.Case{Hook: "fs", Op: "read", Path: "/in", Group: "staff"}, false},
		{cases.Case{Hook: "fs", Op: "write", Path: "/in"}, false},
		{cases.Case{Hook: "event", Op: "login"}, true},
		{cases.Case{Hook: "event", Op: "logout"}, false},
		{cases.Case{Hook: "cmd", Verb: "SITE CHMOD", Group: "staff"}, true},
		{cases.Case{Hook: "cmd", Verb: "STOR", Group: "staff"}, false},
		{cases.Case{Hook: "list", Path: "/in", Group: "staff"}, true},
		{cases.Case{Hook: "data", Path: "/", Group: "staff"}, false},
		{cases.Case{Hook: "site", Group: "staff"}, true},
		{cases.Case{Hook: "auth"}, true},
		{cases.Case{Hook: "event", Op: "login", Path: "in/../a"}, true},
	} {
		c.asked.Name = string(rune('a' + i))
		s.Set.Tests = append(s.Set.Tests, c.asked)
		if got := s.interested(&c.asked); got != c.want {
			t.Errorf("%+v: %v", c.asked, got)
		}
	}
	want := Cover{Hooks: []HookCover{{"fs", 6}, {"event", 3}, {"cmd", 2}, {"list", 1}}, Unasked: []string{}, Outside: []string{"c", "e", "f", "h", "j", "l"}, Unclean: []string{"o"}}
	if d := cmp.Diff(want, s.cover()); d != "" {
		t.Error(d)
	}
	s.Set.Tests = nil
	if got := s.cover(); cmp.Diff(got.Unasked, []string{"cmd SITE CHMOD", "event login", "fs rename", "fs write"}) != "" {
		t.Errorf("%q", got.Unasked)
	}
	s.Facts.Manifest.Interest = policy.Interest{Paths: []string{"/"}, Ops: []policy.Op{}}
	if s.interested(&cases.Case{Hook: "fs", Op: "read", Path: "/x"}) || !s.interested(&cases.Case{Hook: "list", Path: "/x"}) {
		t.Error("no operation at all, and the root")
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := number(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for n, want := range map[uint64]string{5: "5 bytes", 2048: "2.0 KiB", 3 << 20: "3.0 MiB"} {
		if got := bytesOf(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got := benchName("a b\tc\x00"); got != "a_b_c?" {
		t.Error(got)
	}
	n, took := repeatFor(t.Context(), time.Millisecond, func() {})
	if n < 100 || took < time.Millisecond {
		t.Errorf("%d in %v", n, took)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if n, _ := repeatFor(ended, time.Hour, func() {}); n != 1 {
		t.Errorf("%d after the end", n)
	}
}

func TestPins(t *testing.T) {
	for text, says := range map[string]string{"": "no pinned fuel", "[]": "no pinned fuel", `{"percent":-1}`: "percent", `{"fuel":{"a":-1}}`: "below zero", `{"fuel":{"a":1.5}}`: "no pinned fuel"} {
		if _, err := parsePins([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
	c := new(FuelCheck)
	c.compare(&Pins{Percent: 5, Fuel: map[string]int64{"a": 100, "b": 100, "c": 100, "d": 1}},
		[]TestResult{{Name: "a", Fuel: 105}, {Name: "b", Fuel: 106}, {Name: "c", Fuel: 90}, {Name: "e", Fuel: 1}})
	want := &FuelCheck{Pinned: 4, Percent: 5, Beyond: []string{"b: 106, pinned 100 (+6.0%)"}, Less: []string{"c: 90, pinned 100 (-10.0%)"}, Unknown: []string{"e"}, Gone: []string{"d"}}
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
}

func FuzzPins(f *testing.F) {
	f.Add([]byte(`{"percent":5,"fuel":{"a":100}}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, err := parsePins(b); err == nil {
			new(FuelCheck).compare(p, []TestResult{{Name: "a", Fuel: 1}})
		}
	})
}

// TestSettings has them from the tests, unless they are given.
func TestSettings(t *testing.T) {
	const tests = `{"settings":{"a":1},"tests":[]}`
	src := Source{Path: "../../../../wasmhost/testdata/deny.wasm", Tests: filepath.Join(t.TempDir(), "tests.json")}
	if err := os.WriteFile(src.Tests, []byte(tests), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), src); err == nil || !strings.Contains(err.Error(), "takes no settings") {
		t.Errorf("%+v, %v", s, err)
	}
	s := open(t, "deny.wasm", "", nil)
	if got := s.FuelFile(); got != filepath.Join("../../../../wasmhost/testdata", "fuel.json") || s.Pinned() || s.Name != "deny" {
		t.Errorf("%s of %s", got, s.Name)
	}
	if r, err := s.Test(t.Context(), TestOptions{Questions: 10, SoakTime: time.Second}); err != nil || !r.OK || len(r.Tests) != 0 || r.Budget != nil {
		t.Errorf("%+v, %v", r, err)
	}
	quick := open(t, "pass.wasm", `{"tests":[{"hook":"fs","op":"read","path":"/","want":{"action":"pass"}}]}`, nil)
	if r, err := quick.Test(t.Context(), TestOptions{Questions: 10}); err != nil || !r.OK || r.Budget.Soak.Questions != 0 {
		t.Errorf("no time: %+v, %v", r, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Test(ended, TestOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
