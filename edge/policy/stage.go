package policy

// Stage names one kind of question or report. The numbers are those of the guest
// ABI, §3.
type Stage uint8

// The stages, in the order of the guest ABI. StageIdle is housekeeping between two
// questions; the chain never asks for it.
const (
	StageAuth     Stage = iota + 1 // may this client be this user?
	StageFS                        // may this session do this to this path?
	StageList                      // which of these entries may this session see?
	StageCmd                       // may this command be carried out?
	StageSite                      // carry out a SITE command of the policy's own
	StageThrottle                  // how fast may this transfer go?
	StageData                      // may these bytes pass, and as what?
	StageEvent                     // this has happened
	StageCert                      // may this name get a certificate on demand?
	StageIdle                      // housekeeping of a policy that needs calls for it
	NumStages                      // one more than the greatest number
)

// String returns the stage's lower-case name, "invalid" for a number without one.
func (s Stage) String() string {
	names := [NumStages]string{"", "auth", "fs", "list", "cmd", "site", "throttle", "data", "event",
		"cert", "idle"}
	if s == 0 || s >= NumStages {
		return "invalid"
	}
	return names[s]
}

// Interest narrows the calls of a policy to what it cares for. Each field is a
// list of which one item must match; nil matches everything, also in the zero
// value.
type Interest struct {
	Ops    []Op        // stage fs: the operations
	Events []EventKind // stage event: the kinds
	Verbs  []string    // stage cmd: the commands, in capitals, a SITE command as "SITE CHMOD"
	// Paths are canonical virtual directories, in or at which the path of a
	// question lies (stages fs, list, throttle and data). A question with two
	// paths is of interest if one of them lies there.
	Paths []string
	// Groups are those of the session (stages fs, list, cmd, site, throttle and
	// data). A session without a group is of interest to no list.
	Groups []string
}
