package cases

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// meta is the session that asks. Its time is always the same, so that a policy that
// looks at the clock can be tested.
func (c *Case) meta(slot string) policy.Meta {
	s := &policy.Session{ID: 1, User: c.User, Group: c.Group, VHost: c.VHost, Protocol: c.Protocol, Root: "/",
		Peer: netip.MustParseAddrPort("192.0.2.1:40000"), Local: netip.MustParseAddrPort("192.0.2.2:21")}
	if c.Peer != "" {
		s.Peer, _ = netip.ParseAddrPort(c.Peer) // check has seen it
	}
	if c.TLS || c.CertSHA != "" {
		s.TLS = policy.TLS{Version: "1.3", ClientSHA256: c.CertSHA}
	}
	if c.State != "" {
		s.State = map[string][]byte{slot: []byte(c.State)}
	}
	if c.Hook == abi.HookCert.String() {
		s.ID, s.User = 0, ""
	}
	return policy.Meta{Session: s, Request: 1, Time: now()}
}

// Asker returns a function that asks the question again and again in the world w, for
// measurements: it looks at nothing of the answer but its error. What the case brings
// is put into the world once.
func (c *Case) Asker(ctx context.Context, slot string, h policy.Hooks, w *World) func() error {
	w.begin(c)
	ctx, m := policy.WithServices(ctx, w), c.meta(slot)
	return func() error {
		_, err := c.ask(ctx, m, h)
		return err
	}
}

// ask asks the hook of the case.
func (c *Case) ask(ctx context.Context, m policy.Meta, h policy.Hooks) (got, error) {
	switch hookOf(c.Hook) {
	case abi.HookAuth:
		return c.auth(ctx, m, h.Authenticator)
	case abi.HookFS:
		return c.fs(ctx, m, h.Authorizer)
	case abi.HookList:
		return c.list(ctx, m, h.Lister)
	case abi.HookCmd:
		return c.cmd(ctx, m, h.Commander)
	case abi.HookSite:
		return c.site(ctx, m, h.Site)
	case abi.HookThrottle:
		return c.throttle(ctx, m, h.Throttler)
	case abi.HookData:
		return c.data(ctx, m, h.Filter)
	case abi.HookEvent:
		return c.event(ctx, m, h.Observer)
	}
	return c.cert(ctx, m, h.Certifier)
}

// dataPeer is the data connection's other end, the zero value without one.
func (c *Case) dataPeer() netip.AddrPort {
	p, _ := netip.ParseAddrPort(c.DataPeer) // check has seen it
	return p
}

// ErrNoHook is the error of a test of a hook that the policy does not have.
var ErrNoHook = errors.New("the policy has no such hook")

// missing is the answer of a policy that has no such hook.
func (c *Case) missing() (got, error) {
	return got{}, fmt.Errorf("%w: %s", ErrNoHook, c.Hook)
}

func (c *Case) auth(ctx context.Context, m policy.Meta, p policy.Authenticator) (got, error) {
	if p == nil {
		return c.missing()
	}
	l := &policy.Login{Meta: m, Password: c.Password, Early: c.Early}
	if c.Binding != "" {
		l.Binding, _ = hex.DecodeString(c.Binding) // check has seen it
	}
	id, err := p.Authenticate(ctx, l)
	return got{id.Verdict, id.Code, func() map[string]any {
		values := map[string]any{"text": id.Text, "home": id.Home, "pwhash": id.PasswordHash}
		if len(id.Networks) > 0 {
			values["networks"] = strings.Fields(strings.Trim(fmt.Sprint(id.Networks), "[]"))
		}
		if id.Perms != nil {
			values["perms"] = id.Perms.String()
		}
		return values
	}}, err
}

func (c *Case) fs(ctx context.Context, m policy.Meta, p policy.Authorizer) (got, error) {
	if p == nil {
		return c.missing()
	}
	a, err := p.Authorize(ctx, &policy.Action{Meta: m, Op: c.op(), Path: c.Path, Path2: c.Path2, Arg: c.Arg,
		A: c.A, B: c.B, Size: c.Size, Dir: c.Dir, Exists: c.Exists, DataPeer: c.dataPeer()})
	return got{a.Verdict, a.Code, func() map[string]any { return map[string]any{"text": a.Text, "path": a.Path, "path2": a.Path2} }}, err
}

func (c *Case) list(ctx context.Context, m policy.Meta, p policy.Lister) (got, error) {
	if p == nil {
		return c.missing()
	}
	entries := make([]policy.Entry, len(c.Entries))
	for i, e := range c.Entries {
		entries[i] = policy.Entry{Name: e.Name, Mode: abi.FileMode(e.Mode), Size: e.Size}
	}
	v, err := p.List(ctx, &policy.Listing{Meta: m, Path: c.Path, Entries: entries})
	return got{v.Verdict, v.Code, func() map[string]any {
		var hidden []string
		for i := range entries {
			if v.Hidden.Has(i) {
				hidden = append(hidden, entries[i].Name)
			}
		}
		return map[string]any{"text": v.Text, "hidden": hidden}
	}}, err
}

func (c *Case) cmd(ctx context.Context, m policy.Meta, p policy.Commander) (got, error) {
	if p == nil {
		return c.missing()
	}
	a, err := p.Command(ctx, &policy.Command{Meta: m, Verb: c.Verb, Arg: c.Arg, Dir: c.Path})
	return got{a.Verdict, a.Code, func() map[string]any { return map[string]any{"text": a.Text} }}, err
}

func (c *Case) site(ctx context.Context, m policy.Meta, p policy.SiteCommander) (got, error) {
	if p == nil {
		return c.missing()
	}
	r, err := p.CallSite(ctx, &policy.SiteCall{Meta: m, Verb: c.Verb, Arg: c.Arg, Dir: c.Path})
	return got{r.Verdict, r.Code, func() map[string]any { return map[string]any{"lines": r.Lines} }}, err
}

func (c *Case) throttle(ctx context.Context, m policy.Meta, p policy.Throttler) (got, error) {
	if p == nil {
		return c.missing()
	}
	r, err := p.Throttle(ctx, &policy.Transfer{Meta: m, Op: c.op(), Path: c.Path, Upload: c.Upload, Size: c.A, Moved: c.B, DataPeer: c.dataPeer()})
	return got{values: func() map[string]any { return map[string]any{"rate": r.Limit} }}, err
}

func (c *Case) data(ctx context.Context, m policy.Meta, p policy.Filter) (got, error) {
	if p == nil {
		return c.missing()
	}
	chunk := &policy.Chunk{Meta: m, Op: c.op(), Path: c.Path, Upload: c.Upload, Offset: c.A, Data: []byte(c.Data), Last: c.Last, DataPeer: c.dataPeer()}
	if c.Carry != "" {
		chunk.Carry = []byte(c.Carry)
	}
	piece, err := p.Filter(ctx, chunk)
	return got{piece.Verdict, piece.Code, func() map[string]any {
		return map[string]any{"text": piece.Text, "data": string(piece.Data), "carry": string(piece.Carry)}
	}}, err
}

func (c *Case) event(ctx context.Context, m policy.Meta, p policy.Observer) (got, error) {
	if p == nil {
		return c.missing()
	}
	return got{}, p.Observe(ctx, &policy.Event{Meta: m, Kind: c.kind(), Path: c.Path, Path2: c.Path2, Text: c.Arg,
		Size: c.A, Took: time.Duration(c.B), DataPeer: c.dataPeer()})
}

func (c *Case) cert(ctx context.Context, m policy.Meta, p policy.Certifier) (got, error) {
	if p == nil {
		return c.missing()
	}
	a, err := p.Certify(ctx, &policy.CertRequest{Meta: m, Name: c.Arg})
	return got{action: a.Verdict, values: func() map[string]any { return map[string]any{"text": a.Text} }}, err
}
