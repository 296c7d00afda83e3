// Package dtp is the server-DTP (RFC 959 §2.3): it prepares a port, opens it
// once, protects it, moves bytes one way under a limit, and says how it ended.
//
// It knows no policy and no filesystem: it is given a reader or a writer and
// numbers. Nothing is put between a file and a socket, so that the kernel moves
// the bytes of a plain binary transfer by itself (sendfile(2), splice(2));
// throttle, progress and size limit act between pieces.
//
// The package is public for data ports, transfers and throttles of an embedder's
// own: [Port], [Runner], [Limiter]. It may change before version 1.0. Package
// dtptest holds the conformance function of ports.
package dtp
