package edge_test

import (
	"bytes"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// count takes what the client sends and counts its lines (the model's
// enable_receiving).
func count() pi.Spec {
	return pi.Spec{
		Verb: "SITE COUNT", Grammar: pi.NoArg, Lane: pi.Data,
		Help: ": count the lines of a text",
		Handler: func(s *pi.Session, _ pi.Args) pi.Outcome {
			var text bytes.Buffer
			return s.Receive(&text, pi.Stream{
				Limits: policy.Limits{MaxFileSize: 1 << 20}, // what Buffer may take
				Done: func(_ *pi.Session, r dtp.Result) pi.Outcome {
					if r.Err != nil {
						return pi.Outcome{}
					}
					return pi.Say(wire.CodeFileActionOK, "%d lines.", bytes.Count(text.Bytes(), []byte("\n")))
				},
			})
		},
	}
}

// A command can take something from the client that becomes no file.
func Example_receiveCommand() {
	conf := basic()
	conf.Commands = pi.Standard().With(count())
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.put("SITE COUNT", "one\ntwo\nthree\n")
	})
	// Output:
	// > SITE COUNT
	// < 250 3 lines.
}
