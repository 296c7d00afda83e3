// Package config reads the configuration file of edgeftp and makes the one that
// the flags of serve stand for. Both end in the same [Config], by the same
// checks.
//
// The file is YAML. One JSON Schema, schema.json beside this file, says which
// keys there are, what they may hold and what they are by default; it serves
// editors as well. All faults of a file are reported at once, each with its
// place and a way to mend it. No key is accepted and ignored: what the schema
// knows but the server cannot do yet is refused as such.
package config

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Config is a checked configuration with every default filled in. Paths are
// absolute.
type Config struct {
	Instance     Instance
	Listeners    []Listener // at least one
	Certificates []CertFile // at most one
	Limits       Limits
	Root         string // the directory that is served at /
	Users        []User
	Anonymous    Anonymous
	Policies     []Module // in the order in which they are asked
	Socket       string   // of the admin API
	Log          Log

	// Password is the one that FromFlags made up for the user of the command
	// line, for the greeting. It is empty otherwise, and in no file.
	Password string
	// PasswordFile is where FromFlags read the password of that user, absolute;
	// empty otherwise.
	PasswordFile string
}

// Instance is this server.
type Instance struct {
	Name         string
	StateDir     string
	DrainTimeout time.Duration
}

// Listener is one or more addresses with the same settings.
type Listener struct {
	Name      string
	Implicit  bool     // connections begin with TLS
	Addresses []string // host:port for net.Listen
	TLS       TLS
	Passive   Passive
	Active    Active
	Banner    string
}

// TLS says how connections are protected. Control and Data are "required",
// "optional" or, both, "off".
type TLS struct {
	Control, Data string
	Certificate   string // "dev" or "files"
	MinVersion    string // "1.2" or "1.3"
	SessionReuse  string // "require", "auto", "prefer" or "off"
}

// Passive says how passive ports are opened.
type Passive struct {
	Ports     []PortSpan // empty is the kernel's choice
	Advertise netip.Addr // the zero value is the connection's own address
	SamePeer  bool
	Timeout   time.Duration
}

// PortSpan is the ports First to Last, both included.
type PortSpan struct{ First, Last uint16 }

// Active says which data ports of clients are connected to.
type Active struct {
	Enabled         bool
	PrivilegedPorts bool
	Timeout         time.Duration
}

// CertFile is a certificate and its key, PEM files.
type CertFile struct{ Cert, Key string }

// Limits are what clients may take.
type Limits struct {
	Sessions, SessionsPerIP int
	Idle, Login, Stall      time.Duration
	LoginAttempts           int
	LoginDelay              time.Duration
}

// User is one user of the file.
type User struct {
	Name         string
	PasswordHash string
	Perms        policy.Perms
	Home         string
	Group        string
	MaxSessions  int           // 0 is no limit
	Limits       policy.Limits // zero fields do not limit
}

// Anonymous is the user of that name.
type Anonymous struct {
	Enabled bool
	Perms   policy.Perms
}

// Module is a policy module.
type Module struct {
	Name   string
	Source string // a file, or a directory with a Go main package
	// Settings is a JSON object for the module, nil if the file has none.
	Settings json.RawMessage
}

// Log says how the server logs.
type Log struct {
	Format string // "human" or "json"
	Level  string // "debug", "info", "warn" or "error"
}
