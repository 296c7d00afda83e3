// Package chain is the policy decision point (RFC 2753 §2): policies in order,
// folded to one verdict, one immutable and leased generation at a time.
//
// A generation is never changed. A swap builds the next one beside it, stores
// one pointer, and closes what only the old one held as soon as its last lease
// has been released. A command leases the generation that it finds and keeps it
// through its transfer, so that all questions about one upload are answered by
// the same policies.
package chain
