package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// The exit codes. exitCodes says what each means.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitConfig      = 3
	exitUnreachable = 4
	exitChecks      = 5
	exitInterrupted = 130
)

// exitCode is one row of the table of exit codes.
type exitCode struct {
	Code    int    `json:"code"`
	Name    string `json:"name"`
	Meaning string `json:"meaning"`
}

// exitCodes is the one table of them: help exit-codes and docs/commands.md show it.
func exitCodes() []exitCode {
	return []exitCode{
		{exitOK, "ok", "all went well"},
		{exitFailed, "failed", "it failed at run time; with several files: at least one of them"},
		{exitUsage, "usage", "the command line is wrong; nothing was done"},
		{exitConfig, "configuration", "the configuration is not valid, nothing was applied; a service manager should not start it again"},
		{exitUnreachable, "unreachable", "nobody answers: no server on the admin socket or, for get, put, ls, mirror, bench and bridge, at the URL"},
		{exitChecks, "checks", "something that was looked for is missing or wrong: a failed test or check, a copy that differs from its source, names that were left away"},
		{exitInterrupted, "interrupted", "it was interrupted (Ctrl-C, SIGTERM) before it was done"},
	}
}

func printExitCodes(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CODE\tNAME\tMEANING")
	for _, c := range exitCodes() {
		fmt.Fprintf(t, "%d\t%s\t%s\n", c.Code, c.Name, c.Meaning)
	}
	return t.Flush()
}

// exitError carries the code with which an error ends the program.
type exitError struct {
	code int
	err  error
}

// Error is what is told of it.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap returns the error underneath.
func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}
