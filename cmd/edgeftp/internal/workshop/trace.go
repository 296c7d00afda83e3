package workshop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// Trace is where the fuel of one question went.
type Trace struct {
	Question  string     `json:"question"`
	Got       string     `json:"got"`
	Failure   *Failure   `json:"failure,omitempty"`
	Fuel      int64      `json:"fuel"`
	Functions []Function `json:"functions"`
	Tree      *Branch    `json:"tree"`
}

// Function is one function of the guest, or of the host, in all its calls.
type Function struct {
	Name  string `json:"name"`
	Calls int    `json:"calls"`
	Own   int64  `json:"own"`   // fuel of the function itself
	Total int64  `json:"total"` // with all that it called
}

// Branch is one place of the tree of calls.
type Branch struct {
	Function
	Below []*Branch `json:"below,omitempty"`
}

// Trace asks one question of a shop that was opened for tracing, times times, and traces
// the last: the first one in a new instance does more than those that follow. It fails
// if there was no call to trace.
func (s *Shop) Trace(ctx context.Context, c *cases.Case, times int) (*Trace, error) {
	t := s.policy.Trial(s.Set)
	defer t.Close()
	got := t.Ask(ctx, c)
	for i := 1; i < times && ctx.Err() == nil; i++ {
		got = t.Ask(ctx, c)
	}
	out := &Trace{Question: c.Words(), Got: got.Got, Failure: explain(got.Cause), Fuel: got.Fuel()}
	if out.Failure != nil {
		out.Got = got.Action + ": " + out.Failure.line()
	}
	root := &wasmhost.Span{Name: c.Hook}
	for _, x := range got.Calls {
		if x.Trace != nil {
			root.Calls++
			root.Fuel += x.Trace.Fuel
			root.Total += x.Trace.Total
			root.Below = append(root.Below, x.Trace.Below...)
		}
	}
	if root.Calls == 0 {
		return nil, fmt.Errorf("there was no call to trace: %w", cmp.Or(got.Cause, errors.New("the policy was not asked")))
	}
	out.Tree = branch(root)
	out.Functions = functions(root)
	return out, nil
}

func branch(s *wasmhost.Span) *Branch {
	b := &Branch{Function: Function{s.Name, s.Calls, s.Fuel, s.Total}}
	for _, below := range s.Below {
		b.Below = append(b.Below, branch(below))
	}
	slices.SortStableFunc(b.Below, func(x, y *Branch) int { return cmp.Compare(y.Total, x.Total) })
	return b
}

// functions adds up the tree by function, the dearest first. What a function that calls
// itself costs in all counts once, where it was first called.
func functions(root *wasmhost.Span) []Function {
	all := map[string]*Function{}
	running := map[string]bool{}
	var walk func(s *wasmhost.Span)
	walk = func(s *wasmhost.Span) {
		f := all[s.Name]
		if f == nil {
			f = &Function{Name: s.Name}
			all[s.Name] = f
		}
		f.Calls += s.Calls
		f.Own += s.Fuel
		outer := !running[s.Name]
		if outer {
			running[s.Name] = true
			f.Total += s.Total
		}
		for _, b := range s.Below {
			walk(b)
		}
		if outer {
			delete(running, s.Name)
		}
	}
	for _, b := range root.Below {
		walk(b)
	}
	list := []Function{}
	for _, f := range all {
		list = append(list, *f)
	}
	if root.Fuel > 0 {
		list = append(list, Function{"(outside of all functions)", root.Calls, root.Fuel, root.Fuel})
	}
	slices.SortFunc(list, func(a, b Function) int { return cmp.Or(cmp.Compare(b.Own, a.Own), cmp.Compare(a.Name, b.Name)) })
	return list
}

// shownFunctions is how many people are shown unless they want all.
const shownFunctions = 30

// Print writes the functions for people, the dearest first, or the tree.
func (t *Trace) Print(w io.Writer, tree, all bool) error {
	s := &sheet{w: w}
	s.line(0, "question", "%s", t.Question)
	s.line(0, "answer", "%s", t.Got)
	t.Failure.print(s, 0)
	s.line(0, "fuel", "%s", number(t.Fuel))
	s.write("\n")
	if tree {
		s.write(fmt.Sprintf("%14s %14s %8s  %s\n", "TOTAL", "OWN", "CALLS", "FUNCTION"))
		least := t.Fuel / 200
		if all {
			least = 0
		}
		t.Tree.print(s, 0, least)
		return s.err
	}
	s.write(fmt.Sprintf("%14s %6s %14s %8s  %s\n", "OWN", "", "TOTAL", "CALLS", "FUNCTION"))
	var rest int64
	for i, f := range t.Functions {
		if i >= shownFunctions && !all {
			rest += f.Own
			continue
		}
		s.write(fmt.Sprintf("%14s %5.1f%% %14s %8s  %s\n", number(f.Own), 100*float64(f.Own)/float64(max(t.Fuel, 1)), number(f.Total), number(int64(f.Calls)), strings.Map(visible, f.Name)))
	}
	if n := len(t.Functions) - shownFunctions; n > 0 && !all {
		s.write(fmt.Sprintf("%14s %5.1f%% %14s %8s  in %d other functions (--all)\n", number(rest), 100*float64(rest)/float64(max(t.Fuel, 1)), "", "", n))
	}
	return s.err
}

// print writes a branch and those below it that cost at least so much.
func (b *Branch) print(s *sheet, depth int, least int64) {
	s.write(fmt.Sprintf("%14s %14s %8s  %s%s\n", number(b.Total), number(b.Own), number(int64(b.Calls)), strings.Repeat("  ", depth), strings.Map(visible, b.Name)))
	left, rest := 0, int64(0)
	for _, below := range b.Below {
		if below.Total < least || depth >= 200 {
			left, rest = left+1, rest+below.Total
			continue
		}
		below.print(s, depth+1, least)
	}
	if left > 0 {
		s.write(fmt.Sprintf("%14s %14s %8s  %s%d cheaper ones (--all)\n", number(rest), "", "", strings.Repeat("  ", depth+1), left))
	}
}

// Folded writes the stacks as flame graphs want them: functions with a ";" between
// them, and the fuel of the last one.
func (t *Trace) Folded(w io.Writer) error {
	s := &sheet{w: w}
	var walk func(b *Branch, above string)
	walk = func(b *Branch, above string) {
		name := above + strings.Map(visible, strings.ReplaceAll(b.Name, ";", ":"))
		if b.Own > 0 {
			s.write(fmt.Sprintf("%s %d\n", name, b.Own))
		}
		for _, below := range b.Below {
			walk(below, name+";")
		}
	}
	walk(t.Tree, "")
	return s.err
}
