package wasmhost

import (
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// bringing adds tests to a module.
func bringing(module []byte, tests string) []byte {
	return append(module, custom(abi.TestsSection, tests)...)
}

func TestTrial(t *testing.T) {
	h := newHost(t, Config{})
	for name, c := range map[string]struct {
		module, tests, says string
	}{
		"right":   {"deny", `{"tests":[{"hook":"fs","op":"write","path":"/a","want":{"action":"deny"}}]}`, ""},
		"none":    {"deny", `{"tests":[]}`, ""},
		"wrong":   {"deny", `{"tests":[{"name":"it lets through","hook":"fs","op":"write","path":"/a","want":{"action":"pass"}}]}`, "it lets through"},
		"trap":    {"moody", `{"tests":[{"hook":"fs","op":"write","path":"/a/trap","want":{"action":"pass"}}]}`, "trap"},
		"loop":    {"moody", `{"tests":[{"hook":"fs","op":"write","path":"/a/loop","want":{"action":"pass"}}]}`, "stopped after"},
		"no hook": {"deny", `{"tests":[{"hook":"auth","want":{"action":"pass"}}]}`, "auth"},
		"no JSON": {"deny", `{"tests":`, "cannot be read"},
		"key":     {"deny", `{"test":[]}`, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := h.Load(t.Context(), "guest", bringing(testModule(t, c.module), c.tests), LoadOptions{})
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				if s := p.Stats(); s.Calls != 0 {
					t.Errorf("%d calls of the trial are among the policy's", s.Calls)
				}
				closePolicy(t, p)
				return
			}
			wantRefusal(t, p, err, CodeTests, c.says)
		})
	}
	_, err := h.Load(t.Context(), "guest", bringing(bringing(testModule(t, "deny"), `{}`), `{}`), LoadOptions{})
	wantRefusal(t, nil, err, CodeMalformed, "twice")
}

// TestTrialKeepsNothing counts in a trial, and finds the policy's own values as
// they were.
func TestTrialKeepsNothing(t *testing.T) {
	s := newScratch()
	for range 3 {
		if _, err := s.Incr("n", 1<<62, 0); err != nil {
			t.Fatal(err)
		}
	}
	if v, _ := s.Incr("n", 0, 0); v != 1<<63-1 {
		t.Errorf("the counter is %d", v)
	}
	if ok, err := s.CompareAndSwap("k", nil, []byte("v"), 0); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, _ := s.CompareAndSwap("k", []byte("x"), nil, 0); ok {
		t.Error("it was swapped for another value")
	}
	if v, ok := s.Get("k"); !ok || string(v) != "v" {
		t.Errorf("%q", v)
	}
	c := (&capabilities{kv: s, metrics: newMetrics("p", newMemSink())}).trial()
	if _, ok := c.kv.Get("k"); ok || c.fetch != nil || c.verify || c.stat || c.digest {
		t.Errorf("a trial has %+v", c)
	}
}
