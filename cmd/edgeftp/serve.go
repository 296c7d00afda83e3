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
)

func serveCommand() *cobra.Command {
	var f config.Flags
	var file string
	var printConfig, allowRoot bool
	cmd := &cobra.Command{Use: "serve --root DIR | --config FILE", Short: "Serve files", Args: cobra.NoArgs}
	fl := cmd.Flags()
	fl.StringVar(&file, "config", "", "the configuration file; it excludes all flags but --allow-root, --events, --log and --print-config")
	fl.StringVar(&f.Root, "root", "", "the directory to serve")
	fl.StringArrayVar(&f.Listen, "listen", nil, "HOST:PORT of a listener, repeatable (default 127.0.0.1:2121)")
	fl.StringVar(&f.Implicit, "implicit", "", "HOST:PORT of a listener on which connections begin with TLS")
	fl.StringVar(&f.PassivePorts, "passive-ports", "", "A-B or a,b,c (default: the kernel's choice)")
	fl.StringVar(&f.TLS, "tls", "", "required, optional, or off on loopback addresses (default required)")
	fl.StringVar(&f.Cert, "cert", "", "certificate file, PEM (default: a development authority)")
	fl.StringVar(&f.Key, "key", "", "key file, PEM")
	fl.StringArrayVar(&f.Domains, "domain", nil, "name or IP address whose certificate an authority issues and renews; repeatable. It has to reach port 443 or 80 of the name here")
	fl.StringVar(&f.Email, "email", "", "where the authority may write to")
	fl.BoolVar(&f.AgreeToTerms, "agree-to-terms", false, "you agree to the authority's terms of service; --domain needs it")
	fl.StringVar(&f.CA, "acme-ca", "", "letsencrypt-staging for tests, or the URL of an authority's directory (default letsencrypt)")
	fl.StringVar(&f.User, "user", "", "name of the user (default dev)")
	fl.StringVar(&f.PasswordFile, "password-file", "", "file with the user's password (default: one is made up)")
	fl.StringVar(&f.Perm, "perm", "", "the user's permission letters (default elradfmwMT)")
	fl.BoolVar(&f.Anonymous, "anonymous", false, "let anonymous users read")
	fl.BoolVar(&f.ReadOnly, "read-only", false, "let nobody change anything")
	fl.StringArrayVar(&f.Policies, "policy", nil, "[NAME=]PATH of a policy: a .wasm file, or a directory of source, which is built again whenever it changes; repeatable, in order")
	fl.StringVar(&f.StateDir, "state-dir", "", "where edgeftp keeps its state (default ./.edgeftp)")
	fl.StringVar(&f.Events, "events", "", "file to which every event is appended as a JSON object (default: none)")
	fl.StringVar(&f.Sandbox, "sandbox", "", "how far the process is shut off from the machine: on, required (refuse to start if anything of it is missing) or off (default on)")
	fl.StringVar(&f.Log, "log", "", "human or json (default: human on a terminal)")
	fl.BoolVar(&allowRoot, "allow-root", false, "serve as root, which is refused otherwise where others can connect")
	fl.BoolVar(&printConfig, "print-config", false, "print the configuration that the flags stand for, and exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
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
		return from, exitWith(exitUsage, errors.New("serve needs --root DIR or --config FILE"))
	}
	if err := words(f); err != nil {
		return from, exitWith(exitUsage, err)
	}
	from.origin = origin{file: file, format: f.Log, events: f.Events, root: root}
	if file != "" {
		for _, name := range []string{"root", "listen", "implicit", "passive-ports", "tls", "cert", "key", "domain", "email", "agree-to-terms", "acme-ca", "user", "password-file",
			"perm", "anonymous", "read-only", "policy", "state-dir", "sandbox"} {
			if cmd.Flags().Changed(name) {
				return from, exitWith(exitUsage, fmt.Errorf("--%s and --config exclude each other\n   = help: put it into the file", name))
			}
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
	log, level := logger(conf.Log, out)
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
	if err := in.listen(ctx); err != nil {
		return err
	}
	if err := in.shut(); err != nil {
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
func prepare(ctx context.Context, signals <-chan os.Signal, from loaded, log *slog.Logger, level *slog.LevelVar) (*generation, error) {
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

// logger returns the log that the configuration asks for, and its level, which may change.
func logger(conf config.Log, out io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(conf.Level)) // checked by config
	if conf.Format == "human" {
		return slog.New(newConsole(out, level)), level
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})), level
}
