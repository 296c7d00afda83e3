package wasmhost

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// hostile are modules that want to harm the server, and what stops each of them.
func hostile() map[string][]Cause {
	return map[string][]Cause{
		"loop":     {CauseFuel, CauseTimeout},
		"double":   {CauseFuel, CauseTimeout},
		"deep":     {CauseDepth},
		"wide":     {CauseDepth},
		"indirect": {CauseDepth},
		"grow":     {CauseFuel, CauseTimeout},
		"fill":     {CauseFuel, CauseTimeout},
		"copy":     {CauseFuel, CauseTimeout},
		"unrolled": {CauseFuel, CauseTimeout},
		"maze":     {CauseFuel, CauseTimeout},
		"logs":     {CauseFuel, CauseTimeout},
	}
}

func hostileModule(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "hostile", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestHostile asks each of them beside a policy that behaves and beside collections
// of garbage, which have to wait for every guest: all of them go on.
func TestHostile(t *testing.T) {
	h := newHost(t, Config{})
	good := load(t, h, "deny").Hooks().Authorizer
	files, err := filepath.Glob("testdata/hostile/*.wasm")
	if err != nil || len(files) != len(hostile()) {
		t.Fatalf("%d modules, %d are known: %v", len(files), len(hostile()), err)
	}
	for name, causes := range hostile() {
		t.Run(name, func(t *testing.T) {
			p, err := h.Load(t.Context(), name, hostileModule(t, name), LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { closePolicy(t, p) })
			stop := make(chan struct{})
			var beside sync.WaitGroup
			answered, collected := 0, 0
			beside.Go(func() {
				for ; !closed(stop); answered++ {
					if a, err := good.Authorize(t.Context(), action("/x")); err != nil || a.Verdict != policy.Deny {
						t.Errorf("the policy beside it: %v, %v", a.Verdict, err)
						return
					}
				}
			})
			beside.Go(func() {
				for ; !closed(stop); collected++ {
					runtime.GC()
				}
			})
			_, err = p.Hooks().Authorizer.Authorize(t.Context(), action("/x"))
			close(stop)
			beside.Wait()
			fault := (*CallError)(nil)
			if !errors.As(err, &fault) {
				t.Fatalf("got %v", err)
			}
			if s := strings.Split(err.Error(), "\n"); !contains(causes, fault.Cause) || len(s) != 1 {
				t.Errorf("got %v, want one of %v", err, causes)
			}
			if s := p.Stats(); s.Closed != 1 {
				t.Errorf("%d instances were closed", s.Closed)
			}
			t.Logf("%v; %d answers and %d collections meanwhile", err, answered, collected)
		})
	}
}

func closed(ch chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func contains(causes []Cause, c Cause) bool {
	for _, x := range causes {
		if x == c {
			return true
		}
	}
	return false
}
