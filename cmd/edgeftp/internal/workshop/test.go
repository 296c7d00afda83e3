package workshop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// TestOptions say how a module is tested. The zero value asks nothing twice.
type TestOptions struct {
	// Units has the policy's own unit tests run first, if it was built from source.
	Units bool
	// Questions is how many are asked to see whether memory grows, 0 for none, within
	// SoakTime.
	Questions int
	SoakTime  time.Duration
	// Fuel is the file of pinned fuel. It need not be there.
	Fuel string
	// Update writes the fuel of this run there, with Percent as what each may vary.
	Update  bool
	Percent float64
}

// Report is what policy test tells.
type Report struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	ABI     string `json:"abi,omitempty"`
	How     string `json:"built,omitempty"`
	Size    int    `json:"size"`
	Packed  int    `json:"packed"` // bytes with gzip
	Digest  string `json:"digest"`

	Units       *Units       `json:"unit_tests,omitempty"`
	Passed      int          `json:"passed"`
	Failed      int          `json:"failed"`
	Tests       []TestResult `json:"tests"`
	Cover       Cover        `json:"cover"`
	Budget      *Budget      `json:"budget,omitempty"`
	Fuel        *FuelCheck   `json:"fuel,omitempty"`
	Differences []string     `json:"differences"` // between runs that should be the same
	OK          bool         `json:"ok"`
}

// Units is what became of the policy's own unit tests.
type Units struct {
	Ran    bool   `json:"ran"` // there are some
	Passed bool   `json:"passed"`
	Output string `json:"output,omitempty"`
}

// TestResult is one test.
type TestResult struct {
	Name     string   `json:"name"`
	Passed   bool     `json:"passed"`
	Question string   `json:"question"`
	Want     string   `json:"want,omitempty"`
	Got      string   `json:"got"`
	Problem  string   `json:"problem,omitempty"` // what is not as it should be
	Failure  *Failure `json:"failure,omitempty"`
	Log      []string `json:"log,omitempty"`
	Requests []string `json:"requests,omitempty"`
	Notes    []string `json:"notes,omitempty"` // what it asked for that the test does not give
	Hints    []string `json:"hints,omitempty"`
	Fuel     int64    `json:"fuel"`
	Nanos    int64    `json:"ns"`
	Memory   uint32   `json:"memory"`
}

// Test runs everything. It fails only if the tests cannot be run; what they find is in
// the report.
func (s *Shop) Test(ctx context.Context, o TestOptions) (*Report, error) {
	m := &s.Facts.Manifest
	r := &Report{Name: s.Name, Version: m.Version, ABI: m.ABI, Size: len(s.Module), Packed: packed(s.Module), Digest: s.Facts.Digest,
		Tests: []TestResult{}, Differences: []string{}}
	if s.Built != nil {
		r.How = s.Built.How
		if o.Units {
			r.Units = s.units(ctx)
		}
	}
	first := s.policy.Trial(s.Set)
	all, err := askAll(ctx, first, s.Set)
	first.Close()
	if err != nil {
		return nil, err
	}
	for i, t := range all {
		one := s.result(t)
		if one.Name = s.unique(i); one.Passed {
			r.Passed++
		} else {
			r.Failed++
		}
		r.Tests = append(r.Tests, one)
	}
	r.Cover = s.cover()
	if r.Differences, err = s.repeat(ctx, all); err != nil {
		return nil, err
	}
	if len(all) > 0 {
		if r.Budget, err = s.budget(ctx, all, r.Tests, o); err != nil {
			return nil, err
		}
	}
	if o.Fuel != "" {
		if r.Fuel, err = checkFuel(o, r.Tests); err != nil {
			return nil, err
		}
	}
	r.OK = r.Failed == 0 && len(r.Differences) == 0 && (r.Units == nil || r.Units.Passed || !r.Units.Ran) &&
		(r.Fuel == nil || len(r.Fuel.Beyond) == 0)
	return r, ctx.Err()
}

// askAll asks all tests in order.
func askAll(ctx context.Context, t *wasmhost.Trial, set *cases.Set) ([]*wasmhost.Tried, error) {
	var all []*wasmhost.Tried
	for i := range set.Tests {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		all = append(all, t.Ask(ctx, &set.Tests[i]))
	}
	return all, nil
}

// unique is the name of a test, with its number if an earlier one has the same.
func (s *Shop) unique(i int) string {
	name := s.Set.Tests[i].Name
	for j := range i {
		if s.Set.Tests[j].Name == name {
			return fmt.Sprintf("%s (test %d)", name, i+1)
		}
	}
	return name
}

func (s *Shop) result(t *wasmhost.Tried) TestResult {
	r := TestResult{Passed: t.Err == nil, Question: t.Case.Words(), Want: t.Want, Got: t.Got, Log: t.Log, Requests: t.Fetched,
		Notes: t.Missing, Fuel: t.Fuel(), Nanos: int64(t.Took()), Memory: t.Memory()}
	if t.Err != nil {
		r.Problem = abi.Clean(firstLine(t.Err.Error()), 500)
		r.Hints = s.hints(t)
	}
	if r.Failure = explain(t.Cause); r.Failure != nil {
		r.Got = t.Action + ": " + r.Failure.line()
	}
	return r
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// units runs the policy's own unit tests.
func (s *Shop) units(ctx context.Context) *Units {
	var out bytes.Buffer
	ran, err := build.Test(ctx, s.Source.Path, &out)
	u := &Units{Ran: ran || err != nil, Passed: err == nil, Output: strings.TrimSpace(out.String())}
	var fault *build.Error
	switch {
	case errors.As(err, &fault) && fault.Output != "" && out.Len() == 0:
		if u.Output = fault.Output; fault.Help != "" {
			u.Output += "\n= help: " + fault.Help
		}
	case err != nil && u.Output == "":
		u.Output = err.Error()
	}
	return u
}

// repeat asks all again, in an instance that is as new as the first was, and once more
// in that one, which has answered others since. It tells where the answers differ.
func (s *Shop) repeat(ctx context.Context, first []*wasmhost.Tried) ([]string, error) {
	t := s.policy.Trial(s.Set)
	defer t.Close()
	found := []string{}
	for round, how := range []string{"in another new instance", "in an instance that has answered before"} {
		if round > 0 {
			t.Again()
		}
		again, err := askAll(ctx, t, s.Set)
		if err != nil {
			return nil, err
		}
		for i := range again {
			if what := differs(first[i], again[i], round == 0); what != "" {
				found = append(found, fmt.Sprintf("%s: %s %s", s.unique(i), how, what))
			}
		}
	}
	return found, nil
}

// differs says in what two answers to one test differ; whole compares all of them, and
// what they cost.
func differs(a, b *wasmhost.Tried, whole bool) string {
	switch {
	case a.Action != b.Action || len(a.Calls) != len(b.Calls):
		return fmt.Sprintf("it is %s, was %s", b.Got, a.Got)
	case whole && a.Got != b.Got:
		return fmt.Sprintf("it is %s, was %s", b.Got, a.Got)
	}
	for i, x := range a.Calls {
		y := b.Calls[i]
		switch {
		case x.Verdict>>16&0xff != y.Verdict>>16&0xff || x.Verdict&0xffff != y.Verdict&0xffff:
			return fmt.Sprintf("it is %s, was %s", b.Got, a.Got)
		case whole && !bytes.Equal(x.Reply, y.Reply):
			return "the reply has other bytes"
		case whole && x.Fuel != y.Fuel:
			return fmt.Sprintf("it costs %s units of fuel, not %s", number(y.Fuel), number(x.Fuel))
		}
	}
	return ""
}

// FuelFile is where the fuel of a policy's tests is pinned by itself: beside its tests.
func (s *Shop) FuelFile() string {
	dir := filepath.Dir(s.Source.Path)
	switch {
	case s.Source.Tests != "":
		dir = filepath.Dir(s.Source.Tests)
	case s.Built != nil:
		dir = s.Source.Path
	}
	return filepath.Join(dir, "fuel.json")
}

// Pinned reports whether that file is there.
func (s *Shop) Pinned() bool {
	_, err := os.Stat(s.FuelFile())
	return !errors.Is(err, fs.ErrNotExist)
}
