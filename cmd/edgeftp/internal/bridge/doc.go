// Package bridge lets ordinary user-PIs (RFC 959 §2.3) reach a server by FTP over QUIC
// (docs/ftpq.md). To its local clients it is a server on this machine: commands and replies
// go through it as they are, but those that prepare data connections, which are its own.
// All clients travel on one QUIC connection.
package bridge
