package pi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// features lists the extensions (RFC 2389 §3). What it says comes from the
// table's rows.
func features(s *Session, _ Args) Outcome {
	var lines []string
	for _, row := range s.conf.Table.rows {
		if row.Feat != nil {
			lines = append(lines, row.Feat(s)...)
		}
	}
	slices.Sort(lines)
	lines = append([]string{"Extensions supported:"}, append(lines, "End")...)
	return Outcome{Reply: wire.Multi(wire.CodeSystemStatus, lines...)}
}

// help lists the commands, or explains one (RFC 959 §4.1.3).
func help(s *Session, a Args) Outcome { return s.conf.Table.help("", a.Text, s.siteWords()) }

// help answers for the commands that begin with a prefix. more are the SITE commands
// that are not in the table.
func (t *Table) help(prefix, verb string, more []policy.SiteCommand) Outcome {
	if verb = strings.ToUpper(strings.TrimSpace(verb)); verb != "" {
		if row := t.byVerb[prefix+verb]; row != nil {
			help := wire.Text(strings.TrimPrefix(row.Help, ": "))
			if row.RFC == "" { // a command of an embedder's
				return Say(wire.CodeHelp, "%s %s", row.Verb, help)
			}
			return Say(wire.CodeHelp, "%s %s (%s)", row.Verb, help, row.RFC)
		}
		if t.groups[verb] {
			return t.help(verb+" ", "", more)
		}
		word, is := strings.CutPrefix(prefix+verb, site)
		if i := slices.IndexFunc(more, func(c policy.SiteCommand) bool { return is && c.Verb == word }); i >= 0 {
			return Outcome{Reply: wire.Multi(wire.CodeHelp, site+siteLine(more[i]))}
		}
		return Say(wire.CodeBadArgument, "That is not a command of this server.")
	}
	lines := []string{"The commands are:"}
	var line string
	for _, row := range t.rows {
		word, ok := strings.CutPrefix(row.Verb, prefix)
		if !ok || prefix == "" && (strings.Contains(word, " ") || t.groups[word]) {
			continue
		}
		if line += fmt.Sprintf(" %-8s", word); len(line) >= 8*9 {
			lines, line = append(lines, strings.TrimRight(line, " ")), ""
		}
	}
	if prefix == "" {
		for _, g := range t.groupNames() {
			line += " " + g
		}
	}
	if line != "" {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	if prefix == site {
		for _, c := range more {
			lines = append(lines, " "+siteLine(c))
		}
	}
	return Outcome{Reply: wire.Multi(wire.CodeHelp, append(lines, "HELP with a command explains it.")...)}
}

func (t *Table) groupNames() []string {
	var names []string
	for g := range t.groups {
		names = append(names, g)
	}
	slices.Sort(names)
	return names
}
