package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/explain"
)

// topic is something that help tells about beside commands.
type topic struct {
	name, short string
	print       func(io.Writer) error
}

// topics are all of them, in the order of their names.
func topics() []topic {
	document := func(name string) func(io.Writer) error {
		return func(w io.Writer) error {
			text, err := edgeftp.Documents().ReadFile("docs/" + name + ".md")
			if err == nil {
				_, err = w.Write(text)
			}
			return err
		}
	}
	return []topic{
		{"certificates", "certificates that come by themselves, and which proof fits", document("certificates")},
		{"client", "URLs, logins and safety of get, put, ls, mirror and bench", func(w io.Writer) error { _, err := io.WriteString(w, clientTopic); return err }},
		{"dns-providers", "what each DNS provider needs for certificates", document("dns-providers")},
		{"durability", "what survives a crash and a power cut", document("durability")},
		{"exit-codes", "what the program's exit codes mean", printExitCodes},
		{"policies", "policy modules, for operators", document("policies")},
		{"production", "from a development run to a service with certificates and users", document("production")},
		{"sandbox", "what the server shuts itself off from", document("sandbox")},
	}
}

const clientTopic = urls + `

Who logs in: --user, else the user of the URL, else the netrc file's entry for the host, else anonymous. The password: --password-file,
else that of the URL, else the netrc file's, else the terminal is asked.

TLS is at least 1.2. A certificate is judged by the system's authorities, or by --ca-file alone. --insecure takes any certificate;
--insecure-plaintext does without TLS, and has to be said twice for a server on another machine. A server that does not protect the
connection when it is asked to gets neither name nor password. Data connections resume the control connection's TLS session, as servers
with "session_reuse: require" ask for, and go to the server's own address and nowhere else (--foreign-pasv takes what PASV names).

What a server tells is not believed: names that would lead out of the directory, or hold control characters, become no files; replies,
listings and the depth of directories have limits; more or fewer bytes than a file has are an error, and a protected connection that is
cut is not taken for its end. Nothing is written outside of the directory that was named, links in it included.

A download becomes a file when it is whole: it is written under a name of its own (.edgeftp-*.part), synced, and renamed. With --resume
what an interrupted run has left is continued, if it is of the same file, size and time. Errors that may pass are tried again (--retries).
`

// helpCommand takes the place of cobra's: it knows topics, too.
func helpCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "help [COMMAND | TOPIC]", Short: "Tell about a command or a topic",
		Example: "  edgeftp help ban add\n  edgeftp help exit-codes",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if at, _, err := cmd.Root().Find(args); err == nil {
				for _, sub := range at.Commands() {
					if sub.IsAvailableCommand() {
						names = append(names, sub.Name()+"\t"+sub.Short)
					}
				}
			}
			for _, t := range topics() {
				if len(args) == 0 {
					names = append(names, t.name+"\t"+t.short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: runHelp}
	var list strings.Builder
	list.WriteString("Tells about a command, or about one of these topics:\n")
	for _, t := range topics() {
		fmt.Fprintf(&list, "  %-14s %s\n", t.name, t.short)
	}
	cmd.Long = strings.TrimRight(list.String(), "\n")
	return cmd
}

func runHelp(cmd *cobra.Command, args []string) error {
	root := cmd.Root()
	if len(args) == 1 {
		for _, t := range topics() {
			if t.name == args[0] {
				return exitWith(exitFailed, t.print(cmd.OutOrStdout()))
			}
		}
	}
	at, rest, err := root.Find(args)
	if err != nil || len(rest) > 0 || at == nil {
		word := strings.Join(args, " ")
		var names []string
		for _, t := range topics() {
			names = append(names, t.name)
		}
		for _, c := range root.Commands() {
			names = append(names, c.Name())
		}
		help := "edgeftp help lists the topics, edgeftp --help the commands"
		if near := config.Nearest(word, names); near != "" {
			help = "did you mean  edgeftp help " + near + " ?  " + help
		}
		return exitWith(exitUsage, fmt.Errorf("there is no command or topic %q\n   = help: %s", escape.Text(word), help))
	}
	return exitWith(exitFailed, at.Help())
}

// explained is what -o json tells of a code.
type explained struct {
	Code    string          `json:"code"`
	Entries []explain.Entry `json:"entries"`
}

func explainCommand() *cobra.Command {
	output := "human"
	cmd := &cobra.Command{Use: "explain CODE | --list", Short: "Tell what a code of FTP or of this program means, and what to do",
		Long: "Tells what a reply code of FTP (550) or a code of this program (EF2106) means, and what to do about it.\n" +
			"The codes of this program stand in front of errors; those of FTP in front of a server's replies.",
		Example: "  edgeftp explain 425\n  edgeftp explain EF2118\n  edgeftp explain --list -o json"}
	all := cmd.Flags().Bool("list", false, "list all codes")
	cmd.Flags().StringVarP(&output, "output", "o", "human", "human or json")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 1 || *all == (len(args) == 1) {
			return exitWith(exitUsage, errors.New("explain takes one code, or --list\n   = help: edgeftp explain 550"))
		}
		return nil
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var codes []string
		for _, e := range explain.All() {
			if len(args) == 0 {
				codes = append(codes, e.Code+"\t"+e.Summary)
			}
		}
		return codes, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := (&admin{output: output}).form(); err != nil {
			return err
		}
		on, err := coloured(cmd, cmd.OutOrStdout())
		if err != nil {
			return err
		}
		got := explained{Entries: explain.All()}
		if !*all {
			got.Code = strings.ToUpper(args[0])
			if got.Entries = explain.Find(args[0]); len(got.Entries) == 0 {
				return exitWith(exitChecks, fmt.Errorf("nothing is known of the code %q\n   = help: edgeftp explain --list lists all", escape.Text(args[0])))
			}
			got.Code = got.Entries[0].Code
		}
		if output == "json" {
			return exitWith(exitFailed, writeJSON(cmd.OutOrStdout(), got))
		}
		return exitWith(exitFailed, printCodes(cmd.OutOrStdout(), got.Entries, *all, palette(on)))
	}
	return cmd
}

func printCodes(w io.Writer, entries []explain.Entry, list bool, p palette) error {
	if list {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, e := range entries {
			fmt.Fprintf(t, "%s\t%s\n", e.Code, e.Summary)
		}
		return t.Flush()
	}
	for i, e := range entries {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s  %s\n", p.of(bold, e.Code), e.Summary)
		for _, text := range []string{e.Meaning, e.Do} {
			if text != "" {
				fmt.Fprintln(w, wrapped(text, 100))
			}
		}
	}
	return nil
}

// wrapped breaks a text into lines of so many columns, each indented.
func wrapped(text string, most int) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
			b.WriteString("  ")
			column = 2
		case column+1+len(word) > most:
			b.WriteString("\n  ")
			column = 2
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
