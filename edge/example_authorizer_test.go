package edge_test

import (
	"context"
	"path"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// inbox lets uploads into one directory only, and no programs among them.
type inbox struct{ dir string }

func (i inbox) Name() string        { return "inbox" }
func (i inbox) Hooks() policy.Hooks { return policy.Hooks{Authorizer: i} }

// Authorize is asked before each operation. It can only narrow what the login may
// do: the zero Answer has no opinion.
func (i inbox) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	switch a.Op {
	case policy.OpWrite, policy.OpAppend, policy.OpUnique:
		if !strings.HasPrefix(a.Path, i.dir+"/") {
			return policy.Answer{Verdict: policy.Deny, Text: "Uploads go to " + i.dir + "."}, nil
		}
		if path.Ext(a.Path) == ".exe" {
			return policy.Answer{Verdict: policy.Deny, Code: 553, Text: "No programs."}, nil
		}
		return policy.Answer{Limits: policy.Limits{MaxFileSize: 1 << 20}}, nil
	case policy.OpStat, policy.OpList, policy.OpRead:
		if strings.HasPrefix(path.Base(a.Path), ".") {
			return policy.Answer{Verdict: policy.Hide}, nil // as if it did not exist
		}
	}
	return policy.Answer{}, nil
}

// What an operation on a path may do is decided by policies with an Authorizer,
// beside the permissions that the login gave.
func Example_authorizer() {
	conf := basic()
	conf.Policies = append(conf.Policies, edge.Slot{Name: "inbox", Policy: inbox{dir: "/in"}})
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.say("MKD in")
		c.put("STOR in/a.txt", "hello")
		must(c.Must("EPSV", 229))
		c.say("STOR a.txt", "STOR in/a.exe", "SIZE in/.profile")
	})
	// Output:
	// > MKD in
	// < 257 "/in" was made.
	// > STOR in/a.txt
	// < 226 Transfer complete.
	// > STOR a.txt
	// < 550 Uploads go to /in.
	// > STOR in/a.exe
	// < 553 No programs.
	// > SIZE in/.profile
	// < 550 No such file or directory.
}
