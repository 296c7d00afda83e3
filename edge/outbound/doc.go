// Package outbound makes the TCP connections that a server makes to others on behalf of a
// configuration or of a policy, so that a name cannot lead them astray (RFC 6890, RFC 9110
// §17): the addresses that a name resolves to are judged, and the connection is made to
// exactly those addresses, so that a second answer of the resolver has no say.
package outbound
