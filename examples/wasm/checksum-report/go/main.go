// Checksum-report is a policy that tells an HTTP server of each finished upload: path,
// size, SHA-256 and user. README.md has the settings.
package main

import (
	"github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/host"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

func init() {
	r := settings.Into(newReporter())
	fs.Export(r)
	event.Export(r)
}

func main() {}
