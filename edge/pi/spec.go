package pi

import (
	"context"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Lane says how a command stands to one that is still running.
type Lane uint8

// The lanes. The zero value is Serial.
const (
	Serial Lane = iota // waits its turn (RFC 959 §4.2)
	Beside             // answered at once, also during a transfer: its handler must be quick
	Data               // waits its turn, and uses the data connection up
	Work               // waits its turn, and returns a Job without a data connection
)

// State says who may use a command.
type State uint8

// The states. The zero value is LoggedIn, so that a row which forgets to say
// admits nobody.
const (
	LoggedIn State = iota // whoever is logged in; others hear 530
	Anyone                // also before the login
)

// Memory is what one command leaves for a later one (RFC 959 §5.4's sequences).
type Memory uint8

// The memories. The zero value is none.
const (
	MemoryNone   Memory = iota // nothing
	MemoryUser                 // USER, for PASS
	MemoryRename               // RNFR, for RNTO
	MemoryCopy                 // SITE CPFR, for SITE CPTO
)

// Spec is one row of the command table: everything that the interpreter knows
// about a command.
type Spec struct {
	Verb    string       // in upper case: "STOR", or "SITE CHMOD" for a word of SITE
	Grammar Grammar      // what the argument is; FreeText, any or none, by default
	State   State        // who may use it
	Login   bool         // 550 in the clear where logging in needs TLS
	Needs   Memory       // what must have been left, else 503
	Leaves  Memory       // what it leaves for another command
	Perm    policy.Perms // the permission that the session must hold for it, 0 none; else 550
	// Ops are the operations that it may ask about. Nothing else is permitted to it,
	// whatever the policies think: see Session.Ask. The zero value is none.
	Ops     policy.Ops
	Lane    Lane // how it stands to a running command
	ArgLane Lane // the lane when an argument is given, where it differs from Lane
	Urgent  bool // Beside, and also ahead of lines that wait
	Barrier bool // once it waits, nothing further is read
	Unasked bool // no policy is asked about it at the stage of commands
	Secret  bool // its argument is shown to no policy but an authenticator, and in no event
	Feat    Feat // lines in the reply to FEAT, nil none
	// Help is "argument: words" or, without an argument, ": words", for HELP.
	Help    string
	RFC     string  // where it is defined, such as "RFC 959 §4.1.3", for HELP; may be empty
	Handler Handler // carries it out; required
}

// secret reports whether the argument is a password, also where a row of an
// embedder's in the place of PASS does not say so.
func (s *Spec) secret() bool { return s.Secret || s.Needs == MemoryUser }

// Feat returns a command's lines in the reply to FEAT (RFC 2389 §3.2).
type Feat func(*Session) []string

// Handler carries a command out. It runs in the session's owner, must not block
// on the network and must not write.
type Handler func(*Session, Args) Outcome

// Outcome is what a handler wants the owner to do.
type Outcome struct {
	Reply  wire.Reply // sent at once: the final reply, or the mark (150) before a Job
	Job    *Job       // goes on in a helper goroutine
	Secure bool       // begin TLS after the reply (AUTH)
	Close  bool       // end the session after the reply
}

// Settle is the end of a Job: the owner calls it and does what it says.
type Settle func(*Session) Outcome

// Meter counts the bytes that a Job has dealt with so far. It is read while the
// Job runs.
type Meter interface{ Bytes() int64 }

// Job is the part of a command that takes long.
type Job struct {
	// Run works until it is done or ctx has ended. It must not touch the
	// session: what it has to say goes into the Settle that it returns.
	Run func(ctx context.Context) Settle
	// Progress counts bytes; nil for work that ABOR leaves alone.
	Progress Meter
	// Alone lets nothing be answered meanwhile but ABOR, where it can do
	// something: a reply would be taken for that of the running command, which
	// has sent no mark.
	Alone bool
	// Title and Subject describe the work in the reply to STAT: what is done, and
	// with what ("Hashing", "/a").
	Title   wire.Text
	Subject string // may be empty

	who   *policy.Session // whose it is, for the log
	cargo cargo
}
