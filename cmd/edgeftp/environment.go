package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// Every flag has a variable of the environment that gives it where the command line
// does not: EDGEFTP_<COMMAND>_<FLAG>, such as EDGEFTP_SERVE_PASSIVE_PORTS of serve
// --passive-ports and EDGEFTP_POLICY_SOCKET of policy --socket, which all of policy's
// commands have. A flag that may be given several times takes several values, between
// commas. Booleans are true or false.

// variablePrefix begins the names of all variables of the program.
const variablePrefix = "EDGEFTP_"

// Annotations of flags.
const (
	envName = "edgeftp_variable" // the variable of a flag that has another one than its command would give it
	envFrom = "edgeftp_from"     // the variable that has given the flag
)

// foreignVariables begin with the same word and are none of ours: the project's own
// tests and tools have them, and the servers that these start inherit them.
func foreignVariables() []string {
	return []string{"EDGEFTP_BINARY", "EDGEFTP_CASES", "EDGEFTP_CPU_PROFILE", "EDGEFTP_FAULT", "EDGEFTP_FULL", "EDGEFTP_FULL_DISK", "EDGEFTP_GUESTTEST",
		"EDGEFTP_HOSTILE_CHILD", "EDGEFTP_KV_ALONE", "EDGEFTP_KV_KILL_TEST", "EDGEFTP_NO_NAMESPACES", "EDGEFTP_PEERS", "EDGEFTP_RACE", "EDGEFTP_SANDBOX_CHILD", "EDGEFTP_SEED", "EDGEFTP_SERVERS",
		"EDGEFTP_SOAK", "EDGEFTP_SPOOL_KILL_TEST", "EDGEFTP_TEST_AUDIT", "EDGEFTP_TEST_BECOME", "EDGEFTP_TEST_HOOK", "EDGEFTP_TEST_MACHINE", "EDGEFTP_TEST_MODULE", "EDGEFTP_TEST_SOCKET", "EDGEFTP_UPDATE", "EDGEFTP_UPDATE_DOCS", "EDGEFTP_VFS_TEST_CHILD",
		"EDGEFTP_VFS_TEST_NAMESPACE"}
}

// variableOf is the variable of a flag that a command defines itself.
func variableOf(cmd *cobra.Command, f *pflag.Flag) string {
	if own := f.Annotations[envName]; len(own) == 1 {
		return own[0]
	}
	path := strings.Fields(cmd.CommandPath())[1:] // without the program's name
	return variablePrefix + strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToUpper(strings.Join(append(path, f.Name), " ")))
}

// variables are the flags that a command takes, with their variables: its own, and
// those that the commands above it give to all below them.
func variables(cmd *cobra.Command) map[string]*pflag.Flag {
	found := map[string]*pflag.Flag{}
	taken := map[string]bool{"help": true}
	add := func(of *cobra.Command, set *pflag.FlagSet) {
		set.VisitAll(func(f *pflag.Flag) {
			if !taken[f.Name] {
				found[variableOf(of, f)] = f
			}
			taken[f.Name] = true // one of the same name further up is hidden by it
		})
	}
	add(cmd, cmd.LocalFlags())
	cmd.VisitParents(func(parent *cobra.Command) { add(parent, parent.PersistentFlags()) })
	return found
}

// fromEnvironment gives the flags of a command that the command line does not give
// from the environment.
func fromEnvironment(cmd *cobra.Command, _ []string) error {
	list := variables(cmd)
	for _, name := range slices.Sorted(maps.Keys(list)) {
		f := list[name]
		value, set := os.LookupEnv(name)
		if !set || f.Changed {
			continue
		}
		values := []string{value}
		if several, is := f.Value.(pflag.SliceValue); is {
			if values = nil; value != "" {
				values = strings.Split(value, ",")
			}
			if err := several.Replace(nil); err != nil {
				return exitWith(exitUsage, fmt.Errorf("%s: %w", name, err))
			}
		}
		for _, v := range values {
			if err := cmd.Flags().Set(f.Name, strings.TrimSpace(v)); err != nil {
				return exitWith(exitUsage, fmt.Errorf("the variable %s: %q cannot be the value of --%s\n   = help: %s", name, printable(v), f.Name, wanted(f)))
			}
		}
		if f.Changed {
			if f.Annotations == nil {
				f.Annotations = map[string][]string{}
			}
			f.Annotations[envFrom] = []string{name}
		}
	}
	return nil
}

// wanted says what a flag takes.
func wanted(f *pflag.Flag) string {
	if f.Value.Type() == "bool" {
		return "write true or false, or unset it"
	}
	return f.Usage
}

// given reports whether a flag was given, and by which variable if it was one.
func given(cmd *cobra.Command, flag string) (changed bool, variable string) {
	f := cmd.Flags().Lookup(flag)
	if f == nil {
		return false, ""
	}
	if from := f.Annotations[envFrom]; len(from) == 1 {
		variable = from[0]
	}
	return f.Changed, variable
}

// called is a flag as its user has given it.
func called(cmd *cobra.Command, flag string) string {
	if _, variable := given(cmd, flag); variable != "" {
		return "the variable " + variable
	}
	return "--" + flag
}

// strangers refuses variables that begin like those of the program and that nothing
// takes: a setting with a slip in its name would silently not hold. file is the
// configuration, which may use any as ${env:NAME}, or empty.
func strangers(root *cobra.Command, file string) error {
	known := map[string]bool{}
	for _, name := range foreignVariables() {
		known[name] = true
	}
	var names []string // that can be meant
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for name := range variables(cmd) {
			if !known[name] && !cmd.Hidden {
				names = append(names, name)
			}
			known[name] = true
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(root)
	for _, name := range config.Variables(file) {
		known[name] = true
		names = append(names, name)
	}
	slices.Sort(names)
	var wrong []string
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, variablePrefix) && !known[name] {
			wrong = append(wrong, name)
		}
	}
	slices.Sort(wrong)
	var b strings.Builder
	for _, name := range wrong {
		help := "unset it; each flag has one, as EDGEFTP_SERVE_ROOT of serve --root"
		if near := config.Nearest(name, names); near != "" {
			help = "did you mean " + near + "?"
		}
		fmt.Fprintf(&b, "error: the environment has the variable %s, which nothing takes\n   = help: %s\n", printable(name), help)
	}
	if b.Len() == 0 {
		return nil
	}
	return exitWith(exitConfig, fmt.Errorf("%s", strings.TrimSuffix(b.String(), "\n")))
}

// printable is a text from outside, without what could move the cursor or hide text.
func printable(s string) string { return strings.Map(visible, s) }
