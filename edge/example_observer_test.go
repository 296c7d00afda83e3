package edge_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// diary writes down what happens (the model's on_connect, on_login and so on).
type diary struct{ to io.Writer }

func (d diary) Name() string        { return "diary" }
func (d diary) Hooks() policy.Hooks { return policy.Hooks{Observer: d} }

// Observe gets one event after the other, in a goroutine of this policy's own: a
// slow observer holds no session up.
func (d diary) Observe(_ context.Context, e *policy.Event) (err error) {
	switch user := e.Session.User; e.Kind {
	case policy.EventConnect:
		_, err = fmt.Fprintf(d.to, "Client connected from %s\n", e.Session.Peer.Addr())
	case policy.EventLogin:
		_, err = fmt.Fprintf(d.to, "User %s logged in successfully\n", user)
	case policy.EventLoginFailed:
		_, err = fmt.Fprintf(d.to, "User %s could not log in\n", user)
	case policy.EventFileReceived:
		_, err = fmt.Fprintf(d.to, "File %s of %d bytes received from %s\n", e.Path, e.Size, user)
	case policy.EventFileSent:
		_, err = fmt.Fprintf(d.to, "File %s sent to %s\n", e.Path, user)
	case policy.EventIncompleteFileReceived:
		_, err = fmt.Fprintf(d.to, "File %s received in part from %s: %s\n", e.Path, user, e.Text)
	case policy.EventLogout:
		_, err = fmt.Fprintf(d.to, "User %s logged out\n", user)
	}
	return err
}

// What happens is told to policies with an Observer.
func Example_observer() {
	var events strings.Builder
	conf := basic()
	conf.Policies = append(conf.Policies, edge.Slot{Name: "diary", Policy: diary{&events}})
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.put("STOR a.txt", "hello")
		c.get("RETR a.txt")
		c.say("QUIT")
	})
	fmt.Print(events.String()) // whole, because Shutdown waits for observers
	// Output:
	// > STOR a.txt
	// < 226 Transfer complete.
	// > RETR a.txt
	// hello
	// < 226 Transfer complete.
	// > QUIT
	// < 221 Goodbye.
	// Client connected from 127.0.0.1
	// User anna logged in successfully
	// File /a.txt of 5 bytes received from anna
	// File /a.txt sent to anna
	// User anna logged out
}
