//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/account"
)

// plan is what the flags say.
type plan struct {
	rounds   int
	length   time.Duration // of a stretch
	longest  time.Duration // no measurement begins after it
	only     string
	peers    string
	builds   []string // NAME=PATH of further builds of edgeftp
	specs    []string // files of other servers
	program  string   // edgeftp; empty: built
	chain    bool
	physical bool
	all      bool
	out      string
	profiles string // directory
	pgo      string // file
	tree     string // of the sources
	packages string
	disk     string
	huge     int // files in the largest directory: tests do without them

	place    string    // where everything runs, for people
	progress io.Writer // what was measured, line by line
}

// measure does all turns: A B C, A B C, ... inside each scenario.
func (p *plan) measure(ctx context.Context, f *field, r *report) (err error) {
	if err := account.Adopt(); err != nil {
		return fmt.Errorf("what servers leave behind cannot be accounted for: %w", err)
	}
	var bare *bareServer
	if p.physical || p.only != "" && chosen("bare", p.only) {
		if bare, err = f.startBare(ctx); err != nil {
			return err
		}
		defer bare.stop()
	}
	end := time.Now().Add(p.longest)
	for _, sc := range scenarios() {
		switch {
		case !chosen(sc.name, p.only) || sc.run == nil && bare == nil:
		case sc.disk && f.diskAt == "":
			fmt.Fprintf(p.progress, "%s is not measured: -disk is no directory on a disk that could be mounted\n", sc.name)
		default:
			if err := p.scenario(ctx, f, r, sc, bare, end); err != nil {
				return err
			}
		}
	}
	return nil
}

// scenario does the turns of one, and then stops servers of other variants than the
// plain one, for the memory.
func (p *plan) scenario(ctx context.Context, f *field, r *report, sc scenario, bare *bareServer, end time.Time) error {
	for round := range p.rounds {
		for _, e := range f.entrants {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case time.Now().After(end):
				return fmt.Errorf("%v have passed at %s: the rest is not measured\n   = help: -longest gives more time, -only takes fewer scenarios", p.longest, sc.name)
			case sc.run != nil && e.takes(sc):
				p.one(ctx, f, r, sc, e, round)
			}
		}
		if bare != nil {
			p.bare(f, r, sc, bare, round)
		}
	}
	for _, e := range f.entrants {
		for v, s := range e.ready {
			if v != plain {
				s.Stop()
			}
		}
	}
	return nil
}

// one measures one server once.
func (p *plan) one(ctx context.Context, f *field, r *report, sc scenario, e *entrant, round int) {
	f.clean()
	res := result{Scenario: sc.name, Server: e.name, Round: round}
	s, err := f.serves(ctx, e, sc.variant, sc.fresh)
	if s == nil && err == nil {
		return // it has no such variant
	}
	if err == nil {
		if r.Servers[e.name] == "" {
			r.Servers[e.name] = s.String() + ": " + s.Setup
		}
		res.Figures, err = sc.run(&turn{field: f, s: s, length: p.length})
	}
	f.clean()
	p.note(r, sc, res, err)
	if s != nil && s.Alive() {
		s.settle()
	}
}

// bare measures the bare paths beside a scenario once.
func (p *plan) bare(f *field, r *report, sc scenario, b *bareServer, round int) {
	for _, path := range barePaths() {
		for _, name := range sc.bare {
			if name != path.name {
				continue
			}
			f.clean()
			found, err := path.run(&turn{field: f, s: &b.server, length: p.length})
			f.clean()
			p.note(r, sc, result{Scenario: sc.name, Server: name, Round: round, Figures: found}, err)
		}
	}
}

// longestError is what is kept of an error: a server that does not start may say a lot.
const longestError = 600

// note keeps what was found.
func (p *plan) note(r *report, sc scenario, res result, err error) {
	if err != nil {
		res.Error = err.Error()
		if len(res.Error) > longestError {
			res.Error = res.Error[:longestError] + "..."
		}
	}
	for name, v := range res.Figures {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(res.Figures, name)
		}
	}
	r.Results = append(r.Results, res)
	value := "-"
	for _, figure := range []string{sc.main, "srv_cpu_us/entry", "MB/s"} {
		if v, ok := res.Figures[figure]; ok {
			value = figure + " " + number(v)
			break
		}
	}
	fmt.Fprintf(p.progress, "%-16s %-22s %d  %s  %s\n", sc.name, res.Server, res.Round+1, value, res.Error)
}

// errNoRoot is told where peers cannot be started.
var errNoRoot = errors.New("the peers' servers want root, as they change their user and root directory\n   = help: run it as root, or say -peers \"\" or -peers pyftpdlib")

// enter names everybody who takes part: us first.
func (p *plan) enter(f *field) error {
	f.entrants = append(f.entrants, f.ours(us, p.program, ""))
	if p.chain {
		modules, err := f.chain(p.tree)
		if err != nil {
			return err
		}
		f.entrants = append(f.entrants, f.ours(chained, p.program, modules))
	}
	for _, b := range p.builds {
		name, path, _ := strings.Cut(b, "=")
		path, err := filepath.Abs(path) // servers have another working directory
		if err != nil {
			return err
		}
		f.entrants = append(f.entrants, f.ours(name, path, ""))
	}
	for _, name := range p.wants() {
		e, err := f.debian(name)
		if err != nil {
			return err
		}
		f.entrants = append(f.entrants, e)
	}
	for _, path := range p.specs {
		s, err := readSpec(path)
		if err != nil {
			return err
		}
		f.entrants = append(f.entrants, f.other(s))
	}
	names := map[string]bool{}
	for _, e := range f.entrants {
		if names[e.name] {
			return fmt.Errorf("two servers are called %s", e.name)
		}
		names[e.name] = true
	}
	return nil
}
