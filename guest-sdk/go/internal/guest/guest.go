// Package guest is the inside of the Go SDK: the mailbox and the way from a
// record to a policy and back. It is pure Go and runs natively too, where the
// tests are; only the files for wasip1 touch the border.
package guest

import (
	"context"
	"errors"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// The is the module's one guest. It is a variable because the exports of a module
// are plain functions: they have no receiver, and what init registered must be
// where they find it. A module has one thread, so nothing guards it.
var The Guest

// Guest holds the registered stages of one module and its mailbox. The zero value
// is ready for use; a stage that nobody registered fails every question.
type Guest struct {
	mailbox   []byte // made at the first use, as long as the stages need it
	decoder   abi.Decoder
	auth      policy.Authenticator
	fs        policy.Authorizer
	event     policy.Observer
	more      stages
	linked    [abi.NumHooks]bool
	ctx       context.Context // of every question, nil before the first one
	configure func(settings []byte) error
}

var (
	errNotExported = errors.New("the SDK: this hook is linked, but nothing was given to its Export in init")
	errNoSettings  = errors.New("this policy takes no settings")
	errTooLong     = errors.New("the SDK: the reply is longer than the mailbox")
)

// SetAuth registers the stage auth. Like the other setters it panics when it is
// called twice or with nil: it runs in init, so the module is refused at load and
// the text is shown there.
func (g *Guest) SetAuth(a policy.Authenticator) {
	if g.auth != nil || a == nil {
		refuse("auth.Export needs one policy, once")
	}
	g.auth = a
	g.name(a)
}

// SetFS registers the stage fs.
func (g *Guest) SetFS(a policy.Authorizer) {
	if g.fs != nil || a == nil {
		refuse("fs.Export needs one policy, once")
	}
	g.fs = a
	g.name(a)
}

// SetEvent registers the stage event.
func (g *Guest) SetEvent(o policy.Observer) {
	if g.event != nil || o == nil {
		refuse("event.Export needs one policy, once")
	}
	g.event = o
	g.name(o)
}

// SetConfigure registers what takes the settings.
func (g *Guest) SetConfigure(f func(settings []byte) error) {
	if g.configure != nil || f == nil {
		refuse("edgeftp.Configure needs one function, once")
	}
	g.configure = f
}

// name takes the key of the session's state from a policy that has a name, so
// that source that is also linked natively finds its state under the same key.
func (g *Guest) name(stage any) {
	if named, ok := stage.(interface{ Name() string }); ok {
		g.decoder.Slot = named.Name()
	}
}

// Slot is the key under which the session's state is found.
func (g *Guest) Slot() string { return g.decoder.Slot }

// Sizes of the mailbox: that of a list holds 256 names of 255 bytes, that of a data
// stage a chunk that has grown to three times its length.
const (
	listMailbox = 128 << 10
	dataMailbox = 256 << 10
)

// Mailbox is where the host writes questions and reads replies. Its place never
// changes: Go moves nothing that it has allocated.
func (g *Guest) Mailbox() []byte {
	if g.mailbox == nil {
		n := abi.AdvisedMailbox
		if g.linked[abi.HookList] {
			n = listMailbox
		}
		if g.linked[abi.HookData] {
			n = dataMailbox
		}
		g.mailbox = make([]byte, n)
	}
	return g.mailbox
}

// SetServices registers what the context of every question shall carry.
func (g *Guest) SetServices(s policy.Services) {
	g.ctx = policy.WithServices(context.Background(), s)
}

// context is that of a question.
func (g *Guest) context() context.Context {
	if g.ctx == nil {
		g.SetServices(unlinked{})
	}
	return g.ctx
}

// Config serves edgeftp_config: n bytes of settings are in the mailbox.
func (g *Guest) Config(n int32) int64 {
	defer caught()
	settings, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.configure == nil {
		if n > 0 {
			return g.fail(errNoSettings)
		}
		return 0
	}
	if err := g.configure(append([]byte(nil), settings...)); err != nil {
		return g.fail(err)
	}
	if text := g.unset(); text != "" {
		return g.fail(errors.New(text))
	}
	return 0
}

// Auth serves edgeftp_auth: a record of n bytes is in the mailbox.
func (g *Guest) Auth(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.auth == nil {
		return g.fail(errNotExported)
	}
	login, err := g.decoder.Login(rec)
	if err != nil {
		return g.fail(err)
	}
	id, err := g.auth.Authenticate(g.context(), login)
	if err != nil {
		return g.fail(err)
	}
	return g.out(abi.AppendIdentity(g.mailbox[:0], &id))
}

// FS serves edgeftp_fs.
func (g *Guest) FS(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.fs == nil {
		return g.fail(errNotExported)
	}
	action, err := g.decoder.Action(rec)
	if err != nil {
		return g.fail(err)
	}
	answer, err := g.fs.Authorize(g.context(), action)
	if err != nil {
		return g.fail(err)
	}
	return g.out(abi.AppendAnswer(g.mailbox[:0], &answer))
}

// Event serves edgeftp_event.
func (g *Guest) Event(n int32) int64 {
	defer caught()
	rec, err := g.in(n)
	if err != nil {
		return g.fail(err)
	}
	if g.event == nil {
		return g.fail(errNotExported)
	}
	event, err := g.decoder.Event(rec)
	if err != nil {
		return g.fail(err)
	}
	if err := g.event.Observe(g.context(), event); err != nil {
		return g.fail(err)
	}
	return 0
}

// in returns the n bytes that the host wrote.
func (g *Guest) in(n int32) ([]byte, error) {
	box := g.Mailbox()
	if n < 0 || int(n) > len(box) {
		return nil, abi.ErrRecord
	}
	return box[:n], nil
}

// out returns the verdict of a reply that was encoded into the mailbox.
func (g *Guest) out(reply []byte, v abi.Verdict, err error) int64 {
	switch {
	case err != nil:
		return g.fail(err)
	case len(reply) > len(g.mailbox):
		return g.fail(errTooLong)
	}
	return int64(v.Pack())
}

// fail answers that the policy could not decide.
func (g *Guest) fail(err error) int64 {
	_, v := abi.AppendFailure(g.Mailbox()[:0], err.Error())
	return int64(v.Pack())
}
