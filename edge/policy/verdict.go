package policy

import "time"

// Verdict is what one policy thinks of one question. The zero value, [Pass], is
// no opinion. The numbers are those of the guest ABI, §4.3.
type Verdict uint8

// The five verdicts.
const (
	Pass    Verdict = iota // no opinion; the next policy is asked
	Allow                  // in favour; the next policy is asked all the same
	Deny                   // refused, with the answer's code and text
	Rewrite                // in favour, of another path: see Answer.Path
	Hide                   // refused as if the path did not exist
)

// String returns the verdict's lower-case name, "pass" for the zero value.
func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	case Rewrite:
		return "rewrite"
	case Hide:
		return "hide"
	}
	return "invalid"
}

// Answer is one policy's answer to one [Action]. The zero value is no opinion
// and narrows nothing.
type Answer struct {
	Verdict Verdict // the zero value has no opinion
	// Final ends the question in favour: later policies are not asked. It means
	// nothing beside Pass, Deny and Hide.
	Final bool
	// Code is the reply code of a refusal, 400 to 599. Zero is the stage's own
	// code (550, RFC 959 §4.2.1).
	Code int
	// Text explains a refusal to the client, in one line. Empty means the
	// server's own words.
	Text string
	// Path and Path2 replace Action.Path and Action.Path2 when Verdict is
	// Rewrite; empty leaves the path alone. They are virtual, absolute paths and
	// are made canonical again before anybody sees them.
	Path, Path2 string
	// Limits narrow the transfer that the operation may start.
	Limits Limits
	// Label is a word about the decision, for the Grant. It has no effect.
	Label string
	// TTL allows the same answer to the same question for that long, from whichever
	// session: whoever calls the policy may keep it and need not. Zero forbids it,
	// and so does a session with State.
	TTL time.Duration
}

// Limits narrow what a grant allows. Zero in any field is no limit; of two
// limits the narrower one holds.
type Limits struct {
	RateDown    int64 // bytes per second from server to client, on the wire
	RateUp      int64 // bytes per second from client to server, on the wire
	MaxFileSize int64 // bytes that a stored file may have, after decoding
	// DataTLS requires a protected data connection (RFC 4217 §9).
	DataTLS bool
}

// Narrow returns the limits that satisfy both l and m.
func (l Limits) Narrow(m Limits) Limits {
	return Limits{
		RateDown:    narrower(l.RateDown, m.RateDown),
		RateUp:      narrower(l.RateUp, m.RateUp),
		MaxFileSize: narrower(l.MaxFileSize, m.MaxFileSize),
		DataTLS:     l.DataTLS || m.DataTLS,
	}
}

func narrower(a, b int64) int64 {
	switch {
	case a <= 0:
		return b
	case b <= 0:
		return a
	}
	return min(a, b)
}

// Grant is what the chain gives for one operation: a capability that holds
// everything the data plane needs, so that no policy is asked again while bytes
// move. For a rename it has two paths.
type Grant struct {
	Path, Path2 string   // canonical virtual paths, rewritten where a policy asked
	Limits      Limits   // the narrowest of the session's and every answer's
	Labels      []string // the labels of the answers, in order
}

// Denial is a refusal by the chain. It is an error so that it can travel as one.
type Denial struct {
	Policy     string // the policy's slot name; empty when no policy spoke
	Generation uint64 // the generation of that policy, 0 with an empty Policy
	Hidden     bool   // answer as if the path did not exist
	Failed     bool   // the policy failed rather than refused
	Code       int    // reply code, 0 for the stage's own
	Text       string // one line for the client, may be empty
	Reason     string // why, for the log in place of Text; may be empty
	Cause      error  // what failed, for the log alone; nil when refused
}

// Error describes the denial for a log line. It is not meant for clients.
func (d *Denial) Error() string {
	who := d.Policy
	if who == "" {
		who = "no policy"
	}
	switch {
	case d.Failed && d.Cause != nil:
		return who + " failed: " + d.Cause.Error()
	case d.Reason != "":
		return who + " refused: " + d.Reason
	case d.Text != "":
		return who + " refused: " + d.Text
	case d.Policy == "":
		return "no policy has granted it"
	}
	return who + " refused"
}

// Unwrap returns the cause of a failed decision, nil for a plain refusal.
func (d *Denial) Unwrap() error { return d.Cause }

// Meta is what every question carries besides its subject.
type Meta struct {
	Session *Session // who asks; never nil
	// Request is the number of the question or event within its session, from 1. All
	// questions about one transfer, also whether it may become visible, and the event
	// at its end have the number of the question that permitted it; EventDenied and
	// EventPolicyFailed that of the question that was refused.
	Request uint64
	Time    time.Time // when it was asked
	// Shadow marks a trial: the answer is compared with that of the policy in
	// force and has no effect.
	Shadow bool
}
