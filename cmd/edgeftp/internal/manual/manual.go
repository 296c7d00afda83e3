// Package manual writes the tree of commands as pages for man(1) and as one document in
// Markdown.
package manual

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Page is one page for man(1).
type Page struct {
	// Name is that of its file, such as edgeftp-ban-add.1.
	Name string
	// Text is what the file holds (man(7)).
	Text string
}

// Pages are the pages of a command and of all below it that are not hidden. Release
// stands at the foot of each; exits is a paragraph about exit codes.
func Pages(root *cobra.Command, release, exits string) []Page {
	var all []Page
	for _, c := range Visible(root) {
		all = append(all, Page{pageName(c) + ".1", page(c, release, exits)})
	}
	return all
}

// Visible is a command and all below it that are shown to people, each before what is
// below it.
func Visible(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Deprecated == "" {
			all = append(all, Visible(sub)...)
		}
	}
	return all
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func page(c *cobra.Command, release, exits string) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s \"User Commands\"\n", quote(strings.ToUpper(pageName(c))), quote("edgeftp "+release))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(pageName(c)), escape(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", escape(c.UseLine()))
	b.WriteString(".SH DESCRIPTION\n")
	b.WriteString(paragraphs(cmp.Or(c.Long, c.Short+".")))
	if subs := Visible(c)[1:]; len(subs) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range subs {
			if sub.Parent() == c {
				fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", escape(pageName(sub)), escape(sub.Short))
			}
		}
	}
	for _, group := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"OPTIONS", c.NonInheritedFlags()}, {"COMMON OPTIONS", c.InheritedFlags()}} {
		if group.flags.HasAvailableFlags() {
			b.WriteString(".SH " + group.title + "\n")
			group.flags.VisitAll(func(f *pflag.Flag) { option(&b, f) })
		}
	}
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", escape(strings.TrimRight(c.Example, "\n")))
	}
	fmt.Fprintf(&b, ".SH EXIT STATUS\n%s", paragraphs(exits))
	if c.HasParent() {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", escape(pageName(c.Parent())))
	}
	return b.String()
}

func option(b *strings.Builder, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	b.WriteString(".TP\n.B " + escape(Flag(f)) + "\n" + escape(f.Usage))
	if d := Default(f); d != "" {
		b.WriteString(escape(" (default " + d + ")"))
	}
	b.WriteString("\n")
}

// Flag is how a flag is written, with what its value is called.
func Flag(f *pflag.Flag) string {
	text := "--" + f.Name
	if f.Shorthand != "" {
		text = "-" + f.Shorthand + ", " + text
	}
	if kind := f.Value.Type(); kind != "bool" && kind != "count" {
		text += " " + kind
	}
	return text
}

// Default is a flag's default value, empty if it says nothing or stands in the usage.
func Default(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "0", "0s", "[]":
		return ""
	}
	if strings.Contains(f.Usage, "(default") {
		return ""
	}
	return f.DefValue
}

// paragraphs are texts with empty lines between them. Lines that begin with spaces stay
// as they are.
func paragraphs(text string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		b.WriteString(".PP\n")
		fixed := false
		for line := range strings.SplitSeq(part, "\n") {
			if is := strings.HasPrefix(line, "  "); is != fixed {
				b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[is])
				fixed = is
			}
			b.WriteString(escape(line) + "\n")
		}
		if fixed {
			b.WriteString(".fi\n")
		}
	}
	return b.String()
}

// escape makes each line of a text plain: no backslash, hyphen, dot or quotation mark at
// its beginning means something to man (groff(7)).
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func quote(text string) string { return `"` + strings.ReplaceAll(escape(text), `"`, `""`) + `"` }

// Document is the tree in Markdown. Exits is a table of exit codes.
func Document(root *cobra.Command, exits string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Commands\n\n<!-- Made of the program's tree of commands: UPDATE_GOLDEN=1 go test ./cmd/edgeftp -run TestCommandsDocument writes it. -->\n\n"+
		"`%s COMMAND --help` shows the same, `%[1]s man DIR` writes it for man(1), `%[1]s help TOPIC` more.\n\n", root.Name())
	b.WriteString("| command | what it does |\n|---|---|\n")
	all := Visible(root)[1:]
	for _, c := range all {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", strings.TrimPrefix(c.CommandPath(), root.Name()+" "), strings.ReplaceAll(c.CommandPath(), " ", "-"), cell(c.Short))
	}
	b.WriteString("\n## Exit codes\n\n" + exits)
	b.WriteString("\n## Flags of every command\n\n")
	flags(&b, root.PersistentFlags())
	for _, c := range all {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n```\n%s\n```\n", c.CommandPath(), c.Short, c.UseLine())
		if c.Long != "" {
			fmt.Fprintf(&b, "\n%s\n", fenced(c.Long))
		}
		if own := own(c, root); own.HasAvailableFlags() {
			b.WriteString("\n")
			flags(&b, own)
		}
		if c.Example != "" {
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", unindented(c.Example))
		}
	}
	return b.String()
}

// own are the flags of a command but for those that every command has.
func own(c, root *cobra.Command) *pflag.FlagSet {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	add := func(f *pflag.Flag) {
		if root.PersistentFlags().Lookup(f.Name) == nil && f.Name != "help" {
			set.AddFlag(f)
		}
	}
	c.NonInheritedFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	return set
}

func flags(b *strings.Builder, set *pflag.FlagSet) {
	b.WriteString("| flag | default | what it is |\n|---|---|---|\n")
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		d := Default(f)
		if d != "" {
			d = "`" + d + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", cell(Flag(f)), d, cell(f.Usage))
	})
}

// fenced sets lines that begin with spaces as they are.
func fenced(text string) string {
	var b strings.Builder
	fixed := false
	for line := range strings.SplitSeq(text, "\n") {
		if is := strings.HasPrefix(line, "  "); is != fixed {
			b.WriteString(map[bool]string{true: "\n```\n", false: "```\n"}[is])
			fixed = is
		}
		b.WriteString(line + "\n")
	}
	if fixed {
		b.WriteString("```\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func unindented(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "  ")
	}
	return strings.Join(lines, "\n")
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text)
}
