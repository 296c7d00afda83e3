package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/backup"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// noCommand says that a word is no command of cmd, or that there is none; otherwise is
// what to say then.
func noCommand(cmd *cobra.Command, args []string, otherwise string) error {
	if len(args) == 0 {
		return exitWith(exitUsage, errors.New(otherwise))
	}
	help := cmd.CommandPath() + " --help lists the commands"
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2 // as cobra does before it suggests
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		help = "did you mean  " + cmd.CommandPath() + " " + cmp.Or(config.Nearest(args[0], near), near[0]) + " ?  " + help
	}
	return exitWith(exitUsage, fmt.Errorf("%s has no command %q\n   = help: %s", cmd.CommandPath(), args[0], help))
}

// misused puts an error of cobra's into words, with the line of use.
func misused(cmd *cobra.Command, err error) error {
	text := err.Error()
	if m := regexp.MustCompile(`^accepts (at most |)(\d+) arg\(s\), received (\d+)$`).FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("%s takes %s%s, not %s", cmd.CommandPath(), m[1], counted(m[2]), m[3])
	} else if m := regexp.MustCompile(`^required flag\(s\) "([^"]+)" not set$`).FindStringSubmatch(text); m != nil {
		text = "--" + m[1] + " is missing"
	} else if m := regexp.MustCompile(`^unknown command "([^"]+)" for "edgeftp (.+)"$`).FindStringSubmatch(text); m != nil {
		if cmd.HasAvailableSubCommands() {
			return noCommand(cmd, m[1:2], "")
		}
		text = fmt.Sprintf("edgeftp %s takes no arguments, and there is %q", m[2], m[1])
	}
	return fmt.Errorf("%s\n   = help: %s", text, strings.TrimSuffix(cmd.UseLine(), " [flags]"))
}

// advised adds what to do next to an error that does not say it.
func advised(cmd *cobra.Command, code int, err error) error {
	help := ""
	switch {
	case strings.Contains(err.Error(), "= help: "):
	case errors.Is(err, fs.ErrNotExist):
		help = "check the path; it is looked for from the directory that you are in"
	case errors.Is(err, fs.ErrPermission):
		help = "check whose it is; sudo -u USER runs the command as the server's user"
	case errors.Is(err, backup.ErrArchive):
		help = "name a file that edgeftp backup --out FILE wrote"
	case code == exitUsage:
		help = cmd.CommandPath() + " --help shows how it is used"
	}
	if help == "" {
		return err
	}
	return fmt.Errorf("%w\n   = help: %s", err, help)
}

func counted(n string) string {
	if n == "1" {
		return "1 argument"
	}
	return n + " arguments"
}

// readJSON reads a file that is a JSON text, and says in which line it is none.
func readJSON(file string) (json.RawMessage, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if at, says := brokenJSON(text); says != "" {
		return nil, fmt.Errorf("%s:%s: it is no JSON: %s", file, at, says)
	}
	return text, nil
}

// brokenJSON says where a text is no JSON, as LINE:COLUMN, and why; nothing if it is.
func brokenJSON(text []byte) (at, says string) {
	var v json.RawMessage
	err := json.Unmarshal(text, &v)
	if err == nil {
		return "", ""
	}
	end := len(text)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset >= 1 && syntax.Offset <= int64(len(text)) {
		end = int(syntax.Offset) - 1
	}
	before := text[:end]
	return fmt.Sprintf("%d:%d", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n')), err.Error()
}
