package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/workbench"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// founded is what policy init tells.
type founded struct {
	Dir      string   `json:"dir"`
	Language string   `json:"language"`
	Files    []string `json:"files"` // without those of the SDK
	SDK      bool     `json:"sdk"`
	Tool     string   `json:"tool,omitempty"`
	Missing  string   `json:"missing,omitempty"` // which tool, and how to get it
}

func (a *admin) initCommand() *cobra.Command {
	var language, dir string
	languages := strings.Join(workbench.Languages(edgeftp.Sources()), ", ")
	cmd := &cobra.Command{Use: "init --lang LANGUAGE NAME", Short: "Make a folder with a small policy to begin with", Args: cobra.ExactArgs(1),
		Long: "Makes a folder with a small, complete policy in the language, its tests, the SDK and the contract (ABI.md).\n" +
			"Everything comes out of this program; nothing is fetched, now or when it is built. Languages: " + languages + ".\n" +
			"It exits with 5 if the language's tools are missing; the folder is there all the same."}
	cmd.Flags().StringVar(&language, "lang", "", "the language: "+languages)
	cmd.Flags().StringVar(&dir, "dir", "", "the folder, which is not there yet or empty (default NAME)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		if language == "" {
			return exitWith(exitUsage, errors.New("--lang is missing\n   = help: the languages are "+languages))
		}
		if err := config.CheckName(args[0]); err != nil {
			return exitWith(exitUsage, err)
		}
		if dir == "" {
			dir = args[0]
		}
		files, err := workbench.Files(edgeftp.Sources(), language, args[0])
		if err != nil {
			return exitWith(exitUsage, err)
		}
		if err := workbench.Write(filepath.Clean(dir), files); err != nil {
			return exitWith(exitFailed, fmt.Errorf("%w\n   = nothing was written", err))
		}
		return found(cmd.Context(), dir, language, files).tell(cmd.OutOrStdout(), a.output)
	}
	return cmd
}

// found describes a folder that was made, and looks for the tools that it needs.
func found(ctx context.Context, dir, language string, files map[string][]byte) *founded {
	f := &founded{Dir: dir, Language: language}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, "sdk/") {
			f.SDK = true
		} else {
			f.Files = append(f.Files, name)
		}
	}
	var err error
	if f.Tool, err = build.Toolchain(ctx, language); err != nil {
		f.Missing = missing(err)
	}
	return f
}

// missing says which tool is missing, and how to get it.
func missing(err error) string {
	var e *build.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := e.Summary
	if e.Output != "" {
		text += "\n" + e.Output
	}
	if e.Help != "" {
		text += "\n   = help: " + e.Help
	}
	return text
}

func (f *founded) tell(w io.Writer, output string) error {
	if output == "json" {
		if err := printJSON(w, f); err != nil {
			return exitWith(exitFailed, err)
		}
	} else {
		names := strings.Join(f.Files, "  ")
		if f.SDK {
			names += "  sdk/"
		}
		fmt.Fprintf(w, "made       %s%c  %s\n", f.Dir, os.PathSeparator, names)
		if f.Missing == "" {
			fmt.Fprintf(w, "toolchain  %s\n", f.Tool)
		}
		fmt.Fprintf(w, "next       cd %s && edgeftp policy test\n", quoted(f.Dir))
		fmt.Fprintf(w, "           edgeftp serve --root FILES --policy .     serves FILES, and builds the policy again whenever you save\n")
	}
	if f.Missing != "" {
		return exitWith(exitChecks, errors.New(f.Missing+"\n   = the folder is complete: it can be built as soon as the tool is there"))
	}
	return nil
}
