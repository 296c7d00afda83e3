package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// childWord is how a process of this program starts another one, so that each figure
// is that of a fresh process.
const childWord = "child"

// child is a process that start or load has started: it does one thing and prints one
// line about it.
func child(ctx context.Context, args []string) error {
	switch {
	case len(args) == 3 && args[0] == "start":
		return startChild(ctx, args[1], args[2])
	case len(args) == 4 && args[0] == "load":
		return loadChild(ctx, args[1], args[2], args[3])
	}
	return errors.New("this word is for the program's own use")
}

// offspring runs a child and returns its line and how long it took to say it.
func offspring(ctx context.Context, args ...string) (line string, took time.Duration, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{childWord}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	line, err = bufio.NewReader(out).ReadString('\n')
	took = time.Since(start)
	if e := cmd.Wait(); e != nil {
		return "", 0, fmt.Errorf("%s: %w", strings.Join(args, " "), e)
	}
	return strings.TrimSpace(line), took, err
}
