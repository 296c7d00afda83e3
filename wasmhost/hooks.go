package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Hooks returns the stages whose hooks the module exports.
func (p *Policy) Hooks() policy.Hooks {
	on := &p.module.hooks
	h := policy.Hooks{Tap: p.module.manifest.Tap, Interest: p.module.manifest.Interest}
	if on[abi.HookAuth] {
		h.Authenticator = authenticator{p}
	}
	if on[abi.HookFS] {
		h.Authorizer = authorizer{p}
	}
	if on[abi.HookList] {
		h.Lister = lister{p}
	}
	if on[abi.HookCmd] {
		h.Commander = commander{p}
	}
	if on[abi.HookSite] {
		h.Site = site{p}
	}
	if on[abi.HookThrottle] {
		h.Throttler = throttler{p}
	}
	if on[abi.HookData] {
		h.Filter = filter{p}
	}
	if on[abi.HookEvent] {
		h.Observer = observer{p}
		if h.Interest.Events == nil { // all that the ABI has numbers for
			h.Interest.Events = policy.GuestEvents()
		}
	}
	if on[abi.HookCert] {
		h.Certifier = certifier{p}
	}
	return h
}

// One small type for each stage, so that a Policy does not look as if it took
// part in a stage that its module has no hook for.
type (
	authenticator struct{ p *Policy }
	authorizer    struct{ p *Policy }
	lister        struct{ p *Policy }
	commander     struct{ p *Policy }
	site          struct{ p *Policy }
	throttler     struct{ p *Policy }
	filter        struct{ p *Policy }
	observer      struct{ p *Policy }
	certifier     struct{ p *Policy }
)

// Authenticate asks the hook auth. The guest is shown no password unless the host
// was told to.
func (a authenticator) Authenticate(ctx context.Context, login *policy.Login) (policy.Identity, error) {
	asked := *login
	if !a.p.caps.password {
		asked.Password = ""
	}
	return ask(ctx, a.p, abi.HookAuth, login.Time, &asked, abi.AppendLogin, decodeIdentity)
}

// Authorize asks the hook fs, or gives the answer that it allowed to be used again.
func (a authorizer) Authorize(ctx context.Context, action *policy.Action) (policy.Answer, error) {
	if a.p.cache.active.Load() {
		if kept, ok := a.p.cache.find(a.p.name, action); ok {
			return kept, nil
		}
	}
	answer, err := ask(ctx, a.p, abi.HookFS, action.Time, action, abi.AppendAction, decodeAnswer)
	if err == nil && answer.TTL > 0 && a.p.world == nil { // each test is asked
		a.p.cache.keep(a.p.name, action, answer)
	}
	return answer, err
}

// List asks the hook list. What does not fit the mailbox is asked in two halves.
func (l lister) List(ctx context.Context, q *policy.Listing) (policy.View, error) {
	n := len(q.Entries)
	decode := func(in *instance, v abi.Verdict, reply []byte) (policy.View, error) {
		return abi.DecodeView(v, reply, n, in.policy.limits.Strict)
	}
	view, err := ask(ctx, l.p, abi.HookList, q.Time, q, abi.AppendListing, decode)
	if fault := (*CallError)(nil); n < 2 || !errors.As(err, &fault) || !errors.Is(err, errNoRoom) {
		return view, err
	}
	first, second := *q, *q
	first.Entries, second.Entries = q.Entries[:n/2], q.Entries[n/2:]
	if view, err = l.List(ctx, &first); err != nil || view.Verdict == policy.Deny || view.Verdict == policy.Hide {
		return view, err
	}
	rest, err := l.List(ctx, &second)
	if err != nil || rest.Verdict == policy.Deny || rest.Verdict == policy.Hide {
		return rest, err
	}
	for i := range second.Entries {
		if rest.Hidden.Has(i) {
			view.Hidden.Set(n/2 + i)
		}
	}
	return view, nil
}

// Command asks the hook cmd.
func (c commander) Command(ctx context.Context, q *policy.Command) (policy.Answer, error) {
	return ask(ctx, c.p, abi.HookCmd, q.Time, q, abi.AppendCommand, decodeCommand)
}

// SiteCommands returns what the manifest declares.
func (s site) SiteCommands() []policy.SiteCommand { return s.p.module.manifest.Site }

// CallSite asks the hook site.
func (s site) CallSite(ctx context.Context, q *policy.SiteCall) (policy.SiteReply, error) {
	return ask(ctx, s.p, abi.HookSite, q.Time, q, abi.AppendSiteCall, decodeSite)
}

// Throttle asks the hook throttle.
func (t throttler) Throttle(ctx context.Context, q *policy.Transfer) (policy.Rate, error) {
	return ask(ctx, t.p, abi.HookThrottle, q.Time, q, abi.AppendTransfer, decodeRate)
}

// Filter asks the hook data.
func (f filter) Filter(ctx context.Context, q *policy.Chunk) (policy.Piece, error) {
	return ask(ctx, f.p, abi.HookData, q.Time, q, abi.AppendChunk, decodePiece)
}

// Certify asks the hook cert.
func (c certifier) Certify(ctx context.Context, q *policy.CertRequest) (policy.Answer, error) {
	return ask(ctx, c.p, abi.HookCert, q.Time, q, abi.AppendCertRequest, decodeCert)
}

// Observe tells the hook event.
func (o observer) Observe(ctx context.Context, event *policy.Event) error {
	_, err := ask(ctx, o.p, abi.HookEvent, event.Time, event, abi.AppendEvent, decodeDone)
	return err
}

// ObserveAll tells the hook event of several events with one instance, up to the
// first that fails: what becomes of that one and those after it is the caller's to say.
func (o observer) ObserveAll(ctx context.Context, events []*policy.Event) (taken int, err error) {
	for len(events) > 0 {
		in, waited, err := o.p.begin(ctx, abi.HookEvent)
		if err != nil {
			return taken, err
		}
		batch := events
		if o.p.module.manifest.Isolation != IsolationPooled {
			batch = events[:1]
		}
		n, err := o.several(ctx, in, waited, batch)
		o.p.end(in, err)
		taken += n
		if err != nil {
			return taken, err
		}
		events = events[n:]
	}
	return taken, nil
}

// several tells events until one fails, and returns how many were taken.
func (o observer) several(ctx context.Context, in *instance, waited time.Duration, events []*policy.Event) (int, error) {
	for i, e := range events {
		if i > 0 {
			o.p.stats.calls.Add(1)
		}
		if err := exchange(ctx, in, abi.HookEvent, e.Time, waited, e, abi.AppendEvent, decodeDone, new(struct{})); err != nil {
			return i, err
		}
	}
	return len(events), nil
}

// errNoRoom is the error of a question that is longer than the mailbox.
var errNoRoom = errors.New("no room")

// ask is one call of a guest from the question to the answer: an instance, the
// record in its mailbox, its hook, the verdict and the reply, which lies in the
// guest's memory and is read before the instance is given back.
func ask[Q, A any](ctx context.Context, p *Policy, h abi.Hook, at time.Time, q Q,
	encode func([]byte, string, Q) ([]byte, error), decode func(*instance, abi.Verdict, []byte) (A, error)) (answer A, err error) {
	in, waited, err := p.begin(ctx, h)
	if err != nil {
		return answer, err
	}
	err = exchange(ctx, in, h, at, waited, q, encode, decode, &answer)
	p.end(in, err)
	return answer, err
}

// exchange is the part of ask that the instance takes part in.
func exchange[Q, A any](ctx context.Context, in *instance, h abi.Hook, at time.Time, waited time.Duration, q Q,
	encode func([]byte, string, Q) ([]byte, error), decode func(*instance, abi.Verdict, []byte) (A, error), answer *A) error {
	box, ok := in.mailbox()
	if !ok {
		return in.fault(CauseBadOutput, h.String(), errors.New("the mailbox is outside the memory"))
	}
	rec, err := encode(box[:0:len(box)], in.policy.name, q)
	if err == nil && len(rec) > len(box) {
		err = fmt.Errorf("%w: the question has %d bytes, the mailbox %d", errNoRoom, len(rec), len(box))
	}
	if err != nil {
		return in.fault(CauseQuestion, h.String(), err)
	}
	in.enter(ctx, h, h == abi.HookAuth && early(q), q)
	in.tapeOn(rec)
	raw, err := in.ask(h, len(rec), at, waited)
	var reply []byte
	if err == nil {
		reply, err = read(in, h, raw, decode, answer)
	}
	if in.tape != nil && in.wanted(err) {
		in.tapeOff(h, raw, reply, err, secretsOf(q), func() ([]byte, error) { return encode(nil, in.policy.name, q) })
	}
	return err
}

// read reads an answer. The reply that it returns lies in the guest's memory.
func read[A any](in *instance, h abi.Hook, raw uint64, decode func(*instance, abi.Verdict, []byte) (A, error), answer *A) ([]byte, error) {
	v, reply, err := in.answer(raw)
	if err == nil {
		*answer, err = decode(in, v, reply)
	}
	return reply, in.judged(h, err)
}

// judged makes the error of an answer that could not be read.
func (in *instance) judged(h abi.Hook, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, abi.ErrFailed):
		return in.fault(CauseFailed, h.String(), err)
	}
	return in.fault(CauseBadOutput, h.String(), err)
}

// early reports whether a question is a login without a password yet.
func early(q any) bool {
	login, ok := q.(*policy.Login)
	return ok && login.Early
}
