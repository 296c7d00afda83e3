// A policy of all stages that uses every function of the host.
package main

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/auth"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/cert"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/cmd"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/data"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/event"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/fs"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/host"
	"github.com/edgeftp/edgeftp/guest-sdk/go/kv"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/list"
	"github.com/edgeftp/edgeftp/guest-sdk/go/metric"
	"github.com/edgeftp/edgeftp/guest-sdk/go/random"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/site"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/throttle"
)

type all struct{ kv policy.KV }

func (*all) Name() string { return "all" }

func (p *all) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: p, Authorizer: p, Lister: p, Commander: p, Site: p,
		Throttler: p, Filter: p, Observer: p, Certifier: p}
}

// Authenticate lets in whose hash the host finds right, with rules.
func (p *all) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	ok, err := policy.ServicesOf(ctx).Verify(ctx, "hash of "+l.Session.User)
	if err != nil || !ok {
		return policy.Identity{Verdict: policy.Deny}, err
	}
	return policy.Identity{Verdict: policy.Allow, Anonymous: true, Lenient: policy.Lenience{Resumption: true},
		Rules: []policy.PathRule{{Dir: "/in", Perms: policy.PermAll, Recursive: true}}}, nil
}

// Authorize does what the path names and tells the result in the refusal.
func (p *all) Authorize(ctx context.Context, a *policy.Action) (policy.Answer, error) {
	text, err := p.try(ctx, a)
	if err != nil {
		text = "error: " + err.Error()
	}
	return policy.Answer{Verdict: policy.Deny, Text: text}, nil
}

func (p *all) try(ctx context.Context, a *policy.Action) (string, error) {
	key := strings.TrimPrefix(a.Arg, " ")
	switch a.Path {
	case "/get":
		v, ok := p.kv.Get(key)
		return strconv.FormatBool(ok) + " " + string(v), nil
	case "/set":
		return "set", p.kv.Set(key, []byte("value"), 1500*time.Microsecond)
	case "/remove":
		return "removed", p.kv.Set(key, nil, 0)
	case "/incr":
		n, err := p.kv.Incr(key, -7, time.Second)
		return strconv.FormatInt(n, 10), err
	case "/swap":
		ok, err := p.kv.CompareAndSwap(key, nil, []byte{}, 0)
		return strconv.FormatBool(ok), err
	case "/stat":
		e, err := policy.ServicesOf(ctx).Stat(ctx, a.Arg)
		return e.Name + " " + e.Mode.String() + " " + strconv.FormatInt(e.Size, 10), err
	case "/digest":
		sum, err := policy.ServicesOf(ctx).Digest(ctx, "SHA-256")
		return hex.EncodeToString(sum), err
	case "/random":
		var b [8]byte
		random.Fill(b[:])
		return hex.EncodeToString(b[:]), nil
	case "/metric":
		metric.Add("asked", 2)
		metric.Set("size", a.Size)
		return "counted", nil
	}
	return p.get(a.Arg)
}

func (p *all) get(url string) (string, error) {
	r, err := fetch.Do(&fetch.Request{URL: url, Header: []fetch.Field{{Name: "Accept", Value: "*/*"}},
		Want: []string{"Etag"}, Timeout: time.Second}, 0)
	if err != nil {
		return "", err
	}
	text := strconv.Itoa(r.Status) + " " + string(r.Body)
	for _, f := range r.Header {
		text += " " + f.Name + "=" + f.Value
	}
	return text, nil
}

// List hides what begins with a dot.
func (p *all) List(_ context.Context, l *policy.Listing) (policy.View, error) {
	var v policy.View
	for i, e := range l.Entries {
		if strings.HasPrefix(e.Name, ".") {
			v.Hidden.Set(i)
		}
	}
	return v, nil
}

// Command refuses SITE CHMOD.
func (p *all) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	if c.Verb == "SITE CHMOD" {
		return policy.Answer{Verdict: policy.Deny, Code: 502, Text: "no " + c.Arg + " in " + c.Dir}, nil
	}
	return policy.Answer{}, nil
}

func (p *all) SiteCommands() []policy.SiteCommand {
	return []policy.SiteCommand{{Verb: "ECHO", Arg: "text", Help: "Says it again."}}
}

// CallSite answers with the words of the argument, each in a line.
func (p *all) CallSite(_ context.Context, c *policy.SiteCall) (policy.SiteReply, error) {
	return policy.SiteReply{Verdict: policy.Allow, Code: 211, Lines: strings.Fields(c.Arg)}, nil
}

// Throttle allows a tenth of the size a second.
func (p *all) Throttle(_ context.Context, t *policy.Transfer) (policy.Rate, error) {
	return policy.Rate{Limit: t.Size / 10, TTL: t.Took}, nil
}

// Filter makes the bytes capitals and carries their number.
func (p *all) Filter(_ context.Context, c *policy.Chunk) (policy.Piece, error) {
	n, err := strconv.Atoi("0" + string(c.Carry))
	if err != nil {
		return policy.Piece{}, err
	}
	return policy.Piece{Verdict: policy.Rewrite, Data: []byte(strings.ToUpper(string(c.Data))),
		Carry: []byte(strconv.Itoa(n + len(c.Data)))}, nil
}

// Observe does nothing.
func (p *all) Observe(context.Context, *policy.Event) error { return nil }

// Certify knows one name.
func (p *all) Certify(_ context.Context, r *policy.CertRequest) (policy.Answer, error) {
	if r.Name == "ftp.example.org" {
		return policy.Answer{Verdict: policy.Allow}, nil
	}
	return policy.Answer{Verdict: policy.Deny, Text: "not ours"}, nil
}

func init() { edgeftp.Export(&all{kv.Open()}) }

func main() {}
