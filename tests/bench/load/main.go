//go:build linux

// Command load measures edgeftp beside other FTP servers: how many bytes, files,
// logins, entries and commands they make of their processor time, and what sessions
// cost that do nothing. All of them serve one tree in memory over loopback, and take
// turns inside each scenario and round, so that ratios are those of neighbours in time.
//
// README.md beside its directory says how to use it and how it counts.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/tests/peers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, errInside) {
			fmt.Fprintln(os.Stderr, "load:", err)
		}
		os.Exit(1)
	}
}

// start is the program, also where it has started itself.
func start(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == bareWord:
		return bareMain(args[1])
	case len(args) > 0 && args[0] == insideWord:
		p, _, err := flags(args[1:])
		if err != nil {
			return err
		}
		if err := settleIn(); err != nil {
			return err
		}
		p.place = "in a network namespace of its own"
		return p.run(ctx, true)
	}
	p, listed, err := flags(args)
	if err != nil {
		return err
	}
	if listed {
		list(os.Stdout)
		return nil
	}
	work, err := os.MkdirTemp("", "edgeftp-load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := p.prepare(ctx, work); err != nil {
		return err
	}
	done, reason, err := enclose(ctx, append(args, "-program", p.program, "-packages", p.packages))
	if done || err != nil {
		return err
	}
	p.place = reason
	return p.run(ctx, false)
}

// flags reads the command line.
func flags(args []string) (p *plan, listed bool, err error) {
	p = &plan{progress: os.Stderr, huge: 100000}
	fl := flag.NewFlagSet("load", flag.ContinueOnError)
	fl.IntVar(&p.rounds, "rounds", 5, "how often each server has its turn")
	fl.DurationVar(&p.length, "time", time.Second, "length of one measurement, where it is not done when something is done")
	fl.DurationVar(&p.longest, "longest", 3*time.Hour, "no measurement begins after it")
	fl.StringVar(&p.only, "only", "", "beginnings of the names of scenarios, with commas between them; NAME$ is that one alone; all if empty")
	fl.StringVar(&p.peers, "peers", "vsftpd,pureftpd,proftpd,pyftpdlib", "of Debian's packages, with commas between them")
	fl.Func("edgeftp", "NAME=PATH of another build of edgeftp, such as before=./edgeftp.old; repeatable", func(s string) error {
		if name, path, ok := strings.Cut(s, "="); !ok || name == "" || path == "" || name == us {
			return fmt.Errorf("it is NAME=PATH, and NAME is not %s", us)
		}
		p.builds = append(p.builds, s)
		return nil
	})
	fl.Func("server", "file that describes any other server, see spec.go; repeatable", func(s string) error {
		p.specs = append(p.specs, s)
		return nil
	})
	fl.BoolVar(&p.chain, "chain", false, "measure edgeftp with three policy modules too")
	fl.BoolVar(&p.physical, "physical", false, "measure the bare paths beside the scenarios; with -only bare all of them alone")
	fl.BoolVar(&p.all, "all", false, "print every figure, not only those with goals")
	fl.StringVar(&p.out, "o", "", "file for the report as JSON")
	fl.StringVar(&p.profiles, "profile", "", "directory for profiles of edgeftp in each scenario; nothing else is measured")
	fl.StringVar(&p.pgo, "pgo", "", "file for the profile of profile-guided optimisation; nothing else is measured")
	fl.StringVar(&p.tree, "tree", ".", "root of edgeftp's sources")
	fl.StringVar(&p.program, "program", "", "edgeftp that was built before, instead of that of -tree")
	fl.StringVar(&p.packages, "packages", "", "directory that keeps Debian's packages for the next time")
	fl.StringVar(&p.disk, "disk", os.TempDir(), "directory on a disk")
	fl.BoolVar(&listed, "list", false, "list the scenarios and their goals")
	if err := fl.Parse(args); err != nil {
		return nil, false, err
	}
	if fl.NArg() > 0 || p.rounds < 1 || p.length <= 0 {
		return nil, false, fmt.Errorf("%q is not understood\n   = help: -h lists the flags; -rounds and -time are above 0", fl.Args())
	}
	return p, listed, nil
}

// prepare makes what needs the network of the machine: the program and the packages.
func (p *plan) prepare(ctx context.Context, work string) error {
	if err := os.Chmod(work, 0o755); err != nil { // servers drop their privileges
		return err
	}
	wants := p.wants()
	if len(wants) > 0 && os.Geteuid() != 0 && (len(wants) > 1 || wants[0] != "pyftpdlib") {
		return errNoRoot
	}
	p.packages = cmp.Or(p.packages, filepath.Join(work, "packages"))
	if len(wants) > 0 {
		g, err := peers.NewGround(p.packages)
		if err != nil {
			return err
		}
		if err := g.Fetch(ctx); err != nil {
			return err
		}
		if err := g.Close(); err != nil {
			return err
		}
	}
	if p.program != "" {
		return nil
	}
	p.program = filepath.Join(work, "edgeftp")
	args := []string{"build", "-o", p.program}
	if p.profiles != "" || p.pgo != "" {
		args = append(args, "-tags", "profile")
	} else {
		args = append(args, "-ldflags", "-s -w") // as releases are built
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/edgeftp")...)
	cmd.Dir = p.tree
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, said)
	}
	return nil
}

// wants are the names of Debian's peers; profiles are of edgeftp alone.
func (p *plan) wants() []string {
	if p.profiles != "" || p.pgo != "" {
		return nil
	}
	return strings.FieldsFunc(p.peers, func(r rune) bool { return r == ',' || r == ' ' })
}

// run measures and prints. Mounted says that it may mount.
func (p *plan) run(ctx context.Context, mounted bool) (err error) {
	if err := descriptors(); err != nil {
		return fmt.Errorf("raising the limit of descriptors: %w", err)
	}
	f, err := p.open(mounted)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.close(); err == nil {
			err = e
		}
	}()
	r, err := p.report(f)
	if err != nil {
		return err
	}
	switch {
	case p.profiles != "":
		return p.profile(ctx, f, p.program, os.Stdout)
	case p.pgo != "":
		return p.pgoProfile(ctx, f, p.program, os.Stdout)
	}
	err = p.measure(ctx, f, r)
	r.judge()
	r.table(os.Stdout, p.all)
	if p.out != "" {
		if e := r.write(p.out); err == nil {
			err = e
		}
	}
	return err
}

// report begins one.
func (p *plan) report(f *field) (*report, error) {
	r := &report{Machine: measure.Machine(), Began: time.Now().UTC().Format(time.RFC3339), Arguments: os.Args[1:],
		Servers: map[string]string{}, Binaries: map[string]int64{}, peers: map[string]bool{}}
	r.Place = "Servers run " + p.place + "; the tree is " + f.root
	if f.diskAt != "" {
		r.Place += ", its disk/ is on " + f.diskAt
	}
	for _, e := range f.entrants {
		r.order = append(r.order, e.name)
		r.peers[e.name] = e.peer
	}
	for _, b := range append([]string{us + "=" + p.program}, p.builds...) {
		name, path, _ := strings.Cut(b, "=")
		st, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		r.Binaries[name] = st.Size()
	}
	return r, nil
}

// open makes the field with everybody who takes part.
func (p *plan) open(mounted bool) (*field, error) {
	g, err := peers.NewGround(p.packages)
	if err != nil {
		return nil, err
	}
	f := &field{ground: g, program: p.program, kit: client.NewKit(), mine: map[int]bool{}}
	if err = p.grow(f, mounted); err == nil {
		err = p.enter(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}
