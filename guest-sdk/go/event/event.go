// Package event exports the hook edgeftp_event: the policy is told what has
// happened. Importing it is the module's subscription to the stage.
package event

import (
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func init() { guest.The.Link(abi.HookEvent) }

// Export makes p the policy of this stage. It is called from init, once; the
// module is refused at load if it is called twice, with nil or never. If p has a method
// Name() string, that name is the key of its state in a session. Natively it does
// nothing else.
func Export(p policy.Observer) { guest.The.SetEvent(p) }
