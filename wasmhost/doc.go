// Package wasmhost turns a vetted WebAssembly module into an ordinary
// [policy.Policy].
//
// A module is inspected before anything is compiled ([Host.Load] refuses it with
// a coded [LoadError] and changes nothing), metered, compiled in a runtime of its
// own, tried with the tests that it brings, and called through a bounded pool of
// instances. What a module may touch is what package abi lists: its own memory, one
// log function, a stub of WASI without files, environment, arguments, sockets or a
// real clock, and those functions of the host that its manifest declares and the
// operator grants ([Grant]).
//
// # What a module's fault costs
//
// A trap, an overrun deadline, an exit or an answer that breaks the ABI costs the
// one decision that was asked, which then is an error (the chain refuses it), and
// the one instance that was asked, which is closed and made again when the next
// call wants it. Other instances, other policies and the server go on.
//
// # What bounds a guest
//
// Generated code cannot be interrupted from outside: not by a deadline, and not by
// the collector of the server's own memory, which waits for it. So every module is
// rewritten before it is compiled (package internal/meter): it counts its work, and
// asks the host for more at every hundred thousand units, some tenths of a
// millisecond. There the host looks at the deadline, at the fuel of the call and at
// the policy's end, and there the server can stop the world. A call that ends
// within its first slice, as nearly all do, looks at no clock. Nested calls are
// counted by the weight of their frames, memory by pages, tables by entries.
//
// It is the only package that imports wazero.
package wasmhost
