package edgeftp

import (
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Level says how important a line of log is.
type Level int32

// The levels (ABI §7).
const (
	Debug Level = Level(abi.LogDebug)
	Info  Level = Level(abi.LogInfo)
	Warn  Level = Level(abi.LogWarn)
	Error Level = Level(abi.LogError)
)

// Log writes one line to the server's log, with the policy's name. The server
// cuts it at 1,024 bytes, escapes control characters and drops lines of a policy
// that writes too many. Natively it goes to the default slog.Logger.
func Log(level Level, msg string) { guest.Log(int32(level), msg) }

// Configure registers what takes the settings of the policy, once for each
// instance, before its first question. edgeftp delivers the settings of the
// configuration file as JSON; package settings reads it in a few kilobytes. The
// bytes are empty if there are no settings, and may be kept. An error refuses the
// policy at load and is shown to the operator.
//
// Without a call of Configure, a policy that is given settings is refused.
// Configure is called from init, at most once.
func Configure(f func(settings []byte) error) { guest.The.SetConfigure(f) }

// Export makes p the policy of all stages that its Hooks name: source that is also
// linked natively becomes a module with
//
//	import (
//		_ "github.com/edgeftp/edgeftp/guest-sdk/go/event"
//		_ "github.com/edgeftp/edgeftp/guest-sdk/go/fs"
//	)
//
//	func init() { edgeftp.Export(mine.New()) }
//
// The packages that are imported are the module's subscriptions; if they are not
// those of p, Export panics and says so, and the module is refused at load. It is
// called once, from init, or from the function that Configure was given where the
// policy is made of its settings. Interest and Tap of the Hooks are the manifest's to
// say (ABI §8).
func Export(p policy.Policy) { guest.The.Export(p) }

// State returns what this policy's own auth hook left with the session in
// Identity.State, nil if there is nothing. It must not be changed.
func State(s *policy.Session) []byte { return s.State[guest.The.Slot()] }
