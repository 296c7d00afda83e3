// {{name}} keeps files with unwanted extensions off the server, whatever the users'
// permissions are. manifest.json says which operations it is asked about: those by
// which a name can come into being.
package main

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

type guard struct{ deny []string }

// Authorize looks at both paths: a rename has two.
func (g *guard) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	if fs.HasExtension(a, g.deny...) {
		return policy.Answer{Verdict: policy.Deny, Text: "files of this kind are not accepted here"}, nil
	}
	return policy.Answer{}, nil
}

// Configure takes the settings.
func (g *guard) Configure(s *settings.Settings) { g.deny = s.Strings("deny_extensions", "exe", "scr") }

func init() { fs.Export(settings.Into(&guard{})) }

func main() {}
