//go:build !wasip1

package guesttest

import (
	"io"
	"os"
	"testing"

	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// Run asks the vectors of the file, as a rule tests.json, of the stages that the package
// under test exports in init, with the file's own settings and in the world of its keys
// kv, http and files (ABI §8). It is for one file in a test binary: a policy takes its
// settings once.
//
// A vector that fails here fails the module's load; the load also finds what only a
// module can get wrong.
func Run(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set, err := cases.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	w := set.World()
	enter(t, &guest.World{KV: w.KV, Services: w,
		Log:    func(_ int32, msg string) { w.Log(msg) },
		Metric: func(string, int32, int64) {},
		Random: func(b []byte) { _, _ = io.ReadFull(w.Random, b) }, // it never fails
		Fetch: func(r *fetch.Request) (*fetch.Response, error) {
			answer, err := w.Fetch(r)
			if err != nil {
				return nil, abi.ErrnoDenied // as the host has it
			}
			return answer, nil
		}})
	if err := guest.The.Settings(set.Settings); err != nil {
		t.Fatalf("%s: settings: %v", file, err)
	}
	if err := set.RunIn(t.Context(), guest.The.Slot(), guest.The.Hooks(), w); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}
