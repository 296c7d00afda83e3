package edge_test

import (
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// usage is the row of a command of one's own. Its argument may be given or left
// out, because nothing else is said of it, and it needs a login.
func usage() pi.Spec {
	return pi.Spec{
		Verb: "SITE USAGE",
		Help: ": show disk usage",
		Handler: func(s *pi.Session, _ pi.Args) pi.Outcome {
			return pi.Say(wire.CodeOK, "Disk usage: %d%% of 1TB", 50)
		},
	}
}

// Commands are rows of a table, to which others can be added.
func Example_siteCommand() {
	conf := basic()
	conf.Commands = pi.Standard().With(usage())
	serve(must(edge.New(conf)), func(c *client) {
		must(c.Reply())
		c.say("SITE USAGE")
		check(c.Identify("anna", "secret"))
		c.say("SITE USAGE", "site usage now", "SITE HELP", "SITE HELP USAGE", "SITE SHELL")
	})
	// Output:
	// > SITE USAGE
	// < 530 Log in with USER and PASS first.
	// > SITE USAGE
	// < 200 Disk usage: 50% of 1TB
	// > site usage now
	// < 200 Disk usage: 50% of 1TB
	// > SITE HELP
	// < 214-The commands are:
	// <  CHMOD    CPFR     CPTO     HELP     USAGE    UTIME
	// < 214 HELP with a command explains it.
	// > SITE HELP USAGE
	// < 214 SITE USAGE show disk usage
	// > SITE SHELL
	// < 500 SITE SHELL is not a command of this server.
}
