// Package listing turns directories into what LIST, NLST (RFC 959 §4.1.3) and
// MLSD, MLST (RFC 3659 §7) send.
//
// A directory is a lazy [Reader]: nothing is sorted and nothing but one portion
// of entries is held, however many there are. Lines end with CRLF.
//
// Names on disk may hold any byte but "/" and NUL. One that holds CR, LF or NUL
// would let whoever made it forge lines, so its entry is left out and counted.
package listing
