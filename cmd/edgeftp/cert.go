package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// certs are the commands on certificates, and what they know of the world.
type certs struct {
	admin
	now  func() time.Time
	host trustHost
}

func certCommand() *cobra.Command {
	c := &certs{now: time.Now, host: thisHost()}
	return c.command()
}

func (c *certs) command() *cobra.Command {
	cmd := &cobra.Command{Use: "cert", Short: "List and renew certificates, check how they are obtained, and trust the development authority",
		RunE: func(cmd *cobra.Command, args []string) error {
			return noCommand(cmd, args, "cert needs a command: edgeftp cert --help lists them")
		}, Args: cobra.ArbitraryArgs}
	c.flags(cmd)
	group := func(id, title string, commands ...*cobra.Command) {
		cmd.AddGroup(&cobra.Group{ID: id, Title: title})
		for _, sub := range commands {
			sub.GroupID = id
			cmd.AddCommand(sub)
		}
	}
	group("serve", "In a running server:", c.listCommand(), c.showCommand(), c.renewCommand())
	group("order", "Before a server runs, by its configuration:", c.checkCommand(), c.recordCommand())
	group("dev", "The development authority, which serve has without a configuration:", c.exportCommand(), c.trustCommand())
	return cmd
}

// judged is a certificate with its state, as -o json tells it.
type judged struct {
	acme.Certificate
	State control.CertState `json:"state"`
}

func (c *certs) judge(cert acme.Certificate) judged {
	return judged{cert, control.StateOf(&cert, c.now())}
}

func (c *certs) listCommand() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the certificates that are served or wanted", Args: cobra.NoArgs,
		Long: "Lists the certificates that are served or wanted. RENEWAL is when the next one is to be ordered, or after failures is tried\n" +
			"again. STATE is one of:\n" +
			"  ok             it is valid, and not yet to be renewed\n" +
			"  due            it is to be renewed by now; certificate files: put new ones in place\n" +
			"  failing        the last order, or look at changed files, came to nothing; the one in use stays\n" +
			"  not valid yet  clients refuse it: its time has not begun, or the clock is wrong\n" +
			"  none yet       there is none: clients of that name cannot use TLS\n" +
			"  expired        clients refuse it\n" +
			"cert show tells all about one of them.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.do(cmd, func(ctx context.Context, cl control.Client) (any, error) {
				list, err := cl.Certificates(ctx)
				all := make([]judged, len(list))
				for i := range list {
					all[i] = c.judge(list[i])
				}
				return all, err
			}, func(w io.Writer, got any) { printCertificates(w, got.([]judged), c.now()) })
		}}
}

func (c *certs) showCommand() *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Tell all about a certificate", Args: cobra.ExactArgs(1),
		Long: "Tells all about a certificate: what it holds, whose it is, its fingerprint and serial number, when it is renewed, and what the\n" +
			"last failure was. NAME is one of cert list.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.do(cmd, func(ctx context.Context, cl control.Client) (any, error) {
				list, err := cl.Certificates(ctx)
				if err != nil {
					return nil, err
				}
				i := findCertificate(list, args[0])
				if i < 0 {
					return nil, unknownCertificate(args[0], list)
				}
				return c.judge(list[i]), nil
			}, func(w io.Writer, got any) { printCertificate(w, got.(judged), c.now()) })
		}}
}

// renewed is what came of one renewal.
type renewed struct {
	Name   string           `json:"name"`
	Before acme.Certificate `json:"before"`
	After  *judged          `json:"after,omitempty"` // nil after a failure
	Error  string           `json:"error,omitempty"`
}

func (c *certs) renewCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{Use: "renew NAME | --all", Short: "Order a new certificate now, and serve it",
		Long: "Has the server order a new certificate for NAME, one of cert list, however long the present one is valid, and waits until it is\n" +
			"served. Sessions are not disturbed. If the order fails the certificate in use stays, and the authority's words are told.\n\n" +
			"Certificates renew by themselves; authorities limit how many may be ordered. --all renews one after the other those that the\n" +
			"configuration names: neither certificate files nor what clients asked for on demand.",
		Args: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) || len(args) > 1 {
				return exitWith(exitUsage, errors.New("cert renew takes the name of one certificate, or --all\n   = help: edgeftp cert list tells the names"))
			}
			return nil
		}}
	cmd.Flags().BoolVar(&all, "all", false, "renew all certificates that the configuration names")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.form(); err != nil {
			return err
		}
		list, err := c.toRenew(cmd.Context(), args)
		if err != nil {
			return err
		}
		return c.renew(cmd, list)
	}
	return cmd
}

// toRenew asks the server for the certificates that are to be renewed: that of the
// name in args, or all.
func (c *certs) toRenew(ctx context.Context, args []string) ([]acme.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	list, err := c.client().Certificates(ctx)
	if err != nil {
		return nil, told(err)
	}
	if len(args) == 1 {
		i := findCertificate(list, args[0])
		if i < 0 {
			return nil, exitWith(exitFailed, unknownCertificate(args[0], list))
		}
		return list[i : i+1], nil
	}
	var named []acme.Certificate
	for _, cert := range list {
		if cert.Source != "files" && !cert.OnDemand {
			named = append(named, cert)
		}
	}
	if len(named) == 0 {
		return nil, exitWith(exitFailed, errors.New("there is no certificate that the server could order\n   = help: edgeftp cert list tells what there is"))
	}
	return named, nil
}

// renew renews certificates one after the other, and tells of each.
func (c *certs) renew(cmd *cobra.Command, list []acme.Certificate) error {
	var done []renewed
	var failed []error
	for _, before := range list {
		ctx, cancel := context.WithTimeout(cmd.Context(), control.MaxRenewal+adminTime)
		after, err := c.client().Renew(ctx, before.Name)
		cancel()
		r := renewed{Name: before.Name, Before: before}
		var no *control.Refusal
		switch {
		case err == nil:
			now := c.judge(after)
			r.After = &now
		case errors.As(err, &no):
			r.Error = no.Error()
			failed = append(failed, err)
		default: // there is no server to ask any more
			return told(err)
		}
		done = append(done, r)
		if c.output != "json" && (err == nil || len(list) > 1) { // one alone is told as the error
			printRenewed(cmd.OutOrStdout(), r, c.now())
		}
	}
	if c.output == "json" {
		if err := c.show(cmd, done, nil); err != nil {
			return err
		}
	}
	switch {
	case len(failed) == 1 && len(list) == 1:
		return exitWith(exitFailed, failed[0])
	case len(failed) > 0:
		return exitWith(exitFailed, fmt.Errorf("%d of %d certificates were not renewed\n   = help: edgeftp cert list tells when they are tried again; edgeftp cert check looks for the cause", len(failed), len(list)))
	}
	return nil
}

// configFlag adds the flag of a command that needs a configuration.
func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "the configuration file")
	_ = cmd.MarkFlagRequired("config") // it is there
}
