package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/redact"
)

func serveCommand() *cobra.Command {
	var f config.Flags
	var file string
	var printConfig, allowRoot, takeOver bool
	cmd := &cobra.Command{Use: "serve --root DIR | --config FILE", Short: "Serve files", Args: cobra.NoArgs}
	serveFlags(cmd, &f, &file)
	fl := cmd.Flags()
	fl.BoolVar(&allowRoot, "allow-root", false, "serve as root, which is refused otherwise where others can connect")
	fl.BoolVar(&takeOver, "take-over", false, "take the place of the server that runs on the same state, if one does: it accepts no more, and ends when its sessions have")
	fl.BoolVar(&printConfig, "print-config", false, "print the configuration that the flags stand for, and exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := strangers(cmd.Root(), file); err != nil {
			return err
		}
		from, err := configure(cmd, f, file, allowRoot)
		if err != nil {
			return err
		}
		conf := from.conf
		if printConfig {
			text, err := conf.YAML()
			if err == nil {
				_, err = cmd.OutOrStdout().Write(text)
			}
			if missing := conf.Unwritten(); err == nil && len(missing) > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "secrets are not printed: the file wants them in the environment, as %s\n", strings.Join(missing, ", "))
			}
			if err == nil && conf.Password != "" { // the file has its hash alone
				fmt.Fprintf(cmd.ErrOrStderr(), "the password of %s is %s\n", conf.Users[0].Name, conf.Password)
			}
			return exitWith(exitFailed, err)
		}
		from.takeOver = takeOver
		warning, err := mayServe(conf, file != "")
		if err != nil {
			return err
		}
		return serve(cmd.Context(), from, warning, cmd.ErrOrStderr())
	}
	return cmd
}

// configure makes the configuration of the flags or of the file.
func configure(cmd *cobra.Command, f config.Flags, file string, root bool) (from loaded, err error) {
	if file == "" && f.Root == "" {
		return from, exitWith(exitUsage, errors.New("serve needs --root DIR or --config FILE\n"+
			"   = help: edgeftp serve --root DIR serves a directory on this machine alone; edgeftp init writes a configuration for the Internet"))
	}
	if err := words(f); err != nil {
		return from, exitWith(exitUsage, err)
	}
	from.origin = origin{file: file, format: f.Log, events: f.Events, root: root}
	if file != "" {
		if err := onlyBeside(cmd); err != nil {
			return from, err
		}
		text, err := from.origin.read()
		if err == nil {
			from.conf, from.source, err = from.origin.parse(text)
		}
		if err != nil {
			return from, exitWith(exitConfig, err)
		}
		from.origin.file = from.source.Path
	} else {
		if f.Log == "" && !isTerminal(cmd.ErrOrStderr()) {
			f.Log = "json"
		}
		if from.conf, err = config.FromFlags(f); err == nil {
			from.conf.Instance.AllowRoot = from.conf.Instance.AllowRoot || root
		}
	}
	return from, exitWith(exitConfig, err)
}

// words checks the flags that take one of a few words, and those that belong
// together.
func words(f config.Flags) error {
	for _, w := range []struct {
		flag, value string
		of          []string
	}{{"--tls", f.TLS, []string{"required", "optional", "off"}}, {"--log", f.Log, []string{"human", "json"}},
		{"--sandbox", f.Sandbox, []string{"on", "required", "off"}}} {
		if w.value != "" && !slices.Contains(w.of, w.value) {
			return fmt.Errorf("%s: %q is not one of %s", w.flag, w.value, strings.Join(w.of, ", "))
		}
	}
	if (f.Cert == "") != (f.Key == "") {
		return errors.New("--cert and --key go together\n   = help: name the certificate file and the key file that belongs to it")
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// serve runs a server until it is told to stop. A warning is logged when it is ready, if there is one.
func serve(ctx context.Context, from loaded, warning string, out io.Writer) error {
	start, conf := time.Now(), from.conf
	said := newOutput(conf.Log, out)
	from.hide = redact.New(conf.Log.Redact)
	log, level := logger(conf.Log, from.hide, said)
	if conf.Instance.Name != config.DefaultName {
		log = log.With("instance", conf.Instance.Name)
	}
	// Signals are held from here on, so that none of them ends a half-made server.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	in, err := prepare(ctx, signals, from, log, level)
	if in == nil {
		return err
	}
	defer in.closeInTime()
	if err := in.begin(said); err != nil {
		return err
	}
	in.attendEnd(signals)
	if err := in.listen(ctx); err != nil {
		return err
	}
	if err := in.shut(); err != nil {
		return err
	}
	if err := in.take(ctx); err != nil {
		return err
	}
	if ca := in.certs.ca; ca != nil && ca.Notice() != "" {
		log.Info(ca.Notice())
	}
	if warning != "" {
		log.Warn(warning, "help", "start it as another user; --allow-root says that you mean it")
	}
	g := in.greeting(conf)
	g.took = time.Since(start)
	if conf.Log.Format == "human" {
		g.print(out)
	} else {
		g.log(log)
	}
	in.manager.Ready(in.standing())
	return exitWith(exitFailed, in.run(ctx, signals, again))
}

// prepare assembles the server. Policies that are built from source may take
// minutes, so a signal ends it: then there is neither a server nor an error.
func prepare(ctx context.Context, signals <-chan os.Signal, from loaded, log *slog.Logger, level *levels) (*generation, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		in  *generation
		err error
	}
	done := make(chan result, 1)
	go func() {
		in, err := assemble(ctx, from, log, level)
		done <- result{in, err}
	}()
	select {
	case r := <-done:
		return r.in, r.err
	case s := <-signals:
		cancel()
		if r := <-done; r.err == nil {
			r.in.close()
		}
		log.Info("stopped before it served", "signal", s.String())
		return nil, nil
	}
}
