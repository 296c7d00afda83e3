package edge

import (
	"context"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// MayCertify asks the policies whether a certificate may be ordered for a name on
// demand of the client that who describes: its addresses, the listener, and the name
// that it sent; it has no ID and no user. The name is asked about in lower case. Nil
// grants it; the error is a *policy.Denial, also where no policy has an opinion, and
// is in the log.
func (s *Server) MayCertify(ctx context.Context, name string, who policy.Session) error {
	who.VHost = s.now.Load().conf.hostOf(who.Listener, name)
	q := &policy.CertRequest{Meta: policy.Meta{Session: &who, Request: 1, Time: time.Now()}, Name: strings.ToLower(name)}
	l := s.chain.LeaseOf(0, who.VHost)
	defer l.Release()
	d := l.Certify(ctx, q)
	if d == nil {
		return nil
	}
	e := policy.Event{Meta: q.Meta, Kind: policy.EventDenied, Text: d.Error(), Policy: d.Policy, Generation: d.Generation}
	if d.Failed {
		e.Kind = policy.EventPolicyFailed
	}
	s.log.Warn("refused", "event", e.Kind.String(), "stage", policy.StageCert.String(), "name", q.Name,
		"peer", who.Peer, "listener", who.Listener, "reason", d.Error(), "policy", d.Policy, "policy_gen", d.Generation)
	l.Observe(e)
	return d
}
