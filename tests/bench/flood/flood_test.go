package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test's own program be the attackers, as the command does.
func TestMain(m *testing.M) {
	for _, arg := range os.Args[1:] {
		if arg == "-attack" {
			main()
			return
		}
	}
	goleak.VerifyTestMain(m)
}

// One flood of a second: the command works, and the user is served meanwhile.
func TestOneFlood(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("addresses and /proc are those of Linux")
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "table"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := &plan{time: time.Second, rest: 100 * time.Millisecond, only: "connects and resets", tree: filepath.Join("..", "..", ".."), nice: 10}
	if err := p.measure(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n| connects and resets | ") || strings.Contains(string(text), "\n| connects and resets | 0 | ") {
		t.Errorf("the table is %s", text)
	}
}

func TestTwelve(t *testing.T) {
	names := map[string]bool{}
	for _, f := range floods() {
		names[f.name] = f.crowd > 0 && f.run != nil
	}
	if len(names) != 12 || names["none"] {
		t.Errorf("the floods are %v", names)
	}
}
