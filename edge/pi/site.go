package pi

import (
	"context"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// find looks a command up: in the table, and what is not there among the SITE
// commands of the policies, which so can never take the place of one of the
// server's. For one of those the lease is taken, as it says which policies.
func (s *Session) find(c wire.Command) (*Spec, wire.Command, bool) {
	spec, cmd, ok := s.conf.Table.Lookup(c)
	if ok || s.job != nil || c.Verb+" " != site {
		return spec, cmd, ok
	}
	word, rest, _ := strings.Cut(strings.TrimLeft(c.Arg, " "), " ")
	s.lease = s.conf.Chain.LeaseOf(s.who.ID, s.conf.VHost)
	own, ok := s.lease.Site(strings.ToUpper(word))
	if !ok {
		s.letGo()
		return nil, cmd, false
	}
	cmd.Verb, cmd.Arg = site+own.Verb, rest
	return &Spec{Verb: cmd.Verb, Lane: Work, Perm: own.Perm, Handler: callSite(own)}, cmd, true
}

// site stands before the words of its group.
const site = "SITE "

// letGo gives the lease of a command back.
func (s *Session) letGo() {
	s.lease.Release()
	s.lease.Clear()
}

// callSite has a policy carry out a SITE command of its own, in a helper goroutine.
func callSite(own policy.SiteCommand) Handler {
	return func(s *Session, a Args) Outcome {
		q := &policy.SiteCall{Meta: s.meta(), Verb: own.Verb, Arg: a.Text, Dir: string(s.cwd)}
		if !s.Perms(s.cwd).Has(own.Perm) {
			return s.Fail(s.siteRefused(q, &policy.Denial{Text: "You have no permission for that."}, nil))
		}
		lease, view := s.lease, s.services(nil)
		return Outcome{Job: &Job{Title: "Carrying out", Subject: site + own.Verb, Alone: true, Run: func(ctx context.Context) Settle {
			r, denial := lease.CallSite(policy.WithServices(ctx, view), q)
			return func(s *Session) Outcome { return s.siteAnswer(q, r, denial) }
		}}}
	}
}

// siteAnswer is what the client is told of a SITE command of a policy's.
func (s *Session) siteAnswer(q *policy.SiteCall, r policy.SiteReply, denial *policy.Denial) Outcome {
	switch {
	case denial != nil:
		return s.Fail(s.siteRefused(q, denial, r.Lines))
	case r.Verdict == policy.Pass:
		return Say(wire.CodeNotImplemented, "SITE %s is not carried out here.", q.Verb)
	}
	code := wire.CodeOK
	if r.Code != 0 {
		code = wire.Code(r.Code)
	}
	if len(r.Lines) == 0 {
		return Say(code, "It was carried out.")
	}
	return Outcome{Reply: wire.Multi(code, r.Lines...)}
}

func (s *Session) siteRefused(q *policy.SiteCall, d *policy.Denial, lines []string) error {
	return &refused{action: &policy.Action{Meta: q.Meta, Path: q.Dir, Arg: q.Arg}, denial: d, stage: policy.StageSite,
		command: site + q.Verb, lines: lines}
}

// siteHelp answers for the commands of SITE, those of the policies included.
func siteHelp(s *Session, a Args) Outcome {
	return s.conf.Table.help(site, a.Text, s.siteWords())
}

// siteWords are the SITE commands that only policies have.
func (s *Session) siteWords() []policy.SiteCommand {
	var out []policy.SiteCommand
	for _, c := range s.lease.SiteCommands() {
		if s.conf.Table.byVerb[site+c.Verb] == nil {
			out = append(out, c)
		}
	}
	return out
}

// siteLine is how HELP shows such a command.
func siteLine(c policy.SiteCommand) string {
	line := c.Verb
	if c.Arg != "" {
		line += " " + c.Arg
	}
	if c.Help != "" {
		line += ": " + c.Help
	}
	if c.Perm != 0 {
		line += " (" + c.Perm.String() + ")" // what the session must be permitted
	}
	return line
}
