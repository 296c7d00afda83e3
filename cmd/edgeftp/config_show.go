package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// showCommand is config show.
func showCommand() *cobra.Command {
	a := &admin{}
	var f config.Flags
	var file string
	var effective bool
	cmd := &cobra.Command{Use: "show --config FILE | --root DIR [flags of serve] [--effective]", Short: "Show what a configuration says, and where each value comes from", Args: cobra.NoArgs,
		Long: "Shows the keys that the configuration gives, each with its value and where that comes from: a line of the file, a variable of the\n" +
			"environment, another file, a credential of systemd or a flag. With --effective it shows every key, those with their defaults too.\n" +
			"It takes the flags of serve, and their variables (EDGEFTP_SERVE_ROOT and so on). Secrets are hidden."}
	serveFlags(cmd, &f, &file)
	cmd.Flags().BoolVar(&effective, "effective", false, "every key, also those that nobody has given")
	cmd.Flags().StringVarP(&a.output, "output", "o", "human", "human or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.form(); err != nil {
			return err
		}
		list, err := settingsOf(cmd, f, file)
		if err != nil {
			return err
		}
		if !effective {
			kept := list[:0]
			for _, s := range list {
				if s.Origin.Kind != config.OriginDefault && s.Origin.Kind != config.OriginKey {
					kept = append(kept, s)
				}
			}
			list = kept
		}
		return a.show(cmd, list, func(w io.Writer) error { return printSettings(w, list) })
	}
	return cmd
}

// settingsOf are the keys of what serve would serve with the same flags.
func settingsOf(cmd *cobra.Command, f config.Flags, file string) ([]config.Setting, error) {
	if err := words(f); err != nil {
		return nil, exitWith(exitUsage, err)
	}
	var conf *config.Config
	var origins *config.Origins
	var err error
	switch {
	case file == "" && f.Root == "":
		return nil, exitWith(exitUsage, errors.New("config show needs --config FILE, or --root DIR and other flags of serve"))
	case file != "":
		if err := onlyBeside(cmd); err != nil {
			return nil, err
		}
		conf, origins, err = config.LoadOrigins(file)
	default:
		conf, origins, err = config.FlagOrigins(f, func(flag string) (bool, string) { return given(cmd, flag) })
	}
	if err != nil {
		return nil, exitWith(exitConfig, err)
	}
	if file != "" {
		for flag, key := range map[string]string{"events": "events.file", "log": "telemetry.log.format"} {
			if set, variable := given(cmd, flag); set {
				origins.Override(key, flag, variable)
			}
		}
		if f.Log != "" {
			conf.Log.Format = f.Log
		}
		if err := conf.LogEvents(f.Events); err != nil {
			return nil, exitWith(exitConfig, err)
		}
	}
	list, err := conf.Settings(origins)
	return list, exitWith(exitFailed, err)
}

func printSettings(w io.Writer, list []config.Setting) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\n", oneLine(s.Key), dash(oneLine(s.Value)), oneLine(s.Origin.String()))
	}
	return t.Flush()
}
