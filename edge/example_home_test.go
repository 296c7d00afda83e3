package edge_test

import (
	"context"
	"fmt"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Each login may have a filesystem of its own, made for it and given back when it
// ends (the model's abstracted_fs). A part of another one is made by Sub (vfs.Subber).
func Example_home() {
	conf := basic()
	conf.Home = func(_ context.Context, who policy.Session, id policy.Identity) (vfs.FS, func(), error) {
		fmt.Println("open the files of", who.User)
		files := vfs.NewMem()
		err := files.WriteFile("/welcome.txt", []byte("Hello, "+who.User+"."))
		return files, func() { fmt.Println("close the files of", who.User) }, err
	}
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.get("RETR welcome.txt")
		c.say("REIN")
	})
	// Output:
	// open the files of anna
	// > RETR welcome.txt
	// Hello, anna.
	// < 226 Transfer complete.
	// > REIN
	// close the files of anna
	// < 220 Ready for a new user.
}
