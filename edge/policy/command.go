package policy

import "context"

// Commander decides whether a command is carried out at all (stage "cmd"), before
// its own questions are asked.
type Commander interface {
	// Command answers for one command whose form, state and sequence are in
	// order. Only Verdict, Code and Text of the answer count; Hide is Deny,
	// Rewrite a failure. An error refuses the command; its text is for the log and
	// is never shown to the client.
	Command(ctx context.Context, command *Command) (Answer, error)
}

// Command is the question of the cmd stage: may this command be carried out? What
// it did is told by EventCommandDone.
type Command struct {
	Meta
	Verb string // in capitals; a SITE command as "SITE CHMOD"
	Arg  string // as the client sent it; empty for PASS and ACCT
	Dir  string // the working directory, empty before the login
}

// SiteCommander adds SITE commands of its own (stage "site", RFC 959 §4.1.3).
type SiteCommander interface {
	// SiteCommands lists them. It is read once, when the policy joins a chain.
	SiteCommands() []SiteCommand
	// CallSite carries one of them out for a session that is logged in and has
	// the command's permission. An error is answered with 451; its text is for
	// the log and is never shown to the client.
	CallSite(ctx context.Context, call *SiteCall) (SiteReply, error)
}

// SiteCommand describes a SITE command for the table of commands and SITE HELP.
// A command that the server has itself goes to the server.
type SiteCommand struct {
	Verb string // 1 to 16 capital letters and digits, without SITE
	Perm Perms  // what the session must be permitted in its working directory; 0 nothing
	Arg  string // form of the argument for SITE HELP, such as "[days]", or empty
	Help string // one line
}

// SiteCall is one use of a SITE command.
type SiteCall struct {
	Meta
	Verb string // as declared
	Arg  string // what followed it, without the space; may be empty
	Dir  string // the working directory
}

// SiteReply is the answer to a [SiteCall].
type SiteReply struct {
	// Verdict is Allow when the command was carried out, Deny when not. Pass is
	// answered as a command that is not implemented; Hide is Deny, Rewrite a
	// failure.
	Verdict Verdict
	Code    int      // 200 to 299 beside Allow, 400 to 599 beside Deny; 0 is 200 or 550
	Lines   []string // of the reply, at most MaxLines; none is the server's own words
}

// MaxLines is the greatest number of lines in a [SiteReply].
const MaxLines = 64
