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
	"github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

func init() {
	g := settings.Into(newGuard())
	fs.Export(g)
	event.Export(g)
}

func main() {}
