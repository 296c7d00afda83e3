package policy

import "net/netip"

// Session holds the facts about the client that every question and event
// carries. Policies must not change it. Before the login has succeeded, the
// fields that a login sets are empty.
type Session struct {
	ID       uint64         // unique within the process; 0 in events that belong to no session
	User     string         // the name given with USER
	Anon     bool           // the user is the anonymous user
	Peer     netip.AddrPort // the client's control address
	Local    netip.AddrPort // the server's control address
	Listener string         // the listener's name in the configuration
	Root     string         // virtual path in which the session started, "/" by default
	Group    string         // the group that the login named, or empty
	Client   string         // the client program's own name (CLNT, CSID), or empty
	Host     string         // the server's name that the client asked for (HOST, RFC 7151), or empty
	VHost    string         // the virtual host that the session belongs to, by its name in the configuration, or empty
	TLS      TLS            // the control connection's protection
	Protocol string         // what carries the session if it is not FTP over TCP: "ftpq/1", "http/1.1", "h2", "h3"; else empty
	DataTLS  bool           // data connections are protected (PROT P, RFC 4217 §9)
	ASCII    bool           // the representation type is ASCII (RFC 959 §3.1.1.1)
	Active   bool           // the last data port was given by the client (PORT, EPRT)
	// State is what authenticators gave back at the login, at most 1,024 bytes
	// each, by the name of the policy's slot. A policy in a sandbox is shown its own
	// alone.
	State map[string][]byte
	// Memo is for whoever writes the session out; policies have no use for it. Nil
	// in sessions that are not a server's.
	Memo *Memo
}

// TLS holds what is known of the control connection's protection. The zero
// value is a connection in the clear.
type TLS struct {
	Version    string // "1.2" or "1.3"; empty in the clear
	Cipher     string // the suite's IANA name
	ServerName string // SNI that the client sent
	ALPN       string // negotiated protocol, empty if none
	Resumed    bool   // by a ticket; never on control connections
	// ClientSubject and ClientSHA256 describe a verified client certificate;
	// both are empty without one. The digest is of the DER form, in hex.
	ClientSubject string
	ClientSHA256  string // 64 lower-case digits
}

// Enabled reports whether the connection is protected.
func (t TLS) Enabled() bool { return t.Version != "" }
