// Command peers times one decision of one policy in many ways, all in one run and in
// turn: linked in, as a guest of edgeftp in five languages, as a chain of three, on the
// bare engine without and with its own way to stop a guest, and on Extism.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
)

func main() {
	rounds := flag.Int("rounds", 20, "how often each line has its turn")
	batches := flag.Int("batches", 100, "batches of 100 calls in a turn")
	withGo := flag.Bool("go", true, "build and measure the Go guest too")
	withEvents := flag.Bool("events", false, "measure events on their way to an observer, and nothing else")
	flag.Parse()
	if *rounds < 1 || *batches < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	if *withEvents {
		err = events(context.Background(), *rounds)
	} else {
		err = run(context.Background(), *rounds, *batches, *withGo)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// ask is one decision, from the question to the answer.
type ask func(q *policy.Action) (policy.Verdict, error)

// contestant is one way to decide.
type contestant struct {
	name  string
	ask   ask
	close func() error
}

func run(ctx context.Context, rounds, batches int, withGo bool) (err error) {
	var all []contestant
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.close())
		}
	}()
	for _, make := range []func(context.Context) ([]contestant, error){ours(withGo), bare, extisms} {
		more, err := make(ctx)
		all = append(all, more...)
		if err != nil {
			return err
		}
	}
	fmt.Println(measure.Machine())
	fmt.Printf("%d turns of %d batches of 100 calls; slow: the 99th of 100 calls timed one by one, less a clock's %.0f ns\n",
		rounds, batches, measure.Clock())
	for _, exists := range []bool{false, true} {
		if err := table(all, guests.Question(exists), rounds, batches); err != nil {
			return err
		}
	}
	return nil
}

// table times one question.
func table(all []contestant, q *policy.Action, rounds, batches int) error {
	want, err := guests.Native{}.Authorize(context.Background(), q)
	if err != nil {
		return err
	}
	var subjects []*measure.Subject
	for _, c := range all {
		subjects = append(subjects, &measure.Subject{Name: c.name, Call: func() error {
			got, err := c.ask(q)
			if err == nil && got != want.Verdict {
				err = fmt.Errorf("the verdict is %v, want %v", got, want.Verdict)
			}
			return err
		}})
	}
	if err := measure.Compare(subjects, rounds, batches, batches*10); err != nil {
		return err
	}
	fmt.Printf("\n| answer %v | p50 ns | p99 ns | slow ns | allocations |\n|---|---|---|---|---|\n", want.Verdict)
	for _, s := range subjects {
		f := s.Figures()
		fmt.Printf("| %s | %.0f | %.0f | %.0f | %.0f |\n", s.Name, f.P50, f.P99, f.Slow, f.Allocs)
	}
	return nil
}
