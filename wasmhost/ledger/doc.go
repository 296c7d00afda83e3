// Package ledger remembers the policy modules that were accepted: which slot took
// which module when, and the bytes of the last few, so that a server can go back
// to an earlier generation after a restart, and knows what a new module must not
// be older than.
//
// A ledger is a directory of its own:
//
//	index.json           which slot took what, newest first
//	sha256-HEX.wasm      a module, named by its digest
//	new-NAME             a file that was being written when the server died
//
// Every file is written beside its name, synced and renamed, and the index last:
// at each moment, also between any two system calls, the index on disk names
// modules that are there. A module is removed only after an index without it is
// durable. Nothing else than these names is ever removed.
//
// One process at a time may use a ledger; the server's lock on its state
// directory sees to it.
package ledger
