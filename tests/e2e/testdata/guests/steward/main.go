// A policy of many stages: it knows a user whose password it never sees, refuses
// DELE, hides names that begin with "hidden", answers SITE TEASE, asks for no
// limit of speed, and stops what holds a mark.
package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/auth"
	"github.com/edgeftp/edgeftp/guest-sdk/go/cmd"
	"github.com/edgeftp/edgeftp/guest-sdk/go/data"
	"github.com/edgeftp/edgeftp/guest-sdk/go/list"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
	"github.com/edgeftp/edgeftp/guest-sdk/go/site"
	"github.com/edgeftp/edgeftp/guest-sdk/go/throttle"
)

// mark is what no file may hold.
const mark = "EDGEFTP-TEST-SIGNATURE-OF-SOMETHING-BAD"

type steward struct{ hash string }

// Authenticate writes into the log all that it was shown.
func (s *steward) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.User != "blind" {
		return policy.Identity{}, nil
	}
	edgeftp.Log(edgeftp.Info, fmt.Sprintf("asked about %q with the argument %q in session %+v", l.Session.User, l.Password, *l.Session))
	perms := policy.PermAll
	return policy.Identity{Verdict: policy.Allow, PasswordHash: s.hash, Perms: &perms}, nil
}

func (*steward) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	if c.Verb == "DELE" {
		return policy.Answer{Verdict: policy.Deny, Code: 502, Text: "nothing is deleted here, not even " + c.Arg}, nil
	}
	return policy.Answer{}, nil
}

func (*steward) List(_ context.Context, l *policy.Listing) (policy.View, error) {
	var v policy.View
	for i, e := range l.Entries {
		if strings.HasPrefix(e.Name, "hidden") {
			v.Hidden.Set(i)
		}
	}
	return v, nil
}

func (*steward) SiteCommands() []policy.SiteCommand {
	return []policy.SiteCommand{{Verb: "TEASE", Arg: "words", Help: "Says the words backwards."}}
}

func (*steward) CallSite(_ context.Context, c *policy.SiteCall) (policy.SiteReply, error) {
	words := strings.Fields(c.Arg)
	if len(words) == 0 {
		return policy.SiteReply{Verdict: policy.Deny, Code: 501, Lines: []string{"say something"}}, nil
	}
	for i, j := 0, len(words)-1; i < j; i, j = i+1, j-1 {
		words[i], words[j] = words[j], words[i]
	}
	return policy.SiteReply{Verdict: policy.Allow, Code: 211, Lines: words}, nil
}

func (*steward) Throttle(_ context.Context, t *policy.Transfer) (policy.Rate, error) {
	edgeftp.Log(edgeftp.Info, fmt.Sprintf("how fast may %s be, upload %t", t.Path, t.Upload))
	return policy.Rate{}, nil
}

// Filter looks across the border of two chunks.
func (*steward) Filter(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
	seen := append(bytes.Clone(c.Carry), c.Data...)
	if bytes.Contains(seen, []byte(mark)) {
		return policy.Piece{Verdict: policy.Deny, Code: 552, Text: "this holds something bad"}, nil
	}
	return policy.Piece{Carry: seen[max(0, len(seen)-len(mark)+1):]}, nil
}

func init() {
	s := &steward{}
	edgeftp.Configure(func(b []byte) error {
		all := settings.Parse(b)
		s.hash = all.String("hash", "")
		return all.Err()
	})
	auth.Export(s)
	cmd.Export(s)
	list.Export(s)
	site.Export(s)
	throttle.Export(s)
	data.Export(s)
}

func main() {}
