// Package charset turns the names and texts of a control connection from the
// client's encoding into UTF-8, in which the server thinks, and back. UTF-8 is what
// RFC 2640 §2 asks for; everything else is for clients that are older than that.
//
// An encoding can be used when every ASCII byte means itself in it, whatever stands
// before it: then lines, verbs and slashes can be found before anything is decoded.
// UTF-16, UTF-32, EBCDIC, ISO-2022-* and HZ-GB-2312 are not of that kind and are
// refused.
//
// Two properties hold for every encoding and mode. ASCII comes from ASCII and from
// nothing else, in both directions, so that no encoding makes a CR, an LF, a NUL, a
// slash or a dot out of other bytes (the "?" for what cannot be written is the one
// exception). And a sequence is only taken for a character that can be written
// again: what Strict lets through can be listed and asked for by the client.
//
// A byte 0xFF is a character in many encodings (in ISO 8859-1 a small y with
// diaeresis, in windows-1251 a small ya) and the beginning of Telnet's commands
// (RFC 854). Doubling it on the control connection is edge/wire's business: Decode
// gets lines in which it is single, and what Encode returns is doubled when the
// reply is written. On the data connection it is not doubled.
package charset
