package e2e

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// The operator limits a user while a download runs, sees it, and lifts the limit:
// the download then ends at once.
func TestBandwidthAtRunTime(t *testing.T) {
	p := newPlace(t)
	ok(t, os.WriteFile(p.in("big"), make([]byte, 32<<20), 0o644))
	s := p.start(t)
	defer s.stop(t)
	if r := s.admin(t, "bandwidth", "set", "user", "dev", "--down", "64KB"); r.code != 0 {
		t.Fatalf("bandwidth set: %d\n%s", r.code, r.both())
	}
	c := s.login(t)
	conn := c.begin(t, "RETR big")
	if _, err := io.CopyN(io.Discard, conn, 1000); err != nil {
		t.Fatal(err)
	}
	r := s.admin(t, "bandwidth", "-o", "json")
	var b struct {
		Users []struct {
			Name     string
			Down     int64
			Sessions int
			Set      bool
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &b); err != nil || len(b.Users) != 1 || b.Users[0].Down != 64000 || b.Users[0].Sessions != 1 || !b.Users[0].Set {
		t.Errorf("bandwidth: %+v, %v\n%s", b, err, r.both())
	}
	if r := s.admin(t, "bandwidth", "clear", "dev"); r.code != 0 {
		t.Errorf("bandwidth clear: %d\n%s", r.code, r.both())
	}
	if n, err := io.Copy(io.Discard, conn); err != nil || n != 32<<20-1000 {
		t.Errorf("the rest is %d bytes, %v", n, err)
	}
	ok(t, userpi.End(conn))
	if _, err := c.Expect("RETR", 226); err != nil {
		t.Error(err)
	}
	for words, code := range map[string]int{"set moon --down 1MB": 1, "set user --down 1MB": 1, "set global": 2, "set global --down fast": 2, "set listener nobody --up 1MB": 1} {
		if r := s.admin(t, append([]string{"bandwidth"}, strings.Fields(words)...)...); r.code != code {
			t.Errorf("bandwidth %s: exit code %d\n%s", words, r.code, r.both())
		}
	}
}
