package policy

import (
	"net/netip"
	"time"
)

// EventKind names what has happened. The numbers of those that GuestEvents returns are those
// of the guest ABI, §4.2, and the names are the same in the Go API, the ABI and the log.
type EventKind uint16

// The events. Those up to EventMaxConsPerIP are the model's callbacks. Beside each
// stands when it happens and which fields of the Event it fills in, if any; where
// it says "told by the program", edge itself never does (see edge.Server.Tell).
const (
	EventConnect                EventKind = iota + 1 // before the 220 reply, on an implicit listener after the handshake
	EventDisconnect                                  // the control connection was closed, also one that was turned away
	EventLogin                                       // somebody has logged in; Took, Text: the policies that allowed it
	EventLoginFailed                                 // after the delay; Session.User, Took, Text, Policy: who, why, and whose refusal
	EventLogout                                      // by QUIT, REIN, USER or AUTH; not when the client just disconnects
	EventFileSent                                    // a download is whole; Path, Size, Took, Code
	EventFileReceived                                // an upload is whole and published; Path, Size, Took, Code
	EventIncompleteFileSent                          // a download was not whole; as above, and Text: why
	EventIncompleteFileReceived                      // an upload was not whole, or not published; as above
	EventCommandDone                                 // a command was carried out; Text: the command, Path, Code, Took
	EventTLSEstablished                              // a handshake was done; Took, Text: version, and "data connection" for one
	EventTLSFailed                                   // a handshake failed, or something was amiss with AUTH; Text: why
	EventTLSShutdown                                 // the control connection was ended by close_notify
	EventTimeout                                     // the idle or login limit has passed; with a Text, a limit of the data connection
	EventMaxCons                                     // a connection was turned away: too many in all; Text: the budget that is used up, memory or descriptors, if it is one, or draining
	EventMaxConsPerIP                                // a connection was turned away: too many from its address
	EventDenied                                      // an operation was refused; Op, Path, Path2, Text, Code, Policy, Generation
	EventFileDeleted                                 // Path, Size: bytes that went away
	EventFileRenamed                                 // Path, Path2; also of a directory
	EventDirCreated                                  // Path
	EventDirRemoved                                  // Path
	EventAttributesChanged                           // times or modes; Op, Path
	EventBanAdded                                    // an address was banned; Text: which, until when and why
	EventBanExpired                                  // a ban has ended, or was lifted; Text as above
	EventPolicySwapped                               // told by the program; Policy, Generation
	EventPolicyRolledBack                            // told by the program; Policy, Generation
	EventPolicyFailed                                // a policy failed, and so refused; as EventDenied
	EventCertObtained                                // told by the program; Text
	EventCertRenewed                                 // told by the program; Text
	EventCertFailed                                  // told by the program; Text
	EventConfigReloaded                              // told by the program; Text
	EventConfigRejected                              // told by the program; Text
	EventDraining                                    // told by the program

	// What follows is about the machine that the server runs on, and not about clients:
	// modules are not told of it. The program tells all of it.
	EventCertExpiring  // a certificate is near its end, or over; Text
	EventDiskLow       // a disk has little room; Text: which, and how much
	EventDiskOK        // it has room again; Text
	EventNoPassivePort // no passive port was free; Text: of which listener, and how often
	EventWebhookFailed // events for a webhook were given up; Policy: its slot, Text: how many and why
	EventNotifyTest    // an operator tries whether he is told; Text

	// This one is about a client again, and modules are told of it.
	EventClientMoved // the client goes on from another address, over QUIC: Session.Peer; Text: the address before
)

// GuestEvents returns the kinds that modules are told of, in the order of their numbers.
func GuestEvents() (all []EventKind) {
	for k := EventConnect; k <= EventDraining; k++ {
		all = append(all, k)
	}
	return append(all, EventClientMoved)
}

// String returns the event's name in snake case.
func (k EventKind) String() string {
	names := [...]string{"", "connect", "disconnect", "login", "login_failed", "logout",
		"file_sent", "file_received", "incomplete_file_sent", "incomplete_file_received",
		"command_done", "tls_established", "tls_failed", "tls_shutdown", "timeout",
		"max_cons", "max_cons_per_ip", "denied", "file_deleted", "file_renamed", "dir_created",
		"dir_removed", "attributes_changed", "ban_added", "ban_expired", "policy_swapped",
		"policy_rolled_back", "policy_failed", "cert_obtained", "cert_renewed", "cert_failed",
		"config_reloaded", "config_rejected", "draining",
		"cert_expiring", "disk_low", "disk_ok", "no_passive_port", "webhook_failed", "notify_test",
		"client_moved"}
	if k == 0 || int(k) >= len(names) {
		return "invalid"
	}
	return names[k]
}

// Event is the report of the event stage. Observers share it and must not
// change it.
type Event struct {
	Meta
	Kind  EventKind // what has happened; it says which of the fields are filled in
	Path  string    // canonical virtual path, or empty
	Path2 string    // the new name of a rename, or empty
	// Text says more in one line: the command of command_done, the reason of
	// denied and of failures. It never holds a password.
	Text string
	Op   Op    // the operation that the event is about, 0 if none
	Size int64 // bytes moved by a transfer, or gone with a file
	// Took is how long it took: a transfer or copy; a command from when it had come, or
	// the one before it was done, to its reply; a login up to the delay after a failure;
	// a TLS handshake. 0 if there was nothing of that.
	Took time.Duration
	Code int // reply code, 0 if none was sent
	// DataPeer is the other end of the data connection that the event is about, as far as
	// there was one: of transfers, and of a question that was refused. Of other events,
	// and of a connection without addresses, it is the zero value.
	DataPeer netip.AddrPort
	// Policy and Generation name the policy that the event is about.
	Policy     string
	Generation uint64 // of its slot, from 1; 0 with an empty Policy
	// Late marks an event of a command whose own policies had ended before it did:
	// it was told to those that took their place.
	Late bool
}

// Later is the error of an observer that takes no event now, which is no failure of it:
// where its events are kept until it took them, it is handed them again After that time,
// as only it knows when what it hands them to may be there again. Where they are not kept,
// the event is lost.
type Later struct {
	After time.Duration // 0 or less: as after a failure
	Err   error         // why, not nil
}

// Error implements error.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap returns Err.
func (l *Later) Unwrap() error { return l.Err }
