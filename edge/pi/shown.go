package pi

import (
	"reflect"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// shown is what questions and events are given of the session: a copy that does not
// change any more, so that they may outlive the command, and which they share until
// something in the session has changed. Most sessions say nothing but their transfers
// after the login; a copy for each question and event was 300 bytes five times for an
// upload that three modules see. To look whether it still holds costs some 25 ns, and
// nobody who changes something can forget to say so.
func (s *Session) shown() *policy.Session {
	if s.copied == nil || !alike(s.copied, &s.who) {
		who := s.who
		s.copied = &who
	}
	return s.copied
}

// alike reports whether both are the same in all that they hold. What authenticators gave
// back is never changed, only replaced.
func alike(a, b *policy.Session) bool {
	return a.ID == b.ID && a.User == b.User && a.Anon == b.Anon && a.Peer == b.Peer && a.Local == b.Local && a.Listener == b.Listener &&
		a.Root == b.Root && a.Group == b.Group && a.Client == b.Client && a.Host == b.Host && a.VHost == b.VHost && a.TLS == b.TLS && a.Protocol == b.Protocol && a.DataTLS == b.DataTLS &&
		a.ASCII == b.ASCII && a.Active == b.Active && a.Memo == b.Memo && (a.State == nil && b.State == nil ||
		reflect.ValueOf(a.State).UnsafePointer() == reflect.ValueOf(b.State).UnsafePointer())
}
