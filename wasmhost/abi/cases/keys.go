package cases

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// hookOf returns the hook of a name, 0 if there is none that answers.
func hookOf(name string) abi.Hook {
	for h := abi.HookAuth; h < abi.HookIdle; h++ {
		if h.String() == name {
			return h
		}
	}
	return 0
}

// common are the keys that all cases may have.
const common = "name hook want user group vhost protocol peer tls cert_sha256 state kv http files "

// commonWant are those of every want.
const commonWant = "action kv http log "

// keysOf lists the keys of a case beside those that all hooks have.
func keysOf(h abi.Hook) string {
	return [abi.NumHooks]string{
		abi.HookAuth:     "password early binding",
		abi.HookFS:       "op path path2 arg a b size dir exists data_peer",
		abi.HookList:     "path entries",
		abi.HookCmd:      "verb arg path",
		abi.HookSite:     "verb arg path",
		abi.HookThrottle: "op path upload a b data_peer",
		abi.HookData:     "op path upload a data last carry data_peer",
		abi.HookEvent:    "op path path2 arg a b data_peer",
		abi.HookCert:     "arg",
	}[h]
}

// wantsOf lists the keys of want beside those that all hooks have.
func wantsOf(h abi.Hook) string {
	return [abi.NumHooks]string{
		abi.HookAuth:     "code text perms home pwhash networks",
		abi.HookFS:       "code text path path2",
		abi.HookList:     "code text hidden",
		abi.HookCmd:      "code text",
		abi.HookSite:     "code lines",
		abi.HookThrottle: "rate",
		abi.HookData:     "code text data carry",
		abi.HookCert:     "text",
	}[h]
}

// UnmarshalJSON reads a case and refuses keys that its hook has no use for: such a
// test would say less than its author believes.
func (c *Case) UnmarshalJSON(b []byte) error {
	type plain Case // without this method
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // it does not come down from the outer decoder
	if err := d.Decode((*plain)(c)); err != nil {
		return plainly(err)
	}
	h := hookOf(c.Hook)
	if h == 0 {
		return fmt.Errorf("%q is no hook that answers", abi.Clean(c.Hook, 50))
	}
	var given struct {
		keys map[string]json.RawMessage
		want map[string]json.RawMessage
	}
	if err := json.Unmarshal(b, &given.keys); err != nil {
		return err
	}
	if err := only(given.keys, common+keysOf(h)); err != nil {
		return fmt.Errorf("the hook %s %w", h, err)
	}
	if given.keys["want"] == nil {
		return errNoWant
	}
	if err := json.Unmarshal(given.keys["want"], &given.want); err != nil {
		return errNoWant
	}
	if err := only(given.want, commonWant+wantsOf(h)); err != nil {
		return fmt.Errorf("the answer of the hook %s %w", h, err)
	}
	return nil
}

var errNoWant = errors.New("no want")

func only(given map[string]json.RawMessage, keys string) error {
	for key := range given {
		if !slices.Contains(strings.Fields(keys), strings.ToLower(key)) {
			return fmt.Errorf("has no use for %q", abi.Clean(key, 50))
		}
	}
	return nil
}

// check says what is wrong with a case that is otherwise well formed.
func (c *Case) check(wants bool) error {
	h := hookOf(c.Hook)
	if err := checkWorld(c.KV, c.HTTP, c.Files); err != nil {
		return err
	}
	if wants {
		if err := c.Want.check(h); err != nil {
			return err
		}
	}
	for _, a := range []struct{ key, value string }{{"peer", c.Peer}, {"data_peer", c.DataPeer}} {
		if _, err := netip.ParseAddrPort(a.value); a.value != "" && err != nil {
			return fmt.Errorf("%s %q is no address with a port, such as 192.0.2.7:40001", a.key, abi.Clean(a.value, 100))
		}
	}
	if err := c.checkCarrier(); err != nil {
		return err
	}
	if n := len(c.Entries); h == abi.HookList && (n == 0 || n > policy.MaxEntries) {
		return fmt.Errorf("%d entries, want 1 to %d", n, policy.MaxEntries)
	}
	if len(c.Data) > policy.MaxChunk || len(c.Carry) > policy.MaxCarry || len(c.State) > policy.MaxState {
		return errors.New("data, carry or state is too long")
	}
	switch {
	case h == abi.HookEvent && c.kind() == 0:
		return c.badOp("kind of event", abi.HookEvent)
	case (h == abi.HookFS || h == abi.HookThrottle || h == abi.HookData) && c.op() == 0:
		return c.badOp("operation", h)
	case (h == abi.HookCmd || h == abi.HookSite) && c.Verb == "", h == abi.HookCert && c.Arg == "":
		return errors.New("verb, or the name in arg, is missing")
	}
	return nil
}

// checkCarrier says what is wrong with what carries the session.
func (c *Case) checkCarrier() error {
	if all := []string{"ftpq/1", "http/1.1", "h2", "h3"}; c.Protocol != "" && !slices.Contains(all, c.Protocol) {
		return fmt.Errorf("protocol %q carries no session: there are %s, and none is FTP over TCP", abi.Clean(c.Protocol, 50), strings.Join(all, ", "))
	}
	if b, err := hex.DecodeString(c.Binding); c.Binding != "" && (err != nil || len(b) != abi.BindingSize) {
		return fmt.Errorf("binding %q is not %d hex digits", abi.Clean(c.Binding, 2*abi.BindingSize+1), 2*abi.BindingSize)
	}
	return nil
}

// check says what no answer of the hook can be.
func (w *Want) check(h abi.Hook) error {
	if h == abi.HookEvent && w.Action != word(policy.Pass) && w.Action != word(abi.Fail) {
		return errors.New("the hook event is answered with pass or fail")
	}
	if !slices.ContainsFunc([]policy.Verdict{policy.Pass, policy.Allow, policy.Deny, policy.Rewrite, policy.Hide, abi.Fail},
		func(v policy.Verdict) bool { return word(v) == w.Action && h.Returns(v) }) {
		return fmt.Errorf("the hook %s never answers %q", h, abi.Clean(w.Action, 50))
	}
	for key, v := range w.KV {
		if err := checkValue(key, v); err != nil {
			return err
		}
	}
	if w.HTTP == nil {
		return nil
	}
	for _, key := range *w.HTTP {
		if err := checkRequest(key); err != nil {
			return err
		}
	}
	return nil
}

// badOp says that op is absent or wrong, and what it may be.
func (c *Case) badOp(what string, h abi.Hook) error {
	var all []string
	if h == abi.HookEvent {
		for _, k := range policy.GuestEvents() {
			all = append(all, k.String())
		}
	} else {
		for op := policy.OpStat; op <= policy.OpSymlink; op++ {
			all = append(all, op.String())
		}
	}
	if c.Op == "" {
		return fmt.Errorf("no op: a test of %s names its %s: %s", h, what, strings.Join(all, ", "))
	}
	return fmt.Errorf("%q is no %s: there are %s", abi.Clean(c.Op, 50), what, strings.Join(all, ", "))
}

func (c *Case) op() policy.Op {
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		if op.String() == c.Op {
			return op
		}
	}
	return 0
}

func (c *Case) kind() policy.EventKind {
	for _, k := range policy.GuestEvents() {
		if k.String() == c.Op {
			return k
		}
	}
	return 0
}

// word is the name of an action.
func word(v policy.Verdict) string {
	if v == abi.Fail {
		return "fail"
	}
	return v.String()
}
