// Package control is the admin socket: HTTP/1.1 over a Unix socket in the state
// directory, for the owner of the process alone.
//
// The server side asks a small [Controller]; the client side is what the
// subcommands use. Paths and bodies are the same on both sides and are documented
// at the types. A caller sends a module's bytes; no path of a caller's is ever
// opened.
package control
