// Package site exports the hook edgeftp_site: the policy adds SITE commands of its
// own. Importing it is the module's subscription to the stage.
//
// The commands stand in the module's manifest as well, where the server reads them
// without running anything (ABI §8, key site).
package site

import (
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func init() { guest.The.Link(abi.HookSite) }

// Export makes p the policy of this stage. It is called from init, once; the
// module is refused at load if it is called twice, with nil or never. If p has a method
// Name() string, that name is the key of its state in a session. Natively it does
// nothing else.
func Export(p policy.SiteCommander) { guest.The.SetSite(p) }
