// Upload-guard is a policy that keeps executables off a server: a name with one
// of the refused extensions cannot come into being, whether by an upload, a
// rename or a link. It also logs every finished upload.
//
// Settings, all optional:
//
//	deny_extensions: [exe, scr]   # without a dot or with one, in any case
//	message: "executables are not accepted here"
package main

import (
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

func init() {
	g := newGuard()
	edgeftp.Configure(g.configure)
	fs.Export(g)
	event.Export(g)
}

func main() {}
