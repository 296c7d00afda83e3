// Package acme turns names into a *tls.Config: certificates from authorities (RFC
// 8555) or from one of the server's own for development ([DevCA]), which a [Manager]
// obtains and renews, or from files ([FileSet]), over one base of settings that holds
// for every connection (RFC 4217, RFC 8446, RFC 9325). [StrictSNI] and [ClientCerts]
// make such a configuration stricter.
//
// What it returns is long-lived. The server builds the configuration of each
// handshake from it and seals session tickets with its keys, which [TicketKeys]
// sets and rotates.
package acme

import "crypto/tls"

// base is what holds for every server configuration: TLS 1.2 and 1.3, and for
// 1.2 only suites with forward secrecy and authenticated encryption (RFC 9325
// §4.2). The list is in no order of preference; crypto/tls has its own.
func base() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
