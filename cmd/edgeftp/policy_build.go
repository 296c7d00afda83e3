package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/builder"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// built is what policy build tells of one folder.
type built struct {
	Dir      string   `json:"dir"`
	File     string   `json:"file"`
	Name     string   `json:"name"`
	Language string   `json:"language"`
	Tool     string   `json:"tool"`
	Seconds  float64  `json:"seconds"`
	Digest   string   `json:"digest"`
	Size     int      `json:"size"`
	Hooks    []string `json:"hooks"`
	Tests    bool     `json:"tests"` // it brings tests
}

// tools is what policy build --check tells of one language.
type tools struct {
	Language string `json:"language"`
	Tool     string `json:"tool,omitempty"`
	Missing  string `json:"missing,omitempty"`
}

func buildCommand() *cobra.Command {
	var output string
	var check bool
	cmd := &cobra.Command{Use: "build [DIR...]", Short: "Build policies from their source",
		Long: "Builds the policy in each folder (default .) into NAME.wasm there; NAME is that of the manifest, else the folder's.\n" +
			"The module is judged as a server would without running it. If anything is wrong, the file that was there stays.\n" +
			"Building runs compilers on the source: build only what you would compile yourself."}
	cmd.Flags().StringVarP(&output, "output", "o", "human", "human or json, or the file (.wasm) that the module of one DIR is written to")
	cmd.Flags().BoolVar(&check, "check", false, "build nothing, and tell for every language whether its tools are there")
	cmd.RunE = func(cmd *cobra.Command, dirs []string) error {
		form, to := output, ""
		if strings.HasSuffix(output, ".wasm") {
			form, to = "human", output
		}
		switch {
		case form != "human" && form != "json":
			return exitWith(exitUsage, fmt.Errorf("--output is %q; it can be human, json or a file that ends in .wasm", output))
		case check && (len(dirs) > 0 || to != ""):
			return exitWith(exitUsage, errors.New("--check builds nothing: give it alone"))
		case check:
			return exitWith(exitFailed, printTools(cmd.OutOrStdout(), form, checkTools(cmd.Context())))
		case len(dirs) == 0:
			dirs = []string{"."}
		case len(dirs) > 1 && to != "":
			return exitWith(exitUsage, fmt.Errorf("%s is the file of one module, and there are %d folders", to, len(dirs)))
		}
		var all []*built
		for _, dir := range dirs {
			b, err := buildPolicy(cmd.Context(), dir, to)
			if err != nil {
				return exitWith(exitFailed, err)
			}
			all = append(all, b)
			if form != "json" {
				b.print(cmd.OutOrStdout())
			}
		}
		if form == "json" {
			return exitWith(exitFailed, printJSON(cmd.OutOrStdout(), all))
		}
		return nil
	}
	return cmd
}

// buildPolicy builds one folder and writes the module if a server would take it as far
// as can be told.
func buildPolicy(ctx context.Context, dir, to string) (*built, error) {
	r, err := builder.Build(ctx, dir, buildCache())
	if err != nil {
		return nil, err
	}
	facts, err := examine(ctx, config.ModuleName(dir), r.Module)
	if err != nil {
		return nil, fmt.Errorf("the policy in %s can be built, but no server takes it: %w", dir, err)
	}
	b := &built{Dir: dir, File: to, Name: facts.Manifest.Name, Language: r.Language, Tool: r.Tool, Seconds: r.Took.Seconds(),
		Digest: facts.Digest, Size: facts.Size, Hooks: facts.Hooks, Tests: facts.Tests}
	if b.Name == "" {
		b.Name = config.ModuleName(dir)
	}
	if to == "" {
		if config.CheckName(b.Name) != nil {
			return nil, fmt.Errorf("the policy in %s is called %q, which is no good name for a file\n"+
				"   = help: give it another name in manifest.json, or name the file with -o FILE.wasm", dir, b.Name)
		}
		b.File = filepath.Join(dir, b.Name+".wasm")
	}
	if err := replace(b.File, r.Module); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *built) print(w io.Writer) {
	tests := ""
	if !b.Tests {
		tests = "  no tests"
	}
	fmt.Fprintf(w, "%s  %d bytes  %s  hooks %s%s  built with %s in %s\n", b.File, b.Size, b.Language, strings.Join(b.Hooks, ","), tests,
		b.Tool, time.Duration(b.Seconds*float64(time.Second)).Round(10*time.Millisecond))
}

// checkTools looks for the tools of every language.
func checkTools(ctx context.Context) (all []tools) {
	for _, language := range build.Languages() {
		t := tools{Language: language}
		var err error
		if t.Tool, err = build.Toolchain(ctx, language); err != nil {
			t.Tool, t.Missing = "", missing(err)
		}
		all = append(all, t)
	}
	return all
}

func printTools(w io.Writer, output string, all []tools) error {
	if output == "json" {
		return printJSON(w, all)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LANGUAGE\tTOOL")
	for _, l := range all {
		text := l.Tool
		if l.Missing != "" {
			what, help, _ := strings.Cut(l.Missing, "\n   = help: ")
			text = "missing: " + what
			if help != "" {
				text += "; " + help
			}
		}
		fmt.Fprintf(t, "%s\t%s\n", l.Language, strings.Join(strings.Fields(text), " "))
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(escape.JSON(w))
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
