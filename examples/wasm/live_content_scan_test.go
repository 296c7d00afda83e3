package wasm

import (
	"os"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/examples/wasm/live"
)

// testPattern is what the policy refuses so that an operator can see that it works. It
// stands here in two parts, so that this file can be uploaded itself.
const testPattern = "EDGEFTP-CONTENT" + "-SCAN-TEST-FILE!"

func liveContentScan(t *testing.T, dir string) {
	s := live.Start(t, live.Options{Modules: []live.Module{{Name: "scan", Dir: dir, Grants: "metric: true",
		Settings: `{ code: 552, rules: [{ name: macro, hex: "4174747269627574" }] }`}}})
	const chunk = 64 << 10
	s.Put(t, "/clean.bin", strings.Repeat("x", 5*chunk)).Want(t, live.OK)
	for name, at := range map[string]int{"first": 0, "inside": 1000, "cut": chunk - 7, "last": 3*chunk - len(testPattern)} {
		text := strings.Repeat("x", at) + testPattern
		r := s.Put(t, "/"+name+".bin", text+strings.Repeat("x", 3*chunk-len(text)))
		if r.Code == live.OK {
			t.Errorf("%s: the pattern at %d went through", name, at)
		}
		if _, err := os.Stat(s.In(name + ".bin")); !os.IsNotExist(err) {
			t.Errorf("%s: it is there: %v", name, err)
		}
		r.Want(t, r.Code, "552", "content refused by rule test-pattern")
	}
	s.Expect(t, "refused /cut.bin of "+live.User+", rule test-pattern")
	r := s.Put(t, "/doc.bin", "a document with an Attribut of its own")
	r.Want(t, r.Code, "552", "content refused by rule macro")
	s.Put(t, "/doc.bin", "a document without").Want(t, live.OK)
	if got := s.Get(t, "/clean.bin").Want(t, live.OK); len(got.Stdout) != 5*chunk {
		t.Errorf("%d bytes came back", len(got.Stdout))
	}
	s.Stop(t)
}
