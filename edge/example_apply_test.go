package edge_test

import (
	"context"
	"fmt"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// A running server takes a whole new configuration. Who is there goes on with the old
// one; whatever is wrong with the new one changes nothing.
func ExampleServer_Apply() {
	first := basic()
	srv := must(edge.New(first))
	serve(srv, func(c *client) {
		c.login()
		c.say("MKD inbox")

		next := first
		next.FS = vfs.NewMem() // for sessions that begin from now on
		next.Limits.Sessions = 100
		if err := srv.Apply(context.Background(), next); err != nil {
			panic(err)
		}
		c.say("CWD inbox")

		next.Listeners = nil
		if err := srv.Apply(context.Background(), next); err != nil {
			fmt.Println(err)
		}
		c.say("NOOP")
	})
	// Output:
	// > MKD inbox
	// < 257 "/inbox" was made.
	// > CWD inbox
	// < 250 "/inbox" is the working directory.
	// edge: Config.Listeners is empty: say where to listen
	// > NOOP
	// < 200 Done nothing.
}
