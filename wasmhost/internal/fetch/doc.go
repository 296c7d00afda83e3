// Package fetch carries out single HTTP requests (RFC 9112) for code that is not
// trusted: to origins on a list and nowhere else, within bounds of time and size,
// without cookies, proxies, redirects or unpacking.
//
// A name that is on the list may not lead into the server's own network: the
// addresses that it resolves to are judged, and the connection is made to exactly
// those addresses, so that a second answer of the resolver has no say.
package fetch
