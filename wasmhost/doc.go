// Package wasmhost turns a vetted WebAssembly module into an ordinary
// [policy.Policy].
//
// A module is inspected before anything is compiled ([Host.Load] refuses it with
// a coded [LoadError] and changes nothing), compiled in a runtime of its own,
// and called through a bounded pool of instances. What a module may touch is what
// package abi lists: its own memory, one log function and a stub of WASI without
// files, environment, arguments, sockets or a real clock.
//
// # What a module's fault costs
//
// A trap, an overrun deadline, an exit or an answer that breaks the ABI costs the
// one decision that was asked, which then is an error (the chain refuses it), and
// the one instance that was asked, which is closed and made again when the next
// call wants it. Other instances, other policies and the server go on.
//
// # What is not bounded yet
//
// Deadlines act at loop headers and calls of the host. A guest that recurses
// without a loop runs until it returns or its stack of native code is full. The
// metering of a later version replaces this; see limits.go for the one place
// where a deadline is applied.
//
// It is the only package that imports wazero.
package wasmhost
