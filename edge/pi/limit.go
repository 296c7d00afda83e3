package pi

import "github.com/edgeftp/edgeftp/edge/wire"

// Limit is a limit of the server's for which a client was refused that may come again. It is
// an error, so that it can be the Cause of a reply.
type Limit uint8

// The limits. Those before LimitSessions are reached by what the client, or somebody who
// shares its address or its name, has done; the others by all clients together, or by the
// operator's word.
const (
	LimitBan       Limit = iota + 1 // the address is banned, or on the list of those who are not let in
	LimitAddress                    // sessions of the address
	LimitUser                       // sessions of the user
	LimitLogins                     // failed logins of the address, of the network around it, or of the user
	LimitRate                       // commands in a time, by the word of a policy
	LimitSessions                   // sessions of the server, or of the virtual host
	LimitBudget                     // memory, or descriptors
	LimitPasswords                  // passwords that wait to be verified
	LimitHold                       // no new session begins for the time being
	LimitShutdown                   // the server is shutting down
)

// Own reports whether the limit is one of the client's own, and not of all clients.
func (l Limit) Own() bool { return l < LimitSessions }

// Error implements error. It is not meant for clients.
func (l Limit) Error() string {
	words := [...]string{LimitBan: "the address is banned", LimitAddress: "there are too many sessions of the address", LimitUser: "there are too many sessions of the user",
		LimitLogins: "too many logins have failed", LimitRate: "commands come too fast", LimitSessions: "there are too many sessions", LimitBudget: "a budget of the server's is used up",
		LimitPasswords: "too many passwords wait to be verified", LimitHold: "no new session begins at the moment", LimitShutdown: "the server is shutting down"}
	if int(l) >= len(words) || words[l] == "" {
		return "a limit"
	}
	return words[l]
}

// Refuses returns the reply with the limit as its Cause.
func (l Limit) Refuses(r wire.Reply) wire.Reply {
	r.Cause = l
	return r
}
