// Package wire is the grammar of the control connection: bounded lines in, with
// the Telnet protocol's control sequences removed, replies out, and the forms of
// host and port that commands and replies carry.
//
// It implements RFC 959 §4.1 and §4.2 (commands and replies), the parts of RFC
// 854 that RFC 959 §5.3.1 asks of a server, and RFC 2428's address forms. It
// keeps no state of a session beyond a partial line.
package wire
