package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/quickstart"
)

// founding is what init is asked for, and how it is told.
type founding struct {
	plan   quickstart.Plan
	ips    []string
	dry    bool
	output string
}

// foundingResult is what init tells as JSON.
type foundingResult struct {
	DryRun    bool                  `json:"dry_run"`
	Found     *quickstart.Findings  `json:"found"`
	Files     []quickstart.File     `json:"files"`
	Passwords []quickstart.Password `json:"generated_passwords"`
	Next      []quickstart.Step     `json:"next"`
}

func quickstartCommand() *cobra.Command {
	f := new(founding)
	cmd := &cobra.Command{Use: "init --domain NAME", Short: "Write a configuration for a server on the Internet", Args: cobra.NoArgs,
		Long: "Looks at the machine (names, ports, directories, whose the server will be), tells everything that stands in the way at once, and\n" +
			"writes a short configuration, users with passwords that are made up, and systemd's units if asked. Then it does what config validate\n" +
			"does, and says what is left to do: DNS, firewall, start. Nothing that is there is overwritten, and after a failure nothing is left.\n" +
			"It exits with 5 if something stands in the way."}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.plan.Domains, "domain", nil, "name or IP address that clients come by, whose certificate an authority issues; repeatable")
	fl.StringVar(&f.plan.Email, "email", "", "where the authority may write to")
	fl.BoolVar(&f.plan.AgreeToTerms, "agree-to-terms", false, "you agree to the authority's terms of service")
	fl.StringVar(&f.plan.CA, "acme-ca", "", "letsencrypt-staging for tests, or the URL of an authority's directory (default letsencrypt)")
	fl.StringVar(&f.plan.Dir, "dir", "/etc/edgeftp", "directory of the configuration")
	fl.StringVar(&f.plan.Root, "root", "/srv/ftp", "directory in which each user has one")
	fl.StringVar(&f.plan.StateDir, "state-dir", "/var/lib/edgeftp", "where the server keeps its state")
	fl.StringArrayVar(&f.plan.Listen, "listen", []string{":21"}, "HOST:PORT of the listener, repeatable")
	fl.StringVar(&f.plan.PassivePorts, "passive-ports", "50000-50999", "A-B, one for each transfer that runs")
	fl.StringArrayVar(&f.plan.Users, "user", nil, "name of a user to make; repeatable")
	fl.StringVar(&f.plan.Account, "account", "edgeftp", "user of this machine whom the server is to be")
	fl.StringArrayVar(&f.ips, "ip", nil, "address that clients reach, where it is none of this machine's interfaces; repeatable")
	fl.BoolVar(&f.plan.Systemd, "systemd", false, "write systemd's units, too")
	fl.BoolVar(&f.dry, "dry-run", false, "look and tell, and write nothing")
	fl.StringVarP(&f.output, "output", "o", "human", "human or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.form(); err != nil {
			return exitWith(exitUsage, err)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return f.run(ctx, cmd)
	}
	return cmd
}

// form reads the flags.
func (f *founding) form() error {
	if err := (&admin{output: f.output}).form(); err != nil {
		return err
	}
	for _, text := range f.ips {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("--ip %s is no IP address\n   = help: write one such as 203.0.113.9 or 2001:db8::9", oneLine(text))
		}
		f.plan.IPs = append(f.plan.IPs, ip.Unmap())
	}
	for _, dir := range []*string{&f.plan.Dir, &f.plan.Root, &f.plan.StateDir} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		*dir = abs
	}
	return nil
}

func (f *founding) run(ctx context.Context, cmd *cobra.Command) error {
	found, err := quickstart.Survey(ctx, &f.plan, quickstart.This())
	if err != nil {
		return exitWith(exitFailed, err)
	}
	r := &foundingResult{DryRun: f.dry, Found: found, Passwords: []quickstart.Password{}}
	r.Next = f.plan.Next(where())
	if len(r.Found.Faults) > 0 {
		return f.refuse(r.Found)
	}
	if f.dry {
		files, err := f.plan.Files(nil)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		r.Files = files
		return exitWith(exitFailed, f.tell(cmd.OutOrStdout(), r))
	}
	made, err := f.plan.Write(ctx)
	if err != nil {
		return exitWith(exitFailed, fmt.Errorf("%w\n   = nothing was left behind", err))
	}
	if err := f.try(ctx, cmd.ErrOrStderr()); err != nil {
		made.Undo()
		return exitWith(exitConfig, fmt.Errorf("what was written does not hold, and was removed:\n%w", err))
	}
	r.Files, r.Passwords = made.Files, append(r.Passwords, made.Passwords...)
	if err := f.tell(cmd.OutOrStdout(), r); err != nil {
		made.Undo() // nobody has seen the passwords
		return exitWith(exitFailed, err)
	}
	return nil
}

// where is the path of this program.
func where() string {
	path, err := os.Executable()
	if err != nil {
		return "edgeftp"
	}
	return path
}

// try does what config validate does with the file.
func (f *founding) try(ctx context.Context, out io.Writer) error {
	conf, origins, err := config.ValidateOrigins(f.plan.Config())
	if err == nil {
		err = rehearse(ctx, conf, origins, out)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// refuse tells all that stands in the way, and what is to be looked after.
func (f *founding) refuse(found *quickstart.Findings) error {
	var b strings.Builder
	things := "1 thing stands"
	if n := len(found.Faults); n > 1 {
		things = fmt.Sprintf("%d things stand", n)
	}
	b.WriteString("nothing was written, as " + things + " in the way:")
	for i, p := range slices.Concat(found.Faults, found.Notes) {
		if i == len(found.Faults) {
			b.WriteString("\nand it is to be looked after:")
		}
		fmt.Fprintf(&b, "\n - %s", oneLine(p.Text))
		if p.Help != "" {
			fmt.Fprintf(&b, "\n   = help: %s", p.Help)
		}
	}
	return exitWith(exitChecks, errors.New(b.String()))
}

func (f *founding) tell(w io.Writer, r *foundingResult) error {
	if f.output == "json" {
		return printJSON(w, r)
	}
	b := new(strings.Builder)
	for _, text := range r.Found.Fine {
		fmt.Fprintf(b, "ok     %s\n", oneLine(text))
	}
	for _, n := range r.Found.Notes {
		fmt.Fprintf(b, "note   %s\n       = help: %s\n", oneLine(n.Text), n.Help)
	}
	b.WriteString("\n")
	for _, file := range r.Files {
		if !f.dry {
			fmt.Fprintf(b, "wrote  %s  %04o\n", file.Path, file.Mode)
			continue
		}
		fmt.Fprintf(b, "would write  %s  %04o\n", file.Path, file.Mode)
		if file.Path == f.plan.Config() {
			b.WriteString("\n  " + strings.TrimSpace(strings.ReplaceAll(string(file.Text), "\n", "\n  ")) + "\n\n")
		}
	}
	if len(r.Passwords) > 0 {
		b.WriteString("\nPasswords, which are told once and are written nowhere:\n\n")
		for _, p := range r.Passwords {
			fmt.Fprintf(b, "  %s  %s\n", p.User, p.Password)
		}
	}
	b.WriteString("\nWhat is left to do:\n")
	for i, step := range r.Next {
		fmt.Fprintf(b, "\n%d. %s\n\n", i+1, step.Text)
		for _, c := range step.Lines {
			b.WriteString("       " + c + "\n")
		}
	}
	b.WriteString("\nedgeftp help production goes all of the way.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
