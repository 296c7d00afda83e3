// Package userpi is a user-PI (RFC 959 §2.3) for tests: small, and honest in that
// it does what it is told, once, and hides nothing of what the server answers.
//
// It speaks over any net.Conn. Nothing is retried and no reply is skipped: a test
// that sends a command reads its reply. What a client program does in several
// steps (a login, an upload) is offered as helpers that return the first reply
// which was not the expected one as an error.
package userpi
