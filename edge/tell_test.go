package edge

import (
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func TestTell(t *testing.T) {
	r := start(t, nil)
	r.srv.Tell(policy.Event{Kind: policy.EventCertRenewed, Text: "ftp.example"})
	r.stop()
	for _, e := range r.keeper.events {
		if e.Kind == policy.EventCertRenewed && e.Text == "ftp.example" && e.Session.ID == 0 && !e.Time.IsZero() {
			return
		}
	}
	t.Errorf("nobody was told: %+v", r.keeper.events)
}
