package edge_test

import (
	"fmt"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// squares streams what it makes to the data connection (the model's producers).
// Each piece is made when the client has taken the one before.
func squares() pi.Spec {
	return pi.Spec{
		Verb: "SITE SQUARES", Grammar: pi.Number, Lane: pi.Data,
		Help: "n: the squares of the first n numbers",
		Handler: func(s *pi.Session, a pi.Args) pi.Outcome {
			var line []byte
			pieces := func(yield func([]byte, error) bool) {
				for n := range a.N {
					line = fmt.Appendf(line[:0], "%d\n", n*n)
					if !yield(line, nil) {
						return // the client has gone
					}
				}
			}
			return s.Send(dtp.FromSeq(pieces), pi.Stream{
				Subject: "squares",
				Text:    true, // with line ends as the client has them
				Done: func(_ *pi.Session, r dtp.Result) pi.Outcome {
					if r.Err != nil {
						return pi.Outcome{} // the usual reply
					}
					return pi.Say(wire.CodeClosingData, "%d squares in %d bytes.", a.N, r.Bytes)
				},
			})
		},
	}
}

// A command can send what an iterator yields.
func Example_streamCommand() {
	conf := basic()
	conf.Commands = pi.Standard().With(squares())
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.say("SITE SQUARES 5")
		c.get("SITE SQUARES 5")
	})
	// Output:
	// > SITE SQUARES 5
	// < 425 Send EPSV, PASV, EPRT or PORT first.
	// > SITE SQUARES 5
	// 0
	// 1
	// 4
	// 9
	// 16
	// < 226 5 squares in 11 bytes.
}
