// Package trust decides whose policy modules a server takes: those that are
// signed with a minisign key of the operator's, that have the digest the operator
// wrote down, and that are not older than what ran before.
//
// A module is judged in two steps, because its version is its own word and is
// only read once its bytes are trusted: [Rules.Check] looks at bytes, before
// anything decodes them, and [Rules.Follows] at the version, when the manifest
// has been read. Every refusal is a [*refusal.Error] with a code of this package.
//
// What trust does not do: a module that is signed is the one its author meant.
// It is not therefore a good one. The host's limits hold for signed modules too.
package trust

import "github.com/edgeftp/edgeftp/wasmhost/refusal"

// The codes of what this package refuses.
const (
	CodeUnsigned  refusal.Code = "EF2118" // the signature is missing
	CodeSignature refusal.Code = "EF2119" // the signature is wrong, or of a key that is not trusted
	CodeDigest    refusal.Code = "EF2120" // the digest is not the pinned one
	CodeDowngrade refusal.Code = "EF2121" // older than what ran, or its age cannot be told
)
