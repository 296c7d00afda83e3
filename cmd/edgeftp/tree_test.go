package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/explain"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/manual"
)

// Every command says what it is, shows how it is used, and says more where there is
// more to say.
func TestCommandsSpeak(t *testing.T) {
	root := rootCommand(io.Discard, io.Discard)
	for _, c := range manual.Visible(root) {
		name := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Short[:1] != strings.ToUpper(c.Short[:1]) {
			t.Errorf("%s: its Short is %q; it is a sentence without a full stop", name, c.Short)
		}
		if c.Example == "" {
			t.Errorf("%s has no Example: set it, or add lines to examples.txt", name)
		}
		own := 0
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			own++
			if f.Usage == "" {
				t.Errorf("%s: nothing is said of --%s", name, f.Name)
			}
		})
		if own > 3 && c.Long == "" && name != "edgeftp serve" { // whose flags docs/config.md explains
			t.Errorf("%s has %d flags and no Long", name, own)
		}
		if !c.Runnable() {
			t.Errorf("%s does nothing when it is called alone; noCommand says what it needs", name)
		}
	}
	for block := range strings.SplitSeq(strings.TrimSpace(examples), "\n\n") {
		name, _, _ := strings.Cut(block, "\n")
		if c, rest, err := root.Find(strings.Fields(name)[1:]); err != nil || len(rest) > 0 || c.CommandPath() != name {
			t.Errorf("examples.txt has examples of %q, which is no command", name)
		}
	}
}

// Every example is a command line that the program takes.
func TestExamples(t *testing.T) {
	words := regexp.MustCompile(`"[^"]*"|[^\s"]+`)
	for _, c := range manual.Visible(rootCommand(io.Discard, io.Discard)) {
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			if at := strings.LastIndex(line, "| edgeftp "); at >= 0 {
				line = line[at+2:]
			}
			line, _, _ = strings.Cut(line, " | ")
			line, _, _ = strings.Cut(line, " > ")
			line, _, _ = strings.Cut(line, " && ")
			args := words.FindAllString(line, -1)
			if len(args) == 0 || args[0] != "edgeftp" {
				continue
			}
			for i := range args {
				args[i] = strings.Trim(args[i], `"`)
			}
			takes(t, line, args[1:])
		}
	}
}

func takes(t *testing.T, line string, args []string) {
	t.Helper()
	root := rootCommand(io.Discard, io.Discard) // a new one: flags keep what they were set to
	c, rest, err := root.Find(args)
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	if err := c.ParseFlags(rest); err != nil {
		if err != pflag.ErrHelp {
			t.Errorf("%s: %v", line, err)
		}
		return
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	if err := c.ValidateRequiredFlags(); err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

// A command that tells something tells it as JSON, too. What has no -o json is listed
// here with the reason.
func TestJSONEverywhere(t *testing.T) {
	none := map[string]string{
		"edgeftp":                 "lists the commands",
		"edgeftp serve":           "has --log json",
		"edgeftp admin":           "lists the commands",
		"edgeftp admin openapi":   "prints JSON in any case",
		"edgeftp config":          "lists the commands",
		"edgeftp config fmt":      "prints the file",
		"edgeftp config describe": "prints the reference in Markdown",
		"edgeftp config schema":   "prints JSON in any case",
		"edgeftp config validate": "has its own reader: line and column of each error",
		"edgeftp man":             "writes files",
		"edgeftp help":            "prints texts",
		"edgeftp policy keygen":   "writes files",
		"edgeftp policy load":     "writes a file",
		"edgeftp policy pull":     "writes a file",
		"edgeftp policy save":     "writes a file",
	}
	found := map[string]bool{}
	for _, c := range manual.Visible(rootCommand(io.Discard, io.Discard)) {
		name := c.CommandPath()
		if strings.HasPrefix(name, "edgeftp completion") {
			continue // scripts for shells
		}
		f := c.Flag("output")
		has := f != nil && strings.Contains(f.Usage, "json")
		found[name] = true
		if why := none[name]; has == (why != "") {
			t.Errorf("%s: has -o json: %v; excused: %q", name, has, why)
		}
	}
	for name := range none {
		if !found[name] {
			t.Errorf("there is no %s any more", name)
		}
	}
}

// Unknown commands and flags are answered with what may have been meant.
func TestDidYouMean(t *testing.T) {
	for line, want := range map[string]string{
		"gett":                      "did you mean  edgeftp get ?",
		"ban lsit":                  "did you mean  edgeftp ban list ?",
		"policy swpa":               "did you mean  edgeftp policy swap ?",
		"get --recursiv ftp://h/":   "did you mean  --recursive ?",
		"ban add --fore 1h 1.2.3.4": "did you mean  --for ?",
		"help exit-code":            "did you mean  edgeftp help exit-codes ?",
		"get -Z ftp://h/":           "edgeftp get --help lists the flags",
		"xyzzy":                     "edgeftp --help lists the commands",
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(line), &out, &errs); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit code %d\n%s%s", line, code, &out, &errs)
		}
	}
}

func TestCompletions(t *testing.T) {
	for line, want := range map[string]string{
		"get --ou":                 "--output\t",
		"get --output ":            "json\n",
		"ban --color ":             "never\n",
		"bandwidth set ":           "user-default\n",
		"explain EF21":             "EF2106\t",
		"help ":                    "exit-codes\t",
		"config describe listener": "listeners[].passive.ports\n",
		"config validate ":         "yaml\n",
		"policy inspect ":          "wasm\n",
		"policy promote ":          ":4\n", // there is no server to ask
	} {
		var out, errs bytes.Buffer
		args := strings.Split("__complete "+line, " ")
		if code := run(t.Context(), args, &out, &errs); code != exitOK || !strings.Contains(out.String(), want) {
			t.Errorf("%q: exit code %d\n%s%s", line, code, &out, &errs)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"completion", shell}, &out, &errs); code != exitOK || !strings.Contains(out.String(), "__complete") {
			t.Errorf("%s: exit code %d\n%s", shell, code, &errs)
		}
	}
}

// docs/commands.md is made of the tree.
func TestCommandsDocument(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "commands.md")
	want := manual.Document(rootCommand(io.Discard, io.Discard), exitTable())
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the commands say (%v): UPDATE_GOLDEN=1 go test ./cmd/edgeftp -run TestCommandsDocument writes it", file, err)
	}
}

// Every exit code that the program has stands in the table once, and nothing else.
func TestExitCodes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var have []int
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "exit") {
			v, _ := strconv.Atoi(spec.Values[0].(*ast.BasicLit).Value)
			have = append(have, v)
		}
		return true
	})
	var told []int
	for _, c := range exitCodes() {
		told = append(told, c.Code)
	}
	if !slices.Equal(have, told) || len(told) != 7 {
		t.Errorf("the program has %v and tells of %v", have, told)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"help", "exit-codes"}, &out, &errs); code != 0 || !strings.Contains(out.String(), "\n130 ") {
		t.Errorf("%d\n%s%s", code, &out, &errs)
	}
}

// Everything that help and explain tell of the configuration and of commands is there.
func TestWhatIsNamed(t *testing.T) {
	root := rootCommand(io.Discard, io.Discard)
	keys := config.Keys()
	key := regexp.MustCompile(`\b(listeners|policies|limits|storage|users|telemetry)(\[\])?\.[a-z_.\[\]]*[a-z_\]]`)
	command := regexp.MustCompile(`"edgeftp ((?:[a-z-]+ ?)+)`)
	for _, e := range explain.All() {
		for _, k := range key.FindAllString(e.Meaning+" "+e.Do, -1) {
			if !slices.ContainsFunc(keys, func(have string) bool { return have == k }) && !strings.HasPrefix(k, "telemetry.audit") {
				t.Errorf("%s names the key %s, which is none", e.Code, k)
			}
		}
		for _, m := range command.FindAllStringSubmatch(e.Meaning+" "+e.Do, -1) {
			words := strings.Fields(m[1])
			if later := []string{"audit", "events"}; slices.Contains(later, words[0]) {
				continue // which other parts build
			}
			if c, _, err := root.Find(words); err != nil || c == root {
				t.Errorf("%s names the command %q, which is none", e.Code, m[1])
			}
		}
	}
	for _, topic := range topics() {
		var out bytes.Buffer
		if err := topic.print(&out); err != nil || out.Len() < 100 {
			t.Errorf("the topic %s has %d bytes, %v", topic.name, out.Len(), err)
		}
		if !strings.Contains(root.Long, topic.name) {
			t.Errorf("the topic %s is not named by edgeftp --help", topic.name)
		}
	}
}

// Colours are for terminals, and for those who ask for them.
func TestColours(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	for line, want := range map[string]bool{"explain 550": false, "explain 550 --color always": true, "explain 550 --color never": false, "explain 999 --color=always": true} {
		var out, errs bytes.Buffer
		run(t.Context(), strings.Fields(line), &out, &errs)
		if got := strings.Contains(out.String()+errs.String(), "\x1b["); got != want {
			t.Errorf("%s: colours %v\n%s%s", line, got, &out, &errs)
		}
	}
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"explain", "550", "--color", "perhaps"}, new(bytes.Buffer), &errs); code != exitUsage {
		t.Errorf("%d\n%s", code, &errs)
	}
	cmd := &cobra.Command{}
	colourFlag(cmd)
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if on, err := coloured(cmd, f); on || err != nil {
		t.Errorf("a file is coloured: %v", err)
	}
}

// Names that a running server has are offered, but none that would do harm in a shell's
// terminal.
func TestCompletionsOfServer(t *testing.T) {
	dir := t.TempDir()
	server, err := control.Listen(t.Context(), filepath.Join(dir, "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	list := append(several(), acme.Certificate{Name: "evil\x1b[2J\nname"})
	go func() { done <- server.Serve(&fakeServer{list: list}, slog.New(slog.DiscardHandler)) }()
	defer func() {
		if err := errors.Join(server.Close(), <-done); err != nil {
			t.Error(err)
		}
	}()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"__complete", "cert", "show", "--state-dir", dir, ""}, &out, &errs)
	if code != exitOK || !strings.Contains(out.String(), "ftp.example.org\n") || strings.Contains(out.String(), "evil") {
		t.Errorf("%d\n%q\n%s", code, &out, &errs)
	}
}
