package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// siteStage is one SITE command of one policy.
type siteStage struct {
	*module
	hook policy.SiteCommander
	policy.SiteCommand
}

// clash is a SITE command that two policies declare: the first one has it.
type clash struct{ verb, first, second string }

// maxSiteVerb is the greatest length of a SITE command's verb.
const maxSiteVerb = 16

// siteCommands reads what a policy declares. A declaration that the table of
// commands or SITE HELP cannot hold keeps the policy out of the chain.
func siteCommands(h policy.SiteCommander) ([]policy.SiteCommand, error) {
	if h == nil {
		return nil, nil
	}
	all := slices.Clone(h.SiteCommands())
	for i, c := range all {
		if err := checkSite(c); err != nil {
			return nil, fmt.Errorf("SITE command %q: %w", c.Verb, err)
		}
		if slices.ContainsFunc(all[:i], func(o policy.SiteCommand) bool { return o.Verb == c.Verb }) {
			return nil, fmt.Errorf("SITE command %q is declared twice", c.Verb)
		}
	}
	return all, nil
}

func checkSite(c policy.SiteCommand) error {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	switch {
	case c.Verb == "" || len(c.Verb) > maxSiteVerb || strings.Trim(c.Verb, letters) != "":
		return fmt.Errorf("a verb is 1 to %d capital letters and digits", maxSiteVerb)
	case c.Perm&^policy.PermAll != 0:
		return errors.New("it asks for a permission that does not exist")
	case !oneLine(c.Arg):
		return errors.New("the form of its argument is not one line of text")
	case !oneLine(c.Help):
		return errors.New("its help is not one line of text")
	}
	return nil
}

func oneLine(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// joinSite adds a policy's SITE commands, but for those that an earlier one has.
func (s *stages) joinSite(m *module) {
	for _, c := range m.site {
		if first := s.siteOf(c.Verb); first != nil {
			s.clashes = append(s.clashes, clash{c.Verb, first.name, m.name})
			continue
		}
		s.site = append(s.site, siteStage{m, m.hooks.Site, c})
	}
}

// tellClashes logs which SITE commands are another policy's, each once however many
// hosts have both.
func (g *generation) tellClashes(log *slog.Logger) {
	all := slices.Clone(g.clashes)
	for _, host := range slices.Sorted(maps.Keys(g.hosts)) {
		for _, c := range g.hosts[host].clashes {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	for _, c := range all {
		log.Warn("a policy's SITE command is not used: an earlier policy has one of that name",
			"command", "SITE "+c.verb, "policy", c.second, "used", c.first)
	}
}

func (s *stages) siteOf(verb string) *siteStage {
	for i := range s.site {
		if s.site[i].Verb == verb {
			return &s.site[i]
		}
	}
	return nil
}

// Site finds a SITE command that a policy declares, by its verb in capitals.
func (l Lease) Site(verb string) (policy.SiteCommand, bool) {
	if l.gen == nil {
		return policy.SiteCommand{}, false
	}
	st := l.mine().siteOf(verb)
	if st == nil {
		return policy.SiteCommand{}, false
	}
	return st.SiteCommand, true
}

// SiteCommands returns those of all policies, in the order of their verbs.
func (l Lease) SiteCommands() []policy.SiteCommand {
	if l.gen == nil {
		return nil
	}
	out := make([]policy.SiteCommand, 0, len(l.mine().site))
	for _, st := range l.mine().site {
		out = append(out, st.SiteCommand)
	}
	slices.SortFunc(out, func(a, b policy.SiteCommand) int { return strings.Compare(a.Verb, b.Verb) })
	return out
}

// CallSite has the policy that declares it carry a SITE command out. In the reply
// the code is one that fits the verdict, or 0, and the verdict is Allow, or Pass for
// a command that is not implemented. Of a refusal the Denial has what a client may
// be told, in the form of one line: all lines are in the reply.
func (l Lease) CallSite(ctx context.Context, q *policy.SiteCall) (policy.SiteReply, *policy.Denial) {
	g := l.enter()
	if g == nil {
		return policy.SiteReply{}, refusal()
	}
	defer l.leave(g)
	st := g.of(l.host).siteOf(q.Verb)
	if st == nil || !st.interest.group(q.Session) { // the generation that knew it was ended
		return policy.SiteReply{}, nil
	}
	r, err := st.ask(ctx, q)
	if err != nil {
		return policy.SiteReply{}, st.fault(policy.StageSite, err)
	}
	switch r.Verdict {
	case policy.Deny, policy.Hide:
		return r, st.denies(false, r.Code, strings.Join(r.Lines, " "))
	case policy.Allow:
		if r.Code < 200 || r.Code > 299 {
			r.Code = 0
		}
	}
	return r, nil
}

// ask has the policy carry the command out.
func (st *siteStage) ask(ctx context.Context, q *policy.SiteCall) (policy.SiteReply, error) {
	c, err := st.begin(policy.StageSite)
	if err != nil {
		return policy.SiteReply{}, err
	}
	r, err := st.hook.CallSite(ctx, q)
	switch {
	case err != nil:
	case len(r.Lines) > policy.MaxLines:
		err = fmt.Errorf("a reply of %d lines, at most %d fit", len(r.Lines), policy.MaxLines)
	default:
		err = meant(r.Verdict, policy.StageSite)
	}
	st.end(ctx, policy.StageSite, c, q.Session.ID, r.Verdict, err)
	return r, err
}
