// Package quicnet carries FTP and HTTP/3 over QUIC (RFC 9000). It is the one package that
// knows a QUIC library: to the others a [Listener] is a net.Listener of control
// connections, a [Conn] is a net.Conn, and what its Port returns is a dtp.Port.
//
// docs/ftpq.md is the protocol, ftpq/1, written for a second implementation. In short: one
// QUIC connection carries control sessions, each of which is a bidirectional stream with
// the bytes of RFC 959, and one unidirectional stream for each transfer, which is opened by
// who sends and names the token that the command QDAT has agreed on. FIN is the end of a
// file, and nothing else is.
//
// HTTP/3 (RFC 9114) shares the UDP socket: the client's ALPN tells which of the two it is.
//
// # Handing over
//
// A QUIC connection lives in the memory of the process that has it, and cannot be given to
// another. Nor can two processes share the UDP port: the kernel spreads datagrams over
// the sockets of a port by the addresses that they come from, and the connections of the
// first would break when the second joins (TestSharedPort shows it). A successor therefore
// begins on the socket, or a duplicate of it, after [Listener.Shutdown] has returned in
// its predecessor; clients are told with CodeShutdown that they may come again at once.
package quicnet
