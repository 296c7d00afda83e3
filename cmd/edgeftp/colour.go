package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// paint is a way to make words stand out.
type paint string

// The ways, as terminals know them (ECMA-48 §8.3.117).
const (
	bold   paint = "1"
	red    paint = "31"
	green  paint = "32"
	yellow paint = "33"
	blue   paint = "34"
	faint  paint = "2"
)

// colourFlag adds --color to the root, and so to every command.
func colourFlag(root *cobra.Command) {
	root.PersistentFlags().String("color", "auto", "auto, always or never; auto is a terminal without NO_COLOR")
}

// coloured reports whether what a command writes to w may have colours.
func coloured(cmd *cobra.Command, w io.Writer) (bool, error) {
	choice := "auto"
	if f := cmd.Flag("color"); f != nil {
		choice = f.Value.String()
	}
	switch choice {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal(w), nil
	}
	return false, exitWith(exitUsage, fmt.Errorf("--color is %q; it can be auto, always or never", choice))
}

// terminal reports whether what is written to w is seen on one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// palette paints words, or does not.
type palette bool

// of paints a text, which must be printable.
func (p palette) of(c paint, text string) string {
	if !p || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// printError tells an error, its first word in red and its help in bold if that is seen.
func printError(cmd *cobra.Command, w io.Writer, err error) {
	on, _ := coloured(cmd, w) // a wrong --color may be the error
	p := palette(on)
	text := escape.Lines(strings.TrimPrefix(err.Error(), "error: ")) // it may have words of others
	if on {
		text = strings.ReplaceAll(text, "= help:", p.of(bold, "= help:"))
	}
	fmt.Fprintln(w, p.of(red, "error:"), text)
}
