package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/settings"
)

// guard holds what one instance was told to refuse.
type guard struct {
	extensions []string // lower case, with their dot
	message    string
}

// newGuard refuses what Windows runs when somebody clicks on it.
func newGuard() *guard {
	return &guard{
		extensions: []string{".exe", ".scr", ".bat", ".cmd", ".com", ".msi", ".pif", ".ps1", ".vbs", ".js", ".jar"},
		message:    "executables are not accepted here",
	}
}

// Configure takes the settings.
func (g *guard) Configure(s *settings.Settings) {
	list := s.Strings("deny_extensions", g.extensions...)
	g.message = s.String("message", g.message)
	g.extensions = nil
	for _, e := range list {
		e = strings.ToLower(strings.TrimPrefix(e, "."))
		if e == "" || strings.ContainsAny(e, "/. ") {
			s.Refuse("deny_extensions", "has "+strconv.Quote(e)+", which is no extension")
		}
		g.extensions = append(g.extensions, "."+e)
	}
}

// Authorize refuses operations by which a refused name could come into being. A
// rename is asked about with both names: neither may be one.
func (g *guard) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	switch a.Op {
	case policy.OpWrite, policy.OpAppend, policy.OpUnique, policy.OpCommit,
		policy.OpRename, policy.OpSymlink:
		if g.refuses(a.Path) || g.refuses(a.Path2) {
			return policy.Answer{Verdict: policy.Deny, Text: g.message}, nil
		}
	}
	return policy.Answer{}, nil
}

// refuses reports whether the name ends with a refused extension. Windows drops
// dots and spaces at the end of a name, so "a.exe. " is "a.exe" there.
func (g *guard) refuses(path string) bool {
	path = strings.TrimRight(path, ". ")
	for _, e := range g.extensions {
		if len(path) >= len(e) && strings.EqualFold(path[len(path)-len(e):], e) {
			return true
		}
	}
	return false
}

// Observe logs finished uploads.
func (g *guard) Observe(_ context.Context, e *policy.Event) error {
	if e.Kind == policy.EventFileReceived {
		edgeftp.Log(edgeftp.Info, "stored "+e.Path+", "+strconv.FormatInt(e.Size, 10)+" bytes, from "+e.Session.User)
	}
	return nil
}
