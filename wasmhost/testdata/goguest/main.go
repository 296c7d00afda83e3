// A guest that the tests of wasmhost build: it uses all hooks of the Go SDK and
// fails in the ways in which Go programs fail.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/auth"
	"github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fs"
)

type guest struct{ table map[string]int }

// Authenticate knows one certificate and one password, and leaves STATE.
func (*guest) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if len(l.Binding) > 0 {
		return policy.Identity{Verdict: policy.Allow, Group: l.Session.Protocol + " " + string(l.Binding), Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, nil
	}
	if l.Early && l.Password == "" && l.Session.TLS.ClientSHA256 == "00ff" {
		return policy.Identity{Verdict: policy.Allow, Group: l.Session.Host + " of " + l.Session.VHost}, nil
	}
	if l.Password != "secret" {
		return policy.Identity{Verdict: policy.Deny, Text: "no"}, nil
	}
	perms := policy.PermReadOnly
	return policy.Identity{Verdict: policy.Allow, Perms: &perms, State: []byte("of " + l.Session.User)}, nil
}

// Authorize does what the path names.
func (g *guest) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	deny := func(text string) (policy.Answer, error) {
		return policy.Answer{Verdict: policy.Deny, Text: text}, nil
	}
	switch a.Path {
	case "/panic":
		g.table["x"] = 1
	case "/error":
		return policy.Answer{}, errors.New("I cannot say")
	case "/exit":
		os.Exit(4)
	case "/spin":
		for {
			g.spin()
		}
	case "/sleep":
		start := time.Now()
		time.Sleep(time.Hour)
		return deny(time.Since(start).Truncate(time.Hour).String())
	case "/time":
		return deny(time.Now().UTC().Format(time.DateTime))
	case "/goroutine":
		ch := make(chan string)
		go func() { ch <- "from a goroutine" }()
		return deny(<-ch)
	case "/deadlock":
		<-make(chan int)
	case "/surroundings":
		return deny(fmt.Sprint(len(os.Args), len(os.Environ())))
	case "/state":
		return deny(string(edgeftp.State(a.Session)))
	case "/print":
		fmt.Println("printed")
	case "/text":
		return deny("two\nlines")
	}
	return policy.Answer{}, nil
}

//go:noinline
func (g *guest) spin() {}

// Observe logs every event.
func (*guest) Observe(_ context.Context, e *policy.Event) error {
	edgeftp.Log(edgeftp.Warn, e.Kind.String()+" "+e.Text)
	return nil
}

func init() {
	g := &guest{}
	auth.Export(g)
	fs.Export(g)
	event.Export(g)
}

func main() {}
