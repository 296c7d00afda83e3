package edge_test

import (
	"log/slog"
	"os"
	"slices"

	"github.com/edgeftp/edgeftp/edge"
)

// The server logs to a *slog.Logger. Before the messages about a session stands a
// prefix, a template over the names of pi.ParsePrefix: that of the model's own
// example would be "[%(asctime)s] %(remote_ip)s:%(remote_port)s-[%(username)s]".
func Example_logPrefix() {
	conf := basic()
	conf.LogPrefix = "%(remote_ip)s-[%(username)s]"
	conf.Log = slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if slices.Contains([]string{slog.MessageKey, "event", "path", "bytes"}, a.Key) {
				return a
			}
			return slog.Attr{} // what differs from one run to the next
		},
	}))
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.put("STOR a.txt", "hello")
	})
	// Output:
	// msg="127.0.0.1-[anna] logged in" event=login
	// > STOR a.txt
	// msg="127.0.0.1-[anna] transfer" event=file_received path=/a.txt bytes=5
	// < 226 Transfer complete.
}
