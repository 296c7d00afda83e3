package edge_test

import (
	"context"
	"fmt"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// What moves the bytes of a data connection can be replaced, changed before, or
// looked at afterwards (the model's DTPHandler).
func Example_runner() {
	conf := basic()
	conf.Transfer.Run = func(ctx context.Context, t *dtp.Transfer) dtp.Result {
		t.Copy = true // no sendfile and no splice
		r := t.Run(ctx)
		fmt.Println("moved", t.Progress.Bytes(), "bytes, TLS:", t.Protect != nil, "error:", r.Err)
		return r
	}
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.put("STOR a.txt", "hello")
		c.say("TYPE A")
		fmt.Printf("%q\n", must(c.Get(userpi.PASV, "NLST")))
	})
	// Output:
	// > STOR a.txt
	// moved 5 bytes, TLS: false error: <nil>
	// < 226 Transfer complete.
	// > TYPE A
	// < 200 Transfers are text.
	// moved 7 bytes, TLS: false error: <nil>
	// "a.txt\r\n"
}
