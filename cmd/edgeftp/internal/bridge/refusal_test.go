package bridge

import (
	"context"
	"errors"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/quicnet"
)

// censor lets no bytes of a file pass.
type censor struct{}

func (censor) Name() string        { return "censor" }
func (censor) Hooks() policy.Hooks { return policy.Hooks{Filter: censor{}} }
func (censor) Filter(context.Context, *policy.Chunk) (policy.Piece, error) {
	return policy.Piece{Verdict: policy.Deny, Text: "Not that."}, nil
}

// What a policy at the server does not let pass is told as the server tells it, to the
// client and in the log.
func TestEndedByPolicy(t *testing.T) {
	r := start(t, func(_ *Config, far *edge.Config) {
		far.Policies = append(far.Policies, edge.Slot{Name: "censor", Policy: censor{}})
	})
	r.put("/a.bin", 1000)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn := connect(t, c, must(t, c, "EPSV", 229))
	defer conn.Close()
	if err := c.Send("RETR a.bin"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Expect("RETR", 150); err != nil {
		t.Error(err)
	}
	if _, err := c.Expect("RETR", 550); err != nil {
		t.Error(err)
	}
	r.log.wait(t, "Not that.")

	text := []byte("550 Not that.\r\n")
	ended := &quicnet.Error{Code: quicnet.CodeForbidden}
	if got, want := refusedWith(ended, &part{text: text}).Error(), "550 Not that. (the peer has ended the stream: transfer ended by a policy (code 0x12))"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := refusedWith(errors.New("other"), &part{text: text}).Error(); got != "550 Not that." {
		t.Error(got)
	}
}
