// Package data exports the hook edgeftp_data: the policy looks at the bytes of
// transfers and may stop or replace them. Importing it is the module's subscription
// to the stage.
//
// An instance serves chunks of many transfers: what is to be known at the next one
// goes into Piece.Carry. A chunk may grow to three times its length.
package data

import (
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func init() { guest.The.Link(abi.HookData) }

// Export makes p the policy of this stage. It is called from init, once; the
// module is refused at load if it is called twice, with nil or never. If p has a method
// Name() string, that name is the key of its state in a session. Natively it does
// nothing else.
func Export(p policy.Filter) { guest.The.SetData(p) }
