package edge_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// progress tells how far the transfer of this session is (the model's
// get_transmitted_bytes, get_elapsed_time, transfer_in_progress). Lane Beside has
// it answered while the transfer runs.
func progress() pi.Spec {
	return pi.Spec{
		Verb: "SITE PROGRESS", Grammar: pi.NoArg, Lane: pi.Beside,
		Help: ": how far the transfer is",
		Handler: func(s *pi.Session, _ pi.Args) pi.Outcome {
			bytes, elapsed, running := s.Progress()
			if !running {
				return pi.Say(wire.CodeDataIdle, "Nothing is being transferred.")
			}
			return pi.Say(wire.CodeOK, "%d bytes: %.3f seconds", bytes, elapsed.Seconds())
		},
	}
}

// A command sees the progress of its session's transfer, a program that of its
// server.
func Example_progress() {
	conf := basic()
	conf.Commands = pi.Standard().With(progress())
	srv := must(edge.New(conf))
	serve(srv, func(c *client) {
		c.login()
		c.say("SITE PROGRESS")
		upload := must(c.Begin(userpi.EPSV, "STOR a.txt"))
		must(io.WriteString(upload, "hello"))
		for {
			reply := must(c.Must("SITE PROGRESS", 200))
			if strings.HasPrefix(reply.Text(), "5 bytes") {
				break
			}
		}
		st := srv.Status()
		fmt.Println("five bytes are there;", st.Sessions, "session,", st.Transfers, "transfer")
		check(upload.Close())
		c.hear(c.Reply())
		fmt.Println("transfers:", srv.Status().Transfers)
	})
	// Output:
	// > SITE PROGRESS
	// < 225 Nothing is being transferred.
	// five bytes are there; 1 session, 1 transfer
	// < 226 Transfer complete.
	// transfers: 0
}
