package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
)

// doctorCommand is doctor.
func doctorCommand() *cobra.Command {
	a := new(admin)
	var file string
	cmd := &cobra.Command{Use: "doctor [--config FILE | --state-dir DIR | --socket PATH]", Short: "Tell how far a server is shut off from the machine", Args: cobra.NoArgs,
		Long: "Puts the layers of the sandbox on itself, as a server of the configuration would, and tells which ones this machine has, and\n" +
			"whether serve would refuse to serve as who asks, which is root.\n" +
			"Without a configuration the server is one that serves the working directory. With --state-dir or --socket it asks a running\n" +
			"server instead. It exits with 5 if a layer that is wanted is not whole."}
	cmd.Flags().StringVar(&file, "config", "", "the configuration file of the server")
	a.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.form(); err != nil {
			return err
		}
		var s *sandbox.State
		var err error
		switch running := cmd.Flags().Changed("state-dir") || cmd.Flags().Changed("socket"); {
		case running && file != "":
			return exitWith(exitUsage, errors.New("--config excludes --state-dir and --socket\n   = help: a running server has its rules already"))
		case running:
			s, err = a.confinement(cmd.Context())
		default:
			s, err = tryConfinement(file)
		}
		if err != nil {
			return err
		}
		if err := a.show(cmd, s, func(w io.Writer) error { return printConfinement(w, s) }); err != nil {
			return err
		}
		if lacking := s.Lacking(); len(lacking) > 0 {
			return exitWith(exitChecks, fmt.Errorf("%d of %d layers are not whole", len(lacking), len(s.Layers)))
		}
		return nil
	}
	return cmd
}

// confinement asks a running server.
func (a *admin) confinement(ctx context.Context) (*sandbox.State, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	s, err := a.client().Confinement(ctx)
	if err != nil {
		return nil, told(err)
	}
	return &s, nil
}

// tryConfinement puts the layers on this process. What it does afterwards is to print.
func tryConfinement(file string) (*sandbox.State, error) {
	conf, source, err := triedConfig(file)
	if err != nil {
		return nil, exitWith(exitConfig, err)
	}
	_, who := mayServe(conf, file != "")
	plan := sandbox.PlanFor(conf)
	rereads(plan, conf, source)
	s, err := sandbox.Close(plan, confinement(conf))
	if who != nil && s != nil {
		s.Layers = append(s.Layers, noUser(who))
	}
	if errors.Is(err, sandbox.ErrLacking) {
		err = nil // it is told layer by layer
	}
	return s, exitWith(exitFailed, err)
}

// noUser tells of a server that would refuse to serve, as a layer is told of.
func noUser(why error) sandbox.Layer {
	text, help, _ := strings.Cut(why.Error(), "\n   = help: ")
	return sandbox.Layer{Name: "user", State: sandbox.LayerMissing, Text: text, Help: help}
}

func triedConfig(file string) (*config.Config, *config.Source, error) {
	if file != "" {
		text, err := config.Read(file)
		if err != nil {
			return nil, nil, err
		}
		return config.Parse(file, text)
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	return &config.Config{Root: dir, Instance: config.Instance{StateDir: dir}, Socket: filepath.Join(dir, "admin.sock"),
		Listeners: []config.Listener{{Name: "main"}}, Sandbox: config.Sandbox{Landlock: string(sandbox.On), Seccomp: true}}, nil, nil
}

// printConfinement writes the layers, and the rules of those that have some.
func printConfinement(w io.Writer, s *sandbox.State) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range s.Layers {
		fmt.Fprintf(t, "%s\t%s\t%s\n", l.State, l.Name, l.Text)
		if l.Help != "" && l.State != sandbox.LayerOn {
			fmt.Fprintf(t, "\t\t= help: %s\n", l.Help)
		}
	}
	if s.Landlock != sandbox.Off {
		fmt.Fprintf(t, "\n")
		for _, r := range s.Rules.Paths {
			fmt.Fprintf(t, "%s\t%s\t%s\n", r.Access, r.Path, r.Why)
		}
		for _, b := range s.Rules.Bind {
			fmt.Fprintf(t, "bind\t%s\t%s\n", b, b.Why)
		}
		for _, why := range s.Rules.Connect {
			fmt.Fprintf(t, "connect\tany port\t%s\n", why)
		}
		for _, b := range s.Rules.ConnectTo {
			fmt.Fprintf(t, "connect\t%s\t%s\n", b, b.Why)
		}
		for _, text := range s.Rules.Left {
			fmt.Fprintf(t, "none\t%s\n", text)
		}
	}
	return t.Flush()
}
