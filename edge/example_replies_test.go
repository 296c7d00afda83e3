package edge_test

import (
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// What the server says of its own accord, about limits and timeouts, can be
// replaced (the model's handle_max_cons, handle_max_cons_per_ip, handle_timeout).
func Example_replies() {
	conf := basic()
	conf.Limits = edge.Limits{Sessions: 100, SessionsPerIP: 1}
	conf.Timeouts = edge.Timeouts{Idle: 200 * time.Millisecond}
	conf.Replies = pi.Replies{
		MaxSessionsPerIP: wire.Say(wire.CodeNotAvailable, "One session each, please."),
		Idle:             wire.Multi(wire.CodeNotAvailable, "You have said nothing for a while.", "Come again."),
	}
	srv := must(edge.New(conf))
	serve(srv, func(first *client) {
		first.hear(first.Reply())
		second := dial(srv.Addresses()[0].String())
		second.hear(second.Reply())
		check(second.Close())
		check(first.Identify("anna", "secret"))
		first.hear(first.Reply()) // nothing is said for a while
	})
	// Output:
	// < 220 edgeftp ready.
	// < 421 One session each, please.
	// < 421-You have said nothing for a while.
	// < 421 Come again.
}
