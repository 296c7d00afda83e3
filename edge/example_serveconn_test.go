package edge_test

import (
	"context"
	"fmt"
	"net"

	"github.com/edgeftp/edgeftp/edge"
)

// A connection that somebody else has accepted is served as one of the listener
// that is named. A listener without an address listens nowhere.
func ExampleServer_ServeConn() {
	ctx := context.Background()
	conf := basic()
	conf.Listeners = []edge.Listener{{Name: "inside", Banner: "Good to see you."}}
	srv := must(edge.New(conf))

	door := must(net.Listen("tcp", "127.0.0.1:0"))
	done := make(chan error, 1)
	go func() {
		conn, err := door.Accept() // the place to look at what comes first
		if err == nil {
			err = srv.ServeConn(ctx, conn, "inside")
		}
		done <- err
	}()

	c := dial(door.Addr().String())
	c.hear(c.Reply())
	c.say("USER anna", "PASS secret")
	c.put("STOR a.txt", "hello")
	c.say("QUIT")
	fmt.Println("ServeConn:", <-done)
	check(srv.Shutdown(ctx))
	check(door.Close())
	// Output:
	// < 220 Good to see you.
	// > USER anna
	// < 331 Send the password.
	// > PASS secret
	// < 230 You are logged in.
	// > STOR a.txt
	// < 226 Transfer complete.
	// > QUIT
	// < 221 Goodbye.
	// ServeConn: <nil>
}
