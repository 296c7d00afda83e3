package wasm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dialogues show each policy to a real client of a real server. They are given the
// folder of the policy in one language.
func dialogues() map[string]func(t *testing.T, dir string) {
	return map[string]func(t *testing.T, dir string){
		"readonly":        liveReadonly,
		"upload-guard":    liveUploadGuard,
		"http-login":      liveHTTPLogin,
		"checksum-report": liveChecksumReport,
		"content-scan":    liveContentScan,
		"dropbox":         liveDropbox,
		"geo-fence":       liveGeoFence,
		"office-hours":    liveOfficeHours,
		"quota":           liveQuota,
		"site-usage":      liveSiteUsage,
	}
}

// folders are those of all policies in all languages, such as readonly/go.
func folders(t *testing.T) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == "live" || e.Name() == "testdata" {
			continue
		}
		languages, err := os.ReadDir(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range languages {
			if l.IsDir() && l.Name() != "native" {
				list = append(list, filepath.Join(e.Name(), l.Name()))
			}
		}
	}
	if len(list) < 5 {
		t.Fatalf("only %d policies", len(list))
	}
	return list
}

// TestLive runs every policy on a server. One without a dialogue fails.
func TestLive(t *testing.T) {
	for _, dir := range folders(t) {
		t.Run(filepath.ToSlash(dir), func(t *testing.T) {
			dialogue := dialogues()[filepath.Dir(dir)]
			if dialogue == nil {
				t.Fatalf("nobody has written how %s behaves on a server: add it to dialogues", dir)
			}
			dialogue(t, dir)
		})
	}
}

// late is told when what a test waits for has not come in a minute.
func late(t *testing.T) <-chan time.Time {
	timer := time.NewTimer(time.Minute)
	t.Cleanup(func() { timer.Stop() })
	return timer.C
}

// containsLine reports whether a line of text begins so.
func containsLine(text, prefix string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}
