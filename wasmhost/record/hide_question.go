package record

import (
	"errors"
	"slices"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// slotName is the name under which a record's STATE is read and written again.
const slotName = "policy"

// question replaces the names of a record.
func (s *search) question(record []byte) ([]byte, error) {
	d := &abi.Decoder{Slot: slotName}
	switch abi.KindOf(record) {
	case abi.HookAuth:
		q, err := d.Login(record)
		return rewrite(s, q, err, func(q *policy.Login) *policy.Meta { return &q.Meta }, nil, abi.AppendLogin)
	case abi.HookFS:
		q, err := d.Action(record)
		return rewrite(s, q, err, func(q *policy.Action) *policy.Meta { return &q.Meta }, s.action, abi.AppendAction)
	case abi.HookList:
		q, err := d.Listing(record)
		return rewrite(s, q, err, func(q *policy.Listing) *policy.Meta { return &q.Meta }, s.listing, abi.AppendListing)
	case abi.HookCmd:
		q, err := d.Command(record)
		return rewrite(s, q, err, func(q *policy.Command) *policy.Meta { return &q.Meta }, s.command, abi.AppendCommand)
	case abi.HookSite:
		q, err := d.SiteCall(record)
		return rewrite(s, q, err, func(q *policy.SiteCall) *policy.Meta { return &q.Meta }, s.siteCall, abi.AppendSiteCall)
	case abi.HookThrottle:
		q, err := d.Transfer(record)
		return rewrite(s, q, err, func(q *policy.Transfer) *policy.Meta { return &q.Meta },
			func(q *policy.Transfer) { q.Path, q.DataPeer = s.path(q.Path), s.addr(q.DataPeer) }, abi.AppendTransfer)
	case abi.HookData:
		q, err := d.Chunk(record)
		return rewrite(s, q, err, func(q *policy.Chunk) *policy.Meta { return &q.Meta }, s.chunk, abi.AppendChunk)
	case abi.HookEvent:
		q, err := d.Event(record)
		return rewrite(s, q, err, func(q *policy.Event) *policy.Meta { return &q.Meta }, s.event, abi.AppendEvent)
	case abi.HookCert:
		q, err := d.CertRequest(record)
		return rewrite(s, q, err, func(q *policy.CertRequest) *policy.Meta { return &q.Meta },
			func(q *policy.CertRequest) { q.Name = s.word(q.Name) }, abi.AppendCertRequest)
	}
	return nil, abi.ErrRecord
}

// rewrite replaces the names of a question that was read, and writes it again.
func rewrite[Q any](s *search, q *Q, err error, meta func(*Q) *policy.Meta, own func(*Q),
	write func([]byte, string, *Q) ([]byte, error)) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	session := meta(q).Session
	s.session(session)
	if own != nil {
		own(q)
	}
	s.state(session)
	return write(nil, slotName, q)
}

func (s *search) action(q *policy.Action) {
	q.Path = s.path(q.Path)
	q.Path2 = s.path(q.Path2)
	q.Arg = s.path(q.Arg)
	q.DataPeer = s.addr(q.DataPeer)
}

func (s *search) listing(q *policy.Listing) {
	q.Path = s.path(q.Path)
	for i := range q.Entries {
		q.Entries[i].Name = s.file(q.Entries[i].Name)
	}
}

// spoken are commands whose argument is a word of the protocol.
func spoken(verb string) bool {
	return slices.Contains([]string{"TYPE", "MODE", "STRU", "PROT", "PBSZ", "OPTS", "ALLO", "REST", "AUTH", "CLNT", "EPSV", "LANG", "CCC"}, verb)
}

func (s *search) command(q *policy.Command) {
	q.Dir = s.path(q.Dir)
	if !spoken(q.Verb) {
		q.Arg = s.path(q.Arg)
	}
}

func (s *search) siteCall(q *policy.SiteCall) {
	q.Dir, q.Arg = s.path(q.Dir), s.path(q.Arg)
}

// chunk replaces the bytes of the file, and what the policy made of earlier ones.
func (s *search) chunk(q *policy.Chunk) {
	q.Path, q.DataPeer = s.path(q.Path), s.addr(q.DataPeer)
	q.Data = make([]byte, len(q.Data))
	q.Carry = s.h.bytes(q.Carry)
}

func (s *search) event(q *policy.Event) {
	q.Path, q.Path2, q.Text = s.path(q.Path), s.path(q.Path2), s.line(q.Text, q.Kind == policy.EventCommandDone)
	q.DataPeer = s.addr(q.DataPeer)
}

// causeOf returns the cause of a failed call, 0 for another error.
func causeOf(err error) wasmhost.Cause {
	var fault *wasmhost.CallError
	var told *Failure
	switch {
	case errors.As(err, &fault):
		return fault.Cause
	case errors.As(err, &told):
		return told.Cause
	}
	return 0
}
