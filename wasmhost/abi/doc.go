// Package abi is the contract between the server and a guest module: the names
// that cross the border and the bytes of questions and answers, in version 1 of
// the guest ABI.
//
// It is the code twin of guest-sdk/ABI.md; a test holds the two together, and the
// golden bytes in guest-sdk/vectors hold both to what is really sent. Both ends
// import it: the host encodes questions and decodes answers, the Go SDK does the
// opposite. It therefore imports nothing but edge/policy and the standard
// library, and it compiles for GOOS=wasip1.
//
// A question is one little-endian record in the guest's mailbox ([AppendLogin],
// [AppendAction], [AppendEvent] and one for each other hook; [Decoder] reads them).
// An answer is one i64 ([Verdict]) and, if it has more to say, a list of
// key-length-value entries at the start of the mailbox ([DecodeAnswer],
// [DecodeIdentity] and so on; [AppendAnswer] and [AppendIdentity] write them). What a
// guest may call is in [Imports].
//
// Every decoder takes bytes from the other side of a trust border: none panics,
// none lets pass what it cannot honour, and none keeps a reference into its input
// unless it says so.
package abi
