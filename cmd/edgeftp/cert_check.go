package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/acme/check"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// checkTime bounds cert check; name servers may need two minutes to show a record.
const checkTime = 5 * time.Minute

func (c *certs) checkCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "check --config FILE [NAME...]", Short: "Try everything that an order for a certificate needs, and order nothing",
		Long: "Tries everything that the configuration needs to obtain certificates: the storage, the authorities, the names and their records,\n" +
			"the ports that authorities come to, the challenges; and says what is wrong and what to do about it. Nothing is ordered. A file\n" +
			"in the storage and a record by the DNS provider are added for the trial, and removed again. With dns-persist-01 the account\n" +
			"with the authority is made if there is none.\n\n" +
			"With NAMEs it looks at these alone. Run it as the server's user: storage that root may read is not yet storage that the\n" +
			"server may read.\n\n" +
			"It exits with 5 if certificates cannot be had, or not be kept, like this."}
	configFlag(cmd, &file)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		conf, made, err := c.configured(file)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), checkTime)
		defer cancel()
		opt := check.Options{Names: names, Running: running(ctx, conf.Socket)}
		if c.output != "json" {
			opt.Progress = func(f check.Finding) { printFinding(cmd.OutOrStdout(), f) }
		}
		found := check.Run(ctx, made, opt)
		if c.output == "json" {
			if err := c.show(cmd, orNothing(found), nil); err != nil {
				return err
			}
		}
		return concluded(cmd.OutOrStdout(), found, c.output == "json")
	}
	return cmd
}

// orNothing is a list that JSON shows as [] if it is empty.
func orNothing(found []check.Finding) []check.Finding {
	if found == nil {
		return []check.Finding{}
	}
	return found
}

// running returns a function that says whether an address is a listener of the server
// that answers on the socket. If none answers it is nil.
func running(ctx context.Context, socket string) func(string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	st, err := control.Client{Path: socket}.Status(ctx)
	if err != nil {
		return nil
	}
	return func(address string) bool {
		for _, l := range st.Listeners {
			if sameListener(address, l.Address) {
				return true
			}
		}
		return false
	}
}

// sameListener reports whether a bound address answers for one of the configuration.
func sameListener(wanted, bound string) bool {
	host, port, err := net.SplitHostPort(wanted)
	boundHost, boundPort, err2 := net.SplitHostPort(bound)
	if err != nil || err2 != nil || port != boundPort {
		return false
	}
	ip, err := netip.ParseAddr(boundHost)
	return host == boundHost || err == nil && ip.IsUnspecified()
}

// printFinding prints one finding; they come as they are made.
func printFinding(w io.Writer, f check.Finding) {
	fmt.Fprintf(w, "%-5s %-10s %s: %s\n", f.Level, f.Area, oneLine(f.Subject), oneLine(f.Text))
	if f.Help != "" {
		fmt.Fprintf(w, "                 = help: %s\n", oneLine(f.Help))
	}
}

// concluded sums findings up, in words unless quiet and as the exit code.
func concluded(w io.Writer, found []check.Finding, quiet bool) error {
	n := map[check.Level]int{}
	for _, f := range found {
		n[f.Level]++
	}
	if n[check.Fail] > 0 {
		return exitWith(exitChecks, fmt.Errorf("certificates cannot be had, or not be kept, like this: %s, %s", plural(n[check.Fail], "failure"), plural(n[check.Warn], "warning")))
	}
	if quiet {
		return nil
	}
	words := "an order can be expected to succeed"
	if n[check.Warn] > 0 {
		words = "an order may succeed: " + plural(n[check.Warn], "warning")
	}
	_, err := fmt.Fprintln(w, words)
	return exitWith(exitFailed, err)
}

// plural is a number of things.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
