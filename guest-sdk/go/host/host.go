// Package host gives a guest what it may ask of the server while it answers: the
// facts of a path, whether a hash is that of the login's password, and digests.
// Importing it makes policy.ServicesOf work in a module:
//
//	import _ "github.com/edgeftp/edgeftp/guest-sdk/go/host"
//
// The module imports the functions of those methods that are called somewhere in
// it; they need the capabilities "fs.stat", "pw" and "digest" in its manifest, and
// grants (ABI §7, §8). Natively there is no server to ask,
// but a test may have a guesttest.World.
package host

import (
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
)

// Services asks the host of the running module. The context of a call is not looked
// at: the deadline of the question ends it. Natively every method asks
// the test's guesttest.World, and fails with abi.ErrnoDenied where there is none.
type Services struct{}

var _ policy.Services = Services{}

func init() { guest.The.SetServices(Services{}) }
