// Package listing writes a directory as the lines of LIST, NLST and MLSD: a lazy
// reader that holds one portion of entries at a time, however many there are.
//
// Nothing that a file name can hold forges a line: names with CR, LF or NUL are
// left out and counted.
package listing
