// Package ftpclient is the FTPS client of edgeftp get, put, ls, mirror and bench. It
// trusts nobody: TLS and its certificates are checked unless somebody gives that up in
// words, replies and listings have bounds, and a name that a server tells becomes a
// file only below the directory that was asked for.
//
// A Session is one login; an Engine moves files with several of them.
package ftpclient
