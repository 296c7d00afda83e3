package edge_test

import (
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Several filesystems are served as one: folders (mount points) are seen in a base, each
// keeps its own links, uploads and rights, and one may be read-only. Home may make another
// vfs.Forest for each login.
func Example_folders() {
	conf := basic()
	base, shared, archive := vfs.NewMem(), vfs.NewMem(), vfs.NewMem()
	check(shared.WriteFile("/plan.txt", []byte("Soon.")))
	check(archive.WriteFile("/old.txt", []byte("Once.")))
	conf.FS = must(vfs.NewForest(base, []vfs.Folder{
		{Path: "/projects/shared", FS: shared},
		{Path: "/archive", FS: vfs.NewReadOnly(archive)},
	}))
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		c.say("CWD projects/shared")
		c.get("RETR plan.txt")
		c.say("RNFR /projects/shared")
		c.say("MKD /archive/new")
	})
	// Output:
	// > CWD projects/shared
	// < 250 "/projects/shared" is the working directory.
	// > RETR plan.txt
	// Soon.
	// < 226 Transfer complete.
	// > RNFR /projects/shared
	// < 550 That is a folder of the server's, or leads to one; it stays where it is.
	// > MKD /archive/new
	// < 550 The files here cannot be changed.
}
