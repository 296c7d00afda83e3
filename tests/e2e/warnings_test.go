package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// warned is a configuration that sends warnings to a receiver, and what else notify says.
func warned(r *hookReceiver, more string) string {
	return fmt.Sprintf("notify: { to: [{ name: ops, webhook: \"http://%s%s/ops\", secret: \"${env:EDGEFTP_TEST_HOOK}\", headers: { Authorization: %q }, allow_private: true }]%s }\n",
		r.Listener.Addr(), hookPath, hookToken, more)
}

// warning waits for an event of a kind that says something, and holds that nothing but that kind
// has come: whoever is to be warned is sent warnings alone.
func (r *hookReceiver) warning(t *testing.T, kind, says string) (event map[string]any) {
	t.Helper()
	until(t, "there is a warning of "+kind, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, d := range r.all {
			if d.path != hookPath+"/ops" || !d.signature || d.id == "" || d.event["id"] != d.id || d.event["event"] != kind {
				t.Fatalf("%+v", d)
			}
			if text, _ := d.event["text"].(string); strings.Contains(text, says) {
				event = d.event
			}
		}
		return event != nil
	})
	return event
}

// A policy on trial that fails is rolled back, and the receiver is told of which and why.
func TestWarningOfRollback(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env = append(p.env, "EDGEFTP_TEST_HOOK="+hookSecret)
	r := receiveHooks(t, "", func(string) int { return 204 })
	s := p.serve(t, plain()+warned(r, ", disk_free_below: 0%")+fmt.Sprintf("policies: { modules: [{ name: guard, source: %q }] }\n", testModule(t, "pass")))
	s.swap(t, "", "guard", testModule(t, "moody"), "--for", "1h")
	c := s.login(t)
	for range 6 {
		c.refused(t, "MKD a.trap", 451)
	}
	if e := r.warning(t, "policy_rolled_back", "calls failed"); e["policy"] != "guard" {
		t.Errorf("%v", e)
	}
	c.want(t, "MKD a.trap", 257)
	s.stop(t)
}
