package wasmhost

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
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

// TestTrialKeepsNothing holds that a trial finds none of the policy's own values, and
// no way to the server or out of it.
func TestTrialKeepsNothing(t *testing.T) {
	own := new(policy.MemKV)
	if err := own.Set("k", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	c := (&capabilities{kv: own, metrics: newMetrics("p", newMemSink()), verify: true, stat: true, digest: true}).trial()
	if _, ok := c.kv.Get("k"); ok || c.fetch != nil || c.verify || c.stat || c.digest {
		t.Errorf("a trial has %+v", c)
	}
	if err := c.kv.Set("k", nil, 0); err != nil || own.Keys() != 1 {
		t.Errorf("%v, %d keys", err, own.Keys())
	}
}
