// A policy that asks another server for the users whose names begin with
// "remote", and tells it which directories are made and which files arrive. What
// that server does not take is told again.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/auth"
	"github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	"github.com/edgeftp/edgeftp/guest-sdk/go/metric"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

type courier struct{ origin string }

// Authenticate names the hash that the other server keeps of the user.
func (c *courier) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if !strings.HasPrefix(l.Session.User, "remote") {
		return policy.Identity{}, nil
	}
	metric.Add("logins_asked", 1)
	r, err := fetch.Do(&fetch.Request{URL: c.origin + "/users/" + l.Session.User}, 0)
	switch {
	case err != nil:
		return policy.Identity{}, err
	case r.Status != 200:
		return policy.Identity{Verdict: policy.Deny}, nil
	}
	perms := policy.PermAll
	return policy.Identity{Verdict: policy.Allow, PasswordHash: string(r.Body), Perms: &perms}, nil
}

// Observe tells the other server, and writes into the log what it took.
func (c *courier) Observe(_ context.Context, e *policy.Event) error {
	r, err := fetch.Do(&fetch.Request{Method: "POST", URL: c.origin + "/events", Body: []byte(e.Kind.String() + " " + e.Path)}, 0)
	if err != nil {
		return err
	}
	if r.Status != 200 {
		return errors.New("the other server does not take it")
	}
	edgeftp.Log(edgeftp.Info, fmt.Sprintf("told of %s at %s", e.Kind, e.Path))
	metric.Add("events_told", 1)
	metric.Set("last_size", e.Size)
	return nil
}

func init() {
	c := &courier{}
	edgeftp.Configure(func(b []byte) error {
		s := settings.Parse(b)
		c.origin = s.String("origin", "")
		return s.Err()
	})
	auth.Export(c)
	event.Export(c)
}

func main() {}
