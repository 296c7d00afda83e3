package kv_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
)

const killFile = "EDGEFTP_KV_KILL_TEST"

// TestKilledChild is the process that TestKill kills: it counts, and says so.
func TestKilledChild(t *testing.T) {
	path := os.Getenv(killFile)
	if path == "" {
		return
	}
	p := space(t, open(t, path, kv.Options{}), "p", 0)
	for range time.Tick(time.Millisecond) {
		n, err := p.Incr("n", 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Printf("\ncounted %d %d\n", n, time.Now().UnixNano()); err != nil {
			return // nobody listens
		}
	}
}

// TestKill: of a killed process less than the last second is lost, and the file opens.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	least := int64(0)
	for range 3 {
		said := kill(t, path)
		last := said[len(said)-1]
		for _, c := range said {
			if last.at.Sub(c.at) >= time.Second {
				least = c.n
			}
		}
		s := open(t, path, kv.Options{})
		n, err := space(t, s, "p", 0).Incr("n", 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n < least || n > last.n+10000 {
			t.Errorf("the counter is %d: it was %d a second before the end, and %d at the end", n, least, last.n)
		}
		t.Logf("%d of %d", n, last.n)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

type counted struct {
	n  int64
	at time.Time
}

// kill runs the child for about two seconds, kills it, and returns what it said.
func kill(t *testing.T, path string) (said []counted) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), killFile+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) != 3 || f[0] != "counted" {
			continue
		}
		n, err1 := strconv.ParseInt(f[1], 10, 64)
		at, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 != nil || err2 != nil {
			continue // cut off
		}
		said = append(said, counted{n, time.Unix(0, at)})
		if !killed && said[len(said)-1].at.Sub(said[0].at) > 2100*time.Millisecond {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !killed {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return said
}
