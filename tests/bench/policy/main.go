// Command policy measures what policies in modules cost a server, and what bad ones
// can do to it. Each of its words is one measurement; README.md in the folder above
// says what each of them shows.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
)

// measurement is one word of the command line.
type measurement struct {
	word, about string
	run         func(ctx context.Context, flags *flag.FlagSet, args []string) error
}

func measurements() []measurement {
	return []measurement{
		{"hostile", "modules that want to harm the server", hostile},
		{"swap", "1,000 swaps under 64 sessions that transfer", swap},
		{"trial", "a candidate that traps: on trial, and in force", trial},
		{"load", "10,000 idle and 1,000 active sessions", load},
		{"throughput", "downloads and uploads with policies and without", throughput},
		{"refuse", "what is refused at load, and what that costs", refuse},
		{"start", "from the start of a process until it serves", start},
		{"data", "looking at what transfers carry", data},
		{"replay", "a recording, asked of a module that differs in one bit", replay},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == childWord { // a process that start or load has started
		return child(ctx, args[1:])
	}
	for _, m := range measurements() {
		if len(args) == 0 || m.word != args[0] {
			continue
		}
		fmt.Printf("%s: %s\n%s\n\n", m.word, m.about, measure.Machine())
		return m.run(ctx, flag.NewFlagSet(m.word, flag.ExitOnError), args[1:])
	}
	text := "say what is to be measured:"
	for _, m := range measurements() {
		text += fmt.Sprintf("\n  %-11s %s", m.word, m.about)
	}
	return fmt.Errorf("%s\n(-h behind the word lists its flags)", text)
}
