// Package listing writes directories as the lines of LIST, NLST and MLSD: readers
// that are as lazy as they can be. A directory is streamed, however many entries
// it has; only a bounded number of them is ever held, for the sake of their order.
// Patterns and whole trees (-R) are read within limits.
//
// Nothing that a file name can hold forges a line: names with CR, LF or NUL are
// left out and counted.
package listing
