package policy

import "context"

// Policy is a named value that takes part in some stages of the server's
// decisions. A Policy must be safe for concurrent use: its hooks are called from
// many sessions at once.
//
// A Policy that holds resources may also implement io.Closer; the chain closes
// it once, after the last lease on its generation was released.
type Policy interface {
	// Name identifies the policy in events and in the operator's words. It is
	// not shown to clients before they have logged in.
	Name() string
	// Hooks lists the stages in which the policy takes part. It is read once,
	// when the policy joins a chain.
	Hooks() Hooks
}

// Hooks holds one interface for each stage. A nil field means that the policy
// does not take part in that stage and is never called for it. The zero value
// takes part in nothing.
type Hooks struct {
	Authenticator Authenticator // stage "auth"
	Authorizer    Authorizer    // stage "fs"
	Lister        Lister        // stage "list"
	Commander     Commander     // stage "cmd"
	Site          SiteCommander // stage "site"
	Throttler     Throttler     // stage "throttle"
	Filter        Filter        // stage "data"
	Observer      Observer      // stage "event"
	Certifier     Certifier     // stage "cert"

	// Tap makes Filter a listener: it is given copies of the bytes, off the
	// transfer's path, and its answers have no effect. Copies that it is too slow
	// for are dropped and counted.
	Tap bool
	// Interest narrows what the policy is called for. It is evaluated before any
	// call.
	Interest Interest
	// Dormant, where it is there, reports that the policy has nothing to do at present:
	// while it does, Authorizer and Observer are not called, as if the policy took no
	// part, and what only it would be asked or told is not even put into words. It is
	// called before each operation and event, from many sessions at once, and must only
	// look: an atomic load is enough. A policy that wakes up is asked and told of
	// whatever begins after that. Nil is never.
	Dormant func() bool
}

// Authenticator decides who may log in (stage "auth").
type Authenticator interface {
	// Authenticate answers one login attempt. An error refuses the login; its
	// text is for the log and is never shown to the client.
	Authenticate(ctx context.Context, login *Login) (Identity, error)
}

// Authorizer decides what an operation on a path may do (stage "fs").
type Authorizer interface {
	// Authorize answers one operation. An error refuses the operation; its text
	// is for the log and is never shown to the client.
	Authorize(ctx context.Context, action *Action) (Answer, error)
}

// Observer is told what has happened (stage "event"). It cannot change it.
type Observer interface {
	// Observe takes one event. It is called off the session's path, in the
	// order in which the session's events happened. An error is counted as a
	// lost event.
	Observe(ctx context.Context, event *Event) error
}

// Batcher is an Observer that takes several events at once, because a call costs
// it more than an event does.
type Batcher interface {
	// ObserveAll takes 1 to 64 events, in order. It returns how many of them it
	// took before an error, which is about the next one: that is counted as lost, or
	// comes again where events are kept until they were taken. Those after it come
	// in the next call.
	ObserveAll(ctx context.Context, events []*Event) (taken int, err error)
}
