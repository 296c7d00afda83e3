// Package redact takes out of logs who somebody was, from where, and what files were called,
// and leaves that it was the same one: in the place of a value stands a short sum of it,
// keyed anew at each start. Nobody can try names until one fits, and no two runs can be told
// to be about the same person.
package redact

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// The fields that can be redacted.
const (
	User = "user" // the names of users
	Peer = "peer" // the addresses of clients
	Path = "path" // the paths of files
)

// Redactor makes sums. A nil one leaves everything as it is.
type Redactor struct {
	key              []byte
	user, peer, path bool
}

// New returns a redactor of fields, nil where there are none.
func New(fields []string) *Redactor {
	if len(fields) == 0 {
		return nil
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it cannot fail
	has := func(field string) bool { return slices.Contains(fields, field) }
	return &Redactor{key: key, user: has(User), peer: has(Peer), path: has(Path)}
}

func (r *Redactor) sum(what, text string) []byte {
	h := hmac.New(sha256.New, r.key)
	h.Write([]byte(what + "\x00" + text))
	return h.Sum(nil)
}

// name is what stands in the place of a user's name or a path. An empty one stays.
func (r *Redactor) name(what, text string) string {
	if text == "" {
		return ""
	}
	return "~" + hex.EncodeToString(r.sum(what, text)[:6])
}

// address is what stands in the place of an address: one of the networks that nobody routes
// (RFC 4193 §3.1), so that programs which read addresses still can.
func (r *Redactor) address(a netip.Addr) netip.Addr {
	b := r.sum(Peer, a.Unmap().WithZone("").String())[:16]
	b[0] = 0xfd
	return netip.AddrFrom16([16]byte(b))
}

// addresses is a text that is an address, one with a port, or a network; of any other text
// nothing is left.
func (r *Redactor) addresses(text string) string {
	if text == "" {
		return ""
	}
	if p, err := netip.ParseAddrPort(text); err == nil {
		return netip.AddrPortFrom(r.address(p.Addr()), 0).String()
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		text = p.Addr().String()
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return r.address(a).String()
	}
	return r.name(Peer, text)
}

// Event returns an event as a log is to have it. The event itself stays as it is.
func (r *Redactor) Event(e *policy.Event) *policy.Event {
	if r == nil {
		return e
	}
	out, who := *e, *e.Session
	known := r.of(&who, e)
	if e.Kind == policy.EventCommandDone && (r.user || r.path) { // the argument may be anything
		out.Text, _, _ = strings.Cut(e.Text, " ")
	}
	if e.Kind == policy.EventClientMoved && r.peer { // it is the address before
		out.Text = r.addresses(e.Text)
	}
	out.Text = known.within(out.Text)
	if r.user {
		who.User = r.name(User, who.User)
	}
	if r.path {
		out.Path, out.Path2 = r.name(Path, e.Path), r.name(Path, e.Path2)
	}
	for _, a := range []*netip.AddrPort{&who.Peer, &out.DataPeer} {
		if r.peer && a.IsValid() {
			*a = netip.AddrPortFrom(r.address(a.Addr()), 0)
		}
	}
	out.Session = &who
	return &out
}

// Text returns a text that others have made about a session, which may be nil, and paths and arguments of
// commands, as a log is to have it: without those as they are, and without the last names of the paths. What it
// has made of them otherwise stays.
func (r *Redactor) Text(text string, who *policy.Session, paths, arguments []string) string {
	if r == nil {
		return text
	}
	var known values
	if r.user || r.path {
		for _, a := range arguments {
			known = known.with(a, r.name("argument", a))
		}
	}
	if who == nil {
		who = &policy.Session{}
	}
	known = append(known, r.of(who, &policy.Event{})...)
	if r.path {
		for _, p := range paths {
			known = known.with(p, r.name(Path, p))
		}
		for _, p := range paths {
			if base := path.Base(p); base != "." {
				known = known.with(base, r.name(Path, p))
			}
		}
	}
	slices.SortStableFunc(known, func(a, b value) int { return len(b.was) - len(a.was) }) // one may be a part of another
	return known.within(text)
}

// of are the values of an event that are not to stand in its text.
func (r *Redactor) of(who *policy.Session, e *policy.Event) (known values) {
	if r.user {
		known = known.with(who.User, r.name(User, who.User))
	}
	if r.path {
		known = known.with(e.Path, r.name(Path, e.Path)).with(e.Path2, r.name(Path, e.Path2))
	}
	for _, a := range []netip.AddrPort{who.Peer, e.DataPeer} {
		if r.peer && a.IsValid() {
			known = known.with(a.String(), r.addresses(a.String())).with(a.Addr().String(), r.addresses(a.Addr().String()))
		}
	}
	return known
}

// values are what must not stand in texts, and what stands there instead.
type values []value

type value struct{ was, is string }

func (v values) with(was, is string) values {
	if was == "" || was == "/" || was == is {
		return v
	}
	return append(slices.Clip(v), value{was, is})
}

// within returns a text without the values, where they stand as whole words.
func (v values) within(text string) string {
	for _, one := range v {
		text = one.replaced(text)
	}
	return text
}

func (v value) replaced(text string) string {
	var b strings.Builder
	for rest, from := text, 0; ; {
		i := strings.Index(rest[from:], v.was)
		if i < 0 {
			b.WriteString(rest)
			return b.String()
		}
		i += from
		end := i + len(v.was)
		before, _ := utf8.DecodeLastRuneInString(rest[:i])
		after, _ := utf8.DecodeRuneInString(rest[end:])
		if part(before) || part(after) {
			from = i + 1
			continue
		}
		b.WriteString(rest[:i] + v.is)
		rest, from = rest[end:], 0
	}
}

// part reports whether a character goes on with a word.
func part(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
