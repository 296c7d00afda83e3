package control

import (
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
)

// Controller is what the socket steers.
type Controller interface {
	// Status describes the running server (GET /v1/status and /v1/policies).
	Status() Status
	// Policies changes them.
	Policies() Policies
	// Bandwidth tells the limits in force (GET /v1/bandwidth).
	Bandwidth() Bandwidth
	// Limit changes one of them (PUT /v1/bandwidth). After an error nothing has
	// changed.
	Limit(l Limit) error
}

// Confined is a Controller that tells what its process is shut off by (GET /v1/sandbox).
type Confined interface {
	Confinement() sandbox.State
}

// Status is the answer to GET /v1/status. The policies alone are the answer to
// GET /v1/policies.
type Status struct {
	Version        string     `json:"version"`
	Name           string     `json:"name,omitempty"` // of the instance
	PID            int        `json:"pid"`
	Since          time.Time  `json:"since"`
	Root           string     `json:"root"`
	Listeners      []Listener `json:"listeners"`
	Sessions       int        `json:"sessions"`
	Most           Most       `json:"most"` // sessions
	Bans           int        `json:"bans"` // that hold
	Transfers      int        `json:"transfers"`
	Draining       bool       `json:"draining"`
	Predecessor    int        `json:"predecessor,omitempty"` // the process whose place this one took, while it has sessions
	Policies       []Policy   `json:"policies"`
	OldGenerations int        `json:"old_generations"` // replaced, and still held by transfers
	OldInstances   int        `json:"old_instances"`   // sandbox instances of replaced modules
	Budget         Budget     `json:"budget"`
	// Generation is the number of the configuration in force, and ConfigSince when it came
	// into force; OldSessions began with an earlier one.
	Generation  uint64    `json:"generation"`
	ConfigSince time.Time `json:"config_since"`
	OldSessions int       `json:"old_sessions"`
	Panics      uint64    `json:"panics"` // mistakes that were recovered, each at a session's cost at most
	// Certificates are filled in by the socket's side, from the Certifier. Nil: the
	// server has none.
	Certificates *CertSummary `json:"certificates,omitempty"`
}

// Most is how many sessions there may be; 0 is no limit.
type Most struct {
	Total   int `json:"total"`
	PerIP   int `json:"per_ip"`
	PerUser int `json:"per_user"`
}

// Budget is how the budgets of memory and descriptors stand. Zero is none of either.
type Budget struct {
	Memory        int64  `json:"memory"`      // bytes
	MemoryUsed    int64  `json:"memory_used"` // bytes
	MemoryFull    bool   `json:"memory_full"` // no session begins until there is room
	MemoryWorst   int64  `json:"memory_worst"`
	Descriptors   int    `json:"descriptors"` // for sessions
	MostSessions  int    `json:"most_sessions"`
	NoMemory      uint64 `json:"no_memory"`      // connections turned away
	NoDescriptors uint64 `json:"no_descriptors"` // connections turned away
	NoTransfer    uint64 `json:"no_transfer"`    // transfers refused for want of memory
}

// Listener is one bound address.
type Listener struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	TLS     string `json:"tls"` // required, optional, off or implicit
	// Protocol is http, http3 or ftp+quic, of which the latter two are at UDP ports; empty is
	// FTP over TCP.
	Protocol string `json:"protocol,omitempty"`
}

// Refusal is an error of the Controller that is the caller's to mend: the module
// is bad, the name unknown. It is answered with 409 and its text.
type Refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"` // may have several lines
	Help    string `json:"help,omitempty"`
}

// Error returns the message and the help.
func (r *Refusal) Error() string {
	if r.Help == "" {
		return r.Message
	}
	return r.Message + "\n   = help: " + r.Help
}

// maxModule is the greatest length of a module in bytes; the policy host has the
// same bound.
const maxModule = 8 << 20
