package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// serveFlags adds the flags that stand for a configuration to a command. They have the
// variables of serve, whichever command it is.
func serveFlags(cmd *cobra.Command, f *config.Flags, file *string) {
	fl := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	fl.StringVar(file, "config", "", "the configuration file; it excludes all flags but --allow-root, --events, --log and --print-config")
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
	fl.VisitAll(func(flag *pflag.Flag) {
		flag.Annotations = map[string][]string{envName: {variablePrefix + "SERVE_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))}}
		cmd.Flags().AddFlag(flag)
	})
}

// onlyBeside refuses flags that a configuration file excludes.
func onlyBeside(cmd *cobra.Command) error {
	for _, name := range []string{"root", "listen", "implicit", "passive-ports", "tls", "cert", "key", "domain", "email", "agree-to-terms", "acme-ca", "user", "password-file",
		"perm", "anonymous", "read-only", "policy", "state-dir", "sandbox"} {
		if cmd.Flags().Changed(name) {
			return exitWith(exitUsage, fmt.Errorf("%s and %s exclude each other\n   = help: put it into the file", called(cmd, name), called(cmd, "config")))
		}
	}
	return nil
}
