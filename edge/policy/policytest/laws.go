package policytest

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// faults says which rules the reply to q breaks. An error is an answer by itself:
// what stands beside it is not looked at.
func (r reply) faults(q question) []string {
	var f faults
	switch {
	case r.panicked != "":
		f.add("panic: %s", r.panicked)
	case r.err != nil:
	case q.login != nil:
		f.identity(&r.identity)
	case q.action != nil:
		f.answer(&r.answer)
	case q.command != nil:
		f.command(&r.answer)
	case q.site != nil:
		f.site(&r.site)
	}
	if q.login != nil && q.login.Password == secret { // another one may be found by chance
		f.secret(r)
	}
	return f
}

// faults are the rules that something breaks, each in words.
type faults []string

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (f *faults) identity(id *policy.Identity) {
	switch id.Verdict {
	case policy.Pass, policy.Allow, policy.Deny:
	default:
		f.add("a login is answered with verdict %d (%s)", id.Verdict, id.Verdict)
	}
	f.code(id.Verdict, id.Code)
	f.line("Text", id.Text)
	f.line("Group", id.Group)
	f.line("Label", id.Label)
	f.lines("MsgLogin", id.MsgLogin)
	f.lines("MsgQuit", id.MsgQuit)
	f.path("Home", id.Home)
	f.limits(id.Limits)
	if id.PasswordHash != "" && id.Verdict != policy.Allow {
		f.add("PasswordHash stands beside %s, it means nothing but beside allow", id.Verdict)
	}
	if id.Perms != nil {
		f.perms("Perms", *id.Perms)
	}
	for i, rule := range id.Rules {
		name := fmt.Sprintf("Rules[%d]", i)
		f.perms(name, rule.Perms)
		f.path(name, rule.Dir)
		if rule.Dir == "" {
			f.add("%s has no directory", name)
		}
	}
	if id.MaxSessions < 0 {
		f.add("MaxSessions is %d", id.MaxSessions)
	}
	if len(id.State) > policy.MaxState {
		f.add("State has %d bytes, at most %d are kept", len(id.State), policy.MaxState)
	}
}

func (f *faults) answer(a *policy.Answer) {
	if a.Verdict > policy.Hide {
		f.add("verdict %d does not exist", a.Verdict)
	}
	f.code(a.Verdict, a.Code)
	f.line("Text", a.Text)
	f.line("Label", a.Label)
	f.path("Path", a.Path)
	f.path("Path2", a.Path2)
	f.limits(a.Limits)
	if moved := a.Path != "" || a.Path2 != ""; moved != (a.Verdict == policy.Rewrite) {
		f.add("%s with the paths %q and %q: a rewrite needs one, and nothing else has one", a.Verdict, a.Path, a.Path2)
	}
}

func (f *faults) command(a *policy.Answer) {
	if a.Verdict == policy.Rewrite {
		f.add("a command is answered with verdict %d (%s)", a.Verdict, a.Verdict)
	}
	f.answer(a)
}

func (f *faults) site(r *policy.SiteReply) {
	switch {
	case r.Verdict > policy.Hide || r.Verdict == policy.Rewrite:
		f.add("a SITE command is answered with verdict %d (%s)", r.Verdict, r.Verdict)
	case r.Verdict != policy.Allow:
		f.code(r.Verdict, r.Code)
	case r.Code != 0 && (r.Code < 200 || r.Code > 299):
		f.add("Code %d stands beside allow: 200 to 299 are for what was carried out", r.Code)
	}
	if len(r.Lines) > policy.MaxLines {
		f.add("there are %d lines, at most %d are sent", len(r.Lines), policy.MaxLines)
	}
	for i, line := range r.Lines {
		f.line(fmt.Sprintf("Lines[%d]", i), line)
	}
}

// code: only a refusal has a code, and it must be one that refuses (RFC 959 §4.2.1).
func (f *faults) code(v policy.Verdict, code int) {
	switch {
	case code == 0:
	case v != policy.Deny:
		f.add("Code %d stands beside %s, it means nothing but beside deny", code, v)
	case code < 400 || code > 599:
		f.add("Code %d is no refusal: 400 to 599 are", code)
	}
}

// line: what is shown or logged as one line must be one.
func (f *faults) line(name, s string) {
	if strings.ContainsRune(s, '\n') {
		f.add("%s is more than one line: %q", name, s)
		return
	}
	f.lines(name, s)
}

// lines: texts are UTF-8 without control characters.
func (f *faults) lines(name, s string) {
	control := func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' || r == 0x7f }
	if !utf8.ValidString(s) || strings.ContainsFunc(s, control) {
		f.add("%s holds control characters, or is not UTF-8: %q", name, s)
	}
}

func (f *faults) path(name, p string) {
	if p != "" && (p[0] != '/' || strings.ContainsAny(p, "\x00\r\n")) {
		f.add("%s is no absolute virtual path: %q", name, p)
	}
}

func (f *faults) perms(name string, p policy.Perms) {
	if !policy.PermAll.Has(p) {
		f.add("%s has permissions that do not exist: %#x", name, uint16(p))
	}
}

func (f *faults) limits(l policy.Limits) {
	if l.RateDown < 0 || l.RateUp < 0 || l.MaxFileSize < 0 {
		f.add("Limits are below zero, which is no limit at all: %+v", l)
	}
}

// secret: a password goes nowhere, least of all into a log, and neither does what binds a
// login to its connection.
func (f *faults) secret(r reply) {
	texts := map[string]string{"Text": r.identity.Text, "Reason": r.identity.Reason, "Group": r.identity.Group, "Label": r.identity.Label, "Home": r.identity.Home,
		"MsgLogin": r.identity.MsgLogin, "MsgQuit": r.identity.MsgQuit, "PasswordHash": r.identity.PasswordHash}
	if r.err != nil {
		texts["the error"] = r.err.Error()
	}
	for name, text := range texts {
		if strings.Contains(text, secret) {
			f.add("%s gives the password away", name)
		}
		if strings.Contains(text, binding) || strings.Contains(strings.ToLower(text), hex.EncodeToString([]byte(binding))) {
			f.add("%s gives the binding away", name)
		}
	}
}
