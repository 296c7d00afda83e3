// Package audit is the log of what was changed over the admin API, and of what was
// refused there. Each record holds the hash of the one before it, so that nobody can
// change or take out a record without the rest showing it; the newest hash is kept apart
// as well (the head), so that the end of the log cannot be cut off unseen.
//
// Who can write both files of the server's user can make a new log of his own. What he
// cannot do is to make one with a hash that somebody else has written down: edgeftp audit
// verify prints it, and each backup has it.
//
// # Form
//
// A record is one line: a JSON object in canonical form (RFC 8785 for what records hold:
// the keys in order, no spaces), in which characters that are not printable are written as
// escapes. "hash" is the SHA-256, in hexadecimal, of the canonical form of the same object
// without "hash"; "prev" is the hash of the record before it, and empty in the first.
// "seq" counts from 1 and never begins again, also where a new file is begun.
package audit
