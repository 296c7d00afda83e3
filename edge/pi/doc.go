// Package pi is the server-PI (RFC 959 §2.3), the protocol interpreter: one
// table of commands, one loop, one owner per session.
//
// A [Session] belongs to one goroutine at a time, the one that is in
// [Session.Step]; only that goroutine changes it and only it writes replies, so
// there are no locks. A handler never blocks on the data connection and never
// writes: it returns an [Outcome]. What takes long — a transfer, a password to
// verify — runs in a helper goroutine that hands over exactly one result, and
// while it runs a second helper reads the control connection, one line for each
// request, so that ABOR, STAT and NOOP are answered meanwhile (RFC 959 §4.1.3).
//
// Between two commands a session is plain data: no goroutine, no buffer and no
// closure belongs to it. Who parks one calls [Session.Rest], after which hardly any
// data does either, until the next Step.
//
// The package is public for commands of an embedder's own: [Spec], [Table],
// [Outcome], and the methods of [Session] that a [Handler] may call. It may change
// before version 1.0.
package pi
