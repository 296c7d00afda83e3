package policy

import "time"

// EventKind names what has happened. The numbers are those of the guest ABI,
// §4.2, and the names are the same in the Go API, the ABI and the log.
type EventKind uint16

// The events. Those up to EventMaxConsPerIP are the model's callbacks.
const (
	EventConnect EventKind = iota + 1
	EventDisconnect
	EventLogin
	EventLoginFailed
	EventLogout
	EventFileSent
	EventFileReceived
	EventIncompleteFileSent
	EventIncompleteFileReceived
	EventCommandDone
	EventTLSEstablished
	EventTLSFailed
	EventTLSShutdown
	EventTimeout
	EventMaxCons
	EventMaxConsPerIP
	EventDenied
	EventFileDeleted
	EventFileRenamed
	EventDirCreated
	EventDirRemoved
	EventAttributesChanged
	EventBanAdded
	EventBanExpired
	EventPolicySwapped
	EventPolicyRolledBack
	EventPolicyFailed
	EventCertObtained
	EventCertRenewed
	EventCertFailed
	EventConfigReloaded
	EventConfigRejected
	EventDraining
)

// String returns the event's name in snake case.
func (k EventKind) String() string {
	names := [...]string{"", "connect", "disconnect", "login", "login_failed", "logout",
		"file_sent", "file_received", "incomplete_file_sent", "incomplete_file_received",
		"command_done", "tls_established", "tls_failed", "tls_shutdown", "timeout",
		"max_cons", "max_cons_per_ip", "denied", "file_deleted", "file_renamed", "dir_created",
		"dir_removed", "attributes_changed", "ban_added", "ban_expired", "policy_swapped",
		"policy_rolled_back", "policy_failed", "cert_obtained", "cert_renewed", "cert_failed",
		"config_reloaded", "config_rejected", "draining"}
	if k == 0 || int(k) >= len(names) {
		return "invalid"
	}
	return names[k]
}

// Event is the report of the event stage. Observers share it and must not
// change it.
type Event struct {
	Meta
	Kind  EventKind
	Path  string // canonical virtual path, or empty
	Path2 string // the new name of a rename, or empty
	// Text says more in one line: the command of command_done, the reason of
	// denied and of failures. It never holds a password.
	Text string
	Op   Op            // the operation that the event is about, 0 if none
	Size int64         // bytes moved by a transfer
	Took time.Duration // how long the transfer or command took
	Code int           // reply code, 0 if none was sent
	// Policy and Generation name the policy that the event is about.
	Policy     string
	Generation uint64
}
