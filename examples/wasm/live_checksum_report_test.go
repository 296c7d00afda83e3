package wasm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

func liveChecksumReport(t *testing.T, dir string) {
	o := newOffice(t)
	wasm := live.Rehost(t, live.Build(t, dir), "hooks.example.org", o.URL)
	s := live.Start(t, live.Options{Modules: []live.Module{{Name: "checksum-report", Wasm: wasm, Keys: "events: durable",
		Settings: fmt.Sprintf("{ url: %q, token: a token }", o.URL+"/ftp"),
		Grants:   fmt.Sprintf("kv: true, digest: true, fetch_private: [%q]", o.URL)}}})
	s.Put(t, "/a.txt", "first").Want(t, live.OK)
	o.reports(t, 1)
	s.Do(t, "DELE a.txt").Want(t, live.OK) // of which nothing is told

	// While the other server is down, uploads go on, and so they do over a restart.
	o.answer(503)
	s.Put(t, "/b.txt", "second").Want(t, live.OK)
	s.Put(t, "/b.txt", "third, at the same place").Want(t, live.OK)
	s.Expect(t, "checksum-report", "the other server answers 503")
	s.Restart(t)
	o.answer(0)
	s.Put(t, "/ö \".txt", "").Want(t, live.OK)

	type report struct {
		Path, SHA256, User string
		Size               int
	}
	var got, want []report
	for _, body := range o.reports(t, 4) {
		var r struct {
			report
			Time time.Time
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil || time.Since(r.Time) > time.Hour {
			t.Errorf("%s: %v", body, err)
		}
		got = append(got, r.report)
	}
	for _, f := range [][2]string{{"/a.txt", "first"}, {"/b.txt", "second"}, {"/b.txt", "third, at the same place"}, {"/ö \".txt", ""}} {
		sum := sha256.Sum256([]byte(f[1]))
		want = append(want, report{f[0], hex.EncodeToString(sum[:]), live.User, len(f[1])})
	}
	if x := cmp.Diff(want, got, cmp.AllowUnexported(report{})); x != "" {
		t.Error(x)
	}
	s.Stop(t)
}
