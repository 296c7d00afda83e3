package edge_test

import (
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// printed prints every command before it is carried out (the model's
// process_command).
func printed(row pi.Spec, next pi.Handler) pi.Handler {
	return func(s *pi.Session, a pi.Args) pi.Outcome {
		text := a.Text
		if row.Verb == "PASS" {
			text = "******"
		}
		fmt.Println(strings.TrimSpace("Command: " + row.Verb + " " + text))
		return next(s, a)
	}
}

// A wrapper stands around every command whose argument and state are in order,
// and may answer in its place.
func Example_wrapCommands() {
	conf := basic()
	conf.Commands = pi.Standard().With(usage()).Wrap(printed)
	serve(must(edge.New(conf)), func(c *client) {
		c.hear(c.Reply())
		c.say("USER anna", "PASS secret", "SITE USAGE", "SIZE", "CWD /nowhere")
	})
	// Output:
	// < 220 edgeftp ready.
	// > USER anna
	// Command: USER anna
	// < 331 Send the password.
	// > PASS secret
	// Command: PASS ******
	// < 230 You are logged in.
	// > SITE USAGE
	// Command: SITE USAGE
	// < 200 Disk usage: 50% of 1TB
	// > SIZE
	// < 501 This command needs an argument.
	// > CWD /nowhere
	// Command: CWD /nowhere
	// < 550 No such file or directory.
}
