package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 12_345: "12.3 kB", 999_600: "1.0 MB", 123_456_789: "123 MB", 3_100_000_000: "3.1 GB", 1 << 62: "4.6 EB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) is %q, want %q", n, got, want)
		}
	}
}

// work is the same work in every mode: three seconds, a megabyte in each.
func work(mode Mode, width int) string {
	var out bytes.Buffer
	m := Start(&out, mode, func() int { return width })
	m.Expect(2, 4_000_000)
	m.Began("a.iso")
	for range 3 {
		m.Moved(1_000_000)
		<-time.After(time.Second)
	}
	m.Ended(true, "failed a.iso", map[string]string{"status": "failed"})
	m.Close()
	return out.String()
}

func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := work(Line, 60)
		lines := strings.Split(out, "\r")
		if !strings.Contains(lines[len(lines)-2], "/2 files   75%  3.0 MB of 4.0 MB  ") {
			t.Errorf("the last line is %q", lines[len(lines)-2])
		}
		for _, l := range lines {
			if n := len(strings.TrimSuffix(l, "\x1b[K")); n > 59 {
				t.Errorf("a line has %d columns: %q", n, l)
			}
		}
		if !strings.HasSuffix(out, "\r\x1b[K") {
			t.Errorf("the line is left standing: %q", out[len(out)-20:])
		}
	})
}

// What is no terminal gets no control characters.
func TestLog(t *testing.T) {
	for _, mode := range []Mode{Plain, JSON} {
		synctest.Test(t, func(t *testing.T) {
			out := work(mode, 0)
			if strings.ContainsFunc(out, func(r rune) bool { return r < ' ' && r != '\n' }) {
				t.Errorf("%s writes control characters: %q", mode, out)
			}
			if mode == Plain && out != "failed a.iso\n" {
				t.Errorf("%q", out)
			}
			if mode == JSON {
				checkObjects(t, out)
			}
		})
	}
}

func checkObjects(t *testing.T, out string) {
	t.Helper()
	kinds := map[string]int{}
	for line := range strings.Lines(out) {
		var o struct {
			Type     string
			Progress State
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kinds[o.Type]++
	}
	if kinds["file"] != 1 || kinds["progress"] < 2 {
		t.Errorf("%v of %s", kinds, out)
	}
}

func TestNone(t *testing.T) {
	m := Start(nil, None, nil)
	m.Expect(1, 1)
	m.Began("x")
	m.Moved(1)
	m.Ended(false, "", nil)
	var out bytes.Buffer
	m.Print(&out, "words")
	m.Close()
	if out.String() != "words\n" {
		t.Errorf("%q", &out)
	}
}
