package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"
)

// maxPassword bounds a password in bytes, as minisign does.
const maxPassword = 1023

// errNoTerminal says that nobody can be asked.
var errNoTerminal = errors.New("a password is needed, and there is no terminal to ask\n   = help: --password-file FILE reads it from the first line of a file")

// filePassword reads the first line of a file.
func filePassword(flag, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	return linePassword(flag, path, f)
}

// linePassword reads the first line of what is called name.
func linePassword(flag, name string, r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPassword+3))
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" || len(line) > maxPassword {
		return "", fmt.Errorf("%s: the first line of %s has %d bytes; a password has 1 to %d", flag, name, len(line), maxPassword)
	}
	return line, nil
}

// askPassword asks the terminal, which does not show what is typed. With again it
// asks twice.
func askPassword(ctx context.Context, w io.Writer, prompt string, again bool) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", errNoTerminal
	}
	first, err := askOnce(ctx, w, prompt, fd, before)
	if err != nil || !again {
		return first, err
	}
	second, err := askOnce(ctx, w, "again: ", fd, before)
	if err == nil && first != second {
		return "", errors.New("the two passwords are not the same; nothing was written")
	}
	return second, err
}

func askOnce(ctx context.Context, w io.Writer, prompt string, fd int, before *term.State) (string, error) {
	// An interrupt is to leave a terminal that shows what is typed.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	fmt.Fprint(w, prompt)
	go func() {
		text, err := term.ReadPassword(fd)
		got <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(w)
		return "", errors.Join(errors.New("interrupted; nothing was written"), term.Restore(fd, before))
	case a := <-got:
		fmt.Fprintln(w)
		switch {
		case a.err != nil:
			return "", fmt.Errorf("the password cannot be read: %w", a.err)
		case len(a.text) == 0 || len(a.text) > maxPassword:
			return "", fmt.Errorf("the password has %d bytes; it is to have 1 to %d", len(a.text), maxPassword)
		}
		return string(a.text), nil
	}
}
