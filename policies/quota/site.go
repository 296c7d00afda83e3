package quota

import (
	"context"
	"strconv"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Verb is the policy's SITE command.
const Verb = "QUOTA"

// SiteCommands implements [policy.SiteCommander].
func (p *Policy) SiteCommands() []policy.SiteCommand {
	return []policy.SiteCommand{{Verb: Verb, Help: "Tell what you may store and what is left of it."}}
}

// CallSite implements [policy.SiteCommander]. It fails if the counters cannot be
// read.
func (p *Policy) CallSite(_ context.Context, call *policy.SiteCall) (policy.SiteReply, error) {
	if call.Verb != Verb {
		return policy.SiteReply{}, nil
	}
	if call.Arg != "" {
		return policy.SiteReply{Verdict: policy.Deny, Code: 501, Lines: []string{"SITE QUOTA takes no argument."}}, nil
	}
	lines := []string{}
	for _, acc := range p.accounts(call.Session) {
		r, err := p.read(acc)
		if err != nil {
			return policy.SiteReply{}, err
		}
		title := "You have stored"
		if acc.key[0] == 'g' {
			title = "Your group has stored"
		}
		lines = append(lines, r.in(periodOf(call.Time)).describe(title, acc.limits)...)
	}
	if len(lines) == 0 {
		lines = append(lines, "There is no quota for you.")
	}
	return policy.SiteReply{Verdict: policy.Allow, Lines: lines}, nil
}

// describe tells what is used, and of what has a limit what is left.
func (r record) describe(title string, l Limits) []string {
	lines := []string{title + " " + used(r.bytes, l.Bytes, "bytes") + " and " + used(r.files, l.Files, "files") + "."}
	if l.DayBytes > 0 || l.DayFiles > 0 {
		lines = append(lines, "Added today (UTC): "+used(r.dayBytes, l.DayBytes, "bytes")+" and "+used(r.dayFiles, l.DayFiles, "files")+".")
	}
	if l.MonthBytes > 0 || l.MonthFiles > 0 {
		lines = append(lines, "Added this month (UTC): "+used(r.monthBytes, l.MonthBytes, "bytes")+" and "+used(r.monthFiles, l.MonthFiles, "files")+".")
	}
	return lines
}

func used(n, limit int64, what string) string {
	s := strconv.FormatInt(n, 10)
	if limit > 0 {
		s += " of " + strconv.FormatInt(limit, 10)
	}
	s += " " + what
	if limit > 0 {
		s += " (" + strconv.FormatInt(max(limit-n, 0), 10) + " left)"
	}
	return s
}
